//! What a session costs in memory: many of them, a server in a process of its own, and what the kernel says of both processes.
//!
//! Knows: how to make sessions that are idle, that have worked, and that are parked. Does not know: what the bytes are for. Buffers of
//! the kernel's sockets are not counted: they are not in a process's resident memory.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rpcgen_runtime::{AcceptLimits, AppId, Server};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::echo;
use crate::ours::{Echo, Failure};

/// Clients that connect at once: below what a server lets in before their hellos.
const AT_ONCE: usize = 100;
/// Sessions that are made and measured apart: what a process needs for the first ones is no cost of a session.
const FIRST: usize = 200;
/// Calls of a session that has worked.
const CALLS: usize = 50;
/// Longer than it takes until a silent link is asked for a sign of life: what is given back when idle has been given back.
const REST: Duration = Duration::from_secs(12);

/// Longer than guarantees wait for something to ride on: then the last answer is logged no more.
const GUARANTEED_AFTER: Duration = Duration::from_secs(2);

/// Bytes of resident memory for each session.
#[derive(Serialize)]
pub(crate) struct Cost {
    /// What the sessions did.
    pub(crate) sessions: &'static str,
    /// How many.
    pub(crate) count: usize,
    /// At the server.
    pub(crate) server: u64,
    /// At the clients; none where they are gone.
    pub(crate) client: Option<u64>,
}

/// Measures the three kinds, each with a server of its own.
pub(crate) fn measure(count: usize) -> Result<Vec<Cost>, Failure> {
    Ok(vec![linked(count, 0)?, linked(count, CALLS)?, parked(count)?])
}

/// The server's process: says where it listens, then serves until it is killed.
pub(crate) async fn serve() -> Result<(), Failure> {
    let limits = AcceptLimits { links_max: 100_000, ..AcceptLimits::default() };
    let server = Server::builder().accept_limits(limits).serve(echo::server(Echo)).listen("tcp://127.0.0.1:0").await?;
    println!("{}", server.local_address());
    std::future::pending().await
}

/// A server in a process of its own, killed when it is dropped.
struct Served {
    process: Child,
    address: String,
}

impl Served {
    fn begin() -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let mut process = Command::new(program).arg("memory-server").stdout(Stdio::piped()).spawn()?;
        let mut address = String::new();
        let output = process.stdout.take().ok_or("the server has no output")?;
        BufReader::new(output).read_line(&mut address)?;
        Ok(Self { process, address: address.trim().to_owned() })
    }

    fn resident(&self) -> Result<u64, Failure> {
        resident(&self.process.id().to_string())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It is gone already, or goes now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Resident memory of a process, in bytes.
fn resident(process: &str) -> Result<u64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("the kernel does not say")?;
    let kibibytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes * 1_024)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// Connects clients, a few at once, and lets each make its calls.
async fn connect(address: &str, count: usize, calls: usize) -> Result<Vec<echo::Client>, Failure> {
    let mut clients = Vec::with_capacity(count);
    while clients.len() < count {
        let mut coming = JoinSet::new();
        for _ in 0..AT_ONCE.min(count - clients.len()) {
            let address = address.to_owned();
            coming.spawn(async move {
                let client = echo::Client::connect(&address).await?;
                for _ in 0..calls {
                    client.echo(AppId(7), "alice-000001", 42, vec![7; 64]).await?;
                }
                Ok::<_, Failure>(client)
            });
        }
        for client in coming.join_all().await {
            clients.push(client?);
        }
    }
    Ok(clients)
}

fn linked(count: usize, calls: usize) -> Result<Cost, Failure> {
    let server = Served::begin()?;
    let runtime = runtime()?;
    let cost = runtime.block_on(async {
        let first = connect(&server.address, FIRST, calls).await?;
        let before = (server.resident()?, resident("self")?);
        let clients = connect(&server.address, count, calls).await?;
        tokio::time::sleep(REST).await;
        let after = (server.resident()?, resident("self")?);
        drop((first, clients));
        Ok::<_, Failure>((each(before.0, after.0, count), each(before.1, after.1, count)))
    })?;
    // Without their farewells: the process goes on to the next measurement.
    runtime.shutdown_background();
    let sessions = if calls == 0 { "idle, fresh" } else { "idle, after 50 calls" };
    Ok(Cost { sessions, count, server: cost.0, client: Some(cost.1) })
}

/// Sessions whose clients have vanished, some after others: what their links took is free for the next ones.
fn parked(count: usize) -> Result<Cost, Failure> {
    let server = Served::begin()?;
    let vanish = |count| {
        let runtime = runtime()?;
        let clients = runtime.block_on(async {
            let clients = connect(&server.address, count, CALLS).await?;
            tokio::time::sleep(GUARANTEED_AFTER).await;
            Ok::<_, Failure>(clients)
        })?;
        runtime.shutdown_background();
        drop(clients);
        Ok::<_, Failure>(())
    };
    vanish(FIRST)?;
    std::thread::sleep(REST);
    let before = server.resident()?;
    for _ in 0..count / FIRST {
        vanish(FIRST)?;
    }
    std::thread::sleep(REST);
    let count = count / FIRST * FIRST;
    Ok(Cost { sessions: "parked", count, server: each(before, server.resident()?, count), client: None })
}

fn each(before: u64, after: u64, count: usize) -> u64 {
    after.saturating_sub(before) / count.max(1) as u64
}
