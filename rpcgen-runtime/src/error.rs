//! What users of the runtime may be told. Each error says what to do.
//!
//! Knows: words. Does not know: how it comes to them.

use std::fmt;
use std::io;
use std::time::Duration;

use rpcgen_proto::frame::{Refusal, Reject};
use rpcgen_proto::ids::CallNumber;
use rpcgen_proto::payload::EncodeError;

pub use crate::driver::address::AddressError;
pub use crate::durable::OpenLogError;

/// No connected client came of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address makes no sense.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Nobody welcomed this client in time. It has stopped trying.
    #[error(
        "no server at {address} greeted within {within:?} (last: {last}); is it running there? \
         `ClientBuilder::connect_lazily` does not wait for it"
    )]
    Timeout {
        /// Where.
        address: String,
        /// How long was waited.
        within: Duration,
        /// How the last attempt ended.
        last: String,
    },
    /// An action asks for a log on disk.
    #[error(
        "`{action}` asks for @persist(disk), and this client has no log on disk; give it a directory with `ClientBuilder::log`, or say \
         `ClientBuilder::memory_instead_of_disk`: its calls then survive links and the server, not this process"
    )]
    NoDiskLog {
        /// Which.
        action: String,
    },
    /// The log on disk cannot be used.
    #[error(transparent)]
    Log(#[from] OpenLogError),
    /// This node handles more broadcasts than a server can be told in a hello.
    #[error(
        "a hello that names {broadcasts} broadcasts has {bytes} bytes, and servers read at most {limit}; handle fewer with one client, or \
         split the service"
    )]
    HelloTooLarge {
        /// How many are handled.
        broadcasts: usize,
        /// How large the hello may become.
        bytes: usize,
        /// How large it may be.
        limit: usize,
    },
    /// The server refused, and would again.
    #[error("the server at {address} refused: {}", reject.message)]
    Rejected {
        /// Where.
        address: String,
        /// Why.
        reject: Reject,
    },
}

/// A server does not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address makes no sense.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The system says no.
    #[error("cannot listen on {address}: {source}")]
    Io {
        /// Where.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// Plain TCP would be open to other machines: anybody there could call, and read along.
    #[error(
        "{address} is open to other machines, and plain TCP neither encrypts nor knows who calls; listen on 127.0.0.1, or say \
         `ServerBuilder::insecure_plain_tcp_beyond_loopback` if the network is your own"
    )]
    BeyondLoopback {
        /// Where.
        address: String,
    },
    /// An action asks for a log on disk.
    #[error(
        "`{action}` asks for @persist(disk), and this server has no log on disk; give it a directory with `ServerBuilder::log`, or say \
         `ServerBuilder::memory_instead_of_disk`: a server that crashes then runs what is unanswered again"
    )]
    NoDiskLog {
        /// Which.
        action: String,
    },
    /// The log on disk cannot be used.
    #[error(transparent)]
    Log(#[from] OpenLogError),
    /// The log has sessions or broadcasts of a service that this server does not serve: what was accepted for it would never be done.
    #[error(
        "the log in {directory} has work of the service `{service}`, which this server does not serve; serve it, or give this server \
         another directory"
    )]
    ServiceMissing {
        /// The directory.
        directory: String,
        /// Which.
        service: String,
    },
    /// No service, or two implementations of one for the same app id.
    #[error("{0}")]
    Services(String),
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
    /// The disk has no space for the call's record.
    #[error("the client's log is full: the disk has no space for the call; try again when there is some")]
    DiskFull,
    /// The client's log stopped before the call's record was known to be durable. Whether it is on record shows when the log is opened
    /// again.
    #[error(
        "the client's log has stopped after an error of its disk: nothing is accepted any more; end this client and look at the disk"
    )]
    LogStopped,
}

/// How a call ended, if not with its response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError<E> {
    /// The business error that the action declares in `fails`.
    Failed(E),
    /// The runtime answered in the place of the business.
    Refused(Refusal),
    /// Whether it ran is not known, and nobody can find out any more: the state that knew is gone.
    Unknown,
    /// It was cancelled before it began: it never ran and never will.
    Cancelled,
    /// The call was not accepted: nothing of it remains.
    NotAccepted(SendError),
    /// It ran and was answered, but this end cannot read the answer: the server's schema is newer.
    Undecodable(String),
    /// The answer was taken before: a finished call was awaited again.
    AnswerTaken,
    /// The client has ended, and the call is in its log: the next client of that directory goes on with it
    /// ([`Client::recovered`](crate::Client::recovered)).
    OnRecord,
}

