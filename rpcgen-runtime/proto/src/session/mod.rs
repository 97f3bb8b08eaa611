//! The session: the association of one client with one server group. It outlives links.
//!
//! Knows: everything that the two ends have to agree on. Does not know: sockets, clocks, threads, what a payload says.
//!
//! [`ClientSession`] and [`ServerSession`] are the two roles; what is the same at both ends is in `lanes`. After each input and each
//! command, poll the outputs until [`Output::Timeout`]: that is the whole contract.

pub mod client;
mod lanes;
mod output;
mod proof;
mod receive_lane;
mod round_trip;
mod send_lane;
pub mod server;
mod stats;
mod timers;

pub use client::{ClientIdentity, ClientSession};
pub use output::{ActionHandle, Answer, CallHandle, ClientEvent, CloseReason, Input, Output, Payload, ServerEvent};
pub(crate) use proof::holds as proof_holds;
pub use server::{EndReason, Ended, Opening, Past, ServerSession, Unassigned};
pub use stats::Stats;

/// An invariant of protocol.md, section 12, that does not hold: its name, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{0}")]
pub struct InvariantViolation(pub &'static str);

#[cfg(test)]
mod tests;
