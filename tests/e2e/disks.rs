//! Disks that are full or fail, and what is in no log on disk.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rpcgen_runtime::{Call, CallError, Config, ListenError, Refusal, SendError, Server, Step};
use tokio::sync::{Semaphore, watch};

use crate::archive::{self, RecoveredCall};
use crate::support::{APP, Directory, SEGMENT_BYTES, config};

/// The business: handlers wait at a gate, and are counted before and behind it.
#[derive(Clone)]
struct Shelves {
    gate: Arc<Semaphore>,
    begun: watch::Sender<usize>,
    done: watch::Sender<usize>,
}

impl Shelves {
    fn new() -> Self {
        Self { gate: Arc::new(Semaphore::new(0)), begun: watch::Sender::new(0), done: watch::Sender::new(0) }
    }

    fn open(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    async fn have_begun(&self, count: usize) {
        self.begun.subscribe().wait_for(|begun| *begun >= count).await.unwrap();
    }

    async fn have_done(&self, count: usize) {
        self.done.subscribe().wait_for(|done| *done >= count).await.unwrap();
    }

    async fn pass(&self) {
        self.begun.send_modify(|begun| *begun += 1);
        self.gate.acquire().await.unwrap().forget();
        self.done.send_modify(|done| *done += 1);
    }
}

impl archive::Archive for Shelves {
    async fn page(&self, _: &Call, _: rpcgen_runtime::AppId, letters: u32) -> String {
        self.pass().await;
        "x".repeat(letters as usize)
    }

