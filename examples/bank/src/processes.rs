//! A run as processes: this one starts the bank and the nodes, which are the same program in other roles, listens to their lines, and
//! kills the bank where the plan says so.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;

use crate::plan::Plan;
use crate::report::{Kills, NodeReport, ServerReport};
use crate::server::Deed;
use crate::{node, server};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What the processes of a run say on their standard output, a line each.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// The bank listens here.
    Listening(String),
    /// The bank begins to run this action; said before its effect, where the bank may be killed.
    Runs { key: String, redelivered: bool },
    /// The bank has logged a broadcast; said where it may be killed.
    Broadcasts,
    /// The bank is closed.
    Server(ServerReport),
    /// So many actions of the node are answered.
    Answered(u64),
    /// The node is done.
    Node(NodeReport),
}

fn say(line: &Line) -> Result<(), Failure> {
    // Not `println!`, which panics where the reader is gone.
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(line)?)?)
}

/// The bank's process: open until its standard input ends.
pub(crate) async fn be_server(plan: &Plan) -> Result<(), Failure> {
    let may_be_killed = plan.kill_server > 0;
    let on_deed = move |deed: Deed<'_>| {
        if may_be_killed {
            let line = match deed {
                Deed::Runs(call) => Line::Runs { key: call.key().to_string(), redelivered: call.redelivered() },
                Deed::Broadcasts => Line::Broadcasts,
            };
            // Nobody listens any more only when the run was given up.
            let _ = say(&line);
        }
    };
    let address = if plan.address.is_empty() { "tcp://127.0.0.1:0" } else { &plan.address };
    let bank = server::Bank::open(plan, address, on_deed).await?;
    say(&Line::Listening(bank.address()))?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    say(&Line::Server(bank.close().await))
}

/// Ends this process when whoever started it is gone: its standard input ends then, also by kill -9.
fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(1);
    });
}

/// A client node's process.
pub(crate) async fn be_node(plan: &Plan) -> Result<(), Failure> {
    end_with_parent();
    let (progress, mut heard) = mpsc::channel(64);
    let step = plan.answers_told();
    let printer = tokio::spawn(async move {
        let mut last = 0;
        while let Some(answered) = heard.recv().await {
            if answered >= last + step {
                last = answered;
                let _ = say(&Line::Answered(answered));
            }
        }
    });
    let report = node::run(plan, plan.index, &plan.address, progress).await?;
    printer.await?;
    say(&Line::Node(report))
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The bank in one of its lives.
    Bank(u32),
    Node(u32),
}

/// `None`: its output has ended, and so has it.
type Said = (Part, Option<Line>);

/// Starts everything, kills the bank as often as planned, waits for the nodes, then closes the bank.
pub(crate) async fn run(
    plan: &Plan,
    progress: mpsc::Sender<(u32, u64)>,
) -> Result<(ServerReport, Vec<NodeReport>), Failure> {
    let (lines, mut heard) = mpsc::channel(1_024);
    let mut run = Run {
        plan,
        bank: start(plan, Part::Bank(0), "", lines.clone())?,
        life: 0,
        is_killed: false,
        lives: Lives::default(),
        address: String::new(),
        nodes: Vec::new(),
        answered: vec![0; plan.clients as usize],
        reports: BTreeMap::new(),
        lines,
    };
    while let Some((part, line)) = heard.recv().await {
        match (part, line) {
            (Part::Bank(life), Some(line)) => {
                if let Some(report) = run.on_bank(life, line)? {
                    return Ok((run.lives.into_report(plan, report), run.reports.into_values().collect()));
                }
            }
            (Part::Bank(_), None) => run.on_bank_ended().await?,
            (Part::Node(index), Some(Line::Answered(count))) => {
                let _ = progress.try_send((index, count));
                run.on_answered(index, count)?;
            }
            (Part::Node(index), Some(Line::Node(report))) => run.on_node_done(index, report),
            (Part::Node(_), Some(_)) => {}
            (Part::Node(index), None) if run.reports.contains_key(&index) => {}
            (Part::Node(index), None) => return Err(format!("client node {index} ended without a report").into()),
        }
    }
    Err("all processes ended without a report".into())
}

/// A run and its processes.
struct Run<'a> {
    plan: &'a Plan,
    bank: Child,
    /// The how manyth life of the bank this is.
    life: u32,
    /// Its end is near, and asked for.
    is_killed: bool,
    lives: Lives,
    address: String,
    nodes: Vec<Child>,
    answered: Vec<u64>,
    reports: BTreeMap<u32, NodeReport>,
    lines: mpsc::Sender<Said>,
}

