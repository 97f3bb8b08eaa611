//! A server's log and its database that are not of the same moment: one of them was restored, or the log was copied.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use effects::{APP, Bank, Db, Place, World, connect, ledger, replace, serve_on_disk, try_on_disk, worlds};
use rpcgen_runtime::completion::{CompletionStore, Found, KnownLog, LogId, LogMark, StoreError, StoreFuture};
use rpcgen_runtime::{CallError, CallKey, CallNumber, ClientId, Incarnation, ListenError, OpenLogError, Server};
use tokio::sync::Semaphore;

const ANYWHERE: &str = "tcp://127.0.0.1:0";
const JOURNAL: &str = "select count(*) from journal";
const RECORDS: &str = "select count(*) from rpcgen_completions";
const WITHIN: Duration = Duration::from_secs(30);

async fn serve(bank: &Bank, log: &Path) -> Server {
    serve_on_disk(ANYWHERE, bank.clone(), bank.db.clone(), log).await
}

async fn try_serve(bank: &Bank, log: &Path, accepted: Option<u64>) -> Result<Server, ListenError> {
    try_on_disk(ANYWHERE, bank.clone(), bank.db.clone(), log, accepted).await
}

/// The numbers of the marks that a refusal names: the last one of the log, and the one of the database.
fn refused(result: Result<Server, ListenError>) -> (u64, u64) {
    match result {
        Err(ListenError::Log(OpenLogError::Restored { log_mark, database_mark, .. })) => (log_mark, database_mark),
        other => panic!("not refused as restored, but: {other:?}"),
    }
}

/// A call is accepted and open when the log is copied; then it is answered, its client has the answer and leaves, and its record goes. What
/// is left is the database, and a log that says that the call is to be run.
async fn left_by_an_answered_call(world: &World, log: &Path, backup: &Path) {
    let bank = world.open().await;
    bank.gates.close(Place::Before);
    let server = serve(&bank, log).await;
    let client = connect(&server.local_address()).await;
    let call = client.transfer(APP, 1, 2, 30, 1).send().await.unwrap();
    call.guaranteed().await.unwrap();
    bank.gates.seen(Place::Before, 1).await;
    replace(backup, log);
    bank.gates.open(Place::Before);
    assert_eq!(call.await, Ok(30));
    assert!(client.disconnect(WITHIN).await.dropped.is_empty());
    while world.number(RECORDS).await > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.number(JOURNAL).await, 1);
    server.shutdown(WITHIN).await;
}

#[tokio::test]
async fn a_call_whose_record_is_gone_does_not_run_again_from_a_backup_of_the_same_life() {
    for world in worlds("same_life") {
        let (log, backup) = (world.log("log"), world.log("backup"));
        left_by_an_answered_call(&world, &log, &backup).await;
        replace(&log, &backup);
        let bank = world.open().await;
        let server = serve(&bank, &log).await;
        // It ends when what was found in the log is answered.
        assert_eq!(server.shutdown(WITHIN).await.cut_short, 0);
        assert_eq!((world.number(JOURNAL).await, bank.gates.count(Place::Before)), (1, 0));
    }
}

#[tokio::test]
async fn a_log_from_before_the_last_opening_is_refused_by_name_until_the_right_one_is_back() {
    for world in worlds("older") {
        let (log, backup, right) = (world.log("log"), world.log("backup"), world.log("right"));
        left_by_an_answered_call(&world, &log, &backup).await;
        let bank = world.open().await;
        let server = serve(&bank, &log).await;
        let client = connect(&server.local_address()).await;
        assert_eq!(client.transfer(APP, 1, 2, 5, 2).await, Ok(5));
        server.shutdown(WITHIN).await;
        replace(&right, &log);
        replace(&log, &backup);
        // Who starts a server again and again gets no further.
        for _ in 0..3 {
            let bank = world.open().await;
            assert_eq!(refused(try_serve(&bank, &log, None).await), (1, 2));
            assert_eq!(refused(try_serve(&bank, &log, Some(1)).await), (1, 2));
            assert_eq!(bank.gates.count(Place::Before), 0);
        }
        replace(&log, &right);
        let bank = world.open().await;
        let server = serve(&bank, &log).await;
        let client = connect(&server.local_address()).await;
        assert_eq!(client.transfer(APP, 1, 2, 6, 3).await, Ok(6));
        assert_eq!(world.number(JOURNAL).await, 3);
    }
}

