//! Worlds in which both ends have a durable log: the real `rpcgen-log` under the real `rpcgen-store`, on disks that lose power.
//!
//! One seed gives one run: chaos (processes die, the power fails, disks are slow, full, or say no; directories are restored), then healing,
//! and then everything that was accepted has to be answered.
//!
//! Knows: the public API of sessions, store and log, as a driver does. Does not know: their inside.

mod book;
mod client;
mod database;
mod options;
mod server;
mod storage;
mod wire;
mod world;

use std::collections::BTreeMap;

pub use options::DurableOptions;

use crate::checkers::{self, Violation};
use crate::trace::Trace;

/// Seeds that once failed; they are run before all others. The reduced scenario of each fault is a test in
/// rpcgen-runtime/proto/src/session/tests/durable*.rs.
pub const REGRESSIONS: &[u64] = &[
    // A client came back with the proof of a secret that its disk did not have yet, and lost its power.
    2596, // The bit of an action came after its answer, and the slot was another call's.
    1444, // An action began its turn while the answer of the one before was on its way to the disk.
    7,    // New lanes were told an answer before it was on record.
    2986,
];

/// What one seed gave.
#[derive(Debug, Default)]
pub struct DurableOutcome {
    /// What happened, counted by name.
    pub counts: BTreeMap<&'static str, u64>,
    /// What does not hold.
    pub violation: Option<Violation>,
    /// The same for every run of the seed.
    pub trace_hash: u64,
    /// The last things that happened, if they were to be kept.
    pub trace: Vec<String>,
}

/// Runs one seed. `keep_trace`: write down what happens; costs time.
#[must_use]
pub fn run(seed: u64, keep_trace: bool) -> DurableOutcome {
    run_with(DurableOptions::of(seed), keep_trace)
}

/// Runs with these options.
#[must_use]
pub fn run_with(options: DurableOptions, keep_trace: bool) -> DurableOutcome {
    let mut world = world::World::new(options, Trace::new(keep_trace));
    let violation = world.run().err();
    world.into_outcome(violation)
}

/// Runs one seed; now and then twice, to see that both runs are the same. A panic is a violation too.
#[must_use]
pub fn run_checked(seed: u64) -> DurableOutcome {
    let mut outcome = run_caught(seed);
    if outcome.violation.is_none() && seed.is_multiple_of(50) {
        outcome.violation = checkers::deterministic::check(outcome.trace_hash, run_caught(seed).trace_hash).err();
    }
    outcome
}

fn run_caught(seed: u64) -> DurableOutcome {
    std::panic::catch_unwind(|| run(seed, false)).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?").to_owned();
        DurableOutcome { violation: Some(Violation { invariant: "no_panic", message }), ..DurableOutcome::default() }
    })
}
