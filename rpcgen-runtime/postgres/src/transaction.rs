//! A handler's transaction.
//!
//! Knows: statements, and that it is rolled back unless the store commits it. Does not know: completion records.

use std::sync::Arc;

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::Error;
use crate::session::{Lent, Pool};

/// A handler's transaction. It ends with what the handler gives back.
pub struct Transaction {
    /// `None`: it has ended.
    lent: Option<Lent>,
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
    /// The connection is within a transaction from now on.
    pub(crate) const fn new(lent: Lent, pool: Arc<Pool>) -> Self {
        Self { lent: Some(lent), pool }
    }

    pub(crate) fn lent(&mut self) -> &mut Lent {
        self.lent.as_mut().expect("it has not ended")
    }

    /// Runs a statement, and returns how many rows it changed. Statements are compiled once for each connection, and kept by their text.
    ///
    /// # Errors
    /// What PostgreSQL says: give it back.
    pub async fn execute(&mut self, sql: &str, params: Params<'_>) -> Result<u64, Error> {
        let session = &mut self.lent().session;
        let statement = session.statement(sql).await?;
        Ok(session.client.execute(&statement, params).await?)
    }

    /// All rows of a query.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub async fn query(&mut self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Error> {
        let session = &mut self.lent().session;
        let statement = session.statement(sql).await?;
        Ok(session.client.query(&statement, params).await?)
    }

    /// The only row of a query.
    ///
    /// # Errors
    /// As [`Self::execute`]; and there is none, or more than one.
    pub async fn query_one(&mut self, sql: &str, params: Params<'_>) -> Result<Row, Error> {
        let session = &mut self.lent().session;
        let statement = session.statement(sql).await?;
        Ok(session.client.query_one(&statement, params).await?)
    }

    /// The only row of a query, if there is one.
    ///
    /// # Errors
    /// As [`Self::execute`]; and there is more than one.
    pub async fn query_opt(&mut self, sql: &str, params: Params<'_>) -> Result<Option<Row>, Error> {
        let session = &mut self.lent().session;
        let statement = session.statement(sql).await?;
        Ok(session.client.query_opt(&statement, params).await?)
    }

    /// It has ended well: the connection can be used again.
    pub(crate) fn ended(mut self) {
        if let Some(lent) = self.lent.take() {
            self.pool.take_back(lent);
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let Some(lent) = self.lent.take() else { return };
        let pool = Arc::clone(&self.pool);
        // Without a runtime the connection goes, and PostgreSQL rolls back by itself.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if lent.session.client.batch_execute("rollback").await.is_ok() {
                pool.take_back(lent);
            }
        });
    }
}