#[tokio::test]
async fn an_older_log_that_was_accepted_by_its_number_runs_nothing_twice_and_is_the_right_one_from_then_on() {
    for world in worlds("accepted") {
        let (log, backup, right) = (world.log("log"), world.log("backup"), world.log("right"));
        left_by_an_answered_call(&world, &log, &backup).await;
        let bank = world.open().await;
        serve(&bank, &log).await.shutdown(WITHIN).await;
        replace(&right, &log);
        replace(&log, &backup);
        let bank = world.open().await;
        let server = try_serve(&bank, &log, Some(2)).await.unwrap();
        assert_eq!(server.shutdown(WITHIN).await.cut_short, 0);
        assert_eq!((world.number(JOURNAL).await, bank.gates.count(Place::Before)), (1, 0));
        // What was the right one is another one now; the number of the last time accepts nothing more.
        let (log_mark, database_mark) = refused(try_serve(&bank, &right, Some(2)).await);
        assert_eq!(log_mark, 2);
        assert_eq!(serve(&bank, &log).await.shutdown(WITHIN).await.cut_short, 0);
        assert!(database_mark < refused(try_serve(&bank, &right, Some(database_mark)).await).1);
    }
}

#[tokio::test]
async fn of_two_copies_of_a_log_the_second_is_refused_however_often_and_the_first_goes_on() {
    for world in worlds("copies") {
        let (log, copy) = (world.log("log"), world.log("copy"));
        let bank = world.open().await;
        serve(&bank, &log).await.shutdown(WITHIN).await;
        replace(&copy, &log);
        let first = serve(&bank, &log).await;
        let client = connect(&first.local_address()).await;
        for _ in 0..3 {
            assert_eq!(refused(try_serve(&bank, &copy, None).await), (1, 2));
        }
        assert_eq!(client.transfer(APP, 1, 2, 5, 1).await, Ok(5));
    }
}

#[tokio::test]
async fn a_database_that_is_older_than_the_log_is_named_as_that() {
    for world in worlds("older_database") {
        let log = world.log("log");
        for _ in 0..2 {
            let bank = world.open().await;
            serve(&bank, &log).await.shutdown(WITHIN).await;
        }
        let mark = world.bytes(&[7; 16]);
        world.run(&format!("update rpcgen_logs set number = 1, mark = {mark}")).await;
        let bank = world.open().await;
        let error = try_serve(&bank, &log, None).await.unwrap_err();
        assert!(error.to_string().contains("the database is older than the log"), "{error}");
        assert_eq!(refused(Err(error)), (2, 1));
        assert!(try_serve(&bank, &log, Some(1)).await.is_ok());
    }
}

#[tokio::test]
async fn a_database_that_never_saw_the_log_is_refused_and_accepted_by_the_number_of_the_log() {
    for world in worlds("another_database") {
        let log = world.log("log");
        let bank = world.open().await;
        serve(&bank, &log).await.shutdown(WITHIN).await;
        // As of a backup of before the first use, or of a name that was written wrongly.
        world.run("delete from rpcgen_logs").await;
        for accepted in [None, Some(0)] {
            let bank = world.open().await;
            let error = try_serve(&bank, &log, accepted).await.unwrap_err();
            assert!(error.to_string().contains("or another one"), "{error}");
            assert_eq!(refused(Err(error)), (1, 0));
        }
        let bank = world.open().await;
        try_serve(&bank, &log, Some(1)).await.unwrap().shutdown(WITHIN).await;
        serve(&world.open().await, &log).await;
    }
}

#[tokio::test]
async fn a_new_log_over_an_old_database_answers_what_was_done_and_runs_what_was_not() {
    for world in worlds("new_log") {
        let bank = world.open().await;
        bank.gates.close(Place::After);
        let server = serve(&bank, &world.log("log")).await;
        let address = server.local_address();
        let client = connect(&address).await;
        let done = client.transfer(APP, 1, 2, 30, 1).send().await.unwrap();
        bank.gates.seen(Place::After, 1).await;
        bank.gates.close(Place::Before);
        let open = client.transfer(APP, 1, 2, 40, 2).send().await.unwrap();
        bank.gates.seen(Place::Before, 2).await;
        drop(server);
        let bank = world.open().await;
        let _server = serve_on_disk(&address, bank.clone(), bank.db.clone(), &world.log("another")).await;
        assert_eq!((done.await, open.await), (Ok(30), Ok(40)));
        assert_eq!((world.number(JOURNAL).await, bank.gates.count(Place::Before)), (2, 1));
    }
}

#[tokio::test]
async fn a_database_of_an_earlier_version_gets_what_it_lacks_and_goes_on() {
    for world in worlds("earlier") {
        // A log of then has no marks.
        let log = world.log("log");
        let bank = world.open().await;
        let server = Server::builder().log(&log).serve(ledger::server(bank.clone())).listen(ANYWHERE).await.unwrap();
        server.shutdown(WITHIN).await;
        world.run("drop table rpcgen_retired; drop table rpcgen_logs").await;
        let bank = world.open().await;
        let server = serve(&bank, &log).await;
        let client = connect(&server.local_address()).await;
        assert_eq!(client.transfer(APP, 1, 2, 5, 1).await, Ok(5));
    }
}

