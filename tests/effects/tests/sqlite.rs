//! Exactly-once effects in SQLite, beside servers that die at the worst moment.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use effects::ledger::{self, BalanceError, TransferError};
use effects::{APP, Folder, Gates, Place, connect, serve, serve_on_disk};
use rpcgen_runtime::{AppId, Call, CallError, CallKey, Refusal};
use rpcgen_sqlite::rusqlite::Connection;
use rpcgen_sqlite::{Effect, RunError, Sqlite, Transaction};

/// A transfer of so much does what no handler should.
const PANICS: u64 = 1_001;
const COMMITS_BY_ITSELF: u64 = 1_002;
const FORGES_A_RECORD: u64 = 1_003;
const BREAKS_A_RULE: u64 = 1_004;

#[derive(Clone)]
struct Business {
    db: Sqlite,
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
        let key = call.key().to_string();
        let answer = self
            .db
            .once(call, move |tx| {
                // Every effect leaves a line, so that one that is there twice shows.
                tx.execute("insert into journal values (?1, ?2)", (&key, reference))?;
                match amount {
                    PANICS => panic!("on purpose"),
                    COMMITS_BY_ITSELF => tx.execute("commit", ())?,
                    FORGES_A_RECORD => tx.execute("delete from rpcgen_completions", ())?,
                    BREAKS_A_RULE => tx.execute("update accounts set balance = -1 where id = ?1", [from])?,
                    _ => 0,
                };
                let has: Option<u64> =
                    tx.query_opt("select balance from accounts where id = ?1", [from], |row| row.get(0))?;
                let Some(has) = has else { return Ok(Effect::Undo(Err(TransferError::NoSuchAccount))) };
                tx.execute("update accounts set balance = balance + ?2 where id = ?1", (to, amount))?;
                let Some(left) = has.checked_sub(amount) else {
                    return Ok(Effect::Undo(Err(TransferError::TooLittle { has })));
                };
                tx.execute("update accounts set balance = ?2 where id = ?1", (from, left))?;
                Ok(Effect::Keep(Ok(left)))
            })
            .await;
        self.gates.pass(Place::After, call).await;
        answer
    }

    async fn balance(&self, _call: &Call, _app_id: AppId, _account: u64) -> Result<u64, BalanceError> {
        Err(BalanceError::NoSuchAccount)
    }
}

fn open(path: &Path) -> Business {
    let db = Sqlite::open_with(path, |db| {
        db.execute_batch(
            "create table if not exists accounts
                 (id integer primary key, balance integer not null check (balance >= 0)) strict;
             create table if not exists journal (key text not null, reference integer not null) strict;
             insert or ignore into accounts values (1, 100), (2, 0);",
        )
    });
    Business { db: db.unwrap(), gates: Gates::default() }
}

fn number(path: &Path, sql: &str) -> u64 {
    Connection::open(path).unwrap().query_row(sql, (), |row| row.get(0)).unwrap()
}

fn journal(path: &Path) -> u64 {
    number(path, "select count(*) from journal")
}

fn records(path: &Path) -> u64 {
    number(path, "select count(*) from rpcgen_completions")
}

fn balance(path: &Path, account: u64) -> u64 {
    number(path, &format!("select balance from accounts where id = {account}"))
}

#[tokio::test]
async fn server_that_dies_between_commit_and_answer_leaves_one_effect_and_one_answer() {
    let folder = Folder::new("sqlite");
    let path = folder.path().join("bank.db");
    let first = open(&path);
    first.gates.close(Place::After);
    let server = serve("tcp://127.0.0.1:0", first.clone(), first.db.clone()).await;
    let address = server.local_address();
    let client = connect(&address).await;
    let call = client.transfer(APP, 1, 2, 30, 1).send().await.unwrap();
    first.gates.seen(Place::After, 1).await;
    drop(server);

    let second = open(&path);
    let _server = serve(&address, second.clone(), second.db.clone()).await;
    assert_eq!(call.await, Ok(70));
    assert_eq!((journal(&path), balance(&path, 1), balance(&path, 2)), (1, 70, 30));
    assert_eq!(second.gates.count(Place::Before), 0, "the record answers, and no handler runs");
}

#[tokio::test]
async fn server_that_dies_before_the_commit_leaves_nothing_and_the_next_one_does_it() {
    let folder = Folder::new("sqlite");
    let path = folder.path().join("bank.db");
    let first = open(&path);
    first.gates.close(Place::Before);
    let server = serve("tcp://127.0.0.1:0", first.clone(), first.db.clone()).await;
    let address = server.local_address();
    let client = connect(&address).await;
    let call = client.transfer(APP, 1, 2, 30, 1).send().await.unwrap();
    let keys = first.gates.seen(Place::Before, 1).await;
    drop(server);

    let second = open(&path);
    let _server = serve(&address, second.clone(), second.db.clone()).await;
    assert_eq!(call.await, Ok(70));
    assert_eq!(second.gates.seen(Place::Before, 1).await, [(keys[0].0, true)], "the same call, and told so");
    assert_eq!((journal(&path), balance(&path, 2)), (1, 30));
}

