//! What is written down in a run, in the order of its happening.
//!
//! Knows: events. Does not know: what is right.

use std::fmt::Debug;
use std::sync::{Mutex, PoisonError};

/// A call as its caller counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub usize);

/// Something that happened. `K` is the identity that the runtime gives to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<K, O, R> {
    /// A caller is about to call. A caller does one thing at a time.
    Invoked {
        /// Who.
        caller: usize,
        /// Which call.
        call: CallId,
        /// What it wants.
        op: O,
    },
    /// The call was accepted under this key.
    Accepted {
        /// Which call.
        call: CallId,
        /// Its identity for ever.
        key: K,
    },
    /// The business did it: its effect and its answer are made.
    Ran {
        /// Which call, as the business knows it.
        key: K,
        /// Whether the business was told that it may have run before.
        redelivered: bool,
        /// What it answered.
        ret: R,
    },
    /// The caller has the answer.
    Returned {
        /// Which call.
        call: CallId,
        /// The answer.
        ret: R,
    },
    /// Nobody calls at this moment: a window ends.
    Quiet,
}

#[derive(Debug)]
struct Written<K, O, R> {
    calls: usize,
    events: Vec<Event<K, O, R>>,
}

/// Writes a history down.
#[derive(Debug)]
pub struct Recorder<K, O, R> {
    written: Mutex<Written<K, O, R>>,
}

impl<K, O, R> Default for Recorder<K, O, R> {
    fn default() -> Self {
        Self { written: Mutex::new(Written { calls: 0, events: Vec::new() }) }
    }
}

impl<K, O, R> Recorder<K, O, R> {
    fn with<T>(&self, work: impl FnOnce(&mut Written<K, O, R>) -> T) -> T {
        work(&mut self.written.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Before the call is made.
    pub fn invoked(&self, caller: usize, op: O) -> CallId {
        self.with(|written| {
            let call = CallId(written.calls);
            written.calls += 1;
            written.events.push(Event::Invoked { caller, call, op });
            call
        })
    }

    /// Anything else, when it happens.
    pub fn note(&self, event: Event<K, O, R>) {
        self.with(|written| written.events.push(event));
    }

    /// The business does its work under the recorder's lock: so what runs is written down in the order of its effects.
    pub fn run(&self, key: K, redelivered: bool, work: impl FnOnce() -> R) -> R
    where
        R: Clone,
    {
        self.with(|written| {
            let ret = work();
            written.events.push(Event::Ran { key, redelivered, ret: ret.clone() });
            ret
        })
    }

    /// The history so far.
    pub fn history(&self) -> Vec<Event<K, O, R>>
    where
        Event<K, O, R>: Clone,
    {
        self.with(|written| written.events.clone())
    }
}
