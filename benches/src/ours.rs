//! Our side, through the generated public API and no other door.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use rpcgen_runtime::client::Request;
use rpcgen_runtime::{AppId, Call, Calls, Server};

use crate::echo;
use crate::measure::{Figure, Meter, Tally, figure};
use crate::proxy::CountingProxy;
use crate::workload::Workload;

/// An empty handler.
pub(crate) struct Echo;

impl echo::Echo for Echo {
    async fn echo(
        &self,
        _call: &Call,
        _app_id: AppId,
        _user: String,
        amount: u64,
        payload: Vec<u8>,
    ) -> echo::EchoResponse {
        echo::EchoResponse { balance: amount, payload: payload.get(..16).unwrap_or_default().to_vec() }
    }
}

pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

pub(crate) async fn one_call(client: echo::Client) {
    // An error fails the run: there are no faults here.
    request(&client).await.expect("an answer");
}

pub(crate) fn request(client: &echo::Client) -> Request<'_, echo::actions::Echo> {
    client.echo(AppId(7), "alice-000001", 42, vec![7; 64])
}

/// Keeps `outstanding` calls going that are handed over and answered together, until the meter stops.
pub(crate) async fn many_calls(client: &echo::Client, outstanding: usize, meter: &Meter) -> Vec<f32> {
    let (mut tally, mut calls) = (Tally::new(meter), Calls::new());
    // Of the calls whose latency is taken: when they began. Answers come in the order of their calls, or nearly so.
    let mut begun: VecDeque<(usize, Instant)> = VecDeque::new();
    loop {
        while calls.len() < outstanding && tally.goes_on() {
            let began = tally.begin();
            let index = calls.push(request(client));
            begun.extend(began.map(|at| (index, at)));
        }
        let Some((index, answer)) = calls.next().await else { return tally.finish() };
        answer.expect("an answer");
        let place = begun.iter().take(outstanding).position(|(sampled, _)| *sampled >= index);
        let began = place.filter(|place| begun[*place].0 == index).and_then(|place| begun.remove(place));
        tally.end(began.map(|(_, at)| at));
    }
}

async fn measured(client: echo::Client, outstanding: usize, time: Duration) -> Figure {
    let meter = Meter::default();
    let of_task = meter.clone();
    let task = tokio::spawn(async move { many_calls(&client, outstanding, &of_task).await });
    let (rate, cpu) = meter.run(time).await;
    figure(rate, cpu, task.await.expect("the callers' task ends"))
}

/// Calls over an address of any kind.
pub(crate) async fn calls(address: &str, workload: Workload, time: Duration) -> Result<Figure, Failure> {
    let server = Server::builder().serve(echo::server(Echo)).listen(address).await?;
    let mut clients = Vec::new();
    for _ in 0..workload.clients() {
        clients.push(echo::Client::connect(&server.local_address()).await?);
    }
    let of_callers = clients.clone();
    let figure = match workload {
        Workload::Calls(outstanding) => measured(of_callers[0].clone(), outstanding, time).await,
        other => other.run(time, move |caller| one_call(of_callers[caller % of_callers.len()].clone())).await,
    };
    for client in &clients {
        leave(client).await?;
    }
    server.shutdown(Duration::from_secs(5)).await;
    Ok(figure)
}

/// Leaves formally: a call that is dropped has failed the run.
pub(crate) async fn leave(client: &echo::Client) -> Result<(), Failure> {
    let dropped = client.disconnect(Duration::from_secs(5)).await.dropped;
    if dropped.is_empty() { Ok(()) } else { Err(format!("{} calls were dropped", dropped.len()).into()) }
}

/// What a call costs on the wire, both directions, TCP and IP headers apart.
pub(crate) struct WireCost {
    pub(crate) calls: u64,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
}

/// Counts bytes at a proxy between client and server; `calls` calls by `callers` callers.
pub(crate) async fn wire_cost(callers: usize, calls: u64) -> Result<WireCost, Failure> {
    let server = Server::builder().serve(echo::server(Echo)).listen("tcp://127.0.0.1:0").await?;
    let proxy = CountingProxy::open(server.local_address().trim_start_matches("tcp://").to_owned()).await?;
    let client = echo::Client::connect(&format!("tcp://{}", proxy.address())).await?;
    // The pools grow to their size first.
    run_calls(&client, callers, calls / 4).await;
    let before = proxy.counted();
    run_calls(&client, callers, calls).await;
    let after = proxy.counted();
    leave(&client).await?;
    server.shutdown(Duration::from_secs(5)).await;
    Ok(WireCost { calls, bytes_up: after.0 - before.0, bytes_down: after.1 - before.1 })
}

async fn run_calls(client: &echo::Client, callers: usize, calls: u64) {
    let mut tasks = Vec::new();
    for caller in 0..callers as u64 {
        let client = client.clone();
        let share = calls / callers as u64 + u64::from(caller < calls % callers as u64);
        tasks.push(tokio::spawn(async move {
            for _ in 0..share {
                one_call(client.clone()).await;
            }
        }));
    }
    for task in tasks {
        task.await.expect("a caller's task ends");
    }
}
