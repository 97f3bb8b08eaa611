//! A handler's transaction.
//!
//! Knows: statements, that the first of them begins it, and that it is rolled back unless the store commits it. Does not know: completion
//! records.

use std::sync::Arc;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use crate::Error;
use crate::session::{Lent, Of, Pool};

/// A handler's transaction. It ends with what the handler gives back.
pub struct Transaction {
    /// `None`: it has ended.
    lent: Option<Lent>,
    /// Whether PostgreSQL knows of it.
    is_begun: bool,
    pool: Arc<Pool>,
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
    pub(crate) const fn new(lent: Lent, pool: Arc<Pool>) -> Self {
        Self { lent: Some(lent), is_begun: false, pool }
    }

    pub(crate) fn lent(&mut self) -> &mut Lent {
        self.lent.as_mut().expect("it has not ended")
    }

    /// Runs a statement, and returns how many rows it changed. Statements are compiled once for each connection, and kept by their text.
    ///
    /// # Errors
    /// What PostgreSQL says, or that the statement would end the transaction: give it back.
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
        let client = &self.lent().session.client;
        if is_begun {
            return Ok(work(client).await?);
        }
        // In this order: each is sent when it is first polled.
        let (begun, done) = tokio::join!(biased; client.batch_execute("begin"), work(client));
        begun?;
        Ok(done?)
    }

    /// What was done in it is gone; what follows begins anew.
    pub(crate) async fn roll_back(&mut self) -> Result<(), Error> {
        if std::mem::replace(&mut self.is_begun, false) {
            self.lent().session.client.batch_execute("rollback").await?;
        }
        Ok(())
    }

    /// Runs the last statement and commits, in one round trip. Where the statement fails, PostgreSQL makes a rollback of the commit.
    ///
    /// # Errors
    /// The outer one: the commit failed, or nobody knows whether it did. The inner one: the statement failed, and nothing remains.
    pub(crate) async fn end_with(
        mut self,
        statement: &Statement,
        params: Params<'_>,
    ) -> Result<Result<(), tokio_postgres::Error>, Error> {
        let is_begun = self.is_begun;
        let client = &self.lent().session.client;
        let (done, committed) = tokio::join!(
            biased;
            client.execute(statement, params),
            // Alone, a statement is a transaction.
            async { if is_begun { client.batch_execute("commit").await } else { Ok(()) } }
        );
        committed?;
        if done.as_ref().is_err_and(|error| error.code().is_none()) {
            return Ok(done.map(drop)); // Not PostgreSQL's word: what the connection has come to is not known.
        }
        if let Some(lent) = self.lent.take() {
            self.pool.take_back(lent);
        }
        Ok(done.map(drop))
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(lent) = self.lent.take() else { return };
        let pool = Arc::clone(&self.pool);
        if !self.is_begun {
            return pool.take_back(lent);
        }
        // Without a runtime the connection goes, and PostgreSQL rolls back by itself.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if lent.session.client.batch_execute("rollback").await.is_ok() {
                pool.take_back(lent);
            }
        });
    }
}
