//! Broadcasts between ends that have a durable log.

use std::time::Duration;
use std::vec::Vec;

use super::pair::*;
use super::toy_log::Entry;
use crate::config::Config;
use crate::record::{ClientRecord, ServerRecord};
use crate::session::*;

const SOON: Duration = Duration::from_millis(50);

fn runs(pair: &Pair) -> Vec<(u64, bool)> {
    let run = |event: &ClientEvent<u64>| match event {
        ClientEvent::Broadcast { payload, redelivered, .. } => Some((*payload, *redelivered)),
        _ => None,
    };
    pair.client_events.iter().filter_map(run).collect()
}

fn delivered(pair: &Pair) -> usize {
    pair.server_events.iter().filter(|event| matches!(event, ServerEvent::BroadcastDelivered(_))).count()
}

fn linked() -> Pair {
    let mut pair = Pair::durable_with(Config { flush_after: Duration::ZERO, ..Config::default() }, true, true);
    pair.send(1);
    pair.run_until_answered(1, Duration::from_secs(5));
    pair.run_for(SOON);
    pair
}

fn broadcast(pair: &mut Pair, payload: u64) {
    let now = pair.now;
    pair.server.as_mut().unwrap().broadcast(now, NEWS, payload, false).unwrap();
    pair.drain();
}

// spec: protocol.md 10
#[test]
fn a_go_leaves_when_it_is_on_record_whose_the_broadcast_is() {
    let mut pair = linked();
    pair.hold_syncs(false, true);
    broadcast(&mut pair, 5);
    pair.run_for(SOON);
    assert_eq!(runs(&pair), []);
    let assigned = |entry: &&Entry| matches!(entry, Entry::Record(ServerRecord::Assigned { .. }));
    assert_eq!(pair.server_log.as_ref().unwrap().records.iter().filter(assigned).count(), 1);
    pair.sync_server();
    pair.run_for(SOON);
    assert_eq!(runs(&pair), [(5, false)]);
}

// spec: protocol.md 10
#[test]
fn a_node_guarantees_a_go_when_it_has_the_broadcast_on_record() {
    let mut pair = linked();
    pair.hold_syncs(true, false);
    broadcast(&mut pair, 5);
    pair.run_for(SOON);
    assert_eq!((runs(&pair).len(), delivered(&pair)), (1, 0), "its handler need not wait");
    let recorded = |record: &&ClientRecord<u64>| matches!(record, ClientRecord::Broadcast(_));
    assert_eq!(pair.client_log.as_ref().unwrap().records.iter().filter(recorded).count(), 1);
    pair.sync_client();
    pair.run_for(SOON);
    assert_eq!(delivered(&pair), 1);
}

#[test]
fn a_broadcast_whose_node_died_after_the_go_is_offered_again_and_marked_and_one_before_it_is_not() {
    for told in [false, true] {
        let mut pair = linked();
        pair.hold_syncs(true, !told);
        broadcast(&mut pair, 5);
        pair.run_for(SOON);
        assert_eq!(runs(&pair).len(), usize::from(told));
        pair.hold_syncs(false, false);
        pair.sync_server();
        pair.up.frames.clear();
        pair.down.frames.clear();
        pair.crash_client();
        pair.connect();
        pair.run_for(SOON);
        let last = *runs(&pair).last().unwrap();
        assert_eq!((last.0, delivered(&pair)), (5, 1));
        assert!(last.1 || !told, "it may have run: {told}");
    }
}

#[test]
fn broadcasts_of_a_server_that_was_restarted_have_numbers_of_their_own() {
    let mut pair = linked();
    let now = pair.now;
    let before = pair.server.as_mut().unwrap().broadcast(now, NEWS, 1, false).unwrap();
    pair.crash_server();
    let after = pair.server.as_mut().unwrap().broadcast(now, NEWS, 2, false).unwrap();
    assert!(after > before, "{after} after {before}");
}
