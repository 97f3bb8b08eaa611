//! Runs seeds until they are through, the time is over, or one fails.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use simulation::checkers::Violation;
use simulation::hunt::{Hunt, caught};
use simulation::plan::Plan;
use simulation::report::json_object;
use simulation::rules;
use simulation::run_with;

use super::arguments::Arguments;
use super::replay::explain;

/// After so many seeds every rule has to have been at work.
const RULES_AFTER: u64 = 10_000;
/// Runs that once failed.
const REGRESSIONS: &str = include_str!("../../regressions.txt");

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let is_back = regressions();
    let hunt = Hunt {
        from: arguments.from.unwrap_or(1),
        seeds: arguments.seeds.unwrap_or(1_000),
        limit: arguments.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0)),
        threads: arguments.threads.unwrap_or(1),
        all: arguments.all,
    };
    let found = hunt.run();
    let seconds = began.elapsed().as_secs_f64();
    for (seed, violation) in &found.failures {
        println!("seed {seed}: {}: {}", violation.invariant, violation.message);
    }
    if let Some((seed, _)) = found.failures.first_key_value().filter(|_| !arguments.all) {
        explain(Plan::of(*seed));
    }
    if !arguments.json {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = found.tally.frames as f64 / seconds;
        println!("{} seeds, {} frames in {seconds:.1} s: {rate:.0} frames/s", found.seeds, found.tally.frames);
    }
    let fired = rules::fired(&found.tally.rules);
    let never: Vec<_> = fired.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    println!(
        "{{\"seeds\":{},\"wall_seconds\":{seconds:.1},{},\"rules\":{},\"rules_never\":{never:?},\"violations\":{}}}",
        found.seeds,
        found.tally.json_fields(),
        json_object(fired.iter().map(|(name, count)| (*name, *count))),
        json_object(found.violations.iter().map(|(name, count)| (*name, *count)))
    );
    // A handful of seeds proves nothing about what never happens.
    let is_gap = found.seeds >= RULES_AFTER && !never.is_empty();
    if is_gap && !arguments.json {
        println!("never seen: {never:?}");
    }
    if found.failures.is_empty() && !is_gap && !is_back { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The runs that once failed; whether one still does.
fn regressions() -> bool {
    let lines = REGRESSIONS.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let mut failed = false;
    for line in lines {
        let violation = match line.parse::<Plan>() {
            Ok(plan) => caught(|| run_with(plan.options(), false)).violation,
            Err(message) => Some(Violation { invariant: "regressions", message }),
        };
        if let Some(violation) = violation {
            println!("run {line}: {}: {}", violation.invariant, violation.message);
            failed = true;
        }
    }
    failed
}
