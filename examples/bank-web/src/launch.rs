//! Starts what a command line asks for: parts in this process, or a process for each part.
//!
//! Knows: processes. Does not know: what the parts do.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::Failure;
use crate::bank::Bank;
use crate::front::Node;
use crate::settings::{Mode, Serve};
use crate::web;

/// What a process says when it serves.
const READY: &str = "ready";
/// A part that died is started again after this: long enough to see that it is away.
const DEAD_FOR: Duration = Duration::from_secs(4);
/// A part that was told to end and has not by then is killed.
const END_WITHIN: Duration = Duration::from_secs(3);

/// Runs the parts that `serve.mode` names in this process, until it is ended.
///
/// # Errors
/// A part does not start.
pub async fn run_parts(serve: &Serve) -> Result<(), Failure> {
    std::fs::create_dir_all(&serve.data)
        .map_err(|error| format!("{} cannot be made: {error}", serve.data.display()))?;
    let _bank = match serve.mode.contains(&Mode::Bank) {
        true => Some(Bank::start(&serve.bank()).await?),
        false => None,
    };
    if serve.node.is_some() && !serve.mode.contains(&Mode::Front) {
        return Err("--node says which front node this process is: it needs --mode front".into());
    }
    let mut pages = None;
    if serve.mode.contains(&Mode::Front) {
        let node = serve.node.unwrap_or(1);
        if !(1..=serve.fronts).contains(&node) {
            return Err(format!("there is no front node {node} among {}", serve.fronts).into());
        }
        let page = serve.page(node);
        let listener = TcpListener::bind(&page).await;
        let listener = listener.map_err(|error| format!("the page cannot be served at {page}: {error}"))?;
        let node = Node::start(&serve.front(node)).await?;
        pages = Some(tokio::spawn(web::serve(node, listener)));
    }
    println!("{READY}");
    tokio::select! {
        ended = told_by_stdin(), if serve.until_stdin_closes => ended,
        served = served_no_more(pages) => Err(format!("the pages cannot be served any more: {served}").into()),
    }
}

/// Returns once stdin is closed: whoever started this process has gone, or wants it gone.
async fn told_by_stdin() -> Result<(), Failure> {
    let mut ignored = Vec::new();
    tokio::io::stdin().read_to_end(&mut ignored).await?;
    Ok(())
}

/// Returns when the pages of a front node are served no more, and why; never, where there are none.
async fn served_no_more(pages: Option<JoinHandle<Result<(), Failure>>>) -> String {
    match pages {
        None => std::future::pending().await,
        Some(pages) => match pages.await {
            Ok(Ok(())) => "the listener was closed".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        },
    }
}

/// One part, as a process of its own. Killed when it is dropped; it ends by itself when this process has gone.
#[derive(Debug)]
pub struct Part {
    child: Child,
    /// As long as it is open, the part goes on: waiting for a child would close one that is left in it.
    stdin: Option<ChildStdin>,
}

impl Part {
    /// Starts `program` as the bank, or as a front node, and waits until it serves.
    ///
    /// # Errors
    /// It does not start, or ends before it serves.
    pub async fn start(program: &Path, serve: &Serve, mode: Mode, node: u16) -> Result<Self, Failure> {
        let mut command = Command::new(program);
        command.arg("--mode").arg(if mode == Mode::Bank { "bank" } else { "front" });
        command.arg("--data").arg(&serve.data).arg("--ports").arg(serve.ports.to_string());
        command.arg("--fronts").arg(serve.fronts.to_string());
        if mode == Mode::Front {
            command.arg("--node").arg(node.to_string());
        }
        command.arg("--give-up-after").arg(serve.give_up_after.to_string());
        command.arg("--drop").arg(serve.drop.to_string()).arg("--until-stdin-closes");
        // Ctrl-C is for whoever started it, who ends it then: else it would seem to have died.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdin = child.stdin.take();
        let said = child.stdout.take().ok_or("its output was asked for")?;
        let mut lines = BufReader::new(said).lines();
        while let Some(line) = lines.next_line().await? {
            if line == READY {
                return Ok(Self { child, stdin });
            }
        }
        child.wait().await?;
        let name = if mode == Mode::Bank { "the bank".to_owned() } else { Serve::name(node) };
        Err(format!("{name} did not start; if a port is taken, choose others with --ports").into())
    }

    /// Kills it, as `kill -9` does, and waits until it has gone.
    ///
    /// # Errors
    /// The system says no.
    pub async fn kill(mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }

    /// Waits until it has gone by itself, and says how.
    ///
    /// # Errors
    /// The system says no.
    pub async fn ended(&mut self) -> Result<ExitStatus, Failure> {
        Ok(self.child.wait().await?)
    }

    /// Ends it, and waits until it has gone.
    ///
    /// # Errors
    /// The system says no.
    pub async fn end(mut self) -> Result<(), Failure> {
        drop(self.stdin.take());
        match tokio::time::timeout(END_WITHIN, self.child.wait()).await {
            Ok(ended) => Ok(ended.map(drop)?),
            Err(_) => self.kill().await,
        }
    }
}

