//! Exactly-once effects in PostgreSQL, beside servers that die at the worst moment.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use effects::ledger::{self, BalanceError, TransferError};
use effects::{APP, Folder, Gates, Place, PostgresServer, connect, postgres, serve};
use rpcgen_postgres::tokio_postgres::{self, Client, NoTls};
use rpcgen_postgres::{Effect, Postgres};
use rpcgen_runtime::{AppId, Call, CallError, Refusal};

/// A transfer of so much breaks a rule of the table.
const BREAKS_A_RULE: u64 = 1_001;
/// A transfer of so much would end its transaction by itself.
const ENDS_IT: u64 = 1_002;
/// A transfer of so much calls a procedure that would.
const CALLS_WHAT_ENDS_IT: u64 = 1_003;
/// A transfer with this reference loses its connection in its first run.
const LOSES_ITS_CONNECTION: u64 = 99;

#[derive(Clone)]
struct Business {
    db: Postgres,
    gates: Gates,
}

impl ledger::Ledger for Business {
    async fn transfer(
        &self,
        call: &Call,
        _app_id: AppId,
        from: u64,
        to: u64,
        amount: u64,
        reference: u64,
    ) -> Result<u64, TransferError> {
        self.gates.pass(Place::Before, call).await;
        let (from, to, amount_signed) = (from.cast_signed(), to.cast_signed(), amount.cast_signed());
        let mut is_first = true;
        let answer = self
            .db
            .once(call, async move |tx| {
                tx.execute("insert into journal values ($1)", &[&reference.cast_signed()]).await?;
                if reference == LOSES_ITS_CONNECTION && std::mem::take(&mut is_first) {
                    tx.execute("select pg_terminate_backend(pg_backend_pid())", &[]).await?;
                }
                if amount == ENDS_IT {
                    tx.execute("/* now */ commit", &[]).await?;
                }
                if amount == CALLS_WHAT_ENDS_IT {
                    tx.execute("call ends_it()", &[]).await?;
                }
                if amount == BREAKS_A_RULE {
                    tx.execute("update accounts set balance = -1 where id = $1", &[&from]).await?;
                }
                let has = tx.query_opt("select balance from accounts where id = $1 for update", &[&from]).await?;
                let Some(has) = has.map(|row| row.get::<_, i64>(0)) else {
                    return Ok(Effect::Undo(Err(TransferError::NoSuchAccount)));
                };
                if has < amount_signed {
                    return Ok(Effect::Undo(Err(TransferError::TooLittle { has: has.cast_unsigned() })));
                }
                tx.execute("update accounts set balance = balance - $2 where id = $1", &[&from, &amount_signed])
                    .await?;
                tx.execute("update accounts set balance = balance + $2 where id = $1", &[&to, &amount_signed]).await?;
                Ok(Effect::Keep(Ok((has - amount_signed).cast_unsigned())))
            })
            .await;
        self.gates.pass(Place::After, call).await;
        answer
    }

    async fn balance(&self, _call: &Call, _app_id: AppId, _account: u64) -> Result<u64, BalanceError> {
        Err(BalanceError::NoSuchAccount)
    }
}

async fn open(address: &str) -> Business {
    let db = Postgres::open(address).await.unwrap();
    Business { db, gates: Gates::default() }
}

