//! Starts what a command line asks for: parts in this process, or a process for each part.
//!
//! Knows: processes. Does not know: what the parts do.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStdin, Command};

use crate::Failure;
use crate::bank::Bank;
use crate::front::Node;
use crate::settings::{Mode, Serve};
use crate::web;

/// What a process says when it serves.
const READY: &str = "ready";
/// A part that died is started again after this: long enough to see that it is away.
const DEAD_FOR: Duration = Duration::from_secs(4);

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
    if serve.mode.contains(&Mode::Front) {
        if !(1..=serve.fronts).contains(&serve.node) {
            return Err(format!("there is no front node {} among {}", serve.node, serve.fronts).into());
        }
        let page = serve.page(serve.node);
        let listener = TcpListener::bind(&page).await;
        let listener = listener.map_err(|error| format!("the page cannot be served at {page}: {error}"))?;
        let node = Node::start(&serve.front(serve.node)).await?;
        tokio::spawn(async move {
            if let Err(error) = web::serve(node, listener).await {
                eprintln!("the pages cannot be served any more: {error}");
            }
        });
    }
    println!("{READY}");
    if serve.until_stdin_closes {
        let mut ignored = Vec::new();
        tokio::io::stdin().read_to_end(&mut ignored).await?;
        return Ok(());
    }
    std::future::pending().await
}

/// One part, as a process of its own. Killed when it is dropped; it ends by itself when this process has gone.
#[derive(Debug)]
pub struct Part {
    child: Child,
    /// As long as it is open, the part goes on: waiting for a child would close one that is left in it.
    _stdin: Option<ChildStdin>,
}

impl Part {
    /// Starts `program` as the bank, or as a front node, and waits until it serves.
    ///
    /// # Errors
    /// It does not start, or ends before it serves.
    pub async fn start(program: &std::path::Path, serve: &Serve, mode: Mode, node: u16) -> Result<Self, Failure> {
        let mut command = Command::new(program);
        command.arg("--mode").arg(if mode == Mode::Bank { "bank" } else { "front" });
        command.arg("--data").arg(&serve.data).arg("--ports").arg(serve.ports.to_string());
        command.arg("--fronts").arg(serve.fronts.to_string()).arg("--node").arg(node.to_string());
        command.arg("--give-up-after").arg(serve.give_up_after.to_string());
        command.arg("--drop").arg(serve.drop.to_string()).arg("--until-stdin-closes");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdin = child.stdin.take();
        let said = child.stdout.take().ok_or("its output was asked for")?;
        let mut lines = BufReader::new(said).lines();
        while let Some(line) = lines.next_line().await? {
            if line == READY {
                return Ok(Self { child, _stdin: stdin });
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

    /// Waits until it has gone by itself.
    ///
    /// # Errors
    /// The system says no.
    pub async fn ended(&mut self) -> Result<(), Failure> {
        self.child.wait().await?;
        Ok(())
    }
}

/// A bank and its front nodes, each a process of its own, started again when they die.
///
/// # Errors
/// A part does not start at first.
pub async fn run_all(serve: &Serve) -> Result<(), Failure> {
    let program = std::env::current_exe()?;
    let mut keepers = tokio::task::JoinSet::new();
    let parts = std::iter::once((Mode::Bank, 0)).chain((1..=serve.fronts).map(|node| (Mode::Front, node)));
    for (mode, node) in parts {
        let part = Part::start(&program, serve, mode, node).await?;
        let (program, serve) = (program.clone(), serve.clone());
        keepers.spawn(async move { keep(part, &program, &serve, mode, node).await });
    }
    print_what_to_try(serve);
    keepers.join_next().await;
    Ok(())
}

/// Starts a part again whenever it has died.
async fn keep(mut part: Part, program: &std::path::Path, serve: &Serve, mode: Mode, node: u16) {
    let name = if mode == Mode::Bank { "the bank".to_owned() } else { Serve::name(node) };
    loop {
        if part.ended().await.is_err() {
            return;
        }
        println!("{name} died; it is started again in {} s", DEAD_FOR.as_secs());
        loop {
            tokio::time::sleep(DEAD_FOR).await;
            match Part::start(program, serve, mode, node).await {
                Ok(again) => {
                    println!("{name} is back");
                    part = again;
                    break;
                }
                Err(error) => eprintln!("{name} does not start: {error}"),
            }
        }
    }
}

fn print_what_to_try(serve: &Serve) {
    println!(
        "A bank and {} front nodes, each a process of its own; what they know is in {}.\n",
        serve.fronts,
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