#[tokio::test]
async fn a_call_that_comes_as_new_under_a_number_whose_answer_was_taken_has_no_effect() {
    for world in worlds("reused") {
        let bank = world.open().await;
        bank.gates.close(Place::Before);
        let server = serve(&bank, &world.log("log")).await;
        let client = connect(&server.local_address()).await;
        let call = client.transfer(APP, 1, 2, 30, 1).send().await.unwrap();
        let key = bank.gates.seen(Place::Before, 1).await[0].0;
        let (client_id, incarnation) = (world.bytes(&key.client.0.to_be_bytes()), key.incarnation.0.cast_signed());
        let below = key.number.0 + 1;
        let values = format!("(client, incarnation, below) values ({client_id}, {incarnation}, {below})");
        let values = if matches!(bank.db, Db::Sqlite(_)) {
            format!("values ({client_id}, {incarnation}, {below}, 0)")
        } else {
            values
        };
        world.run(&format!("insert into rpcgen_retired {values}")).await;
        bank.gates.open(Place::Before);
        assert_eq!(call.await, Err(CallError::Unknown));
        assert_eq!((world.number(JOURNAL).await, world.number(RECORDS).await), (0, 0));
        assert_eq!(client.transfer(APP, 1, 2, 31, 2).await, Ok(31));
    }
}

/// A store that fails when a log is taken: before it has, or after.
#[derive(Clone)]
struct Failing {
    db: Db,
    takes_first: bool,
}

impl CompletionStore for Failing {
    fn find(&self, key: CallKey) -> StoreFuture<'_, Result<Found, StoreError>> {
        self.db.find(key)
    }

    fn retire(&self, client: ClientId, incarnation: Incarnation, below: CallNumber) {
        self.db.retire(client, incarnation, below);
    }

    fn known_log(&self, log: LogId) -> StoreFuture<'_, Result<Option<KnownLog>, StoreError>> {
        self.db.known_log(log)
    }

    fn take_log(&self, log: LogId, was: Option<LogMark>, now: KnownLog) -> StoreFuture<'_, Result<bool, StoreError>> {
        Box::pin(async move {
            if self.takes_first {
                assert!(self.db.take_log(log, was, now).await?);
            }
            Err(StoreError::Unavailable("on purpose".to_owned()))
        })
    }
}

#[tokio::test]
async fn an_opening_that_is_cut_short_between_log_and_database_is_gone_on_from() {
    for world in worlds("cut_short") {
        let log = world.log("log");
        for takes_first in [false, false, true, false, false, true, true] {
            let bank = world.open().await;
            let store = Failing { db: bank.db.clone(), takes_first };
            let error = try_on_disk(ANYWHERE, bank.clone(), store, &log, None).await.unwrap_err();
            assert!(error.to_string().contains("on purpose"), "{error}");
        }
        let bank = world.open().await;
        let server = serve(&bank, &log).await;
        let client = connect(&server.local_address()).await;
        assert_eq!(client.transfer(APP, 1, 2, 5, 1).await, Ok(5));
    }
}

/// A store of which a log is asked for the first time at once, and later when the test wants.
#[derive(Clone)]
struct Held {
    db: Db,
    first: Arc<AtomicBool>,
    later: Arc<Semaphore>,
}

impl CompletionStore for Held {
    fn find(&self, key: CallKey) -> StoreFuture<'_, Result<Found, StoreError>> {
        self.db.find(key)
    }

    fn retire(&self, client: ClientId, incarnation: Incarnation, below: CallNumber) {
        self.db.retire(client, incarnation, below);
    }

    fn known_log(&self, log: LogId) -> StoreFuture<'_, Result<Option<KnownLog>, StoreError>> {
        Box::pin(async move {
            if !self.first.swap(false, Ordering::Relaxed) {
                self.later.acquire().await.unwrap().forget();
            }
            self.db.known_log(log).await
        })
    }

    fn take_log(&self, log: LogId, was: Option<LogMark>, now: KnownLog) -> StoreFuture<'_, Result<bool, StoreError>> {
        self.db.take_log(log, was, now)
    }
}

#[tokio::test]
async fn a_backup_of_a_running_server_is_refused_when_log_and_database_have_a_newer_mark() {
    for world in worlds("running") {
        let (log, backup) = (world.log("log"), world.log("backup"));
        let bank = world.open().await;
        let later = Arc::new(Semaphore::new(0));
        let store = Held { db: bank.db.clone(), first: Arc::new(AtomicBool::new(true)), later: Arc::clone(&later) };
        let builder = Server::builder().completions(store).log(&log).log_mark_every(Duration::from_millis(1));
        let server = builder.serve(ledger::server(bank.clone())).listen(ANYWHERE).await.unwrap();
        replace(&backup, &log);
        later.add_permits(2);
        while world.number("select number from rpcgen_logs").await < 3 {
            tokio::task::yield_now().await;
        }
        let client = connect(&server.local_address()).await;
        assert_eq!(client.transfer(APP, 1, 2, 5, 1).await, Ok(5));
        server.shutdown(WITHIN).await;
        assert_eq!(refused(try_serve(&bank, &backup, None).await), (1, 3));
        assert!(try_serve(&bank, &log, None).await.is_ok());
    }
}
