//! Exactly-once effects in PostgreSQL when the way to it is cut or spoiled, and when its tables change.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use effects::ledger::{self, BalanceError, TransferError};
use effects::{APP, begin_way, connect, look, number, postgres, serve};
use rpcgen_postgres::{Effect, Postgres};
use rpcgen_runtime::{AppId, Call, CallError, Refusal, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;

/// Between the store and PostgreSQL.
#[derive(Clone, Default)]
struct Way {
    /// Each change cuts all connections, at the store's end alone: what was sent arrives.
    cuts: watch::Sender<u32>,
    /// The next `begin` becomes what PostgreSQL does not understand.
    spoils_begin: Arc<AtomicBool>,
}

impl Way {
    /// To the server behind this address; returns the address of the way.
    async fn lay(&self, address: &str) -> String {
        let (listener, way, socket) = begin_way(address).await;
        let this = self.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = UnixStream::connect(&socket).await.unwrap();
                tokio::spawn(this.clone().carry(near, far));
            }
        });
        way
    }

    async fn carry(self, near: TcpStream, far: UnixStream) {
        let (mut from_near, mut to_near) = near.into_split();
        let (mut from_far, mut to_far) = far.into_split();
        let mut cuts = self.cuts.subscribe();
        let (mut there, mut back) = (vec![0; 65_536], vec![0; 65_536]);
        loop {
            tokio::select! {
                _ = cuts.changed() => break,
                count = from_near.read(&mut there) => {
                    let bytes = &mut there[..count.unwrap_or(0)];
                    self.spoil(bytes);
                    if bytes.is_empty() || to_far.write_all(bytes).await.is_err() { return }
                }
                count = from_far.read(&mut back) => {
                    let bytes = &back[..count.unwrap_or(0)];
                    if bytes.is_empty() || to_near.write_all(bytes).await.is_err() { return }
                }
            }
        }
        drop((from_near, to_near));
        // PostgreSQL does not learn that its client has gone.
        while from_far.read(&mut back).await.is_ok_and(|count| count > 0) {}
    }

    fn spoil(&self, bytes: &mut [u8]) {
        let begin = bytes.windows(6).position(|window| window == b"begin ");
        if let Some(at) = begin
            && self.spoils_begin.swap(false, Ordering::SeqCst)
        {
            bytes[at] = b'x';
        }
    }
}

#[derive(Clone)]
struct Business(Postgres);

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
        let work = async move |tx: &mut rpcgen_postgres::Transaction| {
            tx.execute("insert into journal values ($1)", &[&reference.cast_signed()]).await?;
            tx.query("select * from journal where reference = $1", &[&reference.cast_signed()]).await?;
            Ok(Effect::Keep(Ok(amount)))
        };
        self.0.once(call, work).await
    }

    async fn balance(&self, _: &Call, _: AppId, _: u64) -> Result<u64, BalanceError> {
        Err(BalanceError::NoSuchAccount)
    }
}

/// A server with one connection at a time, and a client of it.
async fn bank(address: &str) -> (Server, ledger::Client) {
    let db = Postgres::open_with(address, 1).await.unwrap();
    let server = serve("tcp://127.0.0.1:0", Business(db.clone()), db).await;
    let client = connect(&server.local_address()).await;
    (server, client)
}

const DONE: &str = "select count(*) from journal where reference = 77";
const RECORDS: &str = "select count(*) from rpcgen_completions";
const UNIQUE: &str = "create table journal (reference bigint primary key)";

#[tokio::test]
async fn connection_that_is_lost_while_its_commit_goes_on_leaves_one_effect_and_its_answer() {
    let Some(server) = postgres() else { return };
    let database = server.database("cut_at_commit");
    let look = look(&database).await;
    // The commit of this one takes long; a second attempt would meet its row.
    let slow = "create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(1); return null; end $$;
        create constraint trigger slow after insert on journal deferrable initially deferred for each row execute function slow()";
    look.batch_execute(&format!("{UNIQUE}; {slow}")).await.unwrap();
    let way = Way::default();
    let (_server, client) = bank(&way.lay(&database).await).await;
    let call = client.transfer(APP, 1, 2, 5, 77).send().await.unwrap();
    let sleeps = "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = 'cut_at_commit'";
    while number(&look, sleeps).await == 0 {
        tokio::task::yield_now().await;
    }
    way.cuts.send_modify(|cuts| *cuts += 1);
    assert_eq!(call.await, Ok(5));
    assert_eq!((number(&look, DONE).await, number(&look, RECORDS).await), (1, 1));
}

#[tokio::test]
async fn a_begin_that_fails_leaves_the_statement_behind_it_without_effect() {
    let Some(server) = postgres() else { return };
    let database = server.database("no_begin");
    let look = look(&database).await;
    look.batch_execute("create table journal (reference bigint not null)").await.unwrap();
    let way = Way::default();
    let (_server, client) = bank(&way.lay(&database).await).await;
    // What is not understood is a mistake: the call is tried once more, and is done then.
    way.spoils_begin.store(true, Ordering::SeqCst);
    assert_eq!(client.transfer(APP, 1, 2, 5, 77).send().await.unwrap().await, Ok(5));
    assert!(!way.spoils_begin.load(Ordering::SeqCst), "there was such a begin");
    assert_eq!((number(&look, DONE).await, number(&look, RECORDS).await), (1, 1));
}

#[tokio::test]
async fn where_no_record_can_be_written_nothing_is_committed() {
    let Some(server) = postgres() else { return };
    let trigger = "create function takes_away() returns trigger language plpgsql as $$ begin return null; end $$;
        create trigger takes_away before insert on rpcgen_completions for each row execute function takes_away()";
    let wider = "alter table rpcgen_completions alter column method type bigint";
    for (name, change) in [("trigger_on_records", trigger), ("wider_column", wider)] {
        let database = server.database(name);
        let look = look(&database).await;
        look.batch_execute(&format!("{UNIQUE}; {}; {change}", rpcgen_postgres::SCHEMA)).await.unwrap();
        let (_server, client) = bank(&database).await;
        let answer = client.transfer(APP, 1, 2, 5, 77).send().await.unwrap().await;
        assert_eq!(answer, Err(CallError::Refused(Refusal::HandlerPanicked)), "{name}");
        assert_eq!((number(&look, DONE).await, number(&look, RECORDS).await), (0, 0), "{name}");
    }
}

#[tokio::test]
async fn a_table_that_changes_under_a_compiled_statement_stops_nobody() {
    let Some(server) = postgres() else { return };
    let database = server.database("migrated");
    let look = look(&database).await;
    look.batch_execute(UNIQUE).await.unwrap();
    let (_server, client) = bank(&database).await;
    assert_eq!(client.transfer(APP, 1, 2, 5, 1).send().await.unwrap().await, Ok(5));
    look.batch_execute("alter table journal add column note text").await.unwrap();
    for reference in [2, 3, 77] {
        assert_eq!(client.transfer(APP, 1, 2, 5, reference).send().await.unwrap().await, Ok(5));
    }
    assert_eq!((number(&look, DONE).await, number(&look, RECORDS).await), (1, 4));
}
