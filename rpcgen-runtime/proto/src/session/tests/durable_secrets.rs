//! Whose a session is after crashes, and with copied and restored logs.

use std::time::Duration;

use super::pair::*;
use super::toy_log::ToyLog;
use crate::frame::{FreshReason, Reject, RejectReason};
use crate::record::ClientRecord;
use crate::session::*;

const SOON: Duration = Duration::from_millis(50);

fn rejects(pair: &Pair) -> std::vec::Vec<RejectReason> {
    let reason = |event: &ClientEvent<u64>| match event {
        ClientEvent::Rejected(Reject { reason, .. }) => Some(*reason),
        _ => None,
    };
    pair.client_events.iter().filter_map(reason).collect()
}

fn fresh(pair: &Pair) -> std::vec::Vec<FreshReason> {
    let reason = |event: &ClientEvent<u64>| match event {
        ClientEvent::Linked { fresh, .. } => *fresh,
        _ => None,
    };
    pair.client_events.iter().filter_map(reason).collect()
}

/// Both ends, with one call answered.
fn used() -> Pair {
    let mut pair = Pair::durable(true, true);
    pair.send(1);
    pair.run_until_answered(1, Duration::from_secs(5));
    pair.run_for(Duration::from_secs(2));
    pair
}

#[test]
fn lanes_begin_afresh_when_either_end_was_restarted_and_the_session_is_the_same() {
    let mut pair = used();
    let session = pair.server.as_ref().unwrap().session();
    pair.crash_client();
    pair.connect();
    pair.run_for(SOON);
    pair.crash_server();
    pair.connect();
    pair.run_for(SOON);
    assert_eq!(fresh(&pair), [FreshReason::Asked, FreshReason::Restarted, FreshReason::NewEpoch]);
    assert_eq!(pair.server.as_ref().unwrap().session(), session);
}

#[test]
fn a_session_that_nobody_ever_used_is_the_next_life_s_without_proof() {
    let mut pair = Pair::durable(true, true);
    pair.step(); // The hello arrives; its welcome is lost.
    pair.crash_client();
    pair.connect();
    pair.send(1);
    pair.run_until_answered(1, Duration::from_secs(5));
    assert!(rejects(&pair).is_empty());
}

// spec: protocol.md 8
#[test]
fn a_client_that_dies_before_the_new_secret_is_on_record_gets_in_with_the_last_one() {
    let mut pair = used();
    pair.crash_client();
    pair.hold_syncs(true, false);
    pair.connect();
    pair.send(2);
    pair.run_for(SOON);
    assert_eq!(fresh(&pair).len(), 2, "it was welcome");
    assert_eq!(pair.begun.len(), 1, "and says nothing before the secret is on its record");
    pair.crash_client();
    pair.hold_syncs(false, false);
    pair.connect();
    pair.send(3);
    pair.run_until_answered(1, Duration::from_secs(5));
    assert!(rejects(&pair).is_empty());
}

// spec: protocol.md 8
#[test]
fn a_client_that_comes_back_before_the_new_secret_is_on_record_waits_with_its_hello() {
    for dies in [true, false] {
        let mut pair = used();
        pair.crash_client();
        pair.hold_syncs(true, false);
        pair.connect();
        pair.run_for(SOON);
        pair.crash_server();
        pair.connect();
        pair.run_for(SOON);
        assert_eq!(
            fresh(&pair).len(),
            2,
            "with the proof of a secret that only its memory has it would get a third one"
        );
        if dies {
            pair.crash_client();
            pair.hold_syncs(false, false);
            pair.connect();
        } else {
            pair.sync_client(); // It says hello by itself.
            pair.hold_syncs(false, false);
        }
        pair.send(3);
        pair.run_until_answered(1, Duration::from_secs(5));
        assert!(rejects(&pair).is_empty(), "the server takes what is on the client's record");
    }
}

