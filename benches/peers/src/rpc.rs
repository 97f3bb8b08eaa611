//! tarpc, over TCP with bincode and over its in-memory channel.

use std::future;
use std::time::Duration;

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tarpc::client::Config;
use tarpc::context;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;

use crate::Failure;
use crate::measure::Figure;
use crate::workload::Workload;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Response {
    balance: u64,
    payload: Vec<u8>,
}

#[tarpc::service]
trait Echo {
    async fn echo(app_id: u64, user: String, amount: u64, payload: Vec<u8>) -> Response;
}

/// An empty handler.
#[derive(Clone)]
struct Business;

impl Echo for Business {
    async fn echo(self, _: context::Context, _app_id: u64, _user: String, amount: u64, payload: Vec<u8>) -> Response {
        Response { balance: amount, payload: payload[..16].to_vec() }
    }
}

async fn one_call(client: EchoClient) {
    client.echo(context::current(), 7, "alice-000001".to_owned(), 42, vec![7; 64]).await.expect("an answer");
}

/// As its examples do it: each request in a task of its own.
pub(crate) async fn tcp(workload: Workload, time: Duration) -> Result<Figure, Failure> {
    let mut listener = tarpc::serde_transport::tcp::listen("127.0.0.1:0", Bincode::default).await?;
    let address = listener.local_addr();
    tokio::spawn(async move {
        while let Some(Ok(transport)) = listener.next().await {
            tokio::spawn(BaseChannel::with_defaults(transport).execute(Business.serve()).for_each(|request| {
                tokio::spawn(request);
                future::ready(())
            }));
        }
    });
    let mut clients = Vec::new();
    for _ in 0..workload.clients() {
        let transport = tarpc::serde_transport::tcp::connect(address, Bincode::default).await?;
        transport.get_ref().set_nodelay(true)?;
        clients.push(EchoClient::new(config(), transport).spawn());
    }
    Ok(workload.run(time, move |caller| one_call(clients[caller % clients.len()].clone())).await)
}

pub(crate) async fn memory(workload: Workload, time: Duration) -> Result<Figure, Failure> {
    let (near, far) = tarpc::transport::channel::unbounded();
    tokio::spawn(BaseChannel::with_defaults(far).execute(Business.serve()).for_each(|request| {
        tokio::spawn(request);
        future::ready(())
    }));
    let client = EchoClient::new(config(), near).spawn();
    Ok(workload.run(time, move |_| one_call(client.clone())).await)
}

/// Room for all callers: its default of 100 would count its queue and not its speed.
fn config() -> Config {
    let mut config = Config::default();
    config.max_in_flight_requests = 10_000;
    config.pending_request_buffer = 10_000;
    config
}
