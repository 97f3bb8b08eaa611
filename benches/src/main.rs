//! Our own speed beside a raw echo of the same bytes, alternating in one run. Figures of two runs are not comparable; ratios are.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command talks to its user")]

mod measure;
mod ours;
mod proxy;
mod raw;

/// The echo service's stubs.
mod echo {
    rpcgen_runtime::include_rpc!("echo");
}

use std::time::Duration;

use clap::Parser;
use serde::Serialize;

use crate::measure::median;
use crate::ours::Failure;

/// Payload bytes of a request and of a response of the echo service, as encoded.
const PAYLOAD_BYTES: f64 = 80.0 + 18.0;

/// Speed of generated calls beside a raw echo, in one run.
#[derive(Parser)]
struct Options {
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Measurements of each row; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The last line is the table as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    callers: usize,
    ours: f64,
    limit: f64,
    ratio: f64,
    limit_name: &'static str,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let time = Duration::from_secs_f64(options.seconds);
    let mut rows = Vec::new();
    for (name, address, callers, limit_name) in [
        ("TCP, pipelined", "tcp://127.0.0.1:0", 256, "raw-tcp-mux"),
        ("TCP, ping-pong", "tcp://127.0.0.1:0", 1, "raw-tcp-mux"),
        ("cross-thread, pipelined", "thread://bench", 256, "mpsc + oneshot"),
        ("cross-thread, ping-pong", "thread://bench", 1, "mpsc + oneshot"),
    ] {
        let (mut ours_all, mut limit_all) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            limit_all.push(if address.starts_with("tcp") {
                raw::tcp_mux(callers, time).await?
            } else {
                raw::channel(callers, time).await
            });
            ours_all.push(ours::calls(address, callers, time).await?);
        }
        let (ours, limit) = (median(ours_all), median(limit_all));
        println!(
            "{name:<26}{callers:>5} callers {ours:>12.0} calls/s   {limit_name:<15}{limit:>12.0} calls/s   ratio {:.2}",
            ours / limit
        );
        rows.push(Row { name, callers, ours, limit, ratio: ours / limit, limit_name });
    }
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
    if options.json {
        println!("{}", serde_json::to_string(&rows)?);
    }
    Ok(())
}