// spec: protocol.md 8
#[test]
fn a_server_that_dies_before_the_new_secret_is_on_record_has_told_it_to_nobody() {
    let mut pair = used();
    pair.crash_client();
    pair.hold_syncs(false, true);
    pair.connect();
    pair.run_for(SOON);
    assert_eq!(fresh(&pair).len(), 1, "no welcome before the record");
    pair.crash_server();
    pair.hold_syncs(false, false);
    pair.send(2);
    pair.run_until_answered(1, Duration::from_secs(5));
    assert!(rejects(&pair).is_empty());
}

// spec: protocol.md 8
#[test]
fn an_older_copy_of_a_client_is_refused_by_name() {
    let mut pair = used();
    let older = pair.client_log.clone().unwrap();
    pair.crash_client();
    pair.crash_client();
    pair.connect();
    pair.run_for(SOON);
    pair.client_log = Some(older);
    pair.crash_client(); // Life 2, and life 3 was here.
    pair.connect();
    pair.run_for(SOON);
    assert_eq!(rejects(&pair), [RejectReason::OlderCopy]);
}

// spec: protocol.md 8
#[test]
fn a_copied_log_that_comes_second_is_refused_and_the_first_goes_on() {
    let mut pair = used();
    let copy = pair.client_log.clone().unwrap();
    pair.crash_client();
    pair.send(2);
    pair.run_until_answered(1, Duration::from_secs(5));
    pair.run_for(SOON);
    let (first, log) = (pair.client.clone(), pair.client_log.replace(copy));
    pair.crash_client();
    pair.crash_client(); // A higher life, and an old secret.
    pair.connect();
    pair.run_for(SOON);
    assert_eq!(rejects(&pair), [RejectReason::BadProof]);
    (pair.client, pair.client_log) = (first, log);
    pair.cut();
    pair.send(3);
    pair.run_until_answered(1, Duration::from_secs(5));
}

#[test]
fn a_restored_server_is_noticed_and_what_is_unanswered_is_run() {
    let mut pair = used();
    let snapshot = pair.server_log.clone();
    pair.crash_server();
    pair.connect();
    pair.run_for(SOON);
    pair.crash_server();
    pair.send(2);
    pair.run_until_answered(2, Duration::from_secs(5));
    pair.run_for(Duration::from_secs(2));
    pair.server_log = snapshot;
    pair.crash_server();
    pair.send(3);
    pair.connect();
    pair.run_for(Duration::from_secs(1));
    assert_eq!(rejects(&pair), [RejectReason::ServerRestored]);
    pair.run_for(Duration::from_secs(310)); // The session that the snapshot remembers expires.
    pair.run_until_answered(3, Duration::from_secs(60));
    assert!(pair.client_events.iter().any(|event| matches!(event, ClientEvent::ServerRestored { .. })));
}

/// A server with another log, which was opened so often, takes over.
fn take_over(pair: &mut Pair, id: u8, life: u64) {
    let mut log = ToyLog::new();
    (log.id, log.life) = ([id; 3], life - 1);
    pair.server_log = Some(log);
    pair.crash_server();
}

// spec: protocol.md 8
#[test]
fn a_server_of_another_log_does_not_take_what_it_never_knew_for_expired() {
    for client_has_log in [false, true] {
        let mut pair = Pair::durable(client_has_log, true);
        pair.run_for(SOON);
        pair.answers = false;
        let call = pair.send(1);
        pair.run_for(SOON);
        assert_eq!(pair.begun.len(), 1);
        take_over(&mut pair, 7, 3); // The client knows of the first life of its log.
        pair.answers = true;
        pair.connect();
        pair.run_until_answered(1, Duration::from_secs(5));
        let answer = &pair.answered[&call.number];
        assert!(matches!(answer, Answer::Response(_)), "{answer:?}: nobody knows that it must not run");
        assert!(pair.client_events.iter().any(|event| matches!(event, ClientEvent::ServerRestored { .. })));
    }
}

#[test]
fn a_secret_is_on_record_once_for_each_begin_of_the_lanes() {
    let pair = used();
    let sessions = pair.client_log.as_ref().unwrap().records.iter();
    assert_eq!(sessions.filter(|record| matches!(record, ClientRecord::Session(_))).count(), 1);
}
