//! What other RPC systems do with the same calls: `rpcgen-peers measure WHO WORKLOAD --seconds S`; the last line is the figure.
//! Called by `rpcgen-bench compare --peers`, which alternates them with ours.
#![forbid(unsafe_code)]

#[path = "../../../tests/effects/src/folder.rs"]
#[allow(dead_code, reason = "not every part of it is used on this side")]
mod folder;
mod grpc;
mod jetstream;
#[path = "../../src/measure.rs"]
#[allow(dead_code, reason = "not every part of it is used on this side")]
mod measure;
mod postgres;
#[path = "../../../tests/effects/src/postgres.rs"]
#[allow(dead_code, reason = "not every part of it is used on this side")]
mod postgres_server;
#[path = "../../../tests/effects/src/process.rs"]
mod process;
mod rpc;
#[path = "../../src/workload.rs"]
#[allow(dead_code, reason = "not every part of it is used on this side")]
mod workload;

use std::time::Duration;

use folder::Folder;
use jetstream::Syncs;

type Failure = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = concat!(
    "usage: rpcgen-peers measure WHO WORKLOAD --seconds S; WHO is tarpc-tcp, tarpc-memory, tonic-unary, tonic-stream, tonic-postgres, ",
    "jetstream-publish, jetstream-publish-always, jetstream-call or jetstream-call-always"
);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ["measure", who, workload, "--seconds", seconds] = arguments[..] else { return Err(USAGE.into()) };
    let workload = workload.parse()?;
    let time = Duration::from_secs_f64(seconds.parse()?);
    let figure = match who {
        "tarpc-tcp" => rpc::tcp(workload, time).await?,
        "tarpc-memory" => rpc::memory(workload, time).await?,
        "tonic-unary" => grpc::unary(workload, time).await?,
        "tonic-stream" => grpc::stream(workload, time).await?,
        "tonic-postgres" => postgres::calls(workload, time).await?,
        "jetstream-publish" => jetstream::publications(workload, time, Syncs::Default).await?,
        "jetstream-publish-always" => jetstream::publications(workload, time, Syncs::Always).await?,
        "jetstream-call" => jetstream::calls(workload, time, Syncs::Default).await?,
        "jetstream-call-always" => jetstream::calls(workload, time, Syncs::Always).await?,
        _ => return Err(USAGE.into()),
    };
    println!("{}", serde_json::to_string(&figure)?);
    Ok(())
}
