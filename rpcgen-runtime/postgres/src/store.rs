//! Completion records: written last in the handler's transaction, which does not commit without.
//!
//! Knows: the tables of `schema.sql`. Does not know: what handlers do.

use std::sync::{Arc, Weak};

use rpcgen_runtime::completion::sql::{Begun, Failure, SqlDatabase};
use rpcgen_runtime::completion::{
    Backoff, CallRecord, Completion, CompletionStore, Found, KnownLog, LogId, LogMark, RecordedAnswer, StoreError,
    StoreFuture,
};
use rpcgen_runtime::{CallKey, CallNumber, ClientId, Incarnation};
use tokio::sync::watch;
use tokio_postgres::error::SqlState;

use crate::session::{Of, Pool, Session};
use crate::{Error, Postgres, Transaction};

/// A call key as it stands in the table. PostgreSQL's integers are signed: the largest numbers are negative there, and found all the same.
struct Key {
    client: [u8; 16],
    incarnation: i64,
    number: i64,
}

impl From<CallKey> for Key {
    fn from(key: CallKey) -> Self {
        Self {
            client: key.client.0.to_be_bytes(),
            incarnation: key.incarnation.0.cast_signed(),
            number: key.number.0.cast_signed(),
        }
    }
}

impl Postgres {
    async fn find_with(&self, session: &mut Session, call: CallKey) -> Result<Found, Error> {
        let (statement, key) = (session.statement(&self.pool.statements.find, Of::Store).await?, Key::from(call));
        let row = session.client.query_opt(&statement, &[&&key.client[..], &key.incarnation, &key.number]).await?;
        // Second: a record that goes between the two leaves this.
        let Some(row) = row else { return self.find_retired(session, call).await };
        let (Some(is_failure), Some(answer)) = (row.get::<_, Option<bool>>(1), row.get::<_, Option<Vec<u8>>>(2)) else {
            return Err(Error::NoAnswer);
        };
        let answer = RecordedAnswer { is_failure, bytes: answer.into() };
        Ok(Found::Completed(Completion { digest: row.get::<_, i64>(0).cast_unsigned(), answer }))
    }

    async fn find_retired(&self, session: &mut Session, call: CallKey) -> Result<Found, Error> {
        let (statement, key) = (session.statement(&self.pool.statements.retired, Of::Store).await?, Key::from(call));
        let row = session.client.query_opt(&statement, &[&&key.client[..], &key.incarnation]).await?;
        let is_retired = row.is_some_and(|row| key.number < row.get(0));
        Ok(if is_retired { Found::Retired } else { Found::Nothing })
    }

    async fn known(&self, log: LogId) -> Result<Option<KnownLog>, Error> {
        let mut lent = self.pool.lend().await?;
        let statement = lent.session.statement(&self.pool.statements.known_log, Of::Store).await?;
        let row = lent.session.client.query_opt(&statement, &[&&log.0[..]]).await?;
        self.pool.check_owner(&lent.session).await?;
        self.pool.take_back(lent);
        row.map(|row| {
            let mark = row.get::<_, &[u8]>(1).try_into().map_err(|_| Error::NoMark)?;
            Ok(KnownLog { number: row.get::<_, i64>(0).cast_unsigned(), mark: LogMark(mark) })
        })
        .transpose()
    }

    async fn take(&self, log: LogId, was: Option<LogMark>, now: KnownLog) -> Result<bool, Error> {
        let mut lent = self.pool.lend().await?;
        let session = &mut lent.session;
        let (number, epoch) = (now.number.cast_signed(), self.pool.epoch.cast_signed());
        let taken = match was {
            Some(was) => {
                let params: crate::Params<'_> = &[&&log.0[..], &number, &&now.mark.0[..], &epoch, &&was.0[..]];
                session.change(&self.pool.statements.take_log, params).await?
            }
            None => {
                session.change(&self.pool.statements.new_log, &[&&log.0[..], &number, &&now.mark.0[..], &epoch]).await?
            }
        };
        self.pool.check_owner(session).await?;
        self.pool.take_back(lent);
        Ok(taken == 1)
    }

    async fn ask(&self, key: CallKey) -> Result<Found, Error> {
        let mut lent = self.pool.lend().await?;
        let found = self.find_with(&mut lent.session, key).await?;
        // What an owner that is none any more says may be old.
        self.pool.check_owner(&lent.session).await?;
        self.pool.take_back(lent);
        Ok(found)
    }

