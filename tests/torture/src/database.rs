//! The bank's database, as the harness has it: started, stopped, read.
//!
//! Knows: where it is. Does not know: what a transfer does.

use std::path::Path;

use effects::PostgresServer;

use crate::Failure;
use crate::bank::{Books, postgres, sqlite};
use crate::plan::Database;
use crate::processes::stop_processes;

/// The bank's database.
#[derive(Debug)]
pub(crate) enum Store {
    /// A file beside the logs, opened by the bank's process.
    Sqlite,
    /// A server of the run's own, and how the bank reaches it.
    Postgres(PostgresServer, String),
}

impl Store {
    pub(crate) fn start(database: Database, folder: &Path) -> Result<Self, Failure> {
        Ok(match database {
            Database::Sqlite => Self::Sqlite,
            Database::Postgres => {
                let server = PostgresServer::start_in(folder).ok_or("PostgreSQL is not installed")?;
                let address = server.database("bank");
                Self::Postgres(server, address)
            }
        })
    }

    /// How the bank reaches it; empty: it knows.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres(_, address) => address.clone(),
        }
    }

    /// Whether nobody is within a transaction that would keep everybody else out.
    pub(crate) fn is_free(&self, folder: &Path) -> Result<bool, Failure> {
        match self {
            Self::Sqlite => Ok(sqlite::is_free(folder)?),
            // Whoever takes over ends the others' transactions.
            Self::Postgres(..) => Ok(true),
        }
    }

    /// Stops its processes where they stand.
    pub(crate) fn stop(&self) -> Result<(), Failure> {
        match self {
            Self::Sqlite => Ok(()),
            Self::Postgres(server, _) => stop_processes(&server.processes()),
        }
    }

    /// Kills its processes.
    pub(crate) fn kill(&self) {
        if let Self::Postgres(server, _) = self {
            server.kill();
        }
    }

    /// Starts it again, unless it runs; it takes connections then.
    pub(crate) fn start_again(&self) {
        if let Self::Postgres(server, _) = self {
            server.start_again();
        }
    }

    /// What it has said last; nothing: it has no process of its own.
    pub(crate) fn last_words(&self) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres(server, _) => format!("; PostgreSQL: {}", server.last_words()),
        }
    }

    pub(crate) async fn read(&self, folder: &Path) -> Result<Books, Failure> {
        match self {
            Self::Sqlite => Ok(sqlite::read(folder)?),
            Self::Postgres(_, address) => postgres::read(address).await,
        }
    }
}
