//! The main job: a bank server and its client nodes, with one frame in ten dropped in each direction and links cut, thousands of
//! actions, broadcasts to the node that asked for the key, relayed to its sessions. Ends with a table, and with exit code 1 unless
//! nothing was lost, nothing was done twice, and everything that was sent was answered.
#![forbid(unsafe_code)]

mod expected;
mod node;
mod plan;
mod processes;
mod report;
mod server;

/// The bank's stubs.
mod bank {
    rpcgen_runtime::include_rpc!("bank");
}
/// The stubs of the service that a node offers to the people behind it.
mod session {
    rpcgen_runtime::include_rpc!("session");
}

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use tokio::sync::mpsc;

use crate::plan::{Plan, Role};
use crate::report::{NodeReport, RunReport, ServerReport};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Nobody reads any more what is said: a run that is not done ends.
#[derive(Debug)]
struct Unread;

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads what is said")
    }
}

impl std::error::Error for Unread {}

/// Not `println!`, which panics where the reader is gone: `bank | head -1`.
fn say(text: &str) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Unread.into()),
        said => Ok(said?),
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let plan = Plan::parse();
    let result = match plan.role {
        Some(Role::Server) => processes::be_server(&plan).await.map(|()| true),
        Some(Role::Node) => processes::be_node(&plan).await.map(|()| true),
        None => run(&plan).await,
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) if error.is::<Unread>() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bank: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The whole run; whether the promise held.
async fn run(plan: &Plan) -> Result<bool, Failure> {
    let began = Instant::now();
    say(&format!(
        "{} client nodes, {} actions, {} of the frames dropped each way, {} cuts of each link, {}seed {}, over {}",
        plan.clients,
        plan.actions,
        plan.drop,
        plan.cuts,
        if plan.kill_server > 0 { format!("{} kills of the bank, ", plan.kill_server) } else { String::new() },
        plan.seed,
        if plan.cross_thread { "threads of this process" } else { "TCP between processes" },
    ))?;
    let (progress, heard) = mpsc::channel(1_024);
    let running = async {
        if plan.cross_thread { run_in_process(plan, progress).await } else { processes::run(plan, progress).await }
    };
    let ((bank, nodes), ()) = tokio::try_join!(running, print_progress(plan, heard))?;
    let report = RunReport::new(plan, &bank, &nodes, began.elapsed().as_secs_f64());
    let missed = report.missed(plan);
    let but = missed.as_ref().map_or_else(String::new, |missed| format!("BUT {missed}\n"));
    let json = serde_json::to_string(&report)?;
    match say(&format!("\n{}\n{}\n{but}{json}", report.table(), report.verdict())) {
        Err(error) if !error.is::<Unread>() => Err(error),
        _ => Ok(report.is_good() && missed.is_none()),
    }
}

/// Everything in this process: the same stubs, the messages themselves handed over.
async fn run_in_process(
    plan: &Plan,
    progress: mpsc::Sender<(u32, u64)>,
) -> Result<(ServerReport, Vec<NodeReport>), Failure> {
    let bank = server::Bank::open(plan, "thread://bank", |_| ()).await?;
    let mut nodes = Vec::new();
    for index in 0..plan.clients {
        let (plan, address) = (plan.clone(), bank.address());
        let heard = processes::forward(index, progress.clone());
        nodes.push(tokio::spawn(async move { node::run(&plan, index, &address, heard).await }));
    }
    drop(progress);
    let mut reports = Vec::new();
    for node in nodes {
        reports.push(node.await??);
    }
    Ok((bank.close().await, reports))
}

/// A line each time another tenth is answered, and a sign of life in between.
async fn print_progress(plan: &Plan, mut heard: mpsc::Receiver<(u32, u64)>) -> Result<(), Failure> {
    let mut answered = vec![0; plan.clients as usize];
    let mut tenths = 0;
    loop {
        match tokio::time::timeout(Duration::from_secs(5), heard.recv()).await {
            Ok(None) => return Ok(()),
            Err(_) => say(&format!("  {:>8} of {} answered ...", answered.iter().sum::<u64>(), plan.actions))?,
            Ok(Some((index, count))) => {
                if let Some(slot) = answered.get_mut(index as usize) {
                    *slot = count;
                }
                let sum: u64 = answered.iter().sum();
                if sum * 10 / plan.actions.max(1) > tenths {
                    tenths = sum * 10 / plan.actions.max(1);
                    say(&format!("  {sum:>8} of {} answered", plan.actions))?;
                }
            }
        }
    }
}
