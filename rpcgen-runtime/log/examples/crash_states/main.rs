//! `cargo run --release -p rpcgen-log --features testing,mutants --example crash_states -- [--states N] [--damage] [--mutants] [--seed S]`
//!
//! Crashes the log at each call that it makes of its disk, and checks what is left; flips and cuts; and the same with mistakes on purpose.
//! The last line is JSON.

#![allow(clippy::print_stdout, reason = "it is a command")]

use std::process::ExitCode;

use rpcgen_log::mutants::{Mutant, switch_on};
use rpcgen_log::testing::crash::{self, Count};
use rpcgen_log::testing::damage::{Outcomes, Sample};
use rpcgen_log::testing::full;

/// More landings for each call find little more; more seeds do.
const LANDINGS: u64 = 6;
/// Seeds that a mistake may go unnoticed for.
const SEEDS: u64 = 12;
/// Of the bits and bytes, each mistake is tried on one in so many.
const STRIDE: usize = 101;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    let number = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)).and_then(|value| value.parse().ok()).unwrap_or(default)
    };
    let seed = number("--seed", 1);
    if has("--mutants") {
        return mutants(seed);
    }
    let result = if has("--damage") { damage(1) } else { states(number("--states", 100_000), seed) };
    match result {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(violation) => {
            println!("{violation}");
            ExitCode::FAILURE
        }
    }
}

fn states(wanted: u64, first: u64) -> Result<String, String> {
    let mut count = Count::default();
    let mut seed = first;
    while count.states < wanted {
        full::fill(seed).map_err(|violation| format!("seed {seed}: {violation}"))?;
        crash::explore(seed, LANDINGS, &mut count).map_err(|finding| format!("{finding:?}"))?;
        seed += 1;
    }
    Ok(format!(r#"{{"crash_states":{},"runs":{},"seeds":{},"violations":0}}"#, count.states, count.runs, seed - first))
}

fn damage(step: usize) -> Result<String, String> {
    let mut lines = Vec::new();
    Sample::strange(&mut Outcomes::default()).map_err(|violation| violation.to_string())?;
    for (name, sample) in [("closed", Sample::new(true)), ("open", Sample::new(false)), ("full", Sample::rolled())] {
        let (mut flips, mut cuts) = (Outcomes::default(), Outcomes::default());
        for bit in (0..sample.bytes() * 8).step_by(step) {
            sample.flip(bit, &mut flips).map_err(|violation| violation.to_string())?;
        }
        for bytes in (0..sample.bytes()).step_by(step) {
            sample.truncate(bytes, &mut cuts).map_err(|violation| violation.to_string())?;
        }
        let of = |outcomes: Outcomes| {
            let Outcomes { whole, without_last, refused } = outcomes;
            format!(r#"{{"whole":{whole},"without_last_commit":{without_last},"refused":{refused}}}"#)
        };
        lines.push(format!(r#"{{"sample":"{name}","bit_flips":{},"truncations":{}}}"#, of(flips), of(cuts)));
    }
    Ok(format!("[{}]", lines.join(",")))
}

/// What notices the mistake that is switched on, and after how many states.
fn hunt(first: u64) -> Option<(String, u64)> {
    let mut count = Count::default();
    for seed in first..first + SEEDS {
        if let Err(finding) = crash::explore(seed, LANDINGS, &mut count) {
            return Some((finding.violation.invariant.to_owned(), count.states));
        }
        if let Err(violation) = full::fill(seed) {
            return Some((violation.invariant.to_owned(), count.states));
        }
        if seed == first
            && let Err(violation) = damage(STRIDE)
        {
            let invariant = violation.split(':').next().unwrap_or_default().to_owned();
            return Some((format!("{invariant} (damage)"), count.states));
        }
    }
    None
}

fn mutants(seed: u64) -> ExitCode {
    let mut missed = Vec::new();
    println!("| mistake | what it does | noticed by | after states |\n| --- | --- | --- | --- |");
    for &mutant in Mutant::ALL {
        switch_on(Some(mutant));
        // A mistake may also show as a panic of an assertion.
        let found = std::panic::catch_unwind(|| hunt(seed)).unwrap_or_else(|_| Some(("a panic".to_owned(), 0)));
        switch_on(None);
        match found {
            Some((by, states)) => println!("| {} | {} | `{by}` | {states} |", mutant.name(), mutant.text()),
            None => missed.push(mutant.name()),
        }
    }
    println!(r#"{{"mutants":{},"missed":{missed:?}}}"#, Mutant::ALL.len());
    if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
