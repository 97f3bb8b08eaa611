//! What must be so, over every transport, of what all sessions of a server take together.

use rpcgen_runtime::{BroadcastError, CallError, Refusal, Server, ServerLimits};

use super::address;
use crate::desk;
use crate::support::{APP, Business, config, connect, in_a_life_of_its_own, is_alive, listen_in};

async fn serve_within(name: &str, limits: ServerLimits) -> (Server, Business) {
    let business = Business::default();
    let builder = Server::builder().config(config()).serve(desk::server(business.clone())).limits(limits);
    (builder.listen(&address(name)).await.unwrap(), business)
}

async fn nothing_is_logged(server: &Server) {
    while server.stats().logged_bytes > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn handler_begins_when_one_of_another_session_has_ended() {
    let limits = ServerLimits { handlers_max: 2, ..ServerLimits::default() };
    let (server, business) = serve_within("handlers", limits).await;
    let (one, other) = (connect(&server.local_address()).await, connect(&server.local_address()).await);
    let first = [one.wait(APP).send().await.unwrap(), one.wait(APP).send().await.unwrap()];
    business.started(2).await;
    let third = other.wait(APP).send().await.unwrap();
    third.guaranteed().await.unwrap();
    assert_eq!(business.runs(), 2, "both places are taken");
    business.open_gate();
    business.started(3).await;
    business.open_gate();
    business.open_gate();
    for call in first.into_iter().chain([third]) {
        assert!(!call.await.unwrap());
    }
    assert!(is_alive(&one).await && is_alive(&other).await);
}

#[tokio::test]
async fn broadcast_that_nobody_takes_is_no_reason_to_refuse_actions_and_one_to_refuse_broadcasts() {
    let limits = ServerLimits { logged_bytes_max: 1, ..ServerLimits::default() };
    let (server, _) = serve_within("waiting", limits).await;
    let client = connect(&server.local_address()).await;
    let broadcasts = server.broadcasts::<desk::Broadcasts>();
    broadcasts.notice(APP, 1).await.unwrap();
    assert!(matches!(broadcasts.notice(APP, 2).await, Err(BroadcastError::LogsFull { bytes: 1.. })));
    assert_eq!(client.echo(APP, "text").await.unwrap(), "text");
    // A node comes for what waits, and there is room again.
    let mut node = listen_in(&server.local_address()).await;
    assert_eq!(node.notices.recv().await, Some(1));
    nothing_is_logged(&server).await;
    broadcasts.notice(APP, 3).await.unwrap();
    assert_eq!(node.notices.recv().await, Some(3));
}

#[tokio::test]
async fn server_whose_logs_are_full_refuses_what_was_not_promised_and_keeps_what_was() {
    let limits = ServerLimits { logged_bytes_max: 1, ..ServerLimits::default() };
    let (server, business) = serve_within("logs", limits).await;
    let address = server.local_address();
    let client = connect(&address).await;
    let broadcasts = server.broadcasts::<desk::Broadcasts>();
    let node = address.clone();
    in_a_life_of_its_own(async move || {
        listen_in(&node).await.client.open_topic(APP, "weather").await.unwrap();
    })
    .await;
    let runs = business.runs();
    // For the node that is gone; its last answer may be logged for it already, and leave no room.
    let _ = broadcasts.news(APP, "weather", 1).await;
    while server.stats().logged_bytes == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.echo(APP, "text").await, Err(CallError::Refused(Refusal::Overloaded)));
    assert!(matches!(broadcasts.notice(APP, 2).await, Err(BroadcastError::LogsFull { bytes: 1.. })));
    assert_eq!(business.runs(), runs, "it did not run");
}
