//! What must be so of broadcasts over every transport.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rpcgen_runtime::{BroadcastError, Config, Server};
use tokio::sync::oneshot;

use super::address;
use crate::desk;
use crate::support::{
    APP, Business, SlowNode, config, connect, in_a_life_of_its_own, is_alive, listen_in, listen_in_with, serve,
    serve_at,
};

const LONG: Duration = Duration::from_secs(20);

/// News of the weather are for a node that is gone without a word.
async fn open_topic_and_die(server: &Server) {
    let address = server.local_address();
    in_a_life_of_its_own(async move || {
        let asks = listen_in(&address).await;
        asks.client.open_topic(APP, "weather").await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn broadcast_goes_to_the_node_that_asked_and_to_it_alone() {
    let (server, _) = serve(&address("origin")).await;
    let mut asks = listen_in(&server.local_address()).await;
    let mut other = listen_in(&server.local_address()).await;
    asks.client.open_topic(APP, "weather").await.unwrap();
    let broadcasts = server.broadcasts::<desk::Broadcasts>();
    for number in 0..50 {
        broadcasts.news(APP, "weather", number).await.unwrap();
        if number == 25 {
            asks.client.runtime().cut_link();
        }
    }
    for number in 0..50 {
        assert_eq!(asks.news.recv().await, Some((number, false)));
    }
    assert!(asks.news.try_recv().is_err() && other.news.try_recv().is_err());
}

#[tokio::test]
async fn broadcast_goes_to_another_node_when_its_own_is_gone_for_good() {
    let (server, _) = serve(&address("reroute")).await;
    let asks = listen_in(&server.local_address()).await;
    asks.client.open_topic(APP, "weather").await.unwrap();
    let mut other = listen_in(&server.local_address()).await;
    assert!(asks.client.disconnect(LONG).await.dropped.is_empty());
    server.broadcasts::<desk::Broadcasts>().news(APP, "weather", 1).await.unwrap();
    assert_eq!(other.news.recv().await, Some((1, false)));
}

#[tokio::test]
async fn broadcasts_of_an_expired_session_go_to_another_node() {
    let brief = Config { reconnect_timeout: Duration::from_millis(20), ..config() };
    let (server, _) = serve_at(&address("expired"), brief).await;
    open_topic_and_die(&server).await;
    let mut other = listen_in(&server.local_address()).await;
    // It is logged for the node that died, or already for the other one.
    server.broadcasts::<desk::Broadcasts>().news(APP, "weather", 1).await.unwrap();
    assert_eq!(other.news.recv().await, Some((1, false)));
}

#[tokio::test]
async fn broadcast_waits_until_a_node_handles_it() {
    let (server, _) = serve(&address("waits")).await;
    let deaf = connect(&server.local_address()).await;
    let broadcasts = server.broadcasts::<desk::Broadcasts>();
    for number in 0..3 {
        broadcasts.notice(APP, number).await.unwrap();
    }
    assert_eq!(server.stats().waiting_broadcasts, 3);
    let mut node = listen_in(&server.local_address()).await;
    let mut heard = vec![node.notices.recv().await, node.notices.recv().await, node.notices.recv().await];
    heard.sort();
    assert_eq!(heard, [Some(0), Some(1), Some(2)]);
    assert!(is_alive(&deaf).await);
}

#[tokio::test]
async fn broadcast_that_nobody_could_take_is_refused_at_the_bound() {
    let builder = Server::builder().serve(desk::server(Business::default())).broadcasts_waiting_max(1);
    let server = builder.listen(&address("bound")).await.unwrap();
    let broadcasts = server.broadcasts::<desk::Broadcasts>();
    broadcasts.notice(APP, 1).await.unwrap();
    assert_eq!(broadcasts.notice(APP, 2).await, Err(BroadcastError::Full { waiting: 1 }));
    drop(server);
}

#[tokio::test]
async fn broadcast_that_another_node_was_told_to_handle_says_so_and_one_that_was_only_offered_does_not() {
    let brief = Config { reconnect_timeout: Duration::from_millis(20), ..config() };
    let (server, _) = serve_at(&address("redelivered"), brief).await;
    let broadcasts = server.broadcasts::<desk::Broadcasts>();
    let (opened, is_open) = oneshot::channel();
    let address = server.local_address();
    let life = in_a_life_of_its_own(async move || {
        // This node guarantees only with what it sends anyway: so the test says when.
        let silent = Config { flush_after: Duration::from_secs(600), ..config() };
        let mut asks = listen_in_with(&address, silent).await;
        asks.client.open_topic(APP, "weather").await.unwrap();
        opened.send(()).unwrap();
        // Each echo carries the guarantees of what came before it; none is sent after the handler has run.
        loop {
            if let Ok(heard) = asks.news.try_recv() {
                return heard;
            }
            assert!(is_alive(&asks.client).await);
        }
    });
    let (heard, ()) = tokio::join!(life, async {
        is_open.await.unwrap();
        broadcasts.news(APP, "weather", 1).await.unwrap();
    });
    assert_eq!(heard, (1, false), "and then it died, and nobody knows that it ran");
    let mut other = listen_in(&server.local_address()).await;
    broadcasts.news(APP, "weather", 2).await.unwrap();
    let mut heard = [other.news.recv().await.unwrap(), other.news.recv().await.unwrap()];
    heard.sort_unstable();
    assert_eq!(heard, [(1, true), (2, false)]);
}

#[tokio::test(start_paused = true)]
async fn node_that_is_full_is_offered_the_rest_later() {
    let (server, _) = serve(&address("full-node")).await;
    let small = Config { log_messages_max: 2, ..config() };
    let mut node = listen_in_with(&server.local_address(), small).await;
    let broadcasts = server.broadcasts::<desk::Broadcasts>();
    for number in 0..20 {
        broadcasts.notice(APP, number).await.unwrap();
    }
    let mut heard = Vec::new();
    for _ in 0..20 {
        heard.push(node.notices.recv().await.unwrap());
    }
    heard.sort_unstable();
    assert!(heard.into_iter().eq(0..20), "each once");
    // It handles broadcasts still, and has its turns again.
    broadcasts.notice(APP, 20).await.unwrap();
    assert_eq!(node.notices.recv().await, Some(20));
    assert_eq!(server.shutdown(LONG).await.broadcasts_dropped, 0);
}

#[tokio::test]
async fn broadcast_that_is_logged_while_the_server_drains_is_delivered_before_its_end() {
    let (server, business) = serve(&address("drain-broadcast")).await;
    let mut node = listen_in(&server.local_address()).await;
    let client = connect(&server.local_address()).await;
    let call = client.wait(APP).send().await.unwrap();
    business.started(1).await;
    let broadcasts = server.broadcasts::<desk::Broadcasts>();
    let late = async {
        // The node's own session is idle by now.
        tokio::task::yield_now().await;
        broadcasts.notice(APP, 1).await.unwrap();
        business.open_gate();
    };
    let (report, ()) = tokio::join!(server.shutdown(LONG), late);
    assert_eq!((report.cut_short, report.broadcasts_dropped), (0, 0));
    assert_eq!(node.notices.recv().await, Some(1));
    call.await.unwrap();
}

#[tokio::test]
async fn broadcasts_that_nobody_took_stand_in_the_report_of_the_shutdown() {
    let (server, _) = serve(&address("report")).await;
    let asks = listen_in(&server.local_address()).await;
    asks.client.open_topic(APP, "weather").await.unwrap();
    assert!(asks.client.disconnect(LONG).await.dropped.is_empty());
    let broadcasts = server.broadcasts::<desk::Broadcasts>();
    for number in 0..3 {
        broadcasts.notice(APP, number).await.unwrap();
    }
    let report = server.shutdown(LONG).await;
    assert_eq!((report.cut_short, report.broadcasts_dropped), (0, 3));
    assert_eq!(broadcasts.notice(APP, 4).await, Err(BroadcastError::Closed), "it is not logged any more");
}

#[tokio::test]
async fn broadcast_of_a_node_that_is_away_stands_in_the_report_of_the_shutdown() {
    let (server, _) = serve(&address("report-away")).await;
    open_topic_and_die(&server).await;
    while server.stats().linked_count > 0 {
        tokio::task::yield_now().await;
    }
    server.broadcasts::<desk::Broadcasts>().news(APP, "weather", 1).await.unwrap();
    let report = server.shutdown(Duration::from_millis(1)).await;
    assert_eq!((report.cut_short, report.broadcasts_dropped), (1, 1));
}

#[tokio::test]
async fn slow_handlers_of_broadcasts_are_bounded_and_the_others_have_their_turn_also_after_the_end() {
    let (server, _) = serve(&address("slow-node")).await;
    let node = SlowNode::new();
    let two_at_once = Config { handlers_max: 2, ..config() };
    let builder = desk::Client::builder().config(two_at_once).broadcasts(node.handlers());
    let client = builder.connect(&server.local_address()).await.unwrap();
    let broadcasts = server.broadcasts::<desk::Broadcasts>();
    for number in 0..20 {
        broadcasts.notice(APP, number).await.unwrap();
    }
    node.has_begun(2).await;
    // The server has the guarantee of each: whatever was told to this node is handled by it.
    assert_eq!(server.shutdown(LONG).await.broadcasts_dropped, 0);
    assert!(client.disconnect(Duration::ZERO).await.dropped.is_empty());
    node.open_gate();
    node.has_done(20).await;
    assert_eq!(node.most.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn node_whose_handlers_do_not_keep_up_is_offered_no_more_than_it_has_room_for() {
    let (server, _) = serve(&address("overrun-node")).await;
    let node = SlowNode::new();
    let small = Config { handlers_max: 1, log_messages_max: 3, ..config() };
    let builder = desk::Client::builder().config(small).broadcasts(node.handlers());
    let _client = builder.connect(&server.local_address()).await.unwrap();
    let broadcasts = server.broadcasts::<desk::Broadcasts>();
    for number in 0..20 {
        broadcasts.notice(APP, number).await.unwrap();
    }
    node.has_begun(1).await;
    let mut clock = tokio::time::interval(Duration::from_secs(1));
    for _ in 0..60 {
        clock.tick().await;
    }
    // One runs, three wait; the others were never told to go.
    assert_eq!(server.shutdown(Duration::from_millis(1)).await.broadcasts_dropped, 16);
    node.open_gate();
    node.has_done(4).await;
    assert_eq!(node.most.load(Ordering::Relaxed), 1);
}