/// A call is running each of three times that its server dies, the last time at this place. What its caller hears then, and how often the
/// handler of the fourth server ran.
async fn after_three_deaths(folder: &Folder, third: Place) -> (Result<u64, CallError<TransferError>>, usize) {
    let (path, log) = (folder.path().join("bank.db"), folder.path().join("log"));
    let first = open(&path);
    first.gates.close(Place::Before);
    let server = serve_on_disk("tcp://127.0.0.1:0", first.clone(), first.db.clone(), &log).await;
    let address = server.local_address();
    let client = connect(&address).await;
    let call = client.transfer(APP, 1, 2, 30, 1).send().await.unwrap();
    call.guaranteed().await.unwrap();
    first.gates.seen(Place::Before, 1).await;
    drop(server);
    // The first run had no record of its beginning: a handler that is not redelivered begins at once.
    for place in [Place::Before, Place::Before, third] {
        let business = open(&path);
        business.gates.close(place);
        let server = serve_on_disk(&address, business.clone(), business.db.clone(), &log).await;
        business.gates.seen(place, 1).await;
        drop(server);
    }
    let last = open(&path);
    let _server = serve_on_disk(&address, last.clone(), last.db.clone(), &log).await;
    (call.await, last.gates.count(Place::Before))
}

#[tokio::test]
async fn call_that_was_running_at_three_deaths_is_not_run_again() {
    let folder = Folder::new("sqlite");
    let heard = after_three_deaths(&folder, Place::Before).await;
    assert_eq!(heard, (Err(CallError::Refused(Refusal::Poisoned)), 0));
    assert_eq!(journal(&folder.path().join("bank.db")), 0, "and has no effect");
}

#[tokio::test]
async fn call_whose_effect_was_committed_at_the_third_death_is_answered_from_its_record() {
    let folder = Folder::new("sqlite");
    let heard = after_three_deaths(&folder, Place::After).await;
    assert_eq!(heard, (Ok(70), 0));
    assert_eq!(journal(&folder.path().join("bank.db")), 1);
}

#[tokio::test]
async fn error_that_undoes_leaves_its_record_and_is_the_answer_for_ever() {
    let folder = Folder::new("sqlite");
    let path = folder.path().join("bank.db");
    let first = open(&path);
    first.gates.close(Place::After);
    let server = serve("tcp://127.0.0.1:0", first.clone(), first.db.clone()).await;
    let address = server.local_address();
    let client = connect(&address).await;
    let call = client.transfer(APP, 1, 2, 500, 1).send().await.unwrap();
    first.gates.seen(Place::After, 1).await;
    drop(server);
    assert_eq!((journal(&path), records(&path), balance(&path, 2)), (0, 1, 0));

    // The payer is rich now: the answer is what it was.
    Connection::open(&path).unwrap().execute("update accounts set balance = 900", ()).unwrap();
    let second = open(&path);
    let _server = serve(&address, second.clone(), second.db.clone()).await;
    assert_eq!(call.await, Err(CallError::Failed(TransferError::TooLittle { has: 100 })));
}

/// A record of that call with another request's digest.
fn forge(path: &Path, key: CallKey) {
    let values = (key.client.0.to_be_bytes(), key.incarnation.0.cast_signed(), key.number.0.cast_signed());
    let forged = "insert into rpcgen_completions values (?1, ?2, ?3, 0, 12345, 1, 0, 0, x'07')";
    Connection::open(path).unwrap().execute(forged, values).unwrap();
}

#[tokio::test]
async fn record_of_another_request_is_nobodys_answer() {
    let folder = Folder::new("sqlite");
    let path = folder.path().join("bank.db");
    let first = open(&path);
    first.gates.close(Place::Before);
    let server = serve("tcp://127.0.0.1:0", first.clone(), first.db.clone()).await;
    let address = server.local_address();
    let client = connect(&address).await;
    let early = client.transfer(APP, 1, 2, 1, 1).send().await.unwrap();
    let late = client.transfer(APP, 1, 2, 2, 2).send().await.unwrap();
    let keys = first.gates.seen(Place::Before, 2).await;
    keys.iter().for_each(|(key, _)| forge(&path, *key));
    // The one meets it in its transaction ...
    first.gates.open(Place::Before);
    assert_eq!(early.await, Err(CallError::Refused(Refusal::CallKeyReused)));
    assert_eq!(late.await, Err(CallError::Refused(Refusal::CallKeyReused)));
    // ... the other when its next server asks.
    first.gates.close(Place::Before);
    let call = client.transfer(APP, 1, 2, 3, 3).send().await.unwrap();
    forge(&path, first.gates.seen(Place::Before, 3).await[2].0);
    drop(server);
    let second = open(&path);
    let _server = serve(&address, second.clone(), second.db.clone()).await;
    assert_eq!(call.await, Err(CallError::Refused(Refusal::CallKeyReused)));
    assert_eq!((journal(&path), second.gates.count(Place::Before)), (0, 0));
}