/// A bank and its front nodes, each a process of its own, started again when they die, until this process is told to end (Ctrl-C, or a
/// request to terminate): then they end, and have gone when this returns. Should this process be killed, they end by themselves.
///
/// # Errors
/// A part does not start at first.
pub async fn run_all(serve: &Serve) -> Result<(), Failure> {
    let mut told = std::pin::pin!(told_to_end()?);
    let mut keepers = Keepers::new(serve)?;
    let outcome = tokio::select! {
        started = keepers.start_all() => match started {
            Ok(()) => {
                print_what_to_try(serve);
                Ok(told.as_mut().await)
            }
            Err(error) => Err(error),
        },
        why = told.as_mut() => Ok(why),
    };
    if let Ok(why) = outcome {
        println!("\n{why}: the bank and its front nodes are ended");
    }
    keepers.end().await;
    outcome.map(|_| println!("All have ended; what they know is in {}.", serve.data.display()))
}

/// Returns, when it is awaited, once this process is told to end. From now on such a word no longer ends it by itself.
fn told_to_end() -> std::io::Result<impl Future<Output = &'static str>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => "Ctrl-C",
                _ = terminate.recv() => "Told to terminate",
            }
        })
    }
    #[cfg(not(unix))]
    Ok(async {
        // Where it cannot be heard of, it ends the process by itself.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    })
}

/// All parts, each with somebody who starts it again.
struct Keepers {
    program: PathBuf,
    serve: Serve,
    tasks: JoinSet<()>,
    ending: watch::Sender<bool>,
}

impl Keepers {
    fn new(serve: &Serve) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        Ok(Self { program, serve: serve.clone(), tasks: JoinSet::new(), ending: watch::Sender::new(false) })
    }

    async fn start_all(&mut self) -> Result<(), Failure> {
        let parts = std::iter::once((Mode::Bank, 0)).chain((1..=self.serve.fronts).map(|node| (Mode::Front, node)));
        for (mode, node) in parts {
            let part = Part::start(&self.program, &self.serve, mode, node).await?;
            let (program, serve, mut ending) = (self.program.clone(), self.serve.clone(), self.ending.subscribe());
            self.tasks.spawn(async move {
                let told = async move {
                    // An error: nobody can tell any more.
                    let _ = ending.wait_for(|is_ending| *is_ending).await;
                };
                keep(part, &program, &serve, mode, node, told).await;
            });
        }
        Ok(())
    }

    /// Ends all parts, and waits until they have gone.
    async fn end(mut self) {
        self.ending.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Starts a part again whenever it has died, until it is to end.
async fn keep(part: Part, program: &Path, serve: &Serve, mode: Mode, node: u16, told_to_end: impl Future<Output = ()>) {
    let name = if mode == Mode::Bank { "the bank".to_owned() } else { Serve::name(node) };
    let mut told_to_end = std::pin::pin!(told_to_end);
    let mut part = part;
    loop {
        let how = tokio::select! {
            how = part.ended() => how,
            () = told_to_end.as_mut() => {
                if let Err(error) = part.end().await {
                    eprintln!("{name} cannot be ended: {error}");
                }
                return;
            }
        };
        let how = how.map_or_else(|error| error.to_string(), |how| how.to_string());
        println!("{name} died ({how}); it is started again in {} s", DEAD_FOR.as_secs());
        part = tokio::select! {
            again = start_again(program, serve, mode, node, &name) => again,
            () = told_to_end.as_mut() => return,
        };
        println!("{name} is back");
    }
}

async fn start_again(program: &Path, serve: &Serve, mode: Mode, node: u16, name: &str) -> Part {
    loop {
        tokio::time::sleep(DEAD_FOR).await;
        match Part::start(program, serve, mode, node).await {
            Ok(part) => return part,
            Err(error) => eprintln!("{name} does not start: {error}"),
        }
    }
}

fn print_what_to_try(serve: &Serve) {
    println!(
        "A bank and {} front node{}, each a process of its own; what they know is in {}.\n",
        serve.fronts,
        if serve.fronts == 1 { "" } else { "s" },
        serve.data.display()
    );
    for node in 1..=serve.fronts {
        println!("  http://{}/", serve.page(node));
    }
    println!(
        "
Try this:
  1. Open two of them side by side and sign in under one name: a new name opens an account.
  2. Get a key, send coins to it: they are seen first, and confirmed later, in both windows.
  3. Open http://{}/faults, drop half of all frames, cut the link, pause the business.
  4. Kill the bank there, then ask for a key: it waits at the bottom of the page, can be cancelled, and is answered
     when the bank is back ({} s later).
  5. Close the window meanwhile: what was accepted goes on without it.

Ctrl-C ends it all.",
        serve.page(1),
        DEAD_FOR.as_secs()
    );
}
