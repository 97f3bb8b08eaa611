//! Looks through small worlds until all is seen or something does not hold.
#![expect(clippy::print_stdout, reason = "a program that reports")]

use std::process::ExitCode;

use model::configuration::Configuration;
use model::configurations::{self, Extent};
use model::explore::explore;
use model::report::{self, grouped};
use model::wraps;
use rpcgen_proto::ids::LaneKind;

const USAGE: &str = "model [--config a,b,..] [--states N] [--full] [--threads N] [--json]
  --config a,b   these worlds (default: all)
  --states N     looks at N states of each at most (default: all)
  --full         the large worlds: hours and gigabytes, name some with --config
  --threads N    (default 2)
  --json         reports as JSON, one line for each world and one for all
  --mutants a,b  makes these mistakes, one after the other, and looks for each; `all` for all (needs the feature `mutants`)
  --find-wraps   prints the seeds of the worlds h1 and h2";

struct Arguments {
    only: Option<Vec<String>>,
    states_max: usize,
    extent: Extent,
    threads: usize,
    json: bool,
    find_wraps: bool,
    mutants: Option<String>,
}

fn arguments() -> Result<Arguments, String> {
    let mut read = Arguments {
        only: None,
        states_max: usize::MAX,
        extent: Extent::Reduced,
        threads: 2,
        json: false,
        find_wraps: false,
        mutants: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let number = |word: String| word.parse().map_err(|_| format!("`{word}` is no number"));
        match word.as_str() {
            "--config" => read.only = Some(value()?.split(',').map(str::to_owned).collect()),
            "--states" => read.states_max = number(value()?)?,
            "--threads" => read.threads = number(value()?)?.max(1),
            "--full" => read.extent = Extent::Full,
            "--json" => read.json = true,
            "--mutants" => read.mutants = Some(value()?),
            "--find-wraps" => read.find_wraps = true,
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(read)
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(message) => {
            println!("{message}");
            return ExitCode::from(2);
        }
    };
    if arguments.find_wraps {
        println!("up {:?}, down {:?}", wraps::first_seed(LaneKind::Up), wraps::first_seed(LaneKind::Down));
        return ExitCode::SUCCESS;
    }
    let mut worlds = configurations::all(arguments.extent);
    if let Some(only) = &arguments.only {
        if let Some(unknown) = only.iter().find(|name| worlds.iter().all(|world| world.name != **name)) {
            println!(
                "no world `{unknown}`; there are: {}",
                worlds.iter().map(|w| w.name).collect::<Vec<_>>().join(", ")
            );
            return ExitCode::from(2);
        }
        worlds.retain(|world| only.iter().any(|name| name == world.name));
    }
    if let Some(names) = &arguments.mutants {
        return hunt(names, &worlds, &arguments);
    }
    if !arguments.json {
        println!("{}", report::HEAD);
    }
    let (mut states, mut seconds, mut bad) = (0, 0.0, 0);
    for world in &worlds {
        let report = explore(world, arguments.threads, arguments.states_max);
        println!("{}", if arguments.json { report.json() } else { report.row() });
        print!("{}", if arguments.json { String::new() } else { report.complaint() });
        states += report.unique_states;
        seconds += report.took.as_secs_f64();
        bad += usize::from(!report.is_good());
    }
    if arguments.json {
        println!(r#"{{"configs":{},"unique_states":{states},"seconds":{seconds:.1},"bad":{bad}}}"#, worlds.len());
    } else {
        println!("\n{} unique states in {seconds:.1} s; {bad} of {} worlds are bad", grouped(states), worlds.len());
    }
    ExitCode::from(u8::from(bad > 0))
}

#[cfg(not(feature = "mutants"))]
fn hunt(_: &str, _: &[Configuration], _: &Arguments) -> ExitCode {
    println!("mistakes are made by a program that was built with `--features mutants`");
    ExitCode::from(2)
}

/// States of each world in which a mistake is looked for, unless fewer are asked for.
#[cfg(feature = "mutants")]
const MUTANT_STATES_MAX: usize = 40_000;

#[cfg(feature = "mutants")]
fn hunt(names: &str, worlds: &[Configuration], arguments: &Arguments) -> ExitCode {
    let mutants = match model::mutants::named(names) {
        Ok(mutants) => mutants,
        Err(message) => {
            println!("{message}");
            return ExitCode::from(2);
        }
    };
    println!("| mistake | what it does | found in | by | states | s |\n| --- | --- | --- | --- | --: | --: |");
    let mut found = 0;
    for mutant in &mutants {
        let hunt = model::mutants::hunt(*mutant, worlds, arguments.states_max.min(MUTANT_STATES_MAX));
        found += usize::from(hunt.found.is_some());
        let (world, by) = hunt.found.map_or(("not found", String::new()), |found| (found.world, found.by));
        let (name, text, states) = (mutant.name(), mutant.text(), grouped(hunt.states));
        println!("| {name} | {text} | {world} | {by} | {states} | {:.1} |", hunt.took.as_secs_f64());
    }
    println!("\n{found} of {} mistakes found", mutants.len());
    ExitCode::from(u8::from(found < mutants.len()))
}