impl Run<'_> {
    /// `Some`: the bank has closed.
    fn on_bank(&mut self, life: u32, line: Line) -> Result<Option<ServerReport>, Failure> {
        match line {
            Line::Listening(address) if self.nodes.is_empty() => {
                self.address = address;
                for index in 0..self.plan.clients {
                    self.nodes.push(start(self.plan, Part::Node(index), &self.address, self.lines.clone())?);
                }
            }
            Line::Runs { key, redelivered } => self.lives.note_run(life, key, redelivered),
            Line::Broadcasts => self.lives.broadcasts_sent += 1,
            Line::Server(report) => return Ok(Some(report)),
            Line::Listening(_) | Line::Answered(_) | Line::Node(_) => {}
        }
        Ok(None)
    }

    /// Kills the bank each time that a further share of the actions is answered.
    fn on_answered(&mut self, index: u32, count: u64) -> Result<(), Failure> {
        if let Some(slot) = self.answered.get_mut(index as usize) {
            *slot = count;
        }
        let (answered, kills) = (self.answered.iter().sum::<u64>(), u64::from(self.plan.kill_server));
        let is_due = answered * (kills + 1) >= self.plan.actions * (u64::from(self.life) + 1);
        if self.life < self.plan.kill_server && is_due && !self.is_killed {
            self.bank.start_kill()?;
            self.is_killed = true;
        }
        Ok(())
    }

    /// All lines of this life of the bank are heard: the next one may begin.
    async fn on_bank_ended(&mut self) -> Result<(), Failure> {
        let status = self.bank.wait().await?;
        if !std::mem::take(&mut self.is_killed) {
            return Err(format!("the bank's process ended in mid-run: {status}").into());
        }
        self.life += 1;
        self.lives.killed += 1;
        self.bank = start(self.plan, Part::Bank(self.life), &self.address, self.lines.clone())?;
        Ok(())
    }

    fn on_node_done(&mut self, index: u32, report: NodeReport) {
        if let Some(slot) = self.answered.get_mut(index as usize) {
            *slot = report.answered;
        }
        self.reports.insert(index, report);
        if self.reports.len() == self.plan.clients as usize {
            drop(self.bank.stdin.take()); // The bank's cue to close.
        }
    }
}

/// What the bank ran in all its lives, where it is killed.
#[derive(Default)]
struct Lives {
    killed: u64,
    broadcasts_sent: u64,
    /// In which life an action ran last.
    ran: BTreeMap<String, u32>,
    again_and_told_so: u64,
    again_without_a_word: u64,
}

impl Lives {
    fn note_run(&mut self, life: u32, key: String, redelivered: bool) {
        match self.ran.insert(key, life) {
            None => {}
            // A bank that remembers nothing runs it again, and the protocol says so.
            Some(before) if before < life && redelivered => self.again_and_told_so += 1,
            Some(_) => self.again_without_a_word += 1,
        }
    }

    /// The last life's report, as that of all lives.
    fn into_report(self, plan: &Plan, last: ServerReport) -> ServerReport {
        if plan.kill_server == 0 {
            return last;
        }
        ServerReport {
            executed: self.ran.len() as u64,
            executed_again: self.again_without_a_word,
            broadcasts_sent: self.broadcasts_sent,
            kills: Some(Kills { servers_killed: self.killed, executed_again_and_told_so: self.again_and_told_so }),
            ..last
        }
    }
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

/// Starts a part of the run as a process. It is killed when what is returned is dropped.
fn start(plan: &Plan, part: Part, address: &str, lines: mpsc::Sender<Said>) -> Result<Child, Failure> {
    let (role, index) = match part {
        Part::Bank(_) => ("server", 0),
        Part::Node(index) => ("node", index),
    };
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--seed", &plan.seed.to_string(), "--drop", &plan.drop.to_string()])
        .args(["--actions", &plan.actions.to_string(), "--clients", &plan.clients.to_string()])
        .args(["--cuts", &plan.cuts.to_string(), "--kill-server", &plan.kill_server.to_string()])
        .args(["--role", role, "--index", &index.to_string(), "--address", address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let stdout = child.stdout.take().ok_or("a process without standard output")?;
    tokio::spawn(pass_on(part, stdout, lines));
    Ok(child)
}

/// Passes a process's lines on, and that they have ended.
async fn pass_on(part: Part, stdout: ChildStdout, lines: mpsc::Sender<Said>) {
    let mut texts = BufReader::new(stdout).lines();
    while let Ok(Some(text)) = texts.next_line().await {
        // The last line of a process that was killed may be a part of one.
        let Ok(line) = serde_json::from_str(&text) else { continue };
        if lines.send((part, Some(line))).await.is_err() {
            return;
        }
    }
    let _ = lines.send((part, None)).await;
}
