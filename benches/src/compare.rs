//! Ours and theirs, alternating: each measurement is a process of its own, so that none has what another left in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::measure::{Figure, median};
use crate::ours::Failure;
use crate::rows::{Beside, ROWS, Row};
use crate::sides::HERE;
use crate::workload::Workload;

/// How the comparison is made.
pub(crate) struct Plan {
    /// Names of rows; empty: all.
    pub(crate) rows: Vec<String>,
    pub(crate) seconds: f64,
    pub(crate) rounds: usize,
    /// The peers' program; `None`: without peers.
    pub(crate) peers: Option<PathBuf>,
}

/// One side of one row: medians over the rounds, and the range of calls per second.
#[derive(Serialize)]
pub(crate) struct Side {
    pub(crate) row: &'static str,
    pub(crate) who: String,
    pub(crate) workload: String,
    pub(crate) figure: Figure,
    pub(crate) lowest: f64,
    pub(crate) highest: f64,
    /// Ours divided by this side's calls per second; of ours, `None`.
    pub(crate) ratio: Option<f64>,
    pub(crate) goal: Option<f64>,
}

/// Measures all rows of the plan, and tells of each as soon as it is done.
pub(crate) fn run(plan: &Plan, mut tell: impl FnMut(&[Side])) -> Result<Vec<Side>, Failure> {
    if let Some(unknown) = plan.rows.iter().find(|name| ROWS.iter().all(|row| row.name != **name)) {
        let names: Vec<_> = ROWS.iter().map(|row| row.name).collect();
        return Err(format!("there is no row `{unknown}`; there are {}", names.join(", ")).into());
    }
    let mut all = Vec::new();
    for row in ROWS.iter().filter(|row| plan.rows.is_empty() || plan.rows.iter().any(|name| name == row.name)) {
        let sides = run_row(plan, row)?;
        tell(&sides);
        all.extend(sides);
    }
    Ok(all)
}

fn run_row(plan: &Plan, row: &'static Row) -> Result<Vec<Side>, Failure> {
    let beside: Vec<&Beside> = row.beside.iter().filter(|it| HERE.contains(&it.who) || plan.peers.is_some()).collect();
    let mut figures: BTreeMap<usize, Vec<Figure>> = BTreeMap::new();
    for _ in 0..plan.rounds {
        figures.entry(0).or_default().push(measure(plan, row.ours, row.workload)?);
        for (index, it) in beside.iter().enumerate() {
            let figure = measure(plan, it.who, it.workload.unwrap_or(row.workload))?;
            figures.entry(index + 1).or_default().push(figure);
        }
    }
    let mut sides: Vec<Side> = Vec::new();
    for (index, figures) in figures {
        let (who, workload, goal) = match index.checked_sub(1).and_then(|index| beside.get(index)) {
            None => (row.ours, row.workload, None),
            Some(it) => (it.who, it.workload.unwrap_or(row.workload), it.goal),
        };
        let rates: Vec<f64> = figures.iter().map(|figure| figure.calls_per_second).collect();
        let figure = medians(&figures);
        let ratio = sides.first().map(|ours| ours.figure.calls_per_second / figure.calls_per_second);
        sides.push(Side {
            row: row.name,
            who: who.to_owned(),
            workload: workload.to_string(),
            figure,
            lowest: rates.iter().copied().fold(f64::INFINITY, f64::min),
            highest: rates.iter().copied().fold(0.0, f64::max),
            ratio,
            goal,
        });
    }
    Ok(sides)
}

fn medians(figures: &[Figure]) -> Figure {
    let of = |part: fn(&Figure) -> f64| median(figures.iter().map(part).collect());
    Figure {
        calls_per_second: of(|it| it.calls_per_second),
        p50_us: of(|it| it.p50_us),
        p99_us: of(|it| it.p99_us),
        cpu_us_per_call: of(|it| it.cpu_us_per_call),
    }
}

/// Measures one side of this program once, in a process of its own.
pub(crate) fn measure_here(who: &str, workload: Workload, time: std::time::Duration) -> Result<Figure, Failure> {
    let plan = Plan { rows: Vec::new(), seconds: time.as_secs_f64(), rounds: 1, peers: None };
    measure(&plan, who, workload)
}

/// Measures one side once, in a process of its own.
fn measure(plan: &Plan, who: &str, workload: Workload) -> Result<Figure, Failure> {
    let program = match &plan.peers {
        Some(peers) if !HERE.contains(&who) => peers.clone(),
        _ => std::env::current_exe()?,
    };
    let output = Command::new(&program)
        .args(["measure", who, &workload.to_string(), "--seconds", &plan.seconds.to_string()])
        .output()
        .map_err(|error| format!("{} does not start: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).map_err(|_| {
        format!("{who} {workload} gave no figure ({}): {}", output.status, String::from_utf8_lossy(&output.stderr))
            .into()
    })
}

/// Builds the peers' program, and returns where it is.
pub(crate) fn build_peers() -> Result<PathBuf, Failure> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/Cargo.toml");
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers");
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(&manifest)
        .arg("--target-dir")
        .arg(&target)
        .status()?;
    if !status.success() {
        return Err("the peers do not build; without `--peers` they are left out".into());
    }
    Ok(target.join("release/rpcgen-peers"))
}
