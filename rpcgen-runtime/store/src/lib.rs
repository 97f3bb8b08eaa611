//! What sessions put on record, in the durable log.
//!
//! Sessions say *what* has to be on record ([`rpcgen_proto::record`]); `rpcgen-log` keeps opaque records of many streams. This package is
//! between them: the bytes of records, which stream each goes to, when it is needed no more, and what a process that restarts begins
//! from. The driver of the runtime and the simulator use the same.
//!
//! Knows: records, streams, what releases what. Does not know: when a record is due (sessions), how it becomes durable (the log), threads,
//! clocks.
//!
//! | a client's record | goes when | a server's record | goes when |
//! | --- | --- | --- | --- |
//! | session | the next one is there | session | the next one is there, or its tombstone's time is over |
//! | call | its answer is claimed | action, begun | its answer is there |
//! | answer | it is claimed | answer | the session says that nobody can ask for it; the youngest stays until a younger one is there |
//! | broadcast | its handler has run | broadcast, assigned | a node has guaranteed that it goes |
//!
//! Steps: gather what [`rpcgen_log::Log::open`] tells in a [`FoundRecords`]; make a [`ClientStore`] or a [`ServerStore`] of it, which says
//! what was found; then one call per record. [`Marks`] turns how far the log is durable into what the session is told.

pub mod client;
pub mod codec;
mod error;
mod found;
mod log;
mod marks;
mod ring;
pub mod server;
mod stream;
#[cfg(test)]
mod testing;

pub use client::{ClientStore, RecoveredClientLog, UnclaimedAnswer};
pub use error::StoreError;
pub use found::FoundRecords;
pub use log::{RecordLog, Room};
pub use marks::Marks;
pub use server::{BroadcastHandle, RecoveredBroadcast, RecoveredServerLog, Retention, ServerStore, SessionStore};