async fn look(address: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(address, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The tables of the business.
async fn prepared(address: &str) -> Client {
    let client = look(address).await;
    let tables = "create table accounts (id bigint primary key, balance bigint not null check (balance >= 0));
        create table journal (reference bigint not null);
        create procedure ends_it() language plpgsql as $$ begin commit; end $$; insert into accounts values (1, 100), (2, 0)";
    client.batch_execute(tables).await.unwrap();
    client
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

const JOURNAL: &str = "select count(*) from journal";
const RECORDS: &str = "select count(*) from rpcgen_completions";
const RECEIVED: &str = "select balance from accounts where id = 2";

#[tokio::test]
async fn server_that_dies_between_commit_and_answer_leaves_one_effect_and_one_answer() {
    let Some(server) = postgres() else { return };
    let database = server.database("after_commit");
    let look = prepared(&database).await;
    let first = open(&database).await;
    first.gates.close(Place::After);
    let server = serve("tcp://127.0.0.1:0", first.clone(), first.db.clone()).await;
    let address = server.local_address();
    let client = connect(&address).await;
    let done = client.transfer(APP, 1, 2, 30, 1).send().await.unwrap();
    let refused = client.transfer(APP, 1, 2, 500, 2).send().await.unwrap();
    first.gates.seen(Place::After, 2).await;
    drop(server);

    look.batch_execute("update accounts set balance = 900 where id = 1").await.unwrap();
    let second = open(&database).await;
    let _server = serve(&address, second.clone(), second.db.clone()).await;
    assert_eq!(done.await, Ok(70));
    let Err(CallError::Failed(TransferError::TooLittle { has })) = refused.await else { panic!("it was refused") };
    assert!(has == 100 || has == 70, "{has}: what it had then, not what it has now");
    assert_eq!((number(&look, JOURNAL).await, number(&look, RECEIVED).await), (1, 30));
    assert_eq!(second.gates.count(Place::Before), 0, "the records answer, and no handler runs");
}

#[tokio::test]
async fn owner_that_is_stopped_within_a_transaction_is_taken_over_and_commits_nothing() {
    let Some(server) = postgres() else { return };
    let database = server.database("take_over");
    let look = prepared(&database).await;
    let first = open(&database).await;
    let server = serve("tcp://127.0.0.1:0", first.clone(), first.db.clone()).await;
    let address = server.local_address();
    let client = connect(&address).await;
    // Another session has the payer's row: the first owner's transaction stands there, its row of the journal inserted.
    look.batch_execute("begin; select 1 from accounts where id = 1 for update").await.unwrap();
    let call = client.transfer(APP, 1, 2, 30, 1).send().await.unwrap();
    first.gates.seen(Place::Before, 1).await;
    let waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = 'take_over'";
    while number(&look, waiting).await == 0 {
        // Within a transaction, what it saw first of the activity is what it sees for ever.
        look.batch_execute("select pg_stat_clear_snapshot()").await.unwrap();
        tokio::task::yield_now().await;
    }

    let second = open(&database).await;
    look.batch_execute("commit").await.unwrap();
    for why in [first.db.stopped().await.to_string(), server.stopped().await] {
        assert!(why.contains("taken over"), "{why}");
    }
    assert_eq!((number(&look, JOURNAL).await, first.gates.count(Place::After)), (0, 0));
    drop(server);
    let _server = serve(&address, second.clone(), second.db.clone()).await;
    assert_eq!(call.await, Ok(70));
    assert_eq!((number(&look, JOURNAL).await, number(&look, RECORDS).await), (1, 1));
}

#[tokio::test]
async fn lost_connection_is_nobodys_answer_and_a_mistake_takes_nobody_along() {
    let Some(server) = postgres() else { return };
    let database = server.database("mistakes");
    let look = prepared(&database).await;
    let business = open(&database).await;
    let server = serve("tcp://127.0.0.1:0", business.clone(), business.db.clone()).await;
    let client = connect(&server.local_address()).await;
    let calls = [(1, 1), (1, LOSES_ITS_CONNECTION), (BREAKS_A_RULE, 3), (ENDS_IT, 5), (CALLS_WHAT_ENDS_IT, 6), (1, 4)];
    let mut sent = Vec::new();
    for (amount, reference) in calls {
        sent.push(client.transfer(APP, 1, 2, amount, reference).send().await.unwrap());
    }
    for (call, (amount, reference)) in sent.into_iter().zip(calls) {
        match call.await {
            Ok(_) => assert!(amount == 1, "{reference}"),
            Err(error) => {
                assert_eq!(error, CallError::Refused(Refusal::HandlerPanicked));
                assert!(amount >= BREAKS_A_RULE, "{reference}");
            }
        }
    }
    assert_eq!((number(&look, JOURNAL).await, number(&look, RECEIVED).await), (3, 3));
    assert_eq!(number(&look, RECORDS).await, 3);
}

#[tokio::test]
async fn record_of_another_request_is_nobodys_answer() {
    // The second one fails by itself before it comes to the record, and is not misled by that.
    for (amount, name) in [(1, "forged"), (BREAKS_A_RULE, "forged_and_misled")] {
        let Some(server) = postgres() else { return };
        let database = server.database(name);
        let look = prepared(&database).await;
        let business = open(&database).await;
        business.gates.close(Place::Before);
        let server = serve("tcp://127.0.0.1:0", business.clone(), business.db.clone()).await;
        let client = connect(&server.local_address()).await;
        let call = client.transfer(APP, 1, 2, amount, 1).send().await.unwrap();
        let key = business.gates.seen(Place::Before, 1).await[0].0;
        let forged = "insert into rpcgen_completions values ($1, $2, $3, 0, 12345, 1, now(), false, '\\x07')";
        let (incarnation, number_of_call) = (key.incarnation.0.cast_signed(), key.number.0.cast_signed());
        look.execute(forged, &[&&key.client.0.to_be_bytes()[..], &incarnation, &number_of_call]).await.unwrap();
        business.gates.open(Place::Before);
        assert_eq!(call.await, Err(CallError::Refused(Refusal::CallKeyReused)));
        assert_eq!(number(&look, JOURNAL).await, 0);
    }
}

#[tokio::test]
async fn records_go_when_the_client_has_the_answers_and_not_before() {
    let Some(server) = postgres() else { return };
    let database = server.database("retired");
    let look = prepared(&database).await;
    let business = open(&database).await;
    let server = serve("tcp://127.0.0.1:0", business.clone(), business.db.clone()).await;
    let client = connect(&server.local_address()).await;
    business.gates.close(Place::After);
    let held = client.transfer(APP, 1, 2, 1, 0).send().await.unwrap();
    business.gates.seen(Place::After, 1).await;
    let gate = business.gates.forget(Place::After);
    transfers(&client, 300).await;
    assert_eq!(number(&look, RECORDS).await, 301);
    gate.close();
    assert_eq!(held.await, Ok(99));
    transfers(&client, 600).await;
    // They go in the background.
    while number(&look, RECORDS).await >= 600 {
        tokio::task::yield_now().await;
    }
    assert_eq!(number(&look, JOURNAL).await, 901);
}

/// So many transfers of nothing, at once.
async fn transfers(client: &ledger::Client, count: u64) {
    let mut calls = Vec::new();
    for reference in 0..count {
        calls.push(client.transfer(APP, 1, 2, 0, reference + 1_000).send().await.unwrap());
    }
    for call in calls {
        call.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_about_to_end_by_itself_is_started_again_when_it_has() {
    let Some(_) = postgres() else { return };
    let folder = Folder::new("ending");
    let server = PostgresServer::start_in(folder.path()).unwrap();
    let address = server.database("bank");
    // As of a recovery that fails: its first process ends all the others, and then itself.
    let first = server.processes()[0].to_string();
    assert!(std::process::Command::new("kill").args(["-QUIT", &first]).status().unwrap().success());
    server.start_again();
    let (client, connection) = tokio_postgres::connect(&address, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("select 1").await.unwrap();
    assert_ne!(server.processes()[0].to_string(), first);
    assert!(server.last_words().starts_with("it runs"));
}
