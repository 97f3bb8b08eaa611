//! A handler's transaction.
//!
//! Knows: statements, that the first of them begins it, and that it is rolled back unless the store commits it. Does not know: completion
//! records.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use crate::Error;
use crate::session::{Attempt, BEGIN, Lent, Of, Pool};

/// A handler's transaction. It ends with what the handler gives back.
pub struct Transaction {
    /// `None`: it has ended.
    lent: Option<Lent>,
    /// Whether PostgreSQL knows of it.
    is_begun: bool,
    /// Whether a statement of the handler's is under way.
    runs: bool,
    pool: Arc<Pool>,
    /// `None`: it has ended, or somebody else sees to that.
    attempt: Option<Attempt>,
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("is_open", &self.lent.is_some()).finish_non_exhaustive()
    }
}

/// Parameters of a statement: `&[&from, &amount]`.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Transaction {
    /// Its first statement begins it, in the same round trip.
    pub(crate) const fn new(lent: Lent, pool: Arc<Pool>, attempt: Attempt) -> Self {
        Self { lent: Some(lent), is_begun: false, runs: false, pool, attempt: Some(attempt) }
    }

    pub(crate) fn lent(&mut self) -> &mut Lent {
        self.lent.as_mut().expect("it has not ended")
    }

    /// Runs a statement, and returns how many rows it changed. Statements are compiled once for each connection, and kept by their text.
    ///
    /// # Errors
    /// What PostgreSQL says, or that the statement would end the transaction or outlive it: give it back.
    pub async fn execute(&mut self, sql: &str, params: Params<'_>) -> Result<u64, Error> {
        let statement = self.handlers_own(sql).await?;
        self.within(async |client| client.execute(&statement, params).await).await
    }

    /// All rows of a query.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub async fn query(&mut self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.handlers_own(sql).await?;
        self.within(async |client| client.query(&statement, params).await).await
    }

    /// The only row of a query.
    ///
    /// # Errors
    /// As [`Self::execute`]; and there is none, or more than one.
    pub async fn query_one(&mut self, sql: &str, params: Params<'_>) -> Result<Row, Error> {
        let statement = self.handlers_own(sql).await?;
        self.within(async |client| client.query_one(&statement, params).await).await
    }

    /// The only row of a query, if there is one.
    ///
    /// # Errors
    /// As [`Self::execute`]; and there is more than one.
    pub async fn query_opt(&mut self, sql: &str, params: Params<'_>) -> Result<Option<Row>, Error> {
        let statement = self.handlers_own(sql).await?;
        self.within(async |client| client.query_opt(&statement, params).await).await
    }

    async fn handlers_own(&mut self, sql: &str) -> Result<Statement, Error> {
        self.lent().session.statement(sql, Of::Handler).await
    }

    /// Sends what is done in this transaction; before the first of it, and in the same round trip, that it begins.
    pub(crate) async fn within<T>(
        &mut self,
        work: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, Error> {
        let is_begun = std::mem::replace(&mut self.is_begun, true);
        self.runs = true;
        let client = &self.lent().session.client;
        let (begun, done) = if is_begun {
            (Ok(()), work(client).await)
        } else {
            // In this order: each is sent when it is first polled.
            tokio::join!(biased; client.batch_execute(BEGIN), work(client))
        };
        self.runs = false;
        begun.map_err(Error::NotBegun)?;
        Ok(done?)
    }

    /// What was done in it is gone; what follows begins anew.
    pub(crate) async fn roll_back(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.is_begun, false) {
            self.lent().session.client.batch_execute("rollback").await?;
        }
        Ok(())
    }

    /// Writes the record and commits, in one round trip. Where the record is not written, PostgreSQL makes a rollback of the commit.
    ///
    /// # Errors
    /// Nothing of the transaction remains, or, if the connection is lost, nobody knows.
    pub(crate) async fn end_with(mut self, record: &Statement, params: Params<'_>) -> Result<(), Error> {
        let begins = !std::mem::replace(&mut self.is_begun, true);
        // One that the handler has given up may still be under way; what is behind it now is not to be cancelled.
        self.runs = false;
        run_and_commit(&self.lent().session.client, begins, record, params).await?;
        if let Some(lent) = self.lent.take() {
            self.pool.take_back(lent);
        }
        Ok(())
    }
}

/// The last statement of a transaction, which `begins` with it or has begun before, and the commit. How many rows it changed.
pub(crate) async fn run_and_commit(
    client: &Client,
    begins: bool,
    last: &Statement,
    params: Params<'_>,
) -> Result<u64, Error> {
    let begin = async {
        let begun = if begins { client.batch_execute(BEGIN).await } else { Ok(()) };
        begun.map_err(Error::NotBegun)
    };
    let last = async { Ok(client.execute(last, params).await?) };
    in_order(begin, last, async { Ok(client.batch_execute("commit").await?) }).await
}

/// All three in one round trip: each is sent when it is first polled.
async fn in_order<T, E>(
    begin: impl Future<Output = Result<(), E>>,
    last: impl Future<Output = Result<T, E>>,
    commit: impl Future<Output = Result<(), E>>,
) -> Result<T, E> {
    let mut last = pin!(async { tokio::join!(biased; begin, last) });
    let (begun, done) = match poll_fn(|context| Poll::Ready(last.as_mut().poll(context))).await {
        // By then it was not sent (a column of another type, say), and nothing may be committed; or it was answered already, as a thread
        // may be held up between the two.
        Poll::Ready((Ok(()), Ok(done))) => return commit.await.map(|()| done),
        Poll::Ready(failed) => failed,
        Poll::Pending => {
            let (last, committed) = tokio::join!(biased; last, commit);
            match last {
                (Ok(()), Ok(done)) => return committed.map(|()| done),
                failed => failed,
            }
        }
    };
    begun?;
    done
}

impl Drop for Transaction {
    fn drop(&mut self) {
        match (self.lent.take(), self.attempt.take()) {
            (Some(lent), Some(attempt)) if self.is_begun => {
                Arc::clone(&self.pool).give_up(lent, attempt, self.runs);
            }
            (Some(lent), _) => self.pool.take_back(lent),
            (None, _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// What comes of a last statement, and whether the commit was sent. `held_up`: it is answered before it is looked at again.
    async fn outcome(done: Result<u64, &'static str>, held_up: bool) -> (Result<u64, &'static str>, bool) {
        let is_committed = Cell::new(false);
        let last = async {
            if !held_up {
                tokio::task::yield_now().await;
            }
            done
        };
        let commit = async {
            is_committed.set(true);
            Ok(())
        };
        (in_order(async { Ok(()) }, last, commit).await, is_committed.get())
    }

    #[tokio::test]
    async fn what_is_done_is_committed_however_soon_it_is_answered() {
        assert_eq!(outcome(Ok(1), false).await, (Ok(1), true));
        assert_eq!(outcome(Ok(1), true).await, (Ok(1), true));
    }

    #[tokio::test]
    async fn what_was_not_sent_is_not_committed() {
        assert_eq!(outcome(Err("not sent"), true).await, (Err("not sent"), false));
    }
}
