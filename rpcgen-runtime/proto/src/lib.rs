//! The guarantee protocol as a pure state machine.
//!
//! No sockets, no clock, no threads, no `async`, no std: the crate is `no_std`, so that a call to any of them does not compile.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bits;
pub mod config;
pub mod digest;
pub mod error;
pub mod faults;
pub mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod ids;
pub mod marks;
pub mod mutants;
pub mod payload;
mod pool;
pub mod record;
pub mod rng;
pub mod server;
pub mod session;
pub mod shape;
mod stream_log;
pub mod time;
pub mod varint;

#[cfg(test)]
extern crate std;
