//! The session: the association of one client with one server group. It outlives links.
//!
//! Knows: everything that the two ends have to agree on. Does not know: sockets, clocks, threads, what a payload says.
//!
//! [`ClientSession`] and [`ServerSession`] are the two roles; what is the same at both ends is in `lanes`. After each input and each
//! command, poll the outputs until [`Output::Timeout`]: that is the whole contract.

pub mod client;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod journal;
mod lanes;
mod output;
mod proof;
mod receive_lane;
mod round_trip;
mod send_lane;
pub mod server;
mod stats;
mod timers;
mod view;
mod window;

pub use client::{ClientIdentity, ClientSession};
pub use output::{
    ActionHandle, Answer, CallHandle, ClientEvent, ClientOutput, CloseReason, Input, Output, Payload, ServerEvent,
    ServerOutput,
};
pub(crate) use proof::holds as proof_holds;
pub use server::{EndReason, Ended, Kept, Opening, PackedSession, Past, ServerSession, Unassigned};
pub use stats::Stats;
pub use view::LanesView;

/// An invariant of protocol.md, section 12, that does not hold: its name, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{0}")]
pub struct InvariantViolation(pub &'static str);

#[cfg(test)]
mod tests;
