//! Broadcasts: offered, guaranteed, told to go.

use std::time::Duration;
use std::vec::Vec;

use super::pair::*;
use crate::config::Config;
use crate::ids::*;
use crate::session::*;

fn delivered(pair: &Pair) -> Vec<u64> {
    let payload = |event: &ClientEvent<u64>| match event {
        ClientEvent::Broadcast { payload, .. } => Some(*payload),
        _ => None,
    };
    pair.client_events.iter().filter_map(payload).collect()
}

#[test]
fn broadcasts_are_delivered_once_and_in_order_under_loss_and_cuts() {
    for seed in 0..30 {
        let mut pair =
            Pair::seeded(Config { flush_after: Duration::from_millis(20), ..Config::default() }, false, seed);
        pair.run_for(Duration::from_millis(10));
        (pair.up.drop, pair.down.drop) = (0.2, 0.2);
        for number in 0..200 {
            let now = pair.now;
            pair.server.as_mut().unwrap().broadcast(now, NEWS, number, false).unwrap();
            pair.step();
            if number % 61 == 60 {
                pair.cut();
                pair.connect();
            }
        }
        for _ in 0..20_000 {
            if delivered(&pair).len() == 200 {
                break;
            }
            if !pair.is_linked {
                pair.connect();
            }
            pair.step();
        }
        assert!(delivered(&pair).into_iter().eq(0..200), "broadcast_once, lane_order, seed {seed}");
    }
}

#[test]
fn a_broadcast_without_handler_is_refused_by_the_node() {
    let mut pair = Pair::new(Config::default(), true);
    pair.run_for(Duration::from_millis(10));
    let now = pair.now;
    let unknown = MethodId(9);
    assert!(!pair.server.as_ref().unwrap().handles_broadcast(unknown));
    pair.server.as_mut().unwrap().broadcast(now, unknown, 5, false).unwrap();
    pair.run_for(Duration::from_secs(3));
    assert!(delivered(&pair).is_empty());
    let refused =
        ServerEvent::BroadcastRefused { number: BroadcastNumber(0), method: unknown, redelivered: false, payload: 5 };
    assert!(pair.server_events.contains(&refused));
    pair.send(1);
    pair.run_until_answered(1, Duration::from_secs(3));
}

#[test]
fn an_offer_that_was_taken_back_is_revoked_when_the_node_returns() {
    let mut pair = Pair::new(Config::default(), true);
    pair.run_for(Duration::from_millis(10));
    let now = pair.now;
    pair.server.as_mut().unwrap().broadcast(now, NEWS, 5, false).unwrap();
    pair.drain();
    pair.step(); // The offer arrives; its guarantee does not.
    pair.cut();
    let now = pair.now;
    assert_eq!(
        pair.server.as_mut().unwrap().take_unassigned(now),
        [Unassigned { number: BroadcastNumber(0), method: NEWS, payload: 5, redelivered: false }]
    );
    assert!(pair.server.as_mut().unwrap().take_unassigned(now).is_empty());
    pair.connect();
    pair.run_for(Duration::from_secs(5));
    assert!(delivered(&pair).is_empty(), "broadcast_once: it runs elsewhere");
    assert_eq!(pair.close_reasons, []);
}

#[test]
fn broadcasts_that_a_node_did_not_guarantee_to_run_are_left_over_when_its_session_ends() {
    let mut pair = Pair::new(Config::default(), true);
    pair.run_for(Duration::from_millis(10));
    let now = pair.now;
    for payload in 0..3 {
        pair.server.as_mut().unwrap().broadcast(now, NEWS, payload, false).unwrap();
    }
    pair.drain();
    pair.run_for(Duration::from_millis(1_002)); // The guarantees have arrived, and the goes have left.
    pair.cut();
    let now = pair.now;
    pair.server.as_mut().unwrap().broadcast(now, NEWS, 9, false).unwrap();
    pair.run_for(Duration::from_secs(400));
    let Some(ServerEvent::Ended(ended)) = pair.server_events.last() else { panic!("not ended") };
    let left: Vec<_> = ended.unassigned.iter().map(|left| (left.payload, left.redelivered)).collect();
    assert_eq!(left, [(0, true), (1, true), (2, true), (9, false)]);
}

