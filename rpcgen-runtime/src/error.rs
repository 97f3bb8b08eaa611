//! What users see when something does not go as asked, with what to do about it.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use rpcgen_proto::frame::{Refusal, Reject};
use rpcgen_proto::payload::EncodeError;

use crate::driver::address::AddressError;

/// A client that could not connect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address makes no sense.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The server refuses this client for good.
    #[error("the server at {address} refuses this client: {}", reject.message)]
    Rejected {
        /// Where.
        address: String,
        /// What it said.
        reject: Reject,
    },
    /// Nobody welcomed this client in time. It has stopped trying.
    #[error("no server at {address} within {within:?} ({last}); start it, or connect lazily to accept calls meanwhile")]
    Timeout {
        /// Where.
        address: String,
        /// How long was tried.
        within: Duration,
        /// What went wrong last.
        last: String,
    },
}

/// A server that could not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address makes no sense.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The system does not let it.
    #[error("cannot listen on {address}: {source}")]
    Io {
        /// Where.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// Plain TCP that others than this machine could reach.
    #[error(
        "{address} is reachable from beyond this machine, and plain TCP is neither secret nor authenticated: listen on 127.0.0.1, or say \
         `insecure_plain_tcp_beyond_loopback()`"
    )]
    BeyondLoopback {
        /// Where.
        address: String,
    },
}

/// A call that was not accepted. Nothing of it remains.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The stream log or the protocol does not take it.
    #[error(transparent)]
    Refused(#[from] rpcgen_proto::error::SendError),
    /// A field of the request exceeds its limit.
    #[error("the request cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
    /// The client is disconnected, or the server refused it for good.
    #[error("the client is disconnected")]
    Disconnected,
}

/// How a call ended, if not with its response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError<E> {
    /// The business said no: one of the reasons that the action declares.
    Failed(E),
    /// It was not accepted. It did not run.
    NotAccepted(SendError),
    /// It was cancelled before it began: it never ran and never will.
    Cancelled,
    /// It may have run or not, and nobody can say: its server or session is gone for good.
    Unknown,
    /// The runtime answered in the place of the business.
    Refused(Refusal),
    /// The answer could not be decoded; the action ran.
    Undecodable(String),
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::NotAccepted(error) => write!(f, "the call was not accepted: {error}"),
            Self::Cancelled => f.write_str("the call was cancelled before it began; it never ran"),
            Self::Unknown => {
                f.write_str("the call may have run or not: its session is gone; ask the server before you call again")
            }
            Self::Refused(refusal) => f.write_str(describe(*refusal)),
            Self::Undecodable(why) => write!(f, "the call ran, but its answer could not be decoded: {why}"),
        }
    }
}

impl<E: Error + 'static> Error for CallError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::NotAccepted(error) => Some(error),
            _ => None,
        }
    }
}

impl<E> From<SendError> for CallError<E> {
    fn from(error: SendError) -> Self {
        Self::NotAccepted(error)
    }
}

fn describe(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Cancelled => "the call was cancelled before it began; it never ran",
        Refusal::HandlerPanicked => "the handler panicked; what it did until then stays done: look at the server's log",
        Refusal::HandlerDropped => "the handler ended without an answer; look at the server's log",
        Refusal::UnknownAction => "the server does not have this action; it did not run",
        Refusal::Undecodable => "the server could not decode the request; it did not run",
        Refusal::Overloaded => "the server has no room for the call; it did not run: call again later",
        Refusal::ShuttingDown => "the server is shutting down; it did not run: call again later",
        Refusal::Unknown => "the call may have run or not: its session is gone; ask the server before you call again",
        Refusal::CallKeyReused => "another request was made under this call's key: a copied or restored client log",
        Refusal::AnswerTooLarge => {
            "the call ran, but its answer is larger than a frame may be: raise `frame_bytes_max`, or answer in parts"
        }
        Refusal::RequestTooLarge => "the request is larger than this server's frames may be; it did not run",
        _ => "the server refused the call",
    }
}

/// A broadcast that was not logged. No node will handle it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BroadcastError {
    /// Neither the node's log nor the waiting room has a place for it.
    #[error("no room to log the broadcast: {0}")]
    Full(String),
    /// A field exceeds its limit.
    #[error("the broadcast cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
    /// The server is closed.
    #[error("the server is closed")]
    Closed,
    /// The service is not served here.
    #[error("service `{0}` is not served by this server")]
    UnknownService(&'static str),
}

/// What a formal disconnect left undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "dropped calls may or may not have run"]
pub struct DisconnectReport {
    /// Calls that were accepted and not answered, by number, oldest first. Empty after a complete drain.
    pub dropped: Vec<u64>,
}
