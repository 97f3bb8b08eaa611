//! Runs seeds one after the other, on one thread or several, and adds up what happened.
//!
//! Knows: seeds, time limits, threads. Does not know: what a run does.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::checkers::Violation;
use crate::report::Tally;
use crate::{Outcome, run_checked};

/// Which seeds, for how long, and on how many threads.
#[derive(Clone, Copy, Debug)]
pub struct Hunt {
    /// The first seed.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// No new seed is begun after so long.
    pub limit: Option<Duration>,
    /// At least one.
    pub threads: usize,
    /// Go on after a violation.
    pub all: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// What happened in all runs.
    pub tally: Tally,
    /// Seeds that were run.
    pub seeds: u64,
    /// How many runs broke which invariant.
    pub violations: BTreeMap<&'static str, u64>,
    /// The failing runs by seed.
    pub failures: BTreeMap<u64, Violation>,
}

/// Runs one seed. A panic is a violation as any other: nothing that a peer does may bring a session down.
#[must_use]
pub fn run_caught(seed: u64) -> Outcome {
    caught(|| run_checked(seed))
}

/// The outcome of a run, also of one that panics.
pub fn caught(run: impl FnOnce() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        let violation = Violation { invariant: "no_panic", message: format!("a session panics: {text}") };
        Outcome {
            tally: Tally::default(),
            trace_hash: 0,
            violation: Some(violation),
            troubles: 0,
            links: 0,
            trace: Vec::new(),
        }
    })
}

impl Hunt {
    /// Runs the seeds.
    #[must_use]
    pub fn run(&self) -> Found {
        let (next, began) = (AtomicU64::new(self.from), Instant::now());
        let found = Mutex::new(Found::default());
        std::thread::scope(|scope| {
            for _ in 1..self.threads {
                scope.spawn(|| self.work(&next, began, &found));
            }
            self.work(&next, began, &found);
        });
        found.into_inner().expect("a violation is caught before the lock is taken")
    }

    fn work(&self, next: &AtomicU64, began: Instant, found: &Mutex<Found>) {
        let end = self.from.saturating_add(self.seeds);
        while self.limit.is_none_or(|limit| began.elapsed() < limit) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return;
            }
            let outcome = run_caught(seed);
            let mut found = found.lock().expect("a violation is caught before the lock is taken");
            found.seeds += 1;
            found.tally.add(&outcome.tally);
            if let Some(violation) = outcome.violation {
                *found.violations.entry(violation.invariant).or_default() += 1;
                found.failures.insert(seed, violation);
                if !self.all {
                    next.store(end, Ordering::Relaxed); // The others end too.
                }
            }
        }
    }
}
