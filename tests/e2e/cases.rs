//! What must be so over every transport.

use std::time::Duration;

use rpcgen_runtime::generated::{ServiceDescriptor, Stub};
use rpcgen_runtime::{
    CallError, CancelOutcome, Client, Config, ConnectError, FaultPlan, Refusal, SendError, Server, Step,
};
use tokio::task::JoinSet;

use super::address;
use crate::desk::{self, DivideError};
use crate::support::{APP, Business, config, connect, is_alive, serve, serve_at};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn call_is_answered() {
    let (server, business) = serve(&address("echo")).await;
    let client = connect(&server.local_address()).await;
    assert_eq!(client.echo(APP, "hello").await.unwrap(), "hello");
    assert_eq!(business.runs(), 1);
    assert_eq!(server.stats().session_count, 1);
}

#[tokio::test]
async fn three_steps_come_one_after_the_other() {
    let (server, business) = serve(&address("steps")).await;
    let client = connect(&server.local_address()).await;
    let call = client.wait(APP).send().await.unwrap();
    call.guaranteed().await.unwrap();
    business.started(1).await;
    business.open_gate();
    assert!(!call.await.unwrap());
}

#[tokio::test]
async fn business_error_is_typed() {
    let (server, _) = serve(&address("error")).await;
    let client = connect(&server.local_address()).await;
    assert_eq!(client.divide(APP, 12, 4).await.unwrap(), 3);
    assert_eq!(client.divide(APP, 1, 0).await, Err(CallError::Failed(DivideError::ByZero)));
}

#[tokio::test]
async fn handler_that_panics_is_answered_for_and_hurts_nobody() {
    let (server, _) = serve(&address("panic")).await;
    let client = connect(&server.local_address()).await;
    for late in [false, true] {
        assert_eq!(client.panic(APP, late).await, Err(CallError::Refused(Refusal::HandlerPanicked)));
    }
    assert!(is_alive(&client).await);
}

#[tokio::test]
async fn queued_action_that_is_cancelled_never_runs() {
    let (server, business) = serve(&address("cancel")).await;
    let client = connect(&server.local_address()).await;
    server.pause_business(true);
    let call = client.echo(APP, "never").send().await.unwrap();
    call.guaranteed().await.unwrap();
    assert_eq!(call.cancel().await, CancelOutcome::Cancelled);
    server.pause_business(false);
    assert_eq!(call.await, Err(CallError::Cancelled));
    assert!(is_alive(&client).await);
    assert_eq!(business.runs(), 1);
}

#[tokio::test]
async fn running_action_hears_that_its_cancel_came_too_late() {
    let (server, business) = serve(&address("late-cancel")).await;
    let client = connect(&server.local_address()).await;
    let call = client.wait_for_cancel(APP).send().await.unwrap();
    business.started(1).await;
    assert_eq!(call.cancel().await, CancelOutcome::Executing);
    call.await.unwrap();
}

#[tokio::test]
async fn pending_calls_are_listed_in_their_order_with_step_and_name_and_can_be_cancelled() {
    let (server, _) = serve(&address("pending")).await;
    let client = connect(&server.local_address()).await;
    server.pause_business(true);
    let first = client.echo(APP, "first").send().await.unwrap();
    let second = client.divide(APP, 12, 4).send().await.unwrap();
    first.guaranteed().await.unwrap();
    second.guaranteed().await.unwrap();
    let pending = client.runtime().pending_calls().await;
    let seen: Vec<_> = pending.iter().map(|call| (call.number(), call.action(), call.step())).collect();
    assert_eq!(seen, [(first.number(), "echo", Step::Guaranteed), (second.number(), "divide", Step::Guaranteed)]);
    assert_eq!(pending[0].cancel().await, CancelOutcome::Cancelled);
    assert_eq!(first.await, Err(CallError::Cancelled));
    server.pause_business(false);
    assert_eq!(second.await.unwrap(), 3);
    assert_eq!(pending[1].step(), Step::Answered);
    assert!(client.runtime().pending_calls().await.is_empty());
}

