//! SQLite ends a transaction by itself on some errors, in the middle of a handler: what the handler makes of that, and the calls beside it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use effects::ledger::{self, BalanceError, TransferError};
use effects::{APP, Folder, Gates, Place, connect, serve};
use rpcgen_runtime::{AppId, Call, CallError, Refusal};
use rpcgen_sqlite::rusqlite::{self, Connection};
use rpcgen_sqlite::{Effect, RunError, Sqlite, Transaction};

const TABLES: &str = "
    create table journal (reference integer not null);
    create table later (reference integer not null);
    create table notes (line blob);
    create table one (a integer primary key);
    create table one_or_rollback (a integer unique on conflict rollback);
    create table guarded (a integer);
    create table held (client blob, incarnation integer, number integer, foreign key (client, incarnation, number)
        references rpcgen_completions (client, incarnation, number) deferrable initially deferred);
    create table children (parent integer references one deferrable initially deferred);
    create trigger guard before insert on guarded begin select raise(rollback, 'guarded'); end;
    insert into one values (1);
    insert into one_or_rollback values (1);
    pragma max_page_count = 200;";

const STATEMENT: &str = "insert or rollback into one values (1)";
const TABLE: &str = "insert into one_or_rollback values (1)";
const TRIGGER: &str = "insert into guarded values (1)";
const WAYS: [&str; 3] = [STATEMENT, TABLE, TRIGGER];

type Answer = Result<u64, TransferError>;
type Bad = Arc<dyn Fn(&Transaction<'_>) -> rusqlite::Result<Effect<Answer>> + Send + Sync>;

/// A transfer of nothing is the bad one.
#[derive(Clone)]
struct Business {
    db: Sqlite,
    gates: Gates,
    bad: Bad,
    bad_runs: Arc<AtomicUsize>,
}

impl ledger::Ledger for Business {
    async fn transfer(&self, call: &Call, _: AppId, _: u64, _: u64, amount: u64, reference: u64) -> Answer {
        self.gates.pass(Place::Before, call).await;
        let (bad, runs) = (Arc::clone(&self.bad), Arc::clone(&self.bad_runs));
        let work = move |tx: &Transaction<'_>| {
            tx.execute("insert into journal values (?1)", [reference])?;
            if amount > 0 {
                return Ok(Effect::Keep(Ok(amount)));
            }
            runs.fetch_add(1, Ordering::SeqCst);
            bad(tx)
        };
        self.db.once(call, work).await
    }

    async fn balance(&self, _call: &Call, _app_id: AppId, _account: u64) -> Result<u64, BalanceError> {
        Err(BalanceError::NoSuchAccount)
    }
}