    async fn peek(&self, call: &Call, _: rpcgen_runtime::AppId) -> bool {
        self.pass().await;
        call.redelivered()
    }
}

async fn serve(name: &str, directory: &Path) -> (Server, Shelves) {
    serve_at(&format!("thread://e2e-disks-{name}"), directory).await
}

async fn serve_at(address: &str, directory: &Path) -> (Server, Shelves) {
    serve_with(address, directory, Config { handlers_max: 1_000, ..config() }).await
}

async fn serve_with(address: &str, directory: &Path, config: Config) -> (Server, Shelves) {
    loop {
        let shelves = Shelves::new();
        let builder = Server::builder().config(config.clone()).log(directory).log_segment_bytes(SEGMENT_BYTES);
        match builder.serve(archive::server(shelves.clone())).listen(address).await {
            Ok(server) => return (server, shelves),
            // The listener of a server that was dropped takes a moment to go.
            Err(ListenError::Io { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn connect(server: &Server, directory: &Path) -> archive::Client {
    let builder = archive::Client::builder().config(config()).log(directory).log_segment_bytes(SEGMENT_BYTES);
    builder.connect(&server.local_address()).await.unwrap()
}

/// A file system of its own. `None`: it cannot be had here.
struct SmallDisk(Directory);

impl SmallDisk {
    const BYTES: u64 = 2 << 20;

    fn mount() -> Option<Self> {
        let directory = Directory::new();
        std::fs::create_dir_all(&directory.0).unwrap();
        let options = format!("size={}", Self::BYTES);
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&directory.0).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(directory))
    }

    /// Takes all space that is left.
    fn fill(&self) {
        let page = vec![1_u8; 4096];
        let mut file = std::fs::File::create(self.0.0.join("filling")).unwrap();
        while std::io::Write::write_all(&mut file, &page).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.0.0.join("filling")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0.0).status();
    }
}

/// Both logs are on one disk, which becomes full before 200 answers of 4 KB are written: neither log has room for a quarter of them.
#[tokio::test(flavor = "multi_thread")]
async fn records_wait_for_a_full_disk_and_no_call_is_lost() {
    const CALLS: usize = 200;
    let Some(disk) = SmallDisk::mount() else {
        println!("SKIPPED: no tmpfs can be mounted here");
        assert!(std::env::var_os("CI").is_none(), "CI has to be able to");
        return;
    };
    let (server, shelves) = serve("full", &disk.0.of_server()).await;
    let client = connect(&server, &disk.0.of_client()).await;
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        calls.push(client.page(APP, 4_000).send().await.unwrap());
    }
    shelves.have_begun(CALLS).await;
    disk.fill();
    shelves.open();
    shelves.have_done(CALLS).await;

    // New calls are refused by name, sooner or later: what is accepted meanwhile took the last room.
    let refused = loop {
        match client.page(APP, 1).send().await {
            Ok(call) => calls.push(call),
            Err(error) => break error,
        }
    };
    assert_eq!(refused, SendError::DiskFull);
    // Whoever only looks is served.
    assert_eq!(server.stats().session_count, 1);
    assert!(server.log_stats().is_some_and(|stats| stats.live_count > 0));
    assert!(!client.runtime().pending_calls().await.is_empty());
    let answered = calls.iter().filter(|call| call.observer().step() == Step::Answered).count();
    let space = 2 * SEGMENT_BYTES as usize / 4_000;
    assert!(answered < 4 * space, "{answered} answers cannot be on record: they were not to be given before that");

    disk.free();
    let mut answers = 0;
    for call in calls {
        match call.await {
            Ok(text) => answers += usize::from(text.len() == 4_000),
            // One of those that found the server's log full, not the client's: it did not run.
            Err(error) => assert_eq!(error, CallError::Refused(Refusal::NoSpace)),
        }
    }
    assert_eq!(answers, CALLS);
    // And on.
    assert_eq!(client.page(APP, 7).await, Ok("xxxxxxx".to_owned()));
    assert_eq!(client.disconnect(Duration::from_secs(10)).await, Default::default());
    server.shutdown(Duration::from_secs(10)).await;
}

/// A session whose client is away is to end while records of it wait for space: that it has, and the answers, are on record before.
#[tokio::test(flavor = "multi_thread")]
async fn session_that_ends_while_the_disk_is_full_runs_nothing_again_in_the_next_life() {
    const CALLS: usize = 100;
    let Some(disk) = SmallDisk::mount() else {
        println!("SKIPPED: no tmpfs can be mounted here");
        assert!(std::env::var_os("CI").is_none(), "CI has to be able to");
        return;
    };
    let (address, clients) = ("thread://e2e-disks-ends", Directory::new());
    let serve = async || {
        let short = Config { handlers_max: 1_000, reconnect_timeout: Duration::from_millis(100), ..config() };
        serve_with(address, &disk.0.of_server(), short).await
    };
    let (server, shelves) = serve().await;
    let process = tokio::runtime::Runtime::new().unwrap();
    let builder =
        || archive::Client::builder().config(config()).log(clients.of_client()).log_segment_bytes(SEGMENT_BYTES);
    let first = builder();
    let calls = async move {
        let client = first.connect(address).await.unwrap();
        for _ in 0..CALLS {
            client.page(APP, 4_000).send().await.unwrap().guaranteed().await.unwrap();
        }
    };
    process.spawn(calls).await.unwrap();
    process.shutdown_background();
    shelves.have_begun(CALLS).await;
    disk.fill();
    shelves.open();
    shelves.have_done(CALLS).await;
    // For longer than the session is kept.
    let _ = tokio::time::timeout(Duration::from_secs(1), std::future::pending::<()>()).await;
    disk.free();

    let client = loop {
        match builder().connect(address).await {
            Ok(client) => break client,
            // The directory is let go soon.
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let mut answered = 0;
    for call in client.recovered() {
        let RecoveredCall::Page(page) = call else { panic!("all are pages") };
        assert_eq!(page.await.map(|text| text.len()), Ok(4_000));
        answered += 1;
    }
    assert_eq!(answered, CALLS);
    drop(server);
    let (server, shelves) = serve().await;
    shelves.open();
    assert_eq!(client.peek(APP).await, Ok(false));
    assert_eq!(*shelves.done.borrow(), 1, "what was answered runs again");
    drop(server);
}

/// The next file of this log cannot be had: an error of the disk.
fn break_log(directory: &Path) {
    std::fs::remove_file(directory.join("spare")).unwrap();
}

/// Calls until that is no use any more: those that were accepted.
async fn until_refused(
    client: &archive::Client,
) -> (Vec<rpcgen_runtime::client::Call<archive::actions::Page>>, SendError) {
    let mut calls = Vec::new();
    loop {
        match client.page(APP, 1_000).send().await {
            Ok(call) => calls.push(call),
            Err(error) => return (calls, error),
        }
    }
}

#[tokio::test]
async fn client_whose_log_stops_says_so_and_the_next_one_has_every_call_that_was_accepted() {
    let directory = Directory::new();
    let (server, shelves) = serve("client", &directory.of_server()).await;
    let client = connect(&server, &directory.of_client()).await;
    break_log(&directory.of_client());
    let (calls, error) = until_refused(&client).await;
    assert_eq!(error, SendError::LogStopped);
    let why = client.runtime().log_stopped().await;
    assert!(why.contains("No such file"), "{why}");
    let accepted: Vec<_> = calls.iter().map(|call| call.number()).collect();
    for call in calls {
        assert_eq!(call.await, Err(CallError::OnRecord));
    }
    drop(client);

    shelves.open();
    let client = connect(&server, &directory.of_client()).await;
    let mut found = Vec::new();
    for call in client.recovered() {
        let RecoveredCall::Page(page) = call else { panic!("all are pages") };
        found.push(page.number());
        assert_eq!(page.await.map(|text| text.len()), Ok(1_000));
    }
    assert!(accepted.iter().all(|number| found.contains(number)), "{accepted:?} were accepted, {found:?} were found");
    assert_eq!(client.disconnect(Duration::from_secs(10)).await, Default::default());
}

/// The answers to 400 calls whose server's log stops on the way, from the next server.
async fn after_a_stopped_log(address: &str) -> Vec<Result<String, CallError<std::convert::Infallible>>> {
    const CALLS: usize = 400;
    let directory = Directory::new();
    let (server, shelves) = serve_at(address, &directory.of_server()).await;
    let address = server.local_address();
    let client = connect(&server, &directory.of_client()).await;
    break_log(&directory.of_server());
    shelves.open();
    let mut calls = Vec::new();
    for _ in 0..CALLS {
        calls.push(client.page(APP, 1_000).send().await.unwrap());
    }
    for why in [server.log_stopped().await, server.stopped().await] {
        assert!(why.contains("No such file"), "{why}");
    }
    let answered = calls.iter().filter(|call| call.observer().step() == Step::Answered).count();
    assert!(answered < CALLS, "{CALLS} answers of 1,000 letters are not in two files of {SEGMENT_BYTES} bytes");
    drop(server);

    let (server, shelves) = serve_at(&address, &directory.of_server()).await;
    shelves.open();
    let mut answers = Vec::new();
    for call in calls {
        answers.push(call.await);
    }
    assert_eq!(client.disconnect(Duration::from_secs(10)).await, Default::default());
    server.shutdown(Duration::from_secs(10)).await;
    answers
}

#[tokio::test]
async fn server_whose_log_stops_says_so_and_the_next_one_answers_every_call() {
    let answers = after_a_stopped_log("tcp://127.0.0.1:0").await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[tokio::test]
async fn between_threads_a_message_that_a_handler_took_with_it_is_nobodys_call_and_all_others_are_answered() {
    let answers = after_a_stopped_log("thread://e2e-disks-server").await;
    let others = answers.iter().filter(|answer| !matches!(answer, Err(CallError::Unknown)));
    assert!(others.clone().all(Result::is_ok), "{answers:?}");
}

#[tokio::test]
async fn action_that_is_kept_in_memory_is_in_neither_log() {
    let directory = Directory::new();
    let (server, shelves) = serve("memory", &directory.of_server()).await;
    let client = connect(&server, &directory.of_client()).await;
    let peek = client.peek(APP).send().await.unwrap();
    let page = client.page(APP, 1).send().await.unwrap();
    page.guaranteed().await.unwrap();
    shelves.have_begun(2).await;
    drop(server);

    // The server's log has the page only; what was in its memory the client sends again.
    let (server, shelves) = serve("memory", &directory.of_server()).await;
    shelves.have_begun(1).await;
    assert_eq!(server.log_stats().unwrap().segment_bytes, SEGMENT_BYTES);
    let _ = client.disconnect(Duration::ZERO).await;
    assert!(peek.await.is_err(), "it was not kept");
    assert_eq!(page.await, Err(CallError::OnRecord));

    // The client's log has the page only, too.
    shelves.open();
    let client = connect(&server, &directory.of_client()).await;
    let recovered = client.recovered();
    assert!(matches!(recovered.as_slice(), [RecoveredCall::Page(_)]), "{recovered:?}");
    let _ = client.disconnect(Duration::ZERO).await;
}

#[tokio::test]
async fn action_that_was_running_at_three_deaths_of_its_server_is_not_run_again_and_holds_up_nobody() {
    let directory = Directory::new();
    let (mut server, shelves) = serve("poison", &directory.of_server()).await;
    let client = connect(&server, &directory.of_client()).await;
    let poison = client.page(APP, 1).send().await.unwrap();
    poison.guaranteed().await.unwrap();
    shelves.have_begun(1).await;
    // The first run is not on record as such: whoever finds the action counts from then on.
    for _ in 0..3 {
        drop(server);
        let shelves;
        (server, shelves) = serve("poison", &directory.of_server()).await;
        shelves.have_begun(1).await;
    }
    drop(server);
    let (server, shelves) = serve("poison", &directory.of_server()).await;
    assert_eq!(poison.await, Err(CallError::Refused(Refusal::Poisoned)));
    assert_eq!(*shelves.begun.borrow(), 0);
    shelves.open();
    assert_eq!(client.page(APP, 3).await, Ok("xxx".to_owned()));
    assert_eq!(client.disconnect(Duration::from_secs(10)).await, Default::default());
    server.shutdown(Duration::from_secs(10)).await;
}
