//! Exactly-once effects in PostgreSQL whatever a handler, or who looks after the database, does to a connection.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::time::Duration;

use effects::ledger::{self, BalanceError, TransferError};
use effects::{APP, Folder, PostgresServer, connect, counted, look, number, postgres, serve};
use rpcgen_postgres::tokio_postgres::Client;
use rpcgen_postgres::{Effect, Postgres, SCHEMA};
use rpcgen_runtime::{AppId, Call, CallError, Refusal, Server};

/// What is not done by then never is.
const WITHIN: Duration = Duration::from_secs(60);
/// Calls of this amount and more say nothing of their own.
const PLAIN: u64 = 100;
const JOURNAL: &str = "create table journal (reference bigint)";
const DONE: &str = "select count(*) from public.journal where reference = 77";
const RECORDS: &str = "select count(*) from public.rpcgen_completions";
const SLEEPS: &str =
    "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()";
const ROLLED_BACK: &str =
    "select count(*) from pg_stat_activity where query = 'rollback' and datname = current_database()";

#[derive(Clone)]
struct Business {
    db: Postgres,
    /// What a handler says first, by the amount.
    says: &'static [&'static str],
    look: Arc<Client>,
}

impl ledger::Ledger for Business {
    async fn transfer(
        &self,
        call: &Call,
        _: AppId,
        _: u64,
        _: u64,
        amount: u64,
        reference: u64,
    ) -> Result<u64, TransferError> {
        let mut first = None;
        loop {
            let says = usize::try_from(amount).ok().and_then(|at| Some((*self.says.get(at)?).to_owned()));
            let work = async move |tx: &mut rpcgen_postgres::Transaction| {
                let set =
                    "select current_setting('synchronous_commit') || current_setting('default_transaction_read_only')";
                assert_eq!(tx.query_one(set, &[]).await?.get::<_, String>(0), "onon", "as the store has set it");
                if let Some(says) = &says {
                    tx.execute(says, &[]).await?;
                }
                tx.execute("insert into public.journal values ($1)", &[&reference.cast_signed()]).await?;
                Ok(Effect::Keep(Ok(amount)))
            };
            let answer = tokio::select! {
                answer = self.db.once(call, work) => answer,
                () = until(&self.look, SLEEPS), if amount < PLAIN => return Ok(0),
            };
            // Once more. As nothing is looked for at first, a record is met with the commit, and then has to be found.
            let Some(first) = first.replace(answer.clone()) else { continue };
            assert_eq!(answer, first);
            return answer;
        }
    }

    async fn balance(&self, _: &Call, _: AppId, _: u64) -> Result<u64, BalanceError> {
        Err(BalanceError::NoSuchAccount)
    }
}

/// Until that number is not 0 any more.
async fn until(client: &Client, sql: &str) {
    // Who looks may have lost its own connection: then it is never so.
    while client.query_one(sql, &[]).await.is_ok_and(|row| row.get::<_, i64>(0) == 0) {
        tokio::task::yield_now().await;
    }
    if client.is_closed() {
        std::future::pending::<()>().await;
    }
}

/// A server with one connection at a time, and a client of it.
async fn bank(address: &str, beside: &str, says: &'static [&'static str]) -> (Server, ledger::Client) {
    let db = Postgres::open_with(address, 1).await.unwrap();
    let business = Business { db: db.clone(), says, look: Arc::new(look(beside).await) };
    let server = serve("tcp://127.0.0.1:0", business, db).await;
    let client = connect(&server.local_address()).await;
    (server, client)
}

#[tokio::test]
async fn a_record_is_where_it_is_looked_for_whatever_a_handler_puts_before_it() {
    let Some(server) = postgres() else { return };
    let tenant = format!("create schema tenant; set search_path = tenant; {SCHEMA}; update rpcgen_owner set epoch = 1");
    let cases: [(_, _, &[&str]); 2] = [
        ("a_tenant", &*tenant, &["set local search_path = tenant, public"]),
        (
            "temporary",
            "",
            &["create temp table if not exists rpcgen_completions (like public.rpcgen_completions including all)"],
        ),
    ];
    for (name, setup, says) in cases {
        let database = server.database(name);
        look(&database).await.batch_execute(&format!("{JOURNAL}; {SCHEMA}; {setup}")).await.unwrap();
        let (_server, client) = bank(&database, &database, says).await;
        let call = client.transfer(APP, 1, 2, 0, 77).send().await.unwrap();
        assert_eq!(tokio::time::timeout(WITHIN, call).await.unwrap(), Ok(0), "{name}");
        let look = look(&database).await;
        assert_eq!((number(&look, DONE).await, number(&look, RECORDS).await), (1, 1), "{name}");
    }
}

#[tokio::test]
async fn a_handler_cannot_undo_what_the_store_has_set_for_a_connection() {
    let Some(server) = postgres() else { return };
    let database = server.database("settings");
    let look = look(&database).await;
    look.batch_execute(JOURNAL).await.unwrap();
    let says: &[&str] = &[
        "reset all",
        "set synchronous_commit = off",
        "discard plans",
        "deallocate all",
        "prepare p as select 1",
        "listen a",
        "unlisten *",
        "load 'plpgsql'",
    ];
    let (_server, client) = bank(&database, &database, says).await;
    for amount in 0..says.len() as u64 {
        let answer = client.transfer(APP, 1, 2, amount, 1).send().await.unwrap().await;
        assert_eq!(answer, Err(CallError::Refused(Refusal::HandlerPanicked)), "{says:?} {amount}");
    }
    assert_eq!(number(&look, "select count(*) from journal").await, 0);
    assert_eq!(client.transfer(APP, 1, 2, PLAIN, 77).send().await.unwrap().await, Ok(PLAIN));
    assert_eq!((number(&look, DONE).await, number(&look, RECORDS).await), (1, 1));
}