fn open(
    path: &Path,
    bad: impl Fn(&Transaction<'_>) -> rusqlite::Result<Effect<Answer>> + Send + Sync + 'static,
) -> Business {
    let db = Sqlite::open_with(path, |db| db.execute_batch(TABLES)).unwrap();
    Business { db, gates: Gates::default(), bad: Arc::new(bad), bad_runs: Arc::default() }
}

fn number(path: &Path, sql: &str) -> u64 {
    Connection::open(path).unwrap().query_row(sql, (), |row| row.get(0)).unwrap()
}

/// What is left of a bad call, and of the good ones, each once.
fn assert_left(path: &Path, of_bad: u64, good: u64) {
    assert_eq!(number(path, "select count(*) from journal where reference = 0"), of_bad, "the effect of the bad call");
    assert_eq!(number(path, "select count(*) from journal where reference > 0"), good);
    assert_eq!(number(path, "select count(distinct reference) from journal where reference > 0"), good);
    assert_eq!(number(path, "select count(*) from rpcgen_completions"), of_bad + good, "records");
    assert_eq!(number(path, "select count(*) from later"), 0, "what the handler did when it had no transaction");
    assert_eq!(number(path, "select count(*) from sqlite_schema where name = 'left_over'"), 0);
}

/// A bad call among good ones: it alone fails, and without an effect; and it is not run again and again.
async fn fails_alone(bad: impl Fn(&Transaction<'_>) -> rusqlite::Result<Effect<Answer>> + Send + Sync + 'static) {
    let folder = Folder::new("rollbacks");
    let path = folder.path().join("bank.db");
    let business = open(&path, bad);
    business.gates.close(Place::Before);
    let server = serve("tcp://127.0.0.1:0", business.clone(), business.db.clone()).await;
    let client = connect(&server.local_address()).await;
    let mut calls = Vec::new();
    for amount in [1, 2, 0, 3, 4] {
        calls.push(client.transfer(APP, 1, 2, amount, amount).send().await.unwrap());
    }
    business.gates.seen(Place::Before, 5).await;
    business.gates.open(Place::Before);
    for (call, amount) in calls.into_iter().zip([1, 2, 0, 3, 4]) {
        let heard = if amount == 0 { Err(CallError::Refused(Refusal::HandlerPanicked)) } else { Ok(amount) };
        assert_eq!(call.await, heard);
    }
    assert_eq!(client.transfer(APP, 1, 2, 5, 5).await, Ok(5));
    assert_left(&path, 0, 5);
    let runs = business.bad_runs.load(Ordering::SeqCst);
    // With the others, and by itself; where nobody's statement failed, but the commit, with fewer and fewer others in between.
    assert!(runs <= 4, "it ran {runs} times");
}

#[tokio::test]
async fn handler_that_returns_the_error_fails_alone() {
    for way in WAYS {
        fails_alone(move |tx| tx.execute(way, ()).map(|_| Effect::Keep(Ok(0)))).await;
    }
}

#[tokio::test]
async fn handler_that_keeps_its_effect_all_the_same_fails_alone() {
    for way in WAYS {
        fails_alone(move |tx| {
            assert!(tx.execute(way, ()).is_err());
            Ok(Effect::Keep(Ok(0)))
        })
        .await;
    }
}

#[tokio::test]
async fn handler_that_makes_a_typed_error_of_it_fails_alone() {
    for way in WAYS {
        fails_alone(move |tx| {
            if tx.execute(way, ()).is_err() {
                tx.execute("insert into later values (1)", ())?;
            }
            Ok(Effect::Undo(Err(TransferError::NoSuchAccount)))
        })
        .await;
    }
}

#[tokio::test]
async fn nothing_that_a_handler_does_without_a_transaction_is_committed() {
    let later = [
        "insert into later values (1)",
        "delete from journal",
        "create table left_over (a)",
        "begin immediate",
        "savepoint own",
        "insert into later values (2)",
        "vacuum",
        "commit",
    ];
    for way in WAYS {
        fails_alone(move |tx| {
            // A statement that was compiled before is none of the transaction's functions any more.
            let mut early = tx.prepare("insert into later values (3)")?;
            assert!(tx.connection().execute(way, ()).is_err());
            for sql in later {
                assert!(tx.execute(sql, ()).is_err(), "{sql}");
                assert!(tx.connection().execute(sql, ()).is_err(), "{sql}");
            }
            assert!(early.execute(()).is_err());
            Ok(Effect::Keep(Ok(0)))
        })
        .await;
    }
}

#[tokio::test]
async fn handler_that_panics_of_it_fails_alone() {
    fails_alone(|tx| panic!("{:?}", tx.execute(STATEMENT, ()))).await;
}

#[tokio::test]
async fn handler_that_breaks_a_rule_which_is_checked_at_the_commit_fails_alone() {
    fails_alone(|tx| tx.execute("insert into children values (7)", ()).map(|_| Effect::Keep(Ok(0)))).await;
}

#[tokio::test]
async fn handler_that_would_change_what_writing_a_record_means_fails_alone() {
    for sql in [
        "create trigger own before insert on rpcgen_completions begin select raise(abort, 'no'); end",
        "create temp trigger own before insert on main.rpcgen_completions begin select raise(rollback, 'no'); end",
        "create unique index own on rpcgen_completions (client)",
        "alter table rpcgen_completions add column own",
    ] {
        fails_alone(move |tx| tx.execute(sql, ()).map(|_| Effect::Keep(Ok(0)))).await;
    }
}

#[tokio::test]
async fn temporary_table_of_a_handler_takes_no_records() {
    let folder = Folder::new("rollbacks");
    let path = folder.path().join("bank.db");
    let business = open(&path, |tx| {
        tx.execute("create temp table rpcgen_completions as select * from main.rpcgen_completions", ())?;
        Ok(Effect::Keep(Ok(0)))
    });
    let server = serve("tcp://127.0.0.1:0", business.clone(), business.db.clone()).await;
    let client = connect(&server.local_address()).await;
    assert_eq!(client.transfer(APP, 1, 2, 0, 0).await, Ok(0));
    assert_eq!(client.transfer(APP, 1, 2, 1, 1).await, Ok(1));
    assert_left(&path, 1, 1);
}

/// A bad call among good ones, which needs more room than there is: it waits alone, and is answered when there is room.
async fn waits_alone(bad: impl Fn(&Transaction<'_>, usize) -> rusqlite::Result<()> + Send + Sync + 'static) {
    let folder = Folder::new("rollbacks");
    let path = folder.path().join("bank.db");
    let bytes = Arc::new(AtomicUsize::new(3_000_000));
    let needed = Arc::clone(&bytes);
    let business = open(&path, move |tx| {
        bad(tx, needed.load(Ordering::SeqCst))?;
        Ok(Effect::Keep(Ok(0)))
    });
    business.gates.close(Place::Before);
    let server = serve("tcp://127.0.0.1:0", business.clone(), business.db.clone()).await;
    let client = connect(&server.local_address()).await;
    let bad = client.transfer(APP, 1, 2, 0, 0).send().await.unwrap();
    let good = client.transfer(APP, 1, 2, 1, 1).send().await.unwrap();
    business.gates.seen(Place::Before, 2).await;
    business.gates.open(Place::Before);
    assert_eq!(good.await, Ok(1));
    for amount in 2..50 {
        assert_eq!(client.transfer(APP, 1, 2, amount, amount).await, Ok(amount));
    }
    assert_left(&path, 0, 49);
    bytes.store(10, Ordering::SeqCst);
    assert_eq!(bad.await, Ok(0));
    assert_left(&path, 1, 49);
    assert_eq!(number(&path, "select count(*) from notes"), 1);
}

#[tokio::test]
async fn handler_that_does_without_a_line_on_a_full_disk_waits_alone() {
    waits_alone(|tx, bytes| {
        let _ = tx.execute("insert into notes values (zeroblob(?1))", [bytes]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn handler_that_returns_the_error_of_a_full_disk_waits_alone() {
    waits_alone(|tx, bytes| tx.execute("insert into notes values (zeroblob(?1))", [bytes]).map(|_| ())).await;
}

#[tokio::test]
async fn handler_that_keeps_the_error_of_a_full_disk_from_the_transaction_fails_alone() {
    fails_alone(|tx| {
        let _ = tx.connection().execute("insert into notes values (zeroblob(3000000))", ());
        Ok(Effect::Keep(Ok(0)))
    })
    .await;
}

#[tokio::test]
async fn work_without_a_call_that_ends_its_transaction_fails_alone() {
    let folder = Folder::new("rollbacks");
    let path = folder.path().join("bank.db");
    let db = open(&path, |_| Ok(Effect::Keep(Ok(0)))).db;
    let line = |tx: &Transaction<'_>| tx.execute("insert into journal values (1)", ());
    let (done, returned, kept, again) = tokio::join!(
        db.run(line),
        db.run(move |tx| line(tx).and_then(|_| tx.execute(STATEMENT, ()))),
        db.run(move |tx| line(tx).map(|_| tx.execute(TRIGGER, ()).is_err())),
        db.run(line),
    );
    assert_eq!((done.unwrap(), again.unwrap()), (1, 1));
    assert!(matches!(returned, Err(RunError::Work(_))));
    let Err(RunError::Work(error)) = kept else { panic!("{kept:?}") };
    assert_eq!(error.to_string(), "SQLite has rolled back the transaction: guarded");
    assert_eq!(number(&path, "select count(*) from journal"), 2);
}

#[tokio::test]
async fn a_row_that_points_to_a_record_keeps_it_and_stops_nobody() {
    let folder = Folder::new("rollbacks");
    let path = folder.path().join("bank.db");
    let business = open(&path, |tx| {
        let held = "insert into held select client, incarnation, number from rpcgen_completions limit 1";
        tx.execute(held, ()).map(|_| Effect::Keep(Ok(0)))
    });
    let server = serve("tcp://127.0.0.1:0", business.clone(), business.db.clone()).await;
    let client = connect(&server.local_address()).await;
    assert_eq!(client.transfer(APP, 1, 2, 1, 1).await, Ok(1));
    assert_eq!(client.transfer(APP, 1, 2, 0, 0).await, Ok(0));
    // The client has so many answers that records would go.
    for amount in 2..700 {
        assert_eq!(client.transfer(APP, 1, 2, amount, amount).await, Ok(amount));
    }
    assert_eq!(number(&path, "select count(*) from held natural join rpcgen_completions"), 1);
    assert_eq!(number(&path, "select count(*) from journal"), 700);
}

#[tokio::test]
async fn handler_that_fails_at_another_database_fails_alone() {
    fails_alone(|_| Connection::open("/nowhere/at/all.db").map(|_| Effect::Keep(Ok(0)))).await;
}

#[tokio::test]
async fn call_whose_record_a_trigger_keeps_out_fails_alone() {
    for says in ["ignore", "abort, 'no'", "fail, 'no'", "rollback, 'no'"] {
        let folder = Folder::new("rollbacks");
        let path = folder.path().join("bank.db");
        let business = open(&path, |_| Ok(Effect::Keep(Ok(0))));
        // Whoever looks after the database made it. It lets no record of a bad call in.
        let trigger = format!(
            "create trigger kept_out before insert on rpcgen_completions
             when exists (select 1 from journal where reference = 0) begin select raise({says}); end"
        );
        Connection::open(&path).unwrap().execute_batch(&trigger).unwrap();
        business.gates.close(Place::Before);
        let server = serve("tcp://127.0.0.1:0", business.clone(), business.db.clone()).await;
        let client = connect(&server.local_address()).await;
        let mut calls = Vec::new();
        for amount in [1, 0, 2] {
            calls.push((amount, client.transfer(APP, 1, 2, amount, amount).send().await.unwrap()));
        }
        business.gates.seen(Place::Before, 3).await;
        business.gates.open(Place::Before);
        for (amount, call) in calls {
            let heard = if amount == 0 { Err(CallError::Refused(Refusal::HandlerPanicked)) } else { Ok(amount) };
            assert_eq!(call.await, heard, "{says}");
        }
        assert_eq!(client.transfer(APP, 1, 2, 3, 3).await, Ok(3), "{says}");
        assert_left(&path, 0, 3);
    }
}

#[tokio::test]
async fn handler_that_is_in_its_own_way_fails_alone() {
    fails_alone(|tx| {
        let mut query = tx.prepare("select a from one")?;
        let mut rows = query.query(())?;
        rows.next()?;
        tx.execute("drop table one", ()).map(|_| Effect::Keep(Ok(0)))
    })
    .await;
}
