//! A fixed number of calls on one thread: what the guard counts the instructions of.
//!
//! Knows: who can be counted. Does not know: who counts.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use effects::Folder;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rpcgen_proto::payload;
use rpcgen_runtime::{AppId, Calls, Server};

use crate::echo;
use crate::ours::{self, Echo, Failure};
use crate::workload::Workload;

/// Makes `calls` calls and ends.
pub(crate) fn run(who: &str, workload: Workload, calls: u64) -> Result<(), Failure> {
    match who {
        "payload-encode" => encode(calls),
        "payload-decode" => decode(calls),
        "core" => crate::core::calls(workload.outstanding(), calls),
        "ours-tcp" => on_one_thread(over("tcp://127.0.0.1:0", workload, calls)),
        "ours-threads" => on_one_thread(over("thread://count", workload, calls)),
        "ours-durable" => on_one_thread(on_disk(workload, calls)),
        _ => Err(format!("nobody here is counted as `{who}`").into()),
    }
}

fn request() -> echo::actions::Echo {
    echo::actions::Echo { app_id: AppId(7), user: "alice-000001".to_owned(), amount: 42, payload: vec![7; 64] }
}

fn encode(calls: u64) -> Result<(), Failure> {
    let (request, mut bytes) = (request(), Vec::new());
    for _ in 0..calls {
        bytes.clear();
        let mut out = payload::Writer::append_to(bytes);
        payload::Encode::encode(black_box(&request), &mut out);
        bytes = out.finish()?;
    }
    Ok(())
}

fn decode(calls: u64) -> Result<(), Failure> {
    let bytes = payload::to_vec(&request())?;
    for _ in 0..calls {
        black_box(payload::from_slice::<echo::actions::Echo>(black_box(&bytes))?);
    }
    Ok(())
}

fn on_one_thread(calls: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(calls)
}

async fn over(address: &str, workload: Workload, calls: u64) -> Result<(), Failure> {
    let server = Server::builder().serve(echo::server(Echo)).listen(address).await?;
    let client = echo::Client::connect(&server.local_address()).await?;
    by(client, workload, calls).await
}

/// To be profiled, not guarded: how many calls share a sync is the disk's matter, and so is what each of them costs.
async fn on_disk(workload: Workload, calls: u64) -> Result<(), Failure> {
    let folder = Folder::new("bench");
    let builder = Server::builder().serve(echo::server(Echo)).log(folder.path().join("server"));
    let server = builder.listen("tcp://127.0.0.1:0").await?;
    let client = echo::Client::builder().log(folder.path().join("client")).connect(&server.local_address()).await?;
    by(client, workload, calls).await
}

async fn by(client: echo::Client, workload: Workload, calls: u64) -> Result<(), Failure> {
    let left = Arc::new(AtomicU64::new(calls));
    match workload {
        Workload::OneTask(outstanding) => in_one_task(&client, outstanding, &left).await,
        Workload::Calls(outstanding) => many_calls(&client, outstanding, &left).await,
        other => in_tasks(&client, other.outstanding(), &left).await,
    }
    Ok(())
}

fn takes_one(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

async fn in_tasks(client: &echo::Client, outstanding: usize, left: &Arc<AtomicU64>) {
    let mut tasks = Vec::new();
    for _ in 0..outstanding {
        let (client, left) = (client.clone(), Arc::clone(left));
        tasks.push(tokio::spawn(async move {
            while takes_one(&left) {
                ours::one_call(client.clone()).await;
            }
        }));
    }
    for task in tasks {
        task.await.expect("a caller's task ends");
    }
}

async fn in_one_task(client: &echo::Client, outstanding: usize, left: &AtomicU64) {
    let mut calls = FuturesUnordered::new();
    for _ in 0..outstanding {
        calls.push(ours::one_call(client.clone()));
    }
    while calls.next().await.is_some() {
        if takes_one(left) {
            calls.push(ours::one_call(client.clone()));
        }
    }
}

async fn many_calls(client: &echo::Client, outstanding: usize, left: &AtomicU64) {
    let mut calls = Calls::new();
    loop {
        while calls.len() < outstanding && takes_one(left) {
            calls.push(ours::request(client));
        }
        let Some((_, answer)) = calls.next().await else { return };
        answer.expect("an answer");
    }
}
