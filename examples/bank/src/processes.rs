//! A run as processes: this one starts the bank and the nodes, which are the same program in other roles, and listens to their lines.

use std::process::Stdio;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;

use crate::plan::Plan;
use crate::report::{NodeReport, ServerReport};
use crate::{node, server};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the processes of a run say on their standard output, a line each.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// The bank listens here.
    Listening(String),
    /// The bank is closed.
    Server(ServerReport),
    /// So many actions of the node are answered.
    Answered(u64),
    /// The node is done.
    Node(NodeReport),
}

fn say(line: &Line) -> Result<(), Failure> {
    println!("{}", serde_json::to_string(line)?);
    Ok(())
}

/// The bank's process: open until its standard input ends.
pub(crate) async fn be_server(plan: &Plan) -> Result<(), Failure> {
    let bank = server::Bank::open(plan, "tcp://127.0.0.1:0").await?;
    say(&Line::Listening(bank.address()))?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    say(&Line::Server(bank.close().await))
}

/// A client node's process.
pub(crate) async fn be_node(plan: &Plan) -> Result<(), Failure> {
    let (progress, mut heard) = mpsc::channel(64);
    let printer = tokio::spawn(async move {
        let mut last = 0;
        while let Some(answered) = heard.recv().await {
            if answered >= last + 50 {
                last = answered;
                let _ = say(&Line::Answered(answered));
            }
        }
    });
    let report = node::run(plan, plan.index, &plan.address, progress).await?;
    printer.await?;
    say(&Line::Node(report))
}

/// Starts everything, waits for the nodes, then closes the bank.
pub(crate) async fn run(
    plan: &Plan,
    progress: mpsc::Sender<(u32, u64)>,
) -> Result<(ServerReport, Vec<NodeReport>), Failure> {
    let mut bank = Process::start(plan, &["--role", "server"])?;
    let Some(Line::Listening(address)) = bank.next_line().await? else {
        return Err("the bank's process did not say where it listens".into());
    };
    let mut nodes = Vec::new();
    for index in 0..plan.clients {
        let mut process =
            Process::start(plan, &["--role", "node", "--index", &index.to_string(), "--address", &address])?;
        let progress = progress.clone();
        nodes.push(tokio::spawn(async move {
            while let Some(line) = process.next_line().await? {
                match line {
                    Line::Answered(count) => {
                        let _ = progress.try_send((index, count));
                    }
                    Line::Node(report) => return Ok(report),
                    _ => {}
                }
            }
            Err::<_, Failure>(format!("client node {index} ended without a report").into())
        }));
    }
    drop(progress);
    let mut reports = Vec::new();
    for node in nodes {
        reports.push(node.await??);
    }
    drop(bank.child.stdin.take()); // Its cue to close.
    while let Some(line) = bank.next_line().await? {
        if let Line::Server(report) = line {
            return Ok((report, reports));
        }
    }
    Err("the bank's process ended without a report".into())
}

/// Progress of one node, as that of the run's.
pub(crate) fn forward(index: u32, progress: mpsc::Sender<(u32, u64)>) -> mpsc::Sender<u64> {
    let (sender, mut heard) = mpsc::channel(64);
    tokio::spawn(async move {
        while let Some(count) = heard.recv().await {
            let _ = progress.try_send((index, count));
        }
    });
    sender
}

struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(plan: &Plan, role: &[&str]) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--seed", &plan.seed.to_string(), "--drop", &plan.drop.to_string()])
            .args(["--actions", &plan.actions.to_string(), "--clients", &plan.clients.to_string()])
            .args(["--cuts", &plan.cuts.to_string()])
            .args(role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = child.stdout.take().ok_or("a process without standard output")?;
        Ok(Self { child, lines: BufReader::new(stdout).lines() })
    }

    async fn next_line(&mut self) -> Result<Option<Line>, Failure> {
        match self.lines.next_line().await? {
            Some(text) => Ok(Some(serde_json::from_str(&text)?)),
            None => Ok(None),
        }
    }
}