    /// Whether the record's statement found that there may be none. The same of a handler's own table, which may have that name in another
    /// schema, comes with the commit, if it is deferred.
    fn is_refused(&self, error: &tokio_postgres::Error) -> bool {
        error.as_db_error().is_some_and(|error| {
            error.table() == Some("rpcgen_completions")
                && error.schema() == Some(&self.pool.statements.schema)
                && [SqlState::UNIQUE_VIOLATION, SqlState::NOT_NULL_VIOLATION].contains(error.code())
        })
    }
}

impl SqlDatabase for Postgres {
    type Transaction = Transaction;
    type Error = Error;

    async fn begin(&self, call: &CallRecord, may_have_run: bool) -> Result<Begun<Transaction>, Error> {
        let (attempt, has_waited) = self.pool.attempt(call.key).await;
        let may_have_run = may_have_run || has_waited;
        let mut lent = self.pool.lend().await?;
        if may_have_run {
            self.pool.check_owner(&lent.session).await?;
            let before = match self.find_with(&mut lent.session, call.key).await? {
                Found::Nothing => None,
                Found::Completed(completion) => Some(Begun::Completed(completion)),
                Found::Retired => Some(Begun::Retired),
            };
            if let Some(before) = before {
                self.pool.take_back(lent);
                return Ok(before);
            }
        }
        Ok(Begun::New(Transaction::new(lent, Arc::clone(&self.pool), attempt)))
    }

    async fn undo(&self, transaction: &mut Transaction) -> Result<(), Error> {
        transaction.roll_back().await
    }

    async fn commit(
        &self,
        mut transaction: Transaction,
        call: &CallRecord,
        answer: &RecordedAnswer,
    ) -> Result<(), Error> {
        let statement = transaction.lent().session.statement(&self.pool.statements.record, Of::Store).await?;
        let (key, epoch) = (Key::from(call.key), self.pool.epoch.cast_signed());
        let (method, digest) = (call.method.0.cast_signed(), call.digest.cast_signed());
        let params: crate::Params<'_> = &[
            &&key.client[..],
            &key.incarnation,
            &key.number,
            &method,
            &digest,
            &epoch,
            &answer.is_failure,
            &&answer.bytes[..],
        ];
        match transaction.end_with(&statement, params).await {
            Err(Error::Postgres(error)) if self.is_refused(&error) => Err(Error::Raced),
            Err(Error::Postgres(error)) if error.code() == Some(&SqlState::DIVISION_BY_ZERO) => Err(Error::NotRecorded),
            ended => ended,
        }
    }

    fn failure(error: &Error) -> Failure {
        error.failure()
    }
}

impl CompletionStore for Postgres {
    fn find(&self, key: CallKey) -> StoreFuture<'_, Result<Found, StoreError>> {
        Box::pin(async move { self.ask(key).await.map_err(in_words) })
    }

    fn retire(&self, client: ClientId, incarnation: Incarnation, below: CallNumber) {
        self.pool.retired().add(CallKey { client, incarnation, number: below });
        self.news.send_replace(());
    }

    fn known_log(&self, log: LogId) -> StoreFuture<'_, Result<Option<KnownLog>, StoreError>> {
        Box::pin(async move { self.known(log).await.map_err(in_words) })
    }

    fn take_log(&self, log: LogId, was: Option<LogMark>, now: KnownLog) -> StoreFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move { self.take(log, was, now).await.map_err(in_words) })
    }

    fn stopped(&self) -> StoreFuture<'_, StoreError> {
        Box::pin(self.stopped())
    }
}

fn in_words(error: Error) -> StoreError {
    match error.failure() {
        Failure::Stopped => StoreError::Stopped(error.to_string()),
        // Also what will not pass by itself: a table that was renamed can be named as before, without another start.
        Failure::Transient | Failure::Permanent => StoreError::Unavailable(error.to_string()),
    }
}

/// Deletes what clients have retired, some at a time. Ends with the last handle.
pub(crate) async fn clean_up(pool: Weak<Pool>, mut news: watch::Receiver<()>) {
    while news.changed().await.is_ok() {
        let mut backoff = Backoff::default();
        loop {
            let Some(pool) = pool.upgrade().filter(|pool| pool.stopped.borrow().is_none()) else { return };
            let Some(key) = pool.retired().first() else { break };
            match delete_some(&pool, key).await {
                Ok(0) => pool.retired().done(key),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "records that may go stay for a while");
                    backoff.wait().await;
                }
            }
        }
    }
}

async fn delete_some(pool: &Pool, key: CallKey) -> Result<u64, Error> {
    let mut lent = pool.lend().await?;
    let key = Key::from(key);
    let deleted =
        lent.session.change(&pool.statements.retire, &[&&key.client[..], &key.incarnation, &key.number]).await?;
    pool.take_back(lent);
    Ok(deleted)
}
