//! Locks and threads: those of the standard library, or those of a scheduler that tries other orders of them each time.
//!
//! Knows: which. Does not know: who waits for what.

#[cfg(feature = "shuttle")]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};
#[cfg(not(feature = "shuttle"))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard},
    thread,
};