#[tokio::test]
async fn a_statement_that_was_given_up_does_not_keep_its_connection() {
    let Some(server) = postgres() else { return };
    let database = server.database("given_up");
    look(&database).await.batch_execute(JOURNAL).await.unwrap();
    let (_server, client) = bank(&database, &database, &["select pg_sleep(600)"]).await;
    assert_eq!(client.transfer(APP, 1, 2, 0, 76).send().await.unwrap().await, Ok(0));
    let next = client.transfer(APP, 1, 2, PLAIN, 77).send().await.unwrap();
    // Less than the bound after which the connection would be ended.
    assert_eq!(tokio::time::timeout(Duration::from_secs(8), next).await.unwrap(), Ok(PLAIN));
    assert_eq!(number(&look(&database).await, DONE).await, 1);
}

#[tokio::test]
async fn a_connection_on_which_a_statement_was_cancelled_is_not_used_again() {
    let Some(server) = postgres() else { return };
    let database = server.database("cancelled");
    let look = look(&database).await;
    look.batch_execute("create table journal (reference bigint, process int default pg_backend_pid())").await.unwrap();
    let (_server, client) = bank(&database, &database, &["select pg_sleep(600)"]).await;
    let processes = "select count(distinct process) from journal";
    for (amount, used) in [(PLAIN, 1), (PLAIN, 1), (0, 1), (PLAIN, 2)] {
        assert_eq!(client.transfer(APP, 1, 2, amount, 77).send().await.unwrap().await, Ok(amount));
        assert_eq!(number(&look, processes).await, used);
    }
}

#[tokio::test]
async fn a_connection_waits_for_the_disk_whatever_the_configuration_becomes() {
    // Of its own: its configuration changes.
    let folder = Folder::new("reloaded");
    let Some(server) = PostgresServer::start_in(folder.path()) else { return };
    let database = server.database("reloaded");
    let look = look(&database).await;
    look.batch_execute(JOURNAL).await.unwrap();
    let (_server, client) = bank(&database, &database, &[]).await;
    assert_eq!(client.transfer(APP, 1, 2, PLAIN, 1).send().await.unwrap().await, Ok(PLAIN));
    look.batch_execute("alter system set synchronous_commit = off").await.unwrap();
    look.batch_execute("select pg_reload_conf()").await.unwrap();
    // The newest connections hear of it first: this one last.
    until(&look, "select count(*) from pg_settings where name = 'synchronous_commit' and setting = 'off'").await;
    assert_eq!(client.transfer(APP, 1, 2, PLAIN, 77).send().await.unwrap().await, Ok(PLAIN));
    assert_eq!((number(&look, DONE).await, number(&look, RECORDS).await), (1, 2));
}

#[tokio::test]
async fn a_database_that_takes_no_connections_is_waited_for() {
    let Some(server) = postgres() else { return };
    let (database, beside) = (server.database("maintained"), server.database("beside_maintained"));
    look(&database).await.batch_execute(JOURNAL).await.unwrap();
    let elsewhere = look(&beside).await;
    let (way, mut count) = counted(&database).await;
    let (_server, client) = bank(&way, &beside, &[]).await;
    let closed = "alter database maintained allow_connections false;
        select pg_terminate_backend(pid) from pg_stat_activity where datname = 'maintained'";
    elsewhere.batch_execute(closed).await.unwrap();
    let before = *count.borrow();
    let call = client.transfer(APP, 1, 2, PLAIN, 77).send().await.unwrap();
    let again = count.wait_for(|count| *count >= before + 4);
    assert!(tokio::time::timeout(WITHIN, again).await.is_ok(), "it is tried again and again");
    elsewhere.batch_execute("alter database maintained allow_connections true").await.unwrap();
    assert_eq!(call.await, Ok(PLAIN));
    assert_eq!(number(&look(&database).await, DONE).await, 1);
}

#[tokio::test]
async fn a_standby_is_waited_for_until_it_is_promoted() {
    // Of its own: it is killed.
    let folder = Folder::new("standby");
    let Some(server) = PostgresServer::start_in(folder.path()) else { return };
    let (database, beside) = (server.database("standby"), server.database("beside_standby"));
    let before = look(&database).await;
    before.batch_execute(JOURNAL).await.unwrap();
    let data: String = before.query_one("show data_directory", &[]).await.unwrap().get(0);
    let (_server, client) = bank(&database, &beside, &[]).await;
    server.kill();
    let (data, signal) = (std::path::Path::new(&data), std::path::Path::new(&data).join("standby.signal"));
    std::fs::write(&signal, "").unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(data).unwrap());
    std::os::unix::fs::chown(&signal, Some(owner), None).unwrap();
    server.start_again();
    let call = client.transfer(APP, 1, 2, PLAIN, 77).send().await.unwrap();
    let look = look(&database).await;
    until(&look, ROLLED_BACK).await;
    look.batch_execute("select pg_promote()").await.unwrap();
    assert_eq!(call.await, Ok(PLAIN));
    assert_eq!((number(&look, DONE).await, number(&look, RECORDS).await), (1, 1));
}
