//! Logs on disk: what a client and a server find again in their directories.
//!
//! Ends are dropped here, not killed; `processes` kills them.

use std::path::Path;
use std::time::Duration;

use rpcgen_runtime::{CallError, Calls, ConnectError, ListenError, OpenLogError, RejectReason, Server, Step};

use super::address;
use crate::desk::{self, RecoveredCall};
use crate::support::{APP, Business, Directory, SEGMENT_BYTES, config, durable_client};

async fn serve(address: &str, directory: &Path) -> (Server, Business) {
    loop {
        let business = Business::default();
        let builder = Server::builder().config(config()).log(directory).log_segment_bytes(SEGMENT_BYTES);
        match builder.serve(desk::server(business.clone())).listen(address).await {
            Ok(server) => return (server, business),
            // Its listener takes a moment to go.
            Err(ListenError::Io { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn connect(address: &str, directory: &Path) -> desk::Client {
    durable_client(directory).connect(address).await.unwrap()
}

async fn leave(client: desk::Client) {
    let _ = client.disconnect(Duration::ZERO).await;
}

#[tokio::test]
async fn client_that_is_made_again_finds_its_calls_and_their_answers() {
    let directory = Directory::new();
    let (server, business) = serve(&address("durable-client"), &directory.of_server()).await;
    let client = connect(&server.local_address(), &directory.of_client()).await;
    let id = client.runtime().id();
    let echo = client.echo(APP, "hello").send().await.unwrap();
    let waits = client.wait(APP).send().await.unwrap();
    waits.guaranteed().await.unwrap();
    let (echo_number, wait_number) = (echo.number(), waits.number());
    // Its answer is there, and nobody takes it.
    while !matches!(echo.observer().step(), Step::Answered) {
        tokio::task::yield_now().await;
    }
    leave(client).await;
    assert_eq!(waits.await, Err(CallError::OnRecord));

    let client = connect(&server.local_address(), &directory.of_client()).await;
    assert_eq!(client.runtime().id(), id, "the directory is the client");
    let [RecoveredCall::Echo(echo), RecoveredCall::Wait(waits)] = <[_; 2]>::try_from(client.recovered()).unwrap()
    else {
        panic!("in the order of their sending")
    };
    assert_eq!((echo.number(), waits.number()), (echo_number, wait_number));
    let asked = echo.recovered_request().expect("what an earlier run asked is in the log");
    assert_eq!((asked.app_id, asked.text.as_str()), (APP, "hello"), "also of a call that is answered");
    assert_eq!(waits.recovered_request().map(|asked| asked.app_id), Some(APP));
    let of_this_run = client.echo(APP, "new").send().await.unwrap();
    assert!(of_this_run.recovered_request().is_none(), "this run knows what it asked");
    assert_eq!(of_this_run.await, Ok("new".to_owned()));
    assert_eq!(echo.await, Ok("hello".to_owned()));
    business.open_gate();
    assert_eq!(waits.await, Ok(false));
    assert!(client.recovered().is_empty(), "each is handed out once");
    assert_eq!((business.runs(), business.repeated()), (3, 0));
    leave(client).await;

    let client = connect(&server.local_address(), &directory.of_client()).await;
    assert!(client.recovered().is_empty(), "what was claimed is gone");
    assert_eq!(client.echo(APP, "again").await, Ok("again".to_owned()));
    leave(client).await;
}

#[tokio::test]
async fn of_many_calls_the_answers_that_were_taken_are_claimed_and_the_next_run_finds_the_others() {
    let directory = Directory::new();
    let (server, business) = serve(&address("durable-calls"), &directory.of_server()).await;
    let client = connect(&server.local_address(), &directory.of_client()).await;
    let mut calls: Calls<_> = ["0", "1", "2"].into_iter().map(|text| client.echo(APP, text)).collect();
    calls.accepted().await;
    let observers = [0, 1, 2].map(|index| calls.observer(index).expect("accepted, and its answer was not taken"));
    while observers.iter().any(|call| call.step() != Step::Answered) {
        tokio::task::yield_now().await;
    }
    let (taken, text) = calls.next().await.expect("one of three");
    assert_eq!(text, Ok(taken.to_string()));
    drop(calls);
    leave(client).await;

    let client = connect(&server.local_address(), &directory.of_client()).await;
    let mut found = Vec::new();
    for call in client.recovered() {
        let RecoveredCall::Echo(call) = call else { panic!("nothing else was called") };
        found.push(call.await.unwrap());
    }
    assert_eq!(found, ["0", "1", "2"].into_iter().filter(|text| *text != taken.to_string()).collect::<Vec<_>>());
    assert_eq!((business.runs(), business.repeated()), (3, 0));
    leave(client).await;
}

#[tokio::test]
async fn answer_that_was_taken_and_not_claimed_is_found_by_the_next_run() {
    let directory = Directory::new();
    let (server, business) = serve(&address("durable-claim"), &directory.of_server()).await;
    let client = connect(&server.local_address(), &directory.of_client()).await;
    let (answer, claim) = client.echo(APP, "hello").send().await.unwrap().unclaimed().await;
    assert_eq!(answer, Ok("hello".to_owned()));
    drop(claim); // As by one who is killed before it has done what the answer is for.
    leave(client).await;

    let client = connect(&server.local_address(), &directory.of_client()).await;
    let RecoveredCall::Echo(echo) = client.recovered().pop().unwrap() else { panic!("it is an echo") };
    let (answer, claim) = echo.unclaimed().await;
    assert_eq!(answer, Ok("hello".to_owned()));
    claim.claim();
    leave(client).await;

    let client = connect(&server.local_address(), &directory.of_client()).await;
    assert!(client.recovered().is_empty(), "it was claimed");
    assert_eq!(business.runs(), 1);
    leave(client).await;
}

#[tokio::test]
async fn recovered_call_that_is_dropped_stays_for_the_next_run() {
    let directory = Directory::new();
    let (server, business) = serve(&address("durable-drop"), &directory.of_server()).await;
    let client = connect(&server.local_address(), &directory.of_client()).await;
    client.wait(APP).send().await.unwrap().guaranteed().await.unwrap();
    leave(client).await;
    for _ in 0..2 {
        let client = connect(&server.local_address(), &directory.of_client()).await;
        assert_eq!(client.recovered().len(), 1);
        leave(client).await;
    }
    business.open_gate();
    let client = connect(&server.local_address(), &directory.of_client()).await;
    let RecoveredCall::Wait(waits) = client.recovered().pop().unwrap() else { panic!("it is a wait") };
    assert_eq!(waits.await, Ok(false));
    leave(client).await;
}

#[tokio::test]
async fn server_that_is_made_again_runs_what_is_open_and_nothing_else() {
    let directory = Directory::new();
    let (server, business) = serve(&address("durable-server"), &directory.of_server()).await;
    let at = server.local_address();
    let client = connect(&at, &directory.of_client()).await;
    assert_eq!(client.echo(APP, "done").await, Ok("done".to_owned()));
    let waits = client.wait(APP).send().await.unwrap();
    waits.guaranteed().await.unwrap();
    business.started(2).await;
    drop(server);

    let (server, business) = serve(&at, &directory.of_server()).await;
    business.open_gate();
    assert_eq!(waits.await, Ok(true), "it is redelivered, and says so");
    assert_eq!(business.runs(), 1, "what was answered is not run again");
    assert_eq!(client.echo(APP, "goes on").await, Ok("goes on".to_owned()));
    leave(client).await;
    drop(server);
}

#[tokio::test]
async fn call_that_waits_for_its_turn_behind_one_whose_client_gives_up_runs() {
    let directory = Directory::new();
    let (server, business) = serve(&address("durable-turns"), &directory.of_server()).await;
    let at = server.local_address();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let client = desk::Client::builder().config(config()).connect(&at).await.unwrap();
        let waits = client.wait(APP).send().await.unwrap();
        waits.guaranteed().await.unwrap();
        clients.push((client, waits));
    }
    business.started(2).await;
    drop(server);
    // It is on record now that both begin: one of them may have ended the server.
    let (server, business) = serve(&at, &directory.of_server()).await;
    business.started(2).await;
    drop(server);
    let (server, business) = serve(&at, &directory.of_server()).await;
    business.started(1).await;
    clients.sort_by_key(|(client, _)| business.ran(client.runtime().id()));
    let [(client, waits), (gives_up, _)] = <[_; 2]>::try_from(clients).unwrap_or_else(|_| panic!("two"));
    assert_eq!(gives_up.echo(APP, "is linked").await, Ok("is linked".to_owned()));
    assert!(!business.ran(client.runtime().id()), "it waits");
    let report = gives_up.disconnect(Duration::ZERO).await;
    assert_eq!(report.dropped.len(), 1);
    business.open_gate();
    business.open_gate();
    assert_eq!(waits.await, Ok(true));
    drop(server);
}

#[tokio::test]
async fn call_that_stays_on_record_at_the_limit_of_a_disconnect_is_reported_by_its_action() {
    let directory = Directory::new();
    let (server, _) = serve(&address("durable-report"), &directory.of_server()).await;
    let client = connect(&server.local_address(), &directory.of_client()).await;
    let call = client.wait(APP).send().await.unwrap();
    let report = client.disconnect(Duration::ZERO).await;
    assert_eq!(
        report.dropped.iter().map(|call| (call.number, call.action)).collect::<Vec<_>>(),
        [(call.number(), "wait")]
    );
    assert_eq!(call.await, Err(CallError::OnRecord));
}

#[tokio::test]
async fn call_is_answered_although_both_ends_were_made_again() {
    let directory = Directory::new();
    let (server, business) = serve(&address("durable-both"), &directory.of_server()).await;
    let at = server.local_address();
    let client = connect(&at, &directory.of_client()).await;
    let waits = client.wait(APP).send().await.unwrap();
    waits.guaranteed().await.unwrap();
    business.started(1).await;
    drop(server);
    leave(client).await;

    let (server, business) = serve(&at, &directory.of_server()).await;
    // The server has taken responsibility: it does not wait for the client.
    business.started(1).await;
    business.open_gate();
    let client = connect(&at, &directory.of_client()).await;
    let RecoveredCall::Wait(waits) = client.recovered().pop().unwrap() else { panic!("it is a wait") };
    assert_eq!(waits.await, Ok(true));
    assert_eq!(business.runs(), 1);
    leave(client).await;
    drop(server);
}

#[tokio::test]
async fn broadcast_that_was_logged_finds_its_node_after_a_restart() {
    let directory = Directory::new();
    let (server, _) = serve(&address("durable-broadcast"), &directory.of_server()).await;
    let at = server.local_address();
    server.broadcasts::<desk::Broadcasts>().notice(APP, 7).await.unwrap();
    drop(server);
    let (server, _) = serve(&at, &directory.of_server()).await;
    let mut heard = crate::support::listen_in(&at).await;
    assert_eq!(heard.notices.recv().await, Some(7));
    assert_eq!(heard.client.disconnect(Duration::from_secs(5)).await, Default::default());
    drop(server);
    let (server, _) = serve(&at, &directory.of_server()).await;
    assert_eq!(server.stats().waiting_broadcasts, 0, "it was delivered, and is not on record any more");
}

#[tokio::test]
async fn directory_that_is_in_use_is_refused_with_what_to_do() {
    let directory = Directory::new();
    let (server, _) = serve(&address("durable-lock"), &directory.of_server()).await;
    let client = connect(&server.local_address(), &directory.of_client()).await;
    let error = durable_client(&directory.of_client()).connect(&server.local_address()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Log(OpenLogError::InUse { .. })), "{error}");
    assert!(error.to_string().contains(directory.of_client().to_str().unwrap()), "{error}");
    leave(client).await;
    let error = durable_client(&directory.of_server()).connect(&server.local_address()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Log(OpenLogError::InUse { .. })), "{error}");
    drop(server);
    let error = durable_client(&directory.of_server()).connect("tcp://127.0.0.1:1").await.unwrap_err();
    assert!(error.to_string().contains("the log of a server, not of a client of `desk.Desk`"), "{error}");
}

#[tokio::test]
async fn copy_of_a_directory_that_comes_second_is_refused_by_name() {
    let directory = Directory::new();
    let (server, _) = serve(&address("durable-copy"), &directory.of_server()).await;
    let client = connect(&server.local_address(), &directory.of_client()).await;
    // With an open call it leaves without a goodbye: its session goes on.
    client.wait(APP).send().await.unwrap().guaranteed().await.unwrap();
    leave(client).await;
    let copy = directory.0.join("copy");
    std::fs::create_dir(&copy).unwrap();
    for file in std::fs::read_dir(directory.of_client()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
    }
    let client = connect(&server.local_address(), &directory.of_client()).await;
    assert_eq!(client.echo(APP, "second").await, Ok("second".to_owned()));
    leave(client).await;
    let error = durable_client(&copy).connect(&server.local_address()).await.unwrap_err();
    let ConnectError::Rejected { reject, .. } = &error else { panic!("{error}") };
    assert_eq!(reject.reason, RejectReason::BadProof);
    assert!(error.to_string().contains("copied or restored"), "{error}");
}

/// Syncs of both logs so far.
fn syncs(client: &desk::Client, server: &Server) -> u64 {
    let both = [client.runtime().log_stats(), server.log_stats()];
    both.into_iter().map(|stats| stats.expect("a log on disk").syncs_count).sum()
}

#[tokio::test]
async fn calls_at_once_share_their_syncs() {
    const CALLS: u64 = 256;
    let directory = Directory::new();
    let (server, _) = serve(&address("durable-syncs"), &directory.of_server()).await;
    let client = connect(&server.local_address(), &directory.of_client()).await;
    assert_eq!(client.echo(APP, "first").await, Ok("first".to_owned()));

    let before = syncs(&client, &server);
    for _ in 0..CALLS {
        assert_eq!(client.echo(APP, "alone").await, Ok("alone".to_owned()));
    }
    let alone = syncs(&client, &server) - before;
    // The server's, before it answers. The client's own overlaps with the call: on a slow disk the next call finds it under way.
    assert!(alone >= CALLS, "{alone} syncs for {CALLS} calls, one after another");

    let before = syncs(&client, &server);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..CALLS {
        let client = client.clone();
        calls.spawn(async move { client.echo(APP, "together").await == Ok("together".to_owned()) });
    }
    assert!(calls.join_all().await.into_iter().all(|is_right| is_right));
    // How many depends on the disk and on what else the machine does; that they are shared does not.
    let together = syncs(&client, &server) - before;
    assert!((2..CALLS / 2).contains(&together), "{together} syncs for {CALLS} calls at once");
    leave(client).await;
}
