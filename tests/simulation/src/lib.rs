//! A deterministic simulator of the protocol: client and server sessions as they stand, virtual time, faults, crashes, checkers.
//!
//! One seed gives one run, the same for ever: its options (a different subset of troubles for each, so that rare combinations meet),
//! then chaos,
//! then healing. While it runs, each checker watches one invariant of docs/protocol.md, section 12; when everything is healed,
//! everything has to be answered, silent, and to end.
//!
//! Knows: the public API of `rpcgen-proto`, as a driver does. Does not know: its inside; sockets, clocks, threads.

pub mod agenda;
pub mod checkers;
pub mod durable;
pub mod hunt;
pub mod load;
pub mod options;
pub mod plan;
pub mod report;
pub mod rules;
pub mod seen;
pub mod shrink;
pub mod trace;
pub mod world;

use checkers::Violation;
use options::Options;
use report::Tally;
use trace::Trace;
use world::World;

/// What one seed gave.
#[derive(Debug)]
pub struct Outcome {
    /// What happened, counted.
    pub tally: Tally,
    /// The same for every run of the seed.
    pub trace_hash: u64,
    /// What does not hold.
    pub violation: Option<Violation>,
    /// Troubles that came, and links that were opened.
    pub troubles: u32,
    /// See `troubles`.
    pub links: u32,
    /// The last things that happened, if they were to be kept.
    pub trace: Vec<String>,
}

/// Runs one seed. `keep_trace`: write down what happens; costs time.
#[must_use]
pub fn run(seed: u64, keep_trace: bool) -> Outcome {
    run_with(Options::of(seed), keep_trace)
}

/// Runs with these options.
#[must_use]
pub fn run_with(options: Options, keep_trace: bool) -> Outcome {
    let mut world = World::new(options, Trace::new(keep_trace));
    let violation = world.run().err();
    world.into_outcome(violation)
}

/// Runs one seed; now and then twice, to see that both runs are the same.
#[must_use]
pub fn run_checked(seed: u64) -> Outcome {
    let mut outcome = run(seed, false);
    if outcome.violation.is_none() && seed.is_multiple_of(50) {
        outcome.violation = checkers::deterministic::check(outcome.trace_hash, run(seed, false).trace_hash).err();
    }
    outcome
}
