//! The processes of a run: started, listened to, killed.
//!
//! Knows: lives of processes. Does not know: what their lines mean. Nothing here waits for ever.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;

use crate::Failure;
use crate::lines::Line;
use crate::plan::{Plan, Role};

/// How long a process may take to stop where it stands.
const STOPS_WITHIN: Duration = Duration::from_secs(20);

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The server, in one of its lives.
    Server(u64),
    /// A client, in one of its lives.
    Client(u32, u64),
    /// One that should be refused: the log is not its own.
    Intruder(u64),
}

/// `None`: its output has ended, and so has it.
pub(crate) type Said = (Part, Option<Line>);

/// A process. It is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) part: Part,
}

/// What a process is begun as.
#[derive(Clone, Debug)]
pub(crate) struct Start<'a> {
    pub(crate) role: Role,
    pub(crate) log: &'a Path,
    pub(crate) arguments: Vec<(&'static str, String)>,
    /// What strace is to do to its calls to the system; `None`: it is not there.
    pub(crate) inject: Option<&'a str>,
}

impl Process {
    pub(crate) fn start(plan: &Plan, part: Part, start: Start<'_>, said: mpsc::Sender<Said>) -> Result<Self, Failure> {
        let itself = std::env::current_exe()?;
        let mut command = match start.inject {
            None => Command::new(itself),
            Some(inject) => {
                // -D: the process is our own child, and strace beside it.
                let mut strace = Command::new("strace");
                strace.args(["-D", "-f", "-q", "-o", "/dev/null", "-e", "trace=fdatasync,fsync,pwrite64", "-e"]);
                strace.arg(format!("inject={inject}")).arg(itself);
                strace
            }
        };
        let role = if start.role == Role::Server { "server" } else { "client" };
        command.args(["--role", role, "--seed", &plan.seed.to_string(), "--open", &plan.open.to_string()]);
        command.args(["--database", plan.database.name()]).arg("--log").arg(start.log);
        if let Some(mistake) = plan.mistake {
            command.args(["--mistake", mistake.name()]);
        }
        for (name, value) in start.arguments {
            command.args([name, value.as_str()]);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = child.stdout.take().ok_or("a process without standard output")?;
        tokio::spawn(pass_on(part, stdout, said));
        Ok(Self { child, part })
    }

    /// As by kill -9. What it said before is still heard.
    pub(crate) fn kill(&mut self) -> Result<(), Failure> {
        // One that has ended by itself needs no kill.
        if !self.has_ended()? {
            self.child.start_kill()?;
        }
        Ok(())
    }

    /// The word to finish.
    pub(crate) fn finish(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Whether it has had that word.
    pub(crate) fn is_told_to_finish(&self) -> bool {
        self.child.stdin.is_none()
    }

    /// Whether it is over.
    pub(crate) fn has_ended(&mut self) -> Result<bool, Failure> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits for its end, for so long; whether that was a good one.
    pub(crate) async fn ended(&mut self, within: Duration) -> Result<bool, Failure> {
        let ended = tokio::time::timeout(within, self.child.wait()).await;
        let ended = ended.map_err(|_| format!("waited for the end of {:?}: not within {within:?}", self.part))?;
        Ok(ended?.success())
    }

    /// Stops it where it stands, as by a pause of its machine. Returns when no thread of it runs, or is in a call to the system: a sync
    /// that it had begun has ended. One that has ended by itself is stopped, too.
    pub(crate) fn stop(&mut self) -> Result<(), Failure> {
        let Some(id) = self.child.id().filter(|_| !matches!(self.child.try_wait(), Ok(Some(_)))) else { return Ok(()) };
        stop_processes(&[id])
    }

    /// It goes on.
    pub(crate) fn go_on(&self) -> Result<(), Failure> {
        signal(self.child.id().ok_or("the process has ended")?, "-CONT")
    }
}

/// Stops processes where they stand. Returns when no thread of them runs, or is in a call to the system.
pub(crate) fn stop_processes(ids: &[u32]) -> Result<(), Failure> {
    for id in ids {
        signal(*id, "-STOP")?;
    }
    let began = Instant::now();
    for id in ids {
        while !is_stopped(*id)? {
            if began.elapsed() > STOPS_WITHIN {
                return Err(format!("waited for process {id} to stop: not within {STOPS_WITHIN:?}").into());
            }
            std::thread::yield_now();
        }
    }
    Ok(())
}

/// Whether errors can be injected.
pub(crate) fn has_strace() -> bool {
    std::process::Command::new("strace").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Sends a signal by the program that does that: it takes no unsafe code.
fn signal(process: u32, name: &str) -> Result<(), Failure> {
    let sent = std::process::Command::new("kill").args([name, &process.to_string()]).status()?;
    if sent.success() { Ok(()) } else { Err(format!("kill {name} {process} failed").into()) }
}

/// Whether all threads are stopped: the state stands behind the name, which is in brackets.
fn is_stopped(process: u32) -> Result<bool, Failure> {
    // One that has ended is not there.
    let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else { return Ok(true) };
    for thread in threads {
        // A thread that has just ended is not in the way.
        let Ok(stat) = std::fs::read_to_string(thread?.path().join("stat")) else { continue };
        let state = stat.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
        if !matches!(state, Some('T' | 't' | 'Z' | 'X')) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Passes a process's lines on, and that they have ended.
async fn pass_on(part: Part, stdout: ChildStdout, said: mpsc::Sender<Said>) {
    let mut texts = BufReader::new(stdout).lines();
    while let Ok(Some(text)) = texts.next_line().await {
        // The last line of a process that was killed may be a part of one.
        let Ok(line) = serde_json::from_str(&text) else { continue };
        if said.send((part, Some(line))).await.is_err() {
            return;
        }
    }
    let _ = said.send((part, None)).await;
}
