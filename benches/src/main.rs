//! Our own speed beside its limits and its peers, alternating in one sitting. Figures of two sittings are not comparable; ratios are.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command talks to its user")]

mod codec;
mod compare;
mod core;
mod count;
mod durable;
mod guard;
mod measure;
mod memory;
mod ours;
mod pinned;
mod plot;
mod proxy;
mod raw;
mod raw_durable;
mod rows;
mod sides;
mod workload;

/// The echo service's stubs.
mod echo {
    rpcgen_runtime::include_rpc!("echo");
}

use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::compare::{Plan, Side};
use crate::ours::Failure;
use crate::workload::Workload;

/// Payload bytes of a request and of a response of the echo service, as encoded.
const PAYLOAD_BYTES: f64 = 80.0 + 18.0;

/// Speed of generated calls beside its limits and its peers.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    command: Option<What>,
    #[command(flatten)]
    compare: Compare,
}

#[derive(Subcommand)]
enum What {
    /// Ours, the limits and the peers, alternating; a table of medians and ratios (this is what runs without a command)
    Compare(Compare),
    /// One side, once; the last line is its figure as JSON
    Measure {
        /// ours-tcp, ours-threads, ours-durable, raw-tcp-mux, mpsc-oneshot and others: a wrong name lists them
        who: String,
        /// tasks-N, one-task-N, calls-N, clients-NxM
        workload: Workload,
        /// Seconds of the measurement
        #[arg(long, default_value_t = 2.0)]
        seconds: f64,
    },
    /// Bytes on the wire of a call, counted at a proxy
    Wire,
    /// Resident memory of a session: idle, idle after work, parked. Linux only; needs twice as many files as sessions
    Memory {
        /// Sessions
        #[arg(long, default_value_t = 10_000)]
        sessions: usize,
        /// The last line is the table as JSON
        #[arg(long)]
        json: bool,
    },
    /// Instructions per call of the main paths beside what is committed; fails if there are more. Needs valgrind
    Guard {
        /// Replaces what is committed
        #[arg(long)]
        update: bool,
    },
    /// Throughput against outstanding calls and against clients, ours and a thin mux alternating, as an SVG picture
    Plot {
        /// Where the picture goes
        #[arg(long, default_value = "docs/performance.svg")]
        out: std::path::PathBuf,
        /// Seconds of each measurement
        #[arg(long, default_value_t = 0.5)]
        seconds: f64,
        /// Measurements of each point; the median counts
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// A fixed number of calls on one thread
    #[command(hide = true)]
    Count {
        who: String,
        workload: Workload,
        #[arg(long)]
        calls: u64,
    },
    /// The server of `memory`
    #[command(hide = true)]
    MemoryServer,
}

#[derive(Args, Clone)]
struct Compare {
    /// Rows, separated by commas; without: all
    #[arg(long, value_delimiter = ',')]
    rows: Vec<String>,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Measurements of each side; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Builds and measures the peers too (tarpc, tonic, JetStream): some minutes for the first build
    #[arg(long)]
    peers: bool,
    /// The last line is the table as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> Result<(), Failure> {
    let options = Options::parse();
    match options.command.unwrap_or(What::Compare(options.compare)) {
        // Without threads beside its own: each instruction of these is counted.
        What::Count { who, workload, calls } => count::run(&who, workload, calls),
        What::Guard { update } => guarded(update),
        What::Plot { out, seconds, rounds } => {
            plot::draw(&out, Duration::from_secs_f64(seconds), rounds, |line| println!("{line}"))
        }
        other => tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(other)),
    }
}

fn guarded(update: bool) -> Result<(), Failure> {
    match guard::run(update)? {
        guard::Found::NoValgrind => println!("SKIPPED: there is no valgrind here, and no instruction was counted"),
        guard::Found::Counted { lines, is_within } => {
            lines.iter().for_each(|line| println!("{line}"));
            if !is_within {
                return Err("a path costs more instructions than are committed in benches/instructions.json".into());
            }
        }
    }
    Ok(())
}

async fn run(what: What) -> Result<(), Failure> {
    match what {
        What::Count { .. } | What::Guard { .. } | What::Plot { .. } => {}
        What::Measure { who, workload, seconds } => {
            let figure = sides::measure(&who, workload, Duration::from_secs_f64(seconds)).await?;
            println!("{}", serde_json::to_string(&figure)?);
        }
        What::Wire => wire().await?,
        What::MemoryServer => memory::serve().await?,
        What::Memory { sessions, json } => {
            let costs = tokio::task::spawn_blocking(move || memory::measure(sessions)).await??;
            for cost in &costs {
                let client = cost.client.map_or_else(String::new, |bytes| format!("{bytes:>8} bytes at the client"));
                println!(
                    "{:<22}{:>7} sessions {:>8} bytes at the server {client}",
                    cost.sessions, cost.count, cost.server
                );
            }
            if json {
                println!("{}", serde_json::to_string(&costs)?);
            }
        }
        What::Compare(chosen) => {
            let peers = if chosen.peers { Some(compare::build_peers()?) } else { None };
            let with_wire = chosen.rows.is_empty();
            let plan = Plan { rows: chosen.rows, seconds: chosen.seconds, rounds: chosen.rounds, peers };
            println!("{HEADING}");
            let sides = compare::run(&plan, |sides| sides.iter().for_each(|side| println!("{}", line(side))))?;
            if with_wire {
                wire().await?;
            }
            if chosen.json {
                println!("{}", serde_json::to_string(&sides)?);
            }
        }
    }
    Ok(())
}

const HEADING: &str = concat!(
    "row                 who             workload         calls/s (lowest to highest)     ",
    "   p50 us    p99 us  CPU us   ratio   goal"
);

fn line(side: &Side) -> String {
    let optional = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.2}"));
    let verdict = match (side.ratio, side.goal) {
        (Some(ratio), Some(goal)) if ratio < goal => " missed",
        _ => "",
    };
    format!(
        "{:<19} {:<15} {:<15} {:>9.0} ({:>9.0} to {:>9.0}) {:>9.1} {:>9.1} {:>7.2} {:>7} {:>6}{verdict}",
        side.row,
        side.who,
        side.workload,
        side.figure.calls_per_second,
        side.lowest,
        side.highest,
        side.figure.p50_us,
        side.figure.p99_us,
        side.figure.cpu_us_per_call,
        optional(side.ratio),
        optional(side.goal),
    )
}

async fn wire() -> Result<(), Failure> {
    let cost = ours::wire_cost(256, 200_000).await?;
    let per_call = (cost.bytes_up + cost.bytes_down) as f64 / cost.calls as f64;
    println!(
        "on the wire, 256 callers: {:.2} bytes up and {:.2} down per call; {:.2} beyond the payloads, {:.2} per message (raw-tcp-mux: {})",
        cost.bytes_up as f64 / cost.calls as f64,
        cost.bytes_down as f64 / cost.calls as f64,
        per_call - PAYLOAD_BYTES,
        (per_call - PAYLOAD_BYTES) / 2.0,
        raw::mux_bytes_per_call(),
    );
    Ok(())
}
