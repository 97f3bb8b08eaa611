//! What a handler may do in its transaction.
//!
//! Knows: statements, and that SQLite has ended the transaction. Does not know: when it ends otherwise; nobody but the writer does.

use std::cell::{Cell, OnceCell};

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Params, Row, ffi};

use crate::error::{Meaning, meaning};

/// A handler's transaction. It ends with what the handler gives back, and with nothing else: statements like `commit` are refused.
///
/// SQLite rolls a transaction back by itself on some errors: a full disk, and where a statement, a table or a trigger says `rollback`.
/// Then nothing of it remains, every further statement fails, and whatever the handler gives back is not kept.
#[derive(Debug)]
pub struct Transaction<'a> {
    connection: &'a Connection,
    /// The error at which SQLite ended it, if it was seen here.
    ended_by: OnceCell<Ended>,
    /// Whether one of these functions was told that the disk has failed.
    is_fatal: Cell<bool>,
}

/// Why SQLite has ended a transaction.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) meaning: Meaning,
    what: String,
}

impl Ended {
    /// What the handler that gave back something else is told.
    pub(crate) fn to_error(&self) -> rusqlite::Error {
        ended(&self.what)
    }
}

/// An error that says that SQLite has ended the transaction.
pub(crate) fn ended(why: &str) -> rusqlite::Error {
    let what = format!("SQLite has rolled back the transaction: {why}");
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_ABORT_ROLLBACK), Some(what))
}

impl<'a> Transaction<'a> {
    pub(crate) const fn new(connection: &'a Connection) -> Self {
        Self { connection, ended_by: OnceCell::new(), is_fatal: Cell::new(false) }
    }

    /// Why SQLite has ended it, if one of these functions was told.
    pub(crate) fn into_ended(self) -> Option<Ended> {
        self.ended_by.into_inner()
    }

    /// What an error means that the handler gave back. One of another database says nothing about this one.
    pub(crate) fn meaning(&self, error: &rusqlite::Error) -> Meaning {
        match meaning(error) {
            Meaning::Fatal if !self.is_fatal.get() => Meaning::OfHandler,
            meaning => meaning,
        }
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
        self.noted(self.prepare(sql)?.execute(params))
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
        self.noted(self.prepare(sql)?.query_row(params, read))
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
        if self.connection.is_autocommit() {
            return Err(self.ended_by.get().map_or_else(|| ended("at an earlier statement"), Ended::to_error));
        }
        self.noted(self.connection.prepare_cached(sql))
    }

    /// The handler may keep an error to itself; the writer has to know whether it may pass.
    fn noted<T>(&self, result: rusqlite::Result<T>) -> rusqlite::Result<T> {
        if result.as_ref().is_err_and(|error| meaning(error) == Meaning::Fatal) {
            self.is_fatal.set(true);
        }
        if let Err(error) = &result
            && self.connection.is_autocommit()
        {
            let _ = self.ended_by.set(Ended { meaning: meaning(error), what: error.to_string() });
        }
        result
    }
}
