//! Runs seeds of worlds in which both ends have a durable log.
//!
//! Knows: `simulation::durable`. Does not know: what a world does.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use simulation::durable::{REGRESSIONS, run, run_checked};

use super::arguments::Arguments;

pub(super) fn run_seeds(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let (from, seeds) = (arguments.from.unwrap_or(1), arguments.seeds.unwrap_or(1_000));
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    let (mut ran, mut violations) = (0_u64, 0_u64);
    for seed in REGRESSIONS.iter().copied().chain(from..from.saturating_add(seeds)) {
        if arguments.minutes.is_some_and(|minutes| began.elapsed().as_secs_f64() > minutes * 60.0) {
            break;
        }
        let outcome = run_checked(seed);
        ran += 1;
        outcome.counts.iter().for_each(|(name, count)| *counts.entry(name).or_default() += count);
        let Some(violation) = outcome.violation else { continue };
        violations += 1;
        println!("seed {seed}: {}: {}", violation.invariant, violation.message);
        if !arguments.all {
            if violation.invariant != "no_panic" {
                run(seed, true).trace.iter().for_each(|line| println!("  {line}"));
            }
            break;
        }
    }
    println!(
        "{{\"durable_seeds\":{ran},\"violations\":{violations},\"wall_seconds\":{:.1},\"counts\":{counts:?}}}",
        began.elapsed().as_secs_f64()
    );
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
