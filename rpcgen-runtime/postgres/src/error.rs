//! Why a transaction was not committed.

use std::error::Error as _;
use std::io::{self, ErrorKind};

use rpcgen_runtime::completion::sql::Failure;
use tokio_postgres::error::SqlState;

/// Why a transaction was not committed, or the database not opened. A handler gives it back as it is: with `?`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// PostgreSQL, or the way there.
    #[error("{}", described(.0))]
    Postgres(#[from] tokio_postgres::Error),
    /// The transaction did not begin, so nothing was done in it: PostgreSQL cannot write just now (a standby, say), or the way there is
    /// lost. A server that took over since is found out by the next attempt.
    #[error("the transaction did not begin: {}", described(.0))]
    NotBegun(tokio_postgres::Error),
    /// Another server has opened the database: this one commits nothing any more.
    #[error("another server has taken over the database: it is owner {owner}, this one was {was}")]
    TakenOver {
        /// Who it is now.
        owner: u64,
        /// Who this one was.
        was: u64,
    },
    /// Another attempt at the same call ended in between; the next one finds out how.
    #[error("another attempt at the same call has just ended")]
    Raced,
    /// A handler's statement would end its transaction: what it did before would be committed, and its answer not. It did not run.
    #[error("a handler's statement would end its transaction: return `Effect::Keep` or `Effect::Undo` instead")]
    EndsTransaction,
    /// A handler's statement would change the connection for the calls after it, and undo what the store has set. It did not run.
    #[error("a handler's statement would outlive its transaction: `set local` is for that one alone")]
    OutlivesTransaction,
    /// A rule or a trigger on the table of records has taken one away.
    #[error("a rule or a trigger on rpcgen_completions keeps records out of it")]
    NotRecorded,
    /// There is a record without an answer, as no version of this writes it.
    #[error("a row of rpcgen_completions has no answer")]
    NoAnswer,
    /// A row of `rpcgen_logs` was written by somebody else.
    #[error("the mark of a log in rpcgen_logs is not 16 bytes long")]
    NoMark,
}

/// The driver's error says little by itself.
fn described(error: &tokio_postgres::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

impl Error {
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Raced | Self::NotBegun(_) => Failure::Transient,
            Self::TakenOver { .. } => Failure::Stopped,
            Self::EndsTransaction | Self::OutlivesTransaction | Self::NotRecorded | Self::NoAnswer | Self::NoMark => {
                Failure::Permanent
            }
            Self::Postgres(error) => of_postgres(error),
        }
    }
}

/// A transaction that was idle, or open, for longer than whoever looks after the database allows.
const OUT_OF_TIME: [&str; 2] = ["25P03", "25P04"];

/// A table has changed under a statement that was compiled before; the next connection, or this one without it, compiles it anew.
fn is_old_plan(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| {
        // Its message is in the server's language.
        *error.code() == SqlState::FEATURE_NOT_SUPPORTED && error.routine() == Some("RevalidateCachedQuery")
    })
}

/// Whether it is a connection that has failed. What cannot be sent (a zero byte in a statement, 65,536 parameters) or read is one of
/// these to the driver as well, and will be so the next time.
fn is_of_a_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::NotConnected
            | ErrorKind::AddrNotAvailable
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::BrokenPipe
            | ErrorKind::TimedOut
            | ErrorKind::WouldBlock
            // The socket of a server that does not run.
            | ErrorKind::NotFound
    )
}

fn of_postgres(error: &tokio_postgres::Error) -> Failure {
    let is_passing = match error.code() {
        // Classes of the standard: connection, rollback (deadlock, serialization), resources, intervention, system.
        Some(code) => {
            // What breaks the protocol (a statement that has to be spoken to in another way: `copy`) does so again.
            *code != SqlState::PROTOCOL_VIOLATION
                && ["08", "40", "53", "57", "58"].iter().any(|class| code.code().starts_with(class))
                || *code == SqlState::LOCK_NOT_AVAILABLE
                || OUT_OF_TIME.contains(&code.code())
                || is_old_plan(error)
        }
        None => {
            error.is_closed() || error.source().and_then(|source| source.downcast_ref()).is_some_and(is_of_a_connection)
        }
    };
    if is_passing { Failure::Transient } else { Failure::Permanent }
}
