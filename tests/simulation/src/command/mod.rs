//! What the program can be asked to do, one file for each.
//!
//! Knows: the words of the command line. Does not know: how anything is done.

mod arguments;
mod durable;
mod hunt;
mod mutants;
mod replay;
mod soak;

use std::process::ExitCode;

const USAGE: &str = "simulation [durable | mutants | replay | soak] [options]

Without a word of the first kind: runs seeds and watches every invariant.
  --from SEED   the first seed (default 1)
  --seeds N     how many (default 1000)
  --minutes M   begin no further seed after so long
  --threads N   how many at once (default 1)
  --all         go on after a violation
  --json        nothing but the last line, the report as JSON
  The runs of regressions.txt come first. The first failing run is made smaller and printed as a test.
durable: worlds in which both ends have a durable log, on disks that lose power.
  --from SEED, --seeds N, --minutes M, --all
replay: one run in detail.
  --plan LINE   a seed, and what was taken away from it, as it was printed
  --mutant NAME with this mistake (built with --features mutants)
soak: seeds that were never run before; one line is added to docs/evidence/soak.jsonl.
  --minutes M   at most 120, which is the default
  --threads N, --seeds N, and --file FILE for another file
  --commit ID   of which commit the program is (default: what is checked out here)
mutants: makes one mistake after the other in the protocol, and counts the seeds that it takes to find each
  (built with --features mutants).
  --smoke       sixteen of them
  --only NAME   this one
  --seeds N     give up after so many seeds (default 5000; 100000 in durable worlds)
  --table FILE  write the table to this file
Exit code: 0 all is well, 1 a violation (mutants: one that nobody noticed), 2 wrong usage.";

/// Does what the words ask for.
pub(crate) fn run() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.iter().any(|word| matches!(word.as_str(), "--help" | "-h" | "help")) {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let what = match words.first() {
        Some(word) if !word.starts_with("--") => words.remove(0),
        _ => String::new(),
    };
    let arguments = match arguments::Arguments::read(words) {
        Ok(arguments) => arguments,
        Err(message) => return wrong_usage(&message),
    };
    match what.as_str() {
        "" => hunt::run(&arguments),
        "mutants" => mutants::run(&arguments),
        "durable" => durable::run_seeds(&arguments),
        "replay" => replay::run(&arguments),
        "soak" => soak::run(&arguments),
        word => wrong_usage(&format!("there is no `{word}`")),
    }
}

fn wrong_usage(message: &str) -> ExitCode {
    eprintln!("{message}\n\n{USAGE}");
    ExitCode::from(2)
}
