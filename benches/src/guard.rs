//! The regression guard: instructions per call of the main paths, beside the figures that are committed.
//!
//! Knows: valgrind's callgrind, which counts instructions and not time, so that neighbours on the machine change nothing. Does not know:
//! what a path does. Each path runs twice, with few calls and with many; the difference is what the calls cost, and what came before
//! and after them falls out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::ours::Failure;

/// A path, by what `count` calls it: who, and the workload.
const PATHS: &[(&str, &str)] = &[
    ("payload-encode", "tasks-1"),
    ("payload-decode", "tasks-1"),
    ("core", "tasks-256"),
    ("core", "tasks-1"),
    ("ours-tcp", "tasks-256"),
    ("ours-tcp", "one-task-256"),
    ("ours-tcp", "calls-256"),
    ("ours-tcp", "tasks-1"),
    ("ours-threads", "tasks-256"),
    ("ours-threads", "calls-256"),
    ("ours-threads", "tasks-1"),
];

/// Calls of the shorter run: the pools have grown by then, and every buffer has its size.
const CALLS_FEW: u64 = 4_096;
const CALLS_MANY: u64 = 12_288;

/// How many of a hundred more instructions are a regression: below are the compiler's moods and another libc's allocator.
const TOLERANCE: f64 = 5.0;

/// What the guard found.
pub(crate) enum Found {
    /// There is no valgrind here: nothing was counted.
    NoValgrind,
    /// One line for each path, and whether all are within the tolerance.
    Counted { lines: Vec<String>, is_within: bool },
}

fn figures_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.json")
}

/// Counts every path, and compares with the committed figures, or replaces them.
pub(crate) fn run(update: bool) -> Result<Found, Failure> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Ok(Found::NoValgrind);
    }
    let committed: BTreeMap<String, u64> = match std::fs::read_to_string(figures_file()) {
        Ok(text) => serde_json::from_str(&text)?,
        Err(_) if update => BTreeMap::new(),
        Err(error) => return Err(format!("{}: {error}", figures_file().display()).into()),
    };
    let (mut lines, mut is_within, mut counted) = (Vec::new(), true, BTreeMap::new());
    let runs = all_runs()?;
    for &(who, workload) in PATHS {
        let name = format!("{who} {workload}");
        let calls = (CALLS_MANY - CALLS_FEW) as f64;
        let of = |calls| runs.get(&(who, workload, calls)).copied().unwrap_or_default();
        let spent = of(CALLS_MANY).saturating_sub(of(CALLS_FEW));
        let per_call = (spent as f64 / calls).round() as u64;
        let before = committed.get(&name).copied();
        let change = before.map(|before| (per_call as f64 / before as f64 - 1.0) * 100.0);
        let verdict = match change {
            Some(change) if change > TOLERANCE => "more than is committed",
            Some(change) if change < -TOLERANCE => "less than is committed: `guard --update` keeps that",
            Some(_) => "",
            None => "not committed",
        };
        is_within &= change.is_some_and(|change| change <= TOLERANCE);
        let change = change.map_or_else(String::new, |change| format!("{change:+.1} %"));
        lines.push(format!("{name:<28}{per_call:>8} instructions per call {change:>9}  {verdict}"));
        counted.insert(name, per_call);
    }
    if update {
        std::fs::write(figures_file(), serde_json::to_string_pretty(&counted)? + "\n")?;
        is_within = true;
    }
    Ok(Found::Counted { lines, is_within })
}

/// A path, and how many calls of it.
type Counting = (&'static str, &'static str, u64);

/// The instructions of every run, two at a time: who counts instructions minds no neighbour.
fn all_runs() -> Result<BTreeMap<Counting, u64>, Failure> {
    let of_path = |(who, workload)| [(who, workload, CALLS_MANY), (who, workload, CALLS_FEW)];
    let waiting: Mutex<Vec<Counting>> = Mutex::new(PATHS.iter().copied().flat_map(of_path).collect());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let count_some = || {
        let count = |run: Counting| Ok((run, instructions(run.0, run.1, run.2)?));
        std::iter::from_fn(next).map(count).collect::<Result<BTreeMap<_, _>, Failure>>()
    };
    std::thread::scope(|scope| {
        let others = scope.spawn(count_some);
        let mut counted = count_some()?;
        counted.extend(others.join().map_err(|_| "a run could not be counted")??);
        Ok(counted)
    })
}

/// Instructions of one run as a whole.
fn instructions(who: &str, workload: &str, calls: u64) -> Result<u64, Failure> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["count", who, workload, "--calls", &calls.to_string()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let counted = text.lines().find_map(|line| line.split("Collected : ").nth(1)?.trim().parse().ok());
    counted
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("{who} {workload} under valgrind ({}): {text}", output.status).into())
}
