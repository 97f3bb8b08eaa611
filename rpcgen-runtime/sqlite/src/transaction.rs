//! What a handler may do in its transaction.
//!
//! Knows: statements. Does not know: when the transaction ends; nobody but the writer does.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Params, Row};

/// A handler's transaction. It ends with what the handler gives back, and with nothing else: statements like `commit` are refused.
#[derive(Debug)]
pub struct Transaction<'a> {
    connection: &'a Connection,
}

impl<'a> Transaction<'a> {
    pub(crate) const fn new(connection: &'a Connection) -> Self {
        Self { connection }
    }

    /// All that SQLite can do, but for what would end the transaction.
    #[must_use]
    pub const fn connection(&self) -> &'a Connection {
        self.connection
    }

    /// Runs a statement, and returns how many rows it changed. Statements are compiled once, and kept by their text.
    ///
    /// # Errors
    /// What SQLite says. If the handler gives it back, nothing of the call remains.
    pub fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute(params)
    }

    /// The first row of a query.
    ///
    /// # Errors
    /// As [`Self::execute`]; and there is none.
    pub fn query_row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.connection.prepare_cached(sql)?.query_row(params, read)
    }

    /// The first row of a query, if there is one.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub fn query_opt<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Option<T>> {
        self.query_row(sql, params, read).optional()
    }

    /// A statement, to be run many times or read row by row.
    ///
    /// # Errors
    /// As [`Self::execute`].
    pub fn prepare(&self, sql: &str) -> rusqlite::Result<CachedStatement<'a>> {
        self.connection.prepare_cached(sql)
    }
}
