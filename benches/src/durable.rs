//! Ours with a log on disk at both ends, through the generated public API; and with effects in a database beside that.

use std::time::Duration;

use effects::{Folder, PostgresServer};
use rpcgen_postgres::Postgres;
use rpcgen_postgres::tokio_postgres::NoTls;
use rpcgen_runtime::server::ServerBuilder;
use rpcgen_runtime::{AppId, Call, Server};
use rpcgen_sqlite::Sqlite;

use crate::echo::{self, EchoResponse};
use crate::measure::Figure;
use crate::ours::{Echo, Failure, leave, one_call};
use crate::workload::Workload;

/// What each call leaves in the database, beside the record of its answer.
const TABLE: &str = "create table if not exists journal (user_name text not null, amount bigint not null)";

/// An empty handler, and two logs.
pub(crate) async fn calls(workload: Workload, time: Duration) -> Result<Figure, Failure> {
    let folder = Folder::new("bench");
    measure(&folder, Server::builder().serve(echo::server(Echo)), workload, time).await
}

/// A row of SQLite for each call, exactly once.
pub(crate) async fn sqlite(workload: Workload, time: Duration) -> Result<Figure, Failure> {
    let folder = Folder::new("bench");
    let db = Sqlite::open_with(folder.path().join("bench.db"), |db| db.execute_batch(TABLE))?;
    let builder = Server::builder().completions(db.clone()).serve(echo::server(InSqlite(db)));
    measure(&folder, builder, workload, time).await
}

/// A row of PostgreSQL for each call, exactly once; its server is the bench's own.
pub(crate) async fn postgres(workload: Workload, time: Duration) -> Result<Figure, Failure> {
    let folder = Folder::new("bench");
    let server = PostgresServer::start_in(folder.path()).ok_or("PostgreSQL is not installed")?;
    let address = server.database("bench");
    let (client, connection) = rpcgen_postgres::tokio_postgres::connect(&address, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute(TABLE).await?;
    // As many as the peer's pool has.
    let db = Postgres::open_with(&address, 32).await?;
    let builder = Server::builder().completions(db.clone()).serve(echo::server(InPostgres(db)));
    measure(&folder, builder, workload, time).await
}

async fn measure(
    folder: &Folder,
    builder: ServerBuilder,
    workload: Workload,
    time: Duration,
) -> Result<Figure, Failure> {
    let server = builder.log(folder.path().join("server")).listen("tcp://127.0.0.1:0").await?;
    let mut clients = Vec::new();
    for number in 0..workload.clients() {
        let builder = echo::Client::builder().log(folder.path().join(format!("client-{number}")));
        clients.push(builder.connect(&server.local_address()).await?);
    }
    let of_callers = clients.clone();
    let figure = workload.run(time, move |caller| one_call(of_callers[caller % of_callers.len()].clone())).await;
    for client in &clients {
        leave(client).await?;
    }
    server.shutdown(Duration::from_secs(5)).await;
    Ok(figure)
}

fn response(amount: u64, payload: &[u8]) -> EchoResponse {
    EchoResponse { balance: amount, payload: payload.get(..16).unwrap_or_default().to_vec() }
}

struct InSqlite(Sqlite);

impl echo::Echo for InSqlite {
    async fn echo(&self, call: &Call, _app_id: AppId, user: String, amount: u64, payload: Vec<u8>) -> EchoResponse {
        self.0
            .once(call, move |tx| {
                tx.execute("insert into journal values (?1, ?2)", (&user, amount))?;
                Ok(rpcgen_sqlite::Effect::Keep(response(amount, &payload)))
            })
            .await
    }
}

struct InPostgres(Postgres);

impl echo::Echo for InPostgres {
    async fn echo(&self, call: &Call, _app_id: AppId, user: String, amount: u64, payload: Vec<u8>) -> EchoResponse {
        self.0
            .once(call, async move |tx| {
                tx.execute("insert into journal values ($1, $2)", &[&user, &amount.cast_signed()]).await?;
                Ok(rpcgen_postgres::Effect::Keep(response(amount, &payload)))
            })
            .await
    }
}
