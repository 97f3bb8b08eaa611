//! Runs seeds until they are through, the time is over, or one fails.
#![expect(clippy::print_stdout, reason = "a program that reports")]

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use simulation::options::Options;
use simulation::report::{Tally, json_object};
use simulation::{run, run_checked};

const USAGE: &str = "simulation [--from SEED] [--seeds N] [--minutes M] [--all] [--json]
  --from SEED   the first seed (default 1)
  --seeds N     how many (default 1000)
  --minutes M   stop after so long
  --all         go on after a violation
  --json        only the last line, the report as JSON";

struct Arguments {
    from: u64,
    seeds: u64,
    minutes: Option<f64>,
    all: bool,
    json: bool,
}

fn arguments() -> Result<Arguments, String> {
    let mut read = Arguments { from: 1, seeds: 1_000, minutes: None, all: false, json: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--from" => read.from = number(&value()?)?,
            "--seeds" => read.seeds = number(&value()?)?,
            "--minutes" => read.minutes = Some(number(&value()?)?),
            "--all" => read.all = true,
            "--json" => read.json = true,
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(read)
}

fn number<T: std::str::FromStr>(word: &str) -> Result<T, String> {
    word.parse().map_err(|_| format!("`{word}` is no number"))
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(message) => {
            println!("{message}");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let deadline = arguments.minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0));
    let (mut total, mut seeds) = (Tally::default(), 0);
    let mut violations: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in arguments.from..arguments.from.saturating_add(arguments.seeds) {
        if deadline.is_some_and(|deadline| began.elapsed() >= deadline) {
            break;
        }
        let outcome = run_checked(seed);
        seeds += 1;
        total.add(&outcome.tally);
        if let Some(violation) = outcome.violation {
            *violations.entry(violation.invariant).or_default() += 1;
            println!("seed {seed}: {}: {}", violation.invariant, violation.message);
            if !arguments.all {
                explain(seed);
                break;
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    if !arguments.json {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = total.frames as f64 / seconds;
        println!("{seeds} seeds, {} frames in {seconds:.1} s: {rate:.0} frames/s", total.frames);
    }
    let failed: u64 = violations.values().sum();
    println!(
        "{{\"seeds\":{seeds},\"wall_seconds\":{seconds:.1},{},\"violations\":{}}}",
        total.json_fields(),
        json_object(violations.iter().map(|(name, count)| (*name, *count)))
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a person needs to find the cause: the options, and the last things that happened.
fn explain(seed: u64) {
    println!("options: {:#?}", Options::of(seed));
    for line in run(seed, true).trace {
        println!("{line}");
    }
}
