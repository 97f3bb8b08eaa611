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
        [Unassigned { method: NEWS, payload: 5, redelivered: false }]
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