/// So many frames dropped by both ends.
fn dropped(server: &Server, client: &desk::Client) -> (u64, u64) {
    (server.stats().faults.dropped, client.runtime().stats().faults.dropped)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_can_be_put_in_force_and_lifted_while_calls_are_made() {
    let (server, business) = serve(&address("new-faults")).await;
    let client = connect(&server.local_address()).await;
    call_and_cut(&client, 100, 0).await;
    assert_eq!(dropped(&server, &client), (0, 0));
    let plan = FaultPlan { seed: 3, drop: 0.2, ..FaultPlan::default() };
    server.set_faults(Some(plan));
    client.runtime().set_faults(Some(plan));
    call_and_cut(&client, 500, 1).await;
    server.set_faults(None);
    client.runtime().set_faults(None);
    call_and_cut(&client, 100, 0).await;
    let (by_server, by_client) = dropped(&server, &client);
    assert!(by_server > 0 && by_client > 0, "{by_server} {by_client}");
    call_and_cut(&client, 100, 0).await;
    assert_eq!(dropped(&server, &client), (by_server, by_client));
    assert_eq!((business.runs(), business.repeated()), (800, 0));
}

/// `count` calls, some while the link is being cut.
async fn call_and_cut(client: &desk::Client, count: u64, cuts: u64) {
    let mut calls = JoinSet::new();
    for number in 0..count {
        let client = client.clone();
        calls.spawn(async move { client.echo(APP, number.to_string()).await.unwrap() == number.to_string() });
    }
    let mut answered = 0;
    while let Some(result) = calls.join_next().await {
        assert!(result.unwrap());
        answered += 1;
        if cuts > 0 && answered % (count / (cuts + 1)) == 0 {
            client.runtime().cut_link();
        }
    }
    assert_eq!(answered, count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_survive_their_links() {
    let (server, business) = serve(&address("cut")).await;
    let client = connect(&server.local_address()).await;
    call_and_cut(&client, 1_000, 5).await;
    assert_eq!((business.runs(), business.repeated()), (1_000, 0));
    // Also after the last cut, however early the last answer was.
    assert!(is_alive(&client).await);
    assert!(client.runtime().stats().session.links > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_survive_one_lost_frame_in_ten_both_ways() {
    let plan = FaultPlan { drop: 0.1, drop_broadcast: 0.1, seed: 5, ..FaultPlan::default() };
    let business = Business::default();
    let builder = Server::builder().config(config()).faults(plan).serve(desk::server(business.clone()));
    let server = builder.listen(&address("loss")).await.unwrap();
    let builder = desk::Client::builder().config(config()).faults(FaultPlan { seed: 6, ..plan });
    let client = builder.connect(&server.local_address()).await.unwrap();
    call_and_cut(&client, 1_000, 2).await;
    assert_eq!((business.runs(), business.repeated()), (1_000, 0));
    let stats = client.runtime().stats();
    assert!(stats.faults.dropped > 0 && server.stats().faults.dropped > 0 && stats.session.resent > 0);
    assert!(client.disconnect(LONG).await.dropped.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_survive_every_fault_at_once() {
    let plan = FaultPlan {
        seed: 7,
        drop: 0.05,
        drop_broadcast: 0.05,
        duplicate: 0.05,
        reorder: 0.05,
        delay: 0.05,
        delay_max: Duration::from_millis(5),
        corrupt: 0.02,
        cut_every: 400,
    };
    let business = Business::default();
    let builder = Server::builder().config(config()).faults(plan).serve(desk::server(business.clone()));
    let server = builder.listen(&address("faults")).await.unwrap();
    let builder = desk::Client::builder().config(config()).faults(FaultPlan { seed: 8, ..plan });
    let client = builder.connect(&server.local_address()).await.unwrap();
    call_and_cut(&client, 500, 0).await;
    assert_eq!((business.runs(), business.repeated()), (500, 0));
    assert!(client.disconnect(LONG).await.dropped.is_empty());
}

#[tokio::test]
async fn unanswered_calls_go_to_the_next_server_when_one_loses_its_memory() {
    let (server, _) = serve(&address("epoch")).await;
    let address = server.local_address();
    let client = connect(&address).await;
    server.pause_business(true);
    let mut calls = Vec::new();
    for number in 0..10 {
        calls.push(client.echo(APP, number.to_string()).send().await.unwrap());
        calls[number].guaranteed().await.unwrap();
    }
    drop(server);
    let (_server, business) = serve_at(&address, config()).await;
    for (number, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap(), number.to_string());
    }
    assert_eq!((business.runs(), business.repeated()), (10, 0));
}

#[tokio::test]
async fn call_is_accepted_while_no_server_is_there() {
    let (server, _) = serve(&address("away")).await;
    let address = server.local_address();
    drop(server);
    let builder = desk::Client::builder().config(config()).connect_lazily();
    let client = builder.connect(&address).await.unwrap();
    let call = client.echo(APP, "later").send().await.unwrap();
    let (_server, _) = serve_at(&address, config()).await;
    assert_eq!(call.await.unwrap(), "later");
}

#[tokio::test]
async fn connect_says_that_nobody_is_there() {
    let (server, _) = serve(&address("nobody")).await;
    let address = server.local_address();
    server.shutdown(LONG).await;
    let builder = desk::Client::builder().connect_within(Duration::from_millis(50));
    let error = builder.connect(&address).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error}");
    assert!(error.to_string().contains(&address), "{error}");
}

/// A stub of the same service made from another schema.
struct OtherSchema(Client);

static OTHER: ServiceDescriptor =
    ServiceDescriptor { name: "desk.Desk", fingerprint: 1, shape: "", actions: &[], broadcasts: &[] };

impl Stub for OtherSchema {
    const SERVICE: &'static ServiceDescriptor = &OTHER;

    fn from_client(client: Client) -> Self {
        Self(client)
    }

    fn as_client(&self) -> &Client {
        &self.0
    }
}

#[tokio::test]
async fn client_of_another_schema_is_refused_with_the_reason() {
    let (server, _) = serve(&address("schema")).await;
    let builder = rpcgen_runtime::client::ClientBuilder::<OtherSchema>::new();
    let Err(error) = builder.connect(&server.local_address()).await else { panic!("it is refused") };
    assert!(matches!(error, ConnectError::Rejected { .. }), "{error}");
    assert!(error.to_string().contains("build both ends from one .rpc file"), "{error}");
}

#[tokio::test]
async fn full_log_says_so_or_waits() {
    let (server, business) = serve(&address("full")).await;
    let small = Config { log_messages_max: 2, ..config() };
    let client = desk::Client::builder().config(small).connect(&server.local_address()).await.unwrap();
    let first = client.wait(APP).send().await.unwrap();
    let second = client.wait(APP).send().await.unwrap();
    let refused = client.wait(APP).try_send().await.unwrap_err();
    assert!(matches!(refused, SendError::Refused(rpcgen_proto::error::SendError::LogFull { .. })), "{refused}");
    // One that gave up waiting is not sent; one that waits is, as soon as there is room.
    let mut given_up = Box::pin(client.wait(APP).send());
    assert!(tokio::time::timeout(Duration::from_millis(1), &mut given_up).await.is_err());
    drop(given_up);
    let waits = tokio::spawn({
        let client = client.clone();
        async move { client.echo(APP, "waited").await }
    });
    business.open_gate();
    assert_eq!(waits.await.unwrap().unwrap(), "waited");
    business.open_gate();
    let (first, second) = (first.await, second.await);
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(business.runs(), 3);
}

#[tokio::test]
async fn every_one_of_many_callers_is_answered_although_the_log_has_room_for_two() {
    let (server, business) = serve(&address("crowd")).await;
    let small = Config { log_messages_max: 2, ..config() };
    let client = desk::Client::builder().config(small).connect(&server.local_address()).await.unwrap();
    call_and_cut(&client, 100, 0).await;
    assert_eq!((business.runs(), business.repeated()), (100, 0));
}

#[tokio::test]
async fn request_that_fits_in_no_frame_is_not_accepted() {
    let (server, _) = serve(&address("large")).await;
    let client = connect(&server.local_address()).await;
    if server.local_address().starts_with("tcp") {
        let error = client.echo(APP, "x".repeat(1 << 20)).await.unwrap_err();
        assert!(matches!(error, CallError::NotAccepted(SendError::Refused(_))), "{error}");
    }
    let text = "x".repeat(900_000);
    assert_eq!(client.echo(APP, text.clone()).await.unwrap(), text);
}

#[tokio::test]
async fn request_beyond_its_limit_is_not_accepted_and_the_client_goes_on() {
    let (server, business) = serve(&address("limit")).await;
    let client = connect(&server.local_address()).await;
    let error = client.echo(APP, "x".repeat(2_000_001)).await.unwrap_err();
    assert!(matches!(error, CallError::NotAccepted(SendError::Encode(_))), "{error}");
    assert_eq!(business.runs(), 0);
    assert_eq!(client.echo(APP, "next").await.unwrap(), "next");
}

#[tokio::test]
async fn disconnect_waits_for_what_is_open() {
    let (server, business) = serve(&address("drain")).await;
    let client = connect(&server.local_address()).await;
    let call = client.wait(APP).send().await.unwrap();
    business.started(1).await;
    let (report, ()) = tokio::join!(client.disconnect(LONG), async { business.open_gate() });
    assert!(report.dropped.is_empty());
    call.await.unwrap();
    let error = client.echo(APP, "late").await.unwrap_err();
    assert!(matches!(error, CallError::NotAccepted(_)), "{error}");
}

#[tokio::test]
async fn disconnect_at_its_limit_names_what_it_dropped() {
    let (server, business) = serve(&address("limit")).await;
    let client = connect(&server.local_address()).await;
    let call = client.wait(APP).send().await.unwrap();
    business.started(1).await;
    let report = client.disconnect(Duration::from_millis(1)).await;
    assert_eq!(report.dropped.iter().map(|call| call.action).collect::<Vec<_>>(), ["wait"]);
    assert_eq!(call.await, Err(CallError::Unknown));
}

#[tokio::test]
async fn goodbye_at_the_limit_leaves_before_the_link_closes_also_with_faults_planned() {
    let (server, business) = serve(&address("goodbye")).await;
    let rare = FaultPlan { duplicate: 1e-9, ..FaultPlan::default() };
    let builder = desk::Client::builder().faults(rare);
    let client = builder.connect(&server.local_address()).await.unwrap();
    let call = client.wait(APP).send().await.unwrap();
    business.started(1).await;
    assert_eq!(client.disconnect(Duration::from_millis(1)).await.dropped.len(), 1);
    assert_eq!(call.await, Err(CallError::Unknown));
    // Long before the session would expire.
    let is_gone = async {
        while server.stats().session_count > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, is_gone).await.expect("the goodbye arrived");
}

#[tokio::test]
async fn shutdown_answers_what_runs() {
    let (server, business) = serve(&address("shutdown")).await;
    let client = connect(&server.local_address()).await;
    let call = client.wait(APP).send().await.unwrap();
    business.started(1).await;
    let (report, ()) = tokio::join!(server.shutdown(LONG), async { business.open_gate() });
    assert_eq!(report.cut_short, 0);
    call.await.unwrap();
}

#[tokio::test]
async fn planned_restart_fails_no_call() {
    let (server, business) = serve(&address("restart")).await;
    let address = server.local_address();
    let client = connect(&address).await;
    let running = client.wait(APP).send().await.unwrap();
    business.started(1).await;
    let restart = async {
        let shutdown = server.shutdown(LONG);
        let later = async {
            let later = client.echo(APP, "for the next one").send().await.unwrap();
            business.open_gate();
            (later,)
        };
        let (report, (later,)) = tokio::join!(shutdown, later);
        assert_eq!(report.cut_short, 0);
        (serve_at(&address, config()).await, later)
    };
    let (_server, later) = restart.await;
    running.await.unwrap();
    assert_eq!(later.await.unwrap(), "for the next one");
}

#[tokio::test]
async fn client_that_nobody_holds_leaves_and_its_open_calls_keep_it() {
    let (server, business) = serve(&address("leaves")).await;
    let client = connect(&server.local_address()).await;
    let call = client.wait(APP).send().await.unwrap();
    drop(client);
    business.started(1).await;
    business.open_gate();
    call.await.unwrap();
}

#[tokio::test]
async fn accepted_call_that_nobody_holds_is_delivered_after_a_cut_and_its_client_leaves_formally() {
    let (server, business) = serve(&address("orphan")).await;
    let client = connect(&server.local_address()).await;
    client.runtime().cut_link();
    drop(client.wait(APP).send().await.unwrap());
    drop(client);
    business.started(1).await;
    business.open_gate();
    let gone = async {
        while server.stats().session_count > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, gone).await.expect("the client said goodbye: its session is not kept for five minutes");
}
