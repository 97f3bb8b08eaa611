//! A client that is killed between accepted and answered, and finds its answer.
//!
//! Knows: processes, what they say. Does not know: how a call survives; that is the runtime's.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "it is what an example does")]

mod customer;
mod measure;
mod shop;

use std::error::Error;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command as Process, Stdio};

use clap::{Parser, Subcommand};

/// What went wrong.
type Failure = Box<dyn Error + Send + Sync>;

#[derive(Debug, Parser)]
#[command(about = "Logs on disk: nothing that was accepted is lost, whoever is killed")]
struct Args {
    /// What to be; all of it, if nothing is said
    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// The server
    Shop { directory: PathBuf, address: String },
    /// A client that orders, and waits for the answer
    Customer { directory: PathBuf, address: String },
    /// Measures calls per second and flushes per call
    Measure(measure::MeasureArgs),
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    match Args::parse().role {
        Some(Role::Shop { directory, address }) => shop::run(&directory, &address).await,
        Some(Role::Customer { directory, address }) => customer::run(&directory, &address).await,
        Some(Role::Measure(args)) => measure::run(args).await,
        None => tokio::task::spawn_blocking(show).await?,
    }
}

/// A process of this program, and what it says.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(role: &str, directory: &Path, address: &str) -> Result<Self, Failure> {
        let mut process = Process::new(std::env::current_exe()?);
        let mut child = process.arg(role).arg(directory).arg(address).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("the process has no output")?;
        Ok(Self { child, lines: BufReader::new(output).lines() })
    }

    /// Shows what it says, up to a line that begins so; the rest of that line.
    fn until(&mut self, beginning: &str) -> Result<String, Failure> {
        for line in &mut self.lines {
            let line = line?;
            println!("    {line}");
            if let Some((_, rest)) = line.split_once(beginning) {
                return Ok(rest.trim().to_owned());
            }
        }
        Err(format!("the process ended without saying `{beginning}`").into())
    }

    fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill()?; // SIGKILL
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

fn show() -> Result<(), Failure> {
    let directory = std::env::temp_dir().join(format!("rpcgen-durable-{}", std::process::id()));
    let (shop, customer) = (directory.join("shop"), directory.join("customer"));

    println!("A shop opens.");
    let mut server = Running::start("shop", &shop, "tcp://127.0.0.1:0")?;
    let address = server.until("open at ")?;

    println!("A customer orders, and is killed as soon as the order is accepted.");
    let mut client = Running::start("customer", &customer, &address)?;
    client.until("accepted")?;
    client.kill()?;

    println!("A new process with the same directory finds the order.");
    let mut client = Running::start("customer", &customer, &address)?;
    client.until("found")?;
    client.until("answer")?;
    client.until("accepted")?;

    println!("Now the shop is killed while it works on the next order.");
    server.until("works on")?; // The first order, which is done.
    server.until("works on")?;
    server.kill()?;

    println!("A new shop with the same directory goes on with it.");
    let mut server = Running::start("shop", &shop, &address)?;
    server.until("works on")?;
    client.until("answer")?;

    drop((client, server));
    std::fs::remove_dir_all(&directory)?;
    println!("Nothing was lost, and nothing was ordered twice.");
    Ok(())
}