#[test]
fn a_broadcast_that_may_have_run_elsewhere_stays_so_when_its_next_node_refuses_it_or_never_hears_the_go() {
    // One message in flight at a time: the go of the first waits behind the second.
    let config = Config { bytes_in_flight_max: 1, flush_after: Duration::ZERO, ..Config::default() };
    let mut pair = Pair::new(config, true);
    pair.run_for(Duration::from_millis(10));
    let (now, unknown) = (pair.now, MethodId(9));
    let server = pair.server.as_mut().unwrap();
    server.broadcast(now, unknown, 4, true).unwrap();
    server.broadcast(now, NEWS, 5, true).unwrap();
    server.broadcast(now, NEWS, 6, false).unwrap();
    pair.drain();
    while !pair.server_events.contains(&ServerEvent::BroadcastAssigned(BroadcastNumber(1))) {
        pair.step();
    }
    let refused =
        ServerEvent::BroadcastRefused { number: BroadcastNumber(0), method: unknown, redelivered: true, payload: 4 };
    assert!(pair.server_events.contains(&refused));
    pair.cut();
    pair.run_for(Duration::from_secs(400));
    let Some(ServerEvent::Ended(ended)) = pair.server_events.last() else { panic!("not ended") };
    let left: Vec<_> = ended.unassigned.iter().map(|left| (left.payload, left.redelivered)).collect();
    assert_eq!(left, [(5, true), (6, false)]);
}

#[test]
fn a_node_that_says_goodbye_runs_what_it_was_told_before() {
    let mut pair = Pair::new(Config { flush_after: Duration::ZERO, ..Config::default() }, true);
    pair.run_for(Duration::from_millis(10));
    let now = pair.now;
    pair.server.as_mut().unwrap().broadcast(now, NEWS, 5, false).unwrap();
    pair.drain();
    pair.step();
    pair.client.disconnect(pair.now, Duration::from_secs(5));
    pair.run_for(Duration::from_secs(2));
    assert!(pair.client.is_ended());
    let Some(ServerEvent::Ended(ended)) = pair.server_events.last() else { panic!("not ended") };
    assert_eq!(delivered(&pair).len() + ended.unassigned.len(), 1, "delivered here or elsewhere");
}

#[test]
fn a_go_does_not_wait_behind_offers_that_were_not_sent() {
    let config = Config { pool_size: 8, pool_size_max: 8, flush_after: Duration::ZERO, ..Config::default() };
    let mut pair = Pair::new(config, true);
    pair.run_for(Duration::from_millis(10));
    let now = pair.now;
    for payload in 0..1_000 {
        pair.server.as_mut().unwrap().broadcast(now, NEWS, payload, false).unwrap();
    }
    while delivered(&pair).is_empty() {
        assert!(pair.step());
    }
    let sent = pair.server.as_ref().unwrap().stats().sent;
    assert!(sent <= 16, "{sent} messages were sent before the first broadcast ran");
    while delivered(&pair).len() < 1_000 {
        assert!(pair.step());
    }
    assert!(delivered(&pair).into_iter().eq(0..1_000));
}

/// Nobody can know whether a node that stands still has begun. Its run may come after the marked one, and is the only unmarked one.
#[test]
fn a_node_that_stood_still_runs_what_it_was_told_and_every_other_run_is_marked() {
    let mut pair = Pair::new(Config { flush_after: Duration::ZERO, ..Config::default() }, true);
    pair.run_for(Duration::from_millis(10));
    let now = pair.now;
    pair.server.as_mut().unwrap().broadcast(now, NEWS, 5, false).unwrap();
    while !pair.server_events.contains(&ServerEvent::BroadcastAssigned(BroadcastNumber(0))) {
        assert!(pair.step());
    }
    // The go is on its way to a node whose process is stopped; the server sees a dead link.
    let server = pair.server.as_mut().unwrap();
    server.handle(pair.now, Input::LinkDown);
    pair.now = pair.now + Duration::from_secs(400);
    server.handle(pair.now, Input::Timeout);
    assert!(delivered(&pair).is_empty());
    pair.drain(); // The session ends; then the node goes on, and finds what had arrived.
    let ended = pair.server_events.iter().find_map(|event| match event {
        ServerEvent::Ended(ended) => Some(ended),
        _ => None,
    });
    let left: Vec<_> = ended.unwrap().unassigned.iter().map(|left| (left.payload, left.redelivered)).collect();
    assert_eq!(left, [(5, true)], "the next node is told that it may have run");
    let (number, method) = (BroadcastNumber(0), NEWS);
    let run = ClientEvent::Broadcast { number, method, redelivered: false, payload: 5 };
    assert!(pair.client_events.contains(&run));
}