#[tokio::test]
async fn handler_that_fails_takes_nobody_along() {
    let folder = Folder::new("sqlite");
    let path = folder.path().join("bank.db");
    let business = open(&path);
    business.gates.close(Place::Before);
    let server = serve("tcp://127.0.0.1:0", business.clone(), business.db.clone()).await;
    let client = connect(&server.local_address()).await;
    let amounts = [1, PANICS, 2, COMMITS_BY_ITSELF, 3, FORGES_A_RECORD, 4, BREAKS_A_RULE, 5];
    let mut calls = Vec::new();
    for (reference, amount) in (0..).zip(amounts) {
        calls.push(client.transfer(APP, 1, 2, amount, reference).send().await.unwrap());
    }
    // All at once, so that they share transactions.
    business.gates.seen(Place::Before, amounts.len()).await;
    business.gates.open(Place::Before);
    for (call, amount) in calls.into_iter().zip(amounts) {
        match call.await {
            Ok(_) => assert!(amount < 10, "{amount}"),
            Err(error) => assert_eq!((error, amount > 1_000), (CallError::Refused(Refusal::HandlerPanicked), true)),
        }
    }
    assert_eq!((journal(&path), records(&path), balance(&path, 2)), (5, 5, 15));
}

#[tokio::test]
async fn owner_that_was_taken_over_commits_nothing_and_answers_nothing() {
    let folder = Folder::new("sqlite");
    let path = folder.path().join("bank.db");
    let first = open(&path);
    first.gates.close(Place::Before);
    let server = serve("tcp://127.0.0.1:0", first.clone(), first.db.clone()).await;
    let address = server.local_address();
    let client = connect(&address).await;
    let call = client.transfer(APP, 1, 2, 30, 1).send().await.unwrap();
    first.gates.seen(Place::Before, 1).await;

    // As if the first owner had been stopped here, and goes on when the second has taken over.
    let second = open(&path);
    assert!(second.db.owner_epoch() > first.db.owner_epoch());
    first.gates.open(Place::Before);
    for why in [first.db.stopped().await.to_string(), server.stopped().await] {
        assert!(why.contains("taken over"), "{why}");
    }
    let own = first.db.run(|tx| tx.execute("insert into journal values ('own', 0)", ())).await;
    assert!(matches!(own, Err(RunError::Store(_))), "{own:?}");
    assert_eq!((journal(&path), records(&path), first.gates.count(Place::After)), (0, 0, 0));

    drop(server);
    let _server = serve(&address, second.clone(), second.db.clone()).await;
    assert_eq!(call.await, Ok(70));
    assert_eq!(journal(&path), 1);
}

#[tokio::test]
async fn work_without_a_call_is_done_or_not_and_leaves_no_record() {
    let folder = Folder::new("sqlite");
    let path = folder.path().join("bank.db");
    let db = open(&path).db;
    let line = |tx: &Transaction<'_>| tx.execute("insert into journal values ('own', 0)", ());
    let (done, failed, ended, panicked, again) = tokio::join!(
        db.run(line),
        db.run(move |tx| line(tx).and_then(|_| tx.execute("update accounts set balance = -1", ()))),
        db.run(move |tx| line(tx).and_then(|_| tx.execute("commit", ()))),
        tokio::spawn({
            let db = db.clone();
            async move { db.run(move |tx| line(tx).map(|_| panic!("on purpose"))).await }
        }),
        db.run(line),
    );
    assert_eq!((done.unwrap(), again.unwrap()), (1, 1));
    assert!(matches!((failed, ended), (Err(RunError::Work(_)), Err(RunError::Work(_)))));
    assert!(panicked.unwrap_err().is_panic());
    assert_eq!((journal(&path), records(&path)), (2, 0));
}

#[tokio::test]
async fn records_go_when_the_client_has_the_answers_and_not_before() {
    let folder = Folder::new("sqlite");
    let path = folder.path().join("bank.db");
    let business = open(&path);
    let server = serve("tcp://127.0.0.1:0", business.clone(), business.db.clone()).await;
    let (client, other) = (connect(&server.local_address()).await, connect(&server.local_address()).await);
    // While one call is open, no record of a later one goes: the client might ask for it on other lanes.
    business.gates.close(Place::After);
    let held = client.transfer(APP, 1, 2, 1, 0).send().await.unwrap();
    business.gates.seen(Place::After, 1).await;
    let gate = business.gates.forget(Place::After);
    transfers(&client, 600).await;
    other.transfer(APP, 1, 2, 0, 0).await.unwrap();
    assert_eq!(records(&path), 602);

    gate.close();
    assert_eq!(held.await, Ok(99));
    transfers(&client, 600).await;
    // What was retired goes with the groups that come next; another client's calls are such.
    for _ in 0..3 {
        other.transfer(APP, 1, 2, 0, 0).await.unwrap();
    }
    assert_eq!(journal(&path), 1_205);
    assert!((4..1_000).contains(&records(&path)), "{} records are kept", records(&path));
}

/// So many transfers of nothing, at once.
async fn transfers(client: &ledger::Client, count: u64) {
    let mut calls = Vec::new();
    for reference in 0..count {
        calls.push(client.transfer(APP, 1, 2, 0, reference).send().await.unwrap());
    }
    for call in calls {
        call.await.unwrap();
    }
}
