//! What many do by hand: tonic, and a table of answers by idempotency key in PostgreSQL.
//!
//! One statement, committed by itself, for each first call; a call that comes again would find its row. There is no effect beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio_postgres::{Client, NoTls, Statement};

use crate::grpc::echo::echo_server::Echo;
use crate::grpc::echo::{Request, Response};
use crate::grpc::{self, Answers};
use crate::measure::Figure;
use crate::postgres_server::PostgresServer;
use crate::workload::Workload;
use crate::{Failure, Folder};

/// Connections.
const POOL: usize = 32;

const TABLE: &str = "create table answers (key bytea primary key, balance bigint not null, payload bytea not null)";
const KEEP: &str = "insert into answers values ($1, $2, $3) on conflict (key) do nothing";
const FIND: &str = "select balance, payload from answers where key = $1";

struct Connection {
    client: Client,
    keep: Statement,
    find: Statement,
}

/// Connections, one call at a time on each.
struct Pool {
    free: tokio::sync::Mutex<tokio::sync::mpsc::Receiver<Connection>>,
    give_back: tokio::sync::mpsc::Sender<Connection>,
}

impl Pool {
    async fn open(address: &str) -> Result<Self, Failure> {
        let (give_back, free) = tokio::sync::mpsc::channel(POOL);
        for _ in 0..POOL {
            let (client, connection) = tokio_postgres::connect(address, NoTls).await?;
            tokio::spawn(connection);
            let (keep, find) = (client.prepare(KEEP).await?, client.prepare(FIND).await?);
            give_back.send(Connection { client, keep, find }).await?;
        }
        Ok(Self { free: tokio::sync::Mutex::new(free), give_back })
    }

    async fn answer(&self, request: &Request) -> Result<Response, Failure> {
        let connection = self.free.lock().await.recv().await.ok_or("the pool is gone")?;
        let answer = answer(&connection, request).await;
        self.give_back.send(connection).await?;
        answer
    }
}

async fn answer(connection: &Connection, request: &Request) -> Result<Response, Failure> {
    let Connection { client, keep, find } = connection;
    let Response { balance, payload } = grpc::answer(request);
    if client.execute(keep, &[&request.key, &balance.cast_signed(), &payload]).await? == 1 {
        return Ok(Response { balance, payload });
    }
    let row = client.query_one(find, &[&request.key]).await?;
    Ok(Response { balance: row.get::<_, i64>(0).cast_unsigned(), payload: row.get(1) })
}

struct Business(Pool);

#[tonic::async_trait]
impl Echo for Business {
    async fn call(&self, request: tonic::Request<Request>) -> Result<tonic::Response<Response>, tonic::Status> {
        let answer = self.0.answer(request.get_ref()).await;
        answer.map(tonic::Response::new).map_err(|error| tonic::Status::internal(error.to_string()))
    }

    type StreamStream = Answers;

    async fn stream(
        &self,
        _requests: tonic::Request<tonic::Streaming<Request>>,
    ) -> Result<tonic::Response<Self::StreamStream>, tonic::Status> {
        Err(tonic::Status::unimplemented("calls only"))
    }
}

pub(crate) async fn calls(workload: Workload, time: Duration) -> Result<Figure, Failure> {
    let folder = Folder::new("peers");
    let server = PostgresServer::start_in(folder.path()).ok_or("PostgreSQL is not installed")?;
    let address = server.database("bench");
    let (client, connection) = tokio_postgres::connect(&address, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute(TABLE).await?;
    let client = grpc::connect(Business(Pool::open(&address).await?)).await?;
    let number = Arc::new(AtomicU64::new(0));
    Ok(workload
        .run(time, move |_| {
            let mut client = client.clone();
            // As long as a UUID.
            let key = u128::from(number.fetch_add(1, Ordering::Relaxed)).to_be_bytes().to_vec();
            async move {
                client.call(Request { key, ..grpc::request() }).await.expect("an answer");
            }
        })
        .await)
}
