//! Exactly-once effects in PostgreSQL when an attempt at a call is given up, fails for good, or is one of two.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use effects::ledger::{self, BalanceError, TransferError};
use effects::{APP, Folder, PostgresServer, connect, counted, look, number, postgres, serve};
use rpcgen_postgres::tokio_postgres::Client;
use rpcgen_postgres::tokio_postgres::types::ToSql;
use rpcgen_postgres::{Effect, Postgres, Transaction};
use rpcgen_runtime::{AppId, Call, CallError, Refusal, Server};
use tokio::sync::oneshot;

/// What is not done by then never is.
const WITHIN: Duration = Duration::from_secs(60);
const JOURNAL: &str = "create table journal (reference bigint)";
const INSERT: &str = "insert into journal values ($1)";
const DONE: &str = "select count(*) from journal where reference = 77";
const RECORDS: &str = "select count(*) from rpcgen_completions";
/// A commit waits for a replica that is not there.
const COMMIT_WAITS: &str = "select count(*) from pg_stat_activity where wait_event = 'SyncRep' and query = 'commit'";
/// Parameters of a statement: PostgreSQL counts them with 16 bits.
const TOO_MANY: usize = 65_536;

/// What a transfer of so much does.
const SAYS_WHAT_CANNOT_BE_SENT: u64 = 1;
const HAS_TOO_MANY_PARAMETERS: u64 = 2;
const IS_IDLE_FOR_TOO_LONG: u64 = 3;
const GIVES_UP_ITS_COMMIT: u64 = 4;
const IS_ONE_OF_TWO: u64 = 5;

#[derive(Clone)]
struct Business {
    db: Postgres,
    look: Arc<Client>,
    runs: Arc<AtomicUsize>,
}

type Answer = Result<u64, TransferError>;

impl Business {
    /// The first attempts lose their transactions: nothing is said in them for so long.
    async fn is_idle(&self, tx: &mut Transaction) -> Result<(), rpcgen_postgres::Error> {
        let process: i32 = tx.query_one("select pg_backend_pid()", &[]).await?.get(0);
        if self.runs.fetch_add(1, Ordering::SeqCst) < 3 {
            let gone = format!("select (count(*) = 0)::int::bigint from pg_stat_activity where pid = {process}");
            until(&self.look, &gone).await;
        }
        Ok(())
    }

    /// A statement that was given up may still be under way when the commit is sent, which is given up in its turn.
    async fn gives_up_its_commit(&self, call: &Call, reference: i64) -> Answer {
        let work = async || {
            let work = async move |tx: &mut Transaction| {
                tx.execute("set local synchronous_commit = on", &[]).await?;
                tx.execute(INSERT, &[&reference]).await?;
                tx.execute("select 1", &[]).await?;
                tokio::select! {
                    biased;
                    _ = tx.execute("select 1", &[]) => {}
                    () = std::future::ready(()) => {}
                }
                Ok(Effect::Keep(Ok(GIVES_UP_ITS_COMMIT)))
            };
            self.db.once(call, work).await
        };
        tokio::select! {
            answer = work() => panic!("{answer:?} without a replica"),
            () = until(&self.look, COMMIT_WAITS) => {}
        }
        self.look.batch_execute("alter system reset synchronous_standby_names").await.unwrap();
        self.look.batch_execute("select pg_reload_conf()").await.unwrap();
        work().await
    }

    /// The other attempt is open, and goes on when this one had more than the time that it takes.
    async fn is_one_of_two(&self, call: &Call, reference: i64) -> Answer {
        let (ready, is_ready) = oneshot::channel();
        let (end, ends) = oneshot::channel();
        let (mut ready, mut ends) = (Some(ready), Some(ends));
        let (db, call_of_other) = (self.db.clone(), call.clone());
        let other = tokio::spawn(async move {
            let work = async move |tx: &mut Transaction| {
                tx.execute(INSERT, &[&reference]).await?;
                if let (Some(ready), Some(ends)) = (ready.take(), ends.take()) {
                    let _ = ready.send(());
                    let _ = ends.await;
                }
                Ok(Effect::Keep(Ok(IS_ONE_OF_TWO)))
            };
            db.once::<Answer, _>(&call_of_other, work).await
        });
        is_ready.await.unwrap();
        let runs = Arc::clone(&self.runs);
        let mut this = pin!(self.db.once(call, async move |tx| {
            runs.fetch_add(1, Ordering::SeqCst);
            tx.execute(INSERT, &[&reference]).await?;
            Ok(Effect::Keep(Ok(0)))
        }));
        let meanwhile = async {
            for _ in 0..100 {
                number(&self.look, DONE).await;
            }
        };
        tokio::select! {
            answer = &mut this => panic!("{answer:?} beside an open attempt"),
            () = meanwhile => {}
        }
        end.send(()).unwrap();
        assert_eq!(other.await.unwrap(), Ok(IS_ONE_OF_TWO));
        this.await
    }
}

impl ledger::Ledger for Business {
    async fn transfer(&self, call: &Call, _: AppId, _: u64, _: u64, amount: u64, reference: u64) -> Answer {
        let reference = reference.cast_signed();
        match amount {
            GIVES_UP_ITS_COMMIT => return self.gives_up_its_commit(call, reference).await,
            IS_ONE_OF_TWO => return self.is_one_of_two(call, reference).await,
            _ => {}
        }
        let this = self.clone();
        let work = async move |tx: &mut Transaction| {
            tx.execute(INSERT, &[&reference]).await?;
            match amount {
                SAYS_WHAT_CANNOT_BE_SENT => drop(tx.execute("select '\0'", &[]).await?),
                HAS_TOO_MANY_PARAMETERS => {
                    let rows: Vec<_> = (1..=TOO_MANY).map(|place| format!("(${place})")).collect();
                    let sql = format!("insert into journal values {}", rows.join(","));
                    let params: Vec<&(dyn ToSql + Sync)> = vec![&reference; TOO_MANY];
                    tx.execute(&sql, &params).await?;
                }
                IS_IDLE_FOR_TOO_LONG => this.is_idle(tx).await?,
                _ => {}
            }
            tx.query("select 1", &[]).await?;
            Ok(Effect::Keep(Ok(amount)))
        };
        self.db.once(call, work).await
    }