impl<E> From<SendError> for CallError<E> {
    fn from(error: SendError) -> Self {
        Self::NotAccepted(error)
    }
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Refused(refusal) => f.write_str(describe(*refusal)),
            Self::Unknown => f.write_str(describe(Refusal::Unknown)),
            Self::Cancelled => f.write_str(describe(Refusal::Cancelled)),
            Self::NotAccepted(error) => write!(f, "the call was not accepted: {error}"),
            Self::Undecodable(why) => {
                write!(
                    f,
                    "the action ran, but its answer cannot be read ({why}); the server's version of the schema is newer"
                )
            }
            Self::AnswerTaken => f.write_str("the answer of this call was taken before"),
            Self::OnRecord => f.write_str(
                "the client has ended; the call is in its log, and the next client of that directory goes on with it",
            ),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for CallError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::NotAccepted(error) => Some(error),
            _ => None,
        }
    }
}

/// What happened and what to do about it.
fn describe(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Cancelled => "the call was cancelled before it began: it never ran",
        Refusal::HandlerPanicked => "the handler panicked; see the server's log; what it did before is not known",
        Refusal::HandlerDropped => "the handler ended without an answer; see the server's log",
        Refusal::UnknownAction => "the server has no such action; it did not run; its version of the schema is older",
        Refusal::UnknownApp => {
            "nobody serves this app id at the server; it did not run; add a business implementation for it there"
        }
        Refusal::Undecodable => {
            "the server cannot read the request; it did not run; its version of the schema lacks a value that is in it"
        }
        Refusal::Overloaded => "the server has no room for the call; it did not run; call again later",
        Refusal::Unknown => {
            "whether the call ran is not known: the state that knew was lost or has expired; ask the business before calling again"
        }
        Refusal::CallKeyReused => {
            "the call's key was used for another request: this client's log is a copy or was restored"
        }
        Refusal::AnswerTooLarge => {
            "the action ran, but its answer is larger than a frame may be; raise `frame_bytes_max` of the server"
        }
        Refusal::Poisoned => "its handler failed again when it was run again after a crash; it is not run once more",
        Refusal::RequestTooLarge => "the request is larger than the server's frames may be; it did not run",
        Refusal::NoSpace => "the server's disk has no space for the call; it did not run; call again later",
        _ => "the server refused the call",
    }
}

/// The call ended without a guarantee of the server; awaiting the call says how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call ended without a guarantee of the server; await the call to learn how")]
pub struct NotGuaranteed;

/// A broadcast that was not logged. No node will handle it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BroadcastError {
    /// The log of the node that it is for does not take it.
    #[error("the broadcast was not logged: {0}")]
    Refused(#[from] rpcgen_proto::error::SendError),
    /// No node handles it, and as many broadcasts as may do so wait for one that does.
    #[error("no node handles the broadcast and {waiting} wait for one already; try again when a node is there")]
    Full {
        /// How many wait.
        waiting: usize,
    },
    /// What is logged for all clients of the server, who are away or slow, is at its bound.
    #[error(
        "{bytes} bytes are logged for clients that are away or slow; try again when they have come for them, or raise \
         `ServerLimits::logged_bytes_max`"
    )]
    LogsFull {
        /// Payload bytes that are logged.
        bytes: usize,
    },
    /// A field exceeds its limit.
    #[error("the broadcast cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
    /// The disk of the server has no space for it.
    #[error("the server's log is full: the disk has no space for the broadcast; try again when there is some")]
    DiskFull,
    /// The log of the server has stopped. The broadcast may be on record, and go to a node when the log is opened again.
    #[error("the server's log has stopped: {0}")]
    LogStopped(String),
    /// This server does not serve the service.
    #[error("service `{0}` is not served by this server; add it with `ServerBuilder::serve`")]
    UnknownService(&'static str),
    /// The server was shut down or dropped.
    #[error("the server is closed")]
    Closed,
}

/// How a formal disconnect ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "it lists the calls that were dropped"]
pub struct DisconnectReport {
    /// Calls that were not answered within the limit, in the order of their sending. Each of them also ended with an error.
    pub dropped: Vec<DroppedCall>,
}

/// A call that was dropped unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DroppedCall {
    /// Its number.
    pub number: CallNumber,
    /// The action's name.
    pub action: &'static str,
}
