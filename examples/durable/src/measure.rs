//! What logs on disk cost: calls per second, flushes per call.
//!
//! Knows: clocks, counters. Does not know: how a log works.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rpcgen_runtime::{AppId, Server};

use crate::Failure;
use crate::shop::{Shop, stubs};

#[derive(Debug, clap::Args)]
pub(crate) struct MeasureArgs {
    /// Calls at once
    #[arg(long, default_value_t = 256)]
    outstanding: usize,
    /// For how long
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Where the logs are; the temporary directory, if nothing is said
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Logs in memory instead, to compare
    #[arg(long)]
    memory: bool,
    /// Bytes of a request and of its response
    #[arg(long, default_value_t = 100)]
    bytes: usize,
}

pub(crate) async fn run(args: MeasureArgs) -> Result<(), Failure> {
    let parent = args.directory.unwrap_or_else(std::env::temp_dir);
    let directory = parent.join(format!("rpcgen-measure-{}", std::process::id()));
    let (mut server, mut client) = (Server::builder(), stubs::Client::builder());
    if !args.memory {
        server = server.log(directory.join("server"));
        client = client.log(directory.join("client"));
    }
    let server = server.serve(stubs::server(Shop)).listen("tcp://127.0.0.1:0").await?;
    let client = client.connect(&server.local_address()).await?;
    let (done, nanoseconds) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let before = [client.runtime().log_stats(), server.log_stats()];
    let (began, limit) = (Instant::now(), Duration::from_secs(args.seconds));
    let callers: Vec<_> = (0..args.outstanding)
        .map(|_| {
            let (client, done, nanoseconds) = (client.clone(), Arc::clone(&done), Arc::clone(&nanoseconds));
            let text = "x".repeat(args.bytes);
            tokio::spawn(async move {
                while began.elapsed() < limit {
                    let sent = Instant::now();
                    client.ping(AppId(7), text.clone()).await?;
                    done.fetch_add(1, Ordering::Relaxed);
                    let took = u64::try_from(sent.elapsed().as_nanos()).unwrap_or(u64::MAX);
                    nanoseconds.fetch_add(took, Ordering::Relaxed);
                }
                Ok::<_, Failure>(())
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    let (took, calls) = (began.elapsed(), done.load(Ordering::Relaxed));
    let after = [client.runtime().log_stats(), server.log_stats()];
    println!(
        "{} outstanding: {calls} calls in {:.2} s, {:.0} calls/s, {:.2} ms mean",
        args.outstanding,
        took.as_secs_f64(),
        calls as f64 / took.as_secs_f64(),
        nanoseconds.load(Ordering::Relaxed) as f64 / 1e6 / calls.max(1) as f64,
    );
    for (name, before, after) in [("client", before[0], after[0]), ("server", before[1], after[1])] {
        let (Some(before), Some(after)) = (before, after) else { continue };
        let syncs = after.syncs_count - before.syncs_count;
        println!(
            "  {name}: {syncs} flushes, {:.2} calls each; {} segments of {} bytes, {} records live",
            calls as f64 / syncs.max(1) as f64,
            after.segments_count,
            after.segment_bytes,
            after.live_count,
        );
    }
    let _ = client.disconnect(Duration::from_secs(10)).await;
    let _ = server.shutdown(Duration::from_secs(10)).await;
    let _ = std::fs::remove_dir_all(&directory);
    Ok(())
}
