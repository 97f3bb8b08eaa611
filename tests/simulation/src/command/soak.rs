//! Runs seeds that were never run before for as long as there is time, and writes down what happened.
//!
//! Knows: the file of all such runs. Does not know: what a run does.

use std::fs;
use std::io::Write as _;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use simulation::hunt::{Found, Hunt};

use super::arguments::Arguments;

/// Where all runs are written down.
const FILE: &str = "docs/evidence/soak.jsonl";
/// The seeds below are those of the gate and of hunts by hand.
const FIRST_SEED: u64 = 1_000_000;
/// No run is longer.
const MINUTES_MAX: f64 = 120.0;
/// Invariants whose breach is a lost message, or one that was handled twice.
const LOST: [&str; 4] = ["no_lost_answer", "broadcast_not_lost", "guarantee_implies_logged", "no_false_guarantee"];
const DUPLICATED: [&str; 2] = ["at_most_one_execution_per_call_key", "broadcast_once"];

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let file = arguments.file.as_deref().unwrap_or(FILE);
    let from = fs::read_to_string(file).map_or(FIRST_SEED, |text| next_seed(&text));
    let minutes = arguments.minutes.unwrap_or(MINUTES_MAX).min(MINUTES_MAX);
    let began = Instant::now();
    let found = Hunt {
        from,
        seeds: arguments.seeds.unwrap_or(1 << 32),
        limit: Some(Duration::from_secs_f64(minutes * 60.0)),
        threads: arguments.threads.unwrap_or(1),
        all: true,
    }
    .run();
    let commit = arguments.commit.clone().unwrap_or_else(commit);
    let line = line(&commit, from, began.elapsed(), &found);
    for (seed, violation) in &found.failures {
        println!("seed {seed}: {}: {}", violation.invariant, violation.message);
    }
    println!("{line}");
    let appended = fs::OpenOptions::new().create(true).append(true).open(file);
    if let Err(error) = appended.and_then(|mut opened| writeln!(opened, "{line}")) {
        println!("{file}: {error}");
        return ExitCode::from(2);
    }
    if found.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Seeds follow on each other from run to run: none is ever repeated.
fn next_seed(text: &str) -> u64 {
    text.lines().filter_map(last_seed).fold(FIRST_SEED, |next, last| next.max(last + 1))
}

/// The last seed of a run as [`line`] writes it.
fn last_seed(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("\"to\":")?;
    rest.split(|other: char| !other.is_ascii_digit()).next()?.parse().ok()
}

fn line(commit: &str, from: u64, took: Duration, found: &Found) -> String {
    let sum = |names: &[&str]| names.iter().filter_map(|name| found.violations.get(name)).sum::<u64>();
    let violations: u64 = found.violations.values().sum();
    format!(
        "{{\"commit\":\"{commit}\",\"from\":{from},\"to\":{},\"seeds\":{},\"wall_seconds\":{:.0},{},\"lost\":{},\
         \"duplicated\":{},\"violations\":{violations}}}",
        (from + found.seeds).saturating_sub(1),
        found.seeds,
        took.as_secs_f64(),
        found.tally.json_fields(),
        sum(&LOST),
        sum(&DUPLICATED),
    )
}

/// Of which commit the program is, if that can be known.
fn commit() -> String {
    let told = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output();
    let text = told.ok().filter(|told| told.status.success()).and_then(|told| String::from_utf8(told.stdout).ok());
    text.map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_begins_after_the_last_seed_of_all_runs_before() {
        assert_eq!(next_seed(""), FIRST_SEED);
        let run = |from, seeds| line("abc", from, Duration::from_secs(1), &Found { seeds, ..Found::default() });
        let text = format!("{}\n{}\n", run(FIRST_SEED, 500), run(FIRST_SEED + 500, 7));
        assert_eq!(next_seed(&text), FIRST_SEED + 507);
    }
}