    async fn balance(&self, _: &Call, _: AppId, _: u64) -> Result<u64, BalanceError> {
        Err(BalanceError::NoSuchAccount)
    }
}

/// Until that number is not 0 any more.
async fn until(client: &Client, sql: &str) {
    while number(client, sql).await == 0 {
        tokio::task::yield_now().await;
    }
}

/// A server with two connections, a client of it, and how often the business said that it runs.
async fn bank(address: &str, beside: &str) -> (Server, ledger::Client, Arc<AtomicUsize>) {
    let db = Postgres::open_with(address, 2).await.unwrap();
    let runs: Arc<AtomicUsize> = Arc::default();
    let business = Business { db: db.clone(), look: Arc::new(look(beside).await), runs: Arc::clone(&runs) };
    let server = serve("tcp://127.0.0.1:0", business, db).await;
    let client = connect(&server.local_address()).await;
    (server, client, runs)
}

/// A call's answer, if it comes.
async fn ask(client: &ledger::Client, amount: u64) -> Result<u64, CallError<TransferError>> {
    let call = client.transfer(APP, 1, 2, amount, 77).send().await.unwrap();
    tokio::time::timeout(WITHIN, call).await.expect("an answer")
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_tried_for_ever() {
    let Some(server) = postgres() else { return };
    let database = server.database("cannot_be_sent");
    let look = look(&database).await;
    look.batch_execute(JOURNAL).await.unwrap();
    let (_server, client, _) = bank(&database, &database).await;
    for amount in [SAYS_WHAT_CANNOT_BE_SENT, HAS_TOO_MANY_PARAMETERS] {
        assert_eq!(ask(&client, amount).await, Err(CallError::Refused(Refusal::HandlerPanicked)), "{amount}");
    }
    assert_eq!((number(&look, DONE).await, number(&look, RECORDS).await), (0, 0));
    assert_eq!(ask(&client, 100).await, Ok(100));
}

#[tokio::test]
async fn a_transaction_that_is_idle_for_too_long_is_tried_again() {
    let Some(server) = postgres() else { return };
    let database = server.database("idle");
    let look = look(&database).await;
    look.batch_execute(JOURNAL).await.unwrap();
    look.batch_execute("alter database idle set idle_in_transaction_session_timeout = 300").await.unwrap();
    let (_server, client, runs) = bank(&database, &database).await;
    assert_eq!(ask(&client, IS_IDLE_FOR_TOO_LONG).await, Ok(IS_IDLE_FOR_TOO_LONG));
    assert!(runs.load(Ordering::SeqCst) > 3);
    assert_eq!((number(&look, DONE).await, number(&look, RECORDS).await), (1, 1));
}

#[tokio::test]
async fn a_commit_that_waits_for_a_replica_is_not_cancelled() {
    // Of its own: it waits for a replica.
    let folder = Folder::new("replica");
    let Some(server) = PostgresServer::start_in(folder.path()) else { return };
    let database = server.database("replica");
    let look = look(&database).await;
    // Only who says so waits.
    look.batch_execute("alter database replica set synchronous_commit = local").await.unwrap();
    look.batch_execute("set synchronous_commit = local").await.unwrap();
    look.batch_execute(JOURNAL).await.unwrap();
    let (way, count) = counted(&database).await;
    let (_server, client, _) = bank(&way, &database).await;
    assert_eq!(ask(&client, 100).await, Ok(100));
    look.batch_execute("alter system set synchronous_standby_names = 'nobody'").await.unwrap();
    look.batch_execute("select pg_reload_conf()").await.unwrap();
    // From when on it is so is another process's to say.
    let other = effects::look(&database).await;
    other.batch_execute("set synchronous_commit = on").await.unwrap();
    let waits = "select count(*) from pg_stat_activity where wait_event = 'SyncRep'";
    let probes = async {
        loop {
            other.batch_execute("insert into journal values (1)").await.unwrap();
        }
    };
    tokio::select! {
        () = probes => {}
        () = until(&look, waits) => {}
    }
    let before = *count.borrow();
    assert_eq!(ask(&client, GIVES_UP_ITS_COMMIT).await, Ok(GIVES_UP_ITS_COMMIT));
    assert_eq!(number(&look, DONE).await, 2);
    // A second one for the attempt that finds the record; a cancel would be a connection too.
    assert!(*count.borrow() <= before + 1, "nothing is cancelled");
}

#[tokio::test]
async fn an_attempt_waits_while_another_one_at_the_same_call_is_open() {
    let Some(server) = postgres() else { return };
    let database = server.database("one_of_two");
    let look = look(&database).await;
    look.batch_execute(JOURNAL).await.unwrap();
    let (_server, client, runs) = bank(&database, &database).await;
    assert_eq!(ask(&client, IS_ONE_OF_TWO).await, Ok(IS_ONE_OF_TWO));
    assert_eq!(runs.load(Ordering::SeqCst), 0, "it is answered from the record of the other");
    assert_eq!((number(&look, DONE).await, number(&look, RECORDS).await), (1, 1));
}
