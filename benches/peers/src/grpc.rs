//! tonic: unary calls, and one bidirectional stream whose answers come in order.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::{Channel, Endpoint, Server};

use crate::Failure;
use crate::measure::{Figure, Meter, Tally, figure};
use crate::workload::Workload;

/// What tonic generates.
pub(crate) mod echo {
    tonic::include_proto!("echo");
}

use echo::echo_client::EchoClient;
use echo::echo_server::{Echo, EchoServer};
use echo::{Request, Response};

/// What a stream of answers is.
pub(crate) type Answers = std::pin::Pin<Box<dyn Stream<Item = Result<Response, tonic::Status>> + Send>>;

/// An empty handler.
struct Business;

pub(crate) fn answer(request: &Request) -> Response {
    Response { balance: request.amount, payload: request.payload[..16].to_vec() }
}

pub(crate) fn request() -> Request {
    Request { app_id: 7, user: "alice-000001".to_owned(), amount: 42, payload: vec![7; 64], key: Vec::new() }
}

#[tonic::async_trait]
impl Echo for Business {
    async fn call(&self, request: tonic::Request<Request>) -> Result<tonic::Response<Response>, tonic::Status> {
        Ok(tonic::Response::new(answer(request.get_ref())))
    }

    type StreamStream = Answers;

    async fn stream(
        &self,
        requests: tonic::Request<tonic::Streaming<Request>>,
    ) -> Result<tonic::Response<Self::StreamStream>, tonic::Status> {
        let answers = requests.into_inner().map(|request| request.map(|request| answer(&request)));
        Ok(tonic::Response::new(Box::pin(answers)))
    }
}

pub(crate) async fn connect(business: impl Echo) -> Result<EchoClient<Channel>, Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(
        Server::builder()
            .tcp_nodelay(true)
            .add_service(EchoServer::new(business))
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );
    let channel = Endpoint::from_shared(format!("http://{address}"))?.tcp_nodelay(true).connect().await?;
    Ok(EchoClient::new(channel))
}

pub(crate) async fn unary(workload: Workload, time: Duration) -> Result<Figure, Failure> {
    let mut clients = Vec::new();
    for _ in 0..workload.clients() {
        clients.push(connect(Business).await?);
    }
    Ok(workload
        .run(time, move |caller| {
            let mut client = clients[caller % clients.len()].clone();
            async move {
                client.call(request()).await.expect("an answer");
            }
        })
        .await)
}

/// One loop that keeps so many requests outstanding on one stream: no call has a future of its own.
pub(crate) async fn stream(workload: Workload, time: Duration) -> Result<Figure, Failure> {
    let outstanding = match workload {
        Workload::Tasks(outstanding) | Workload::OneTask(outstanding) | Workload::Calls(outstanding) => outstanding,
        Workload::Clients { .. } => return Err("one stream has one client".into()),
    };
    let mut client = connect(Business).await?;
    let (requests, queue) = mpsc::channel(outstanding);
    for _ in 0..outstanding {
        requests.send(request()).await?;
    }
    let mut answers = client.stream(ReceiverStream::new(queue)).await?.into_inner();
    let meter = Meter::default();
    let of_task = meter.clone();
    let task = tokio::spawn(async move {
        let mut tally = Tally::new(&of_task);
        // The latency of the stream's calls is not taken: they are not calls, they are a stream.
        while tally.goes_on() && answers.next().await.is_some_and(|answer| answer.is_ok()) {
            tally.end(None);
            if requests.send(request()).await.is_err() {
                break;
            }
        }
        tally.finish()
    });
    let (rate, cpu) = meter.run(time).await;
    Ok(figure(rate, cpu, task.await?))
}
