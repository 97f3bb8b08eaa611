//! Calls between ends that have a durable log: what waits for what, and what is left after a crash.

use std::time::Duration;
use std::vec;
use std::vec::Vec;

use super::pair::*;
use crate::config::Config;
use crate::error::SendError;
use crate::frame::{CancelOutcome, Refusal};
use crate::record::{ClientRecord, RecordedCall};
use crate::session::*;

const SOON: Duration = Duration::from_millis(50);

fn count(pair: &Pair, is: impl Fn(&ClientEvent<u64>) -> bool) -> usize {
    pair.client_events.iter().filter(|event| is(event)).count()
}

fn accepted(pair: &Pair) -> usize {
    count(pair, |event| matches!(event, ClientEvent::Accepted(_)))
}

fn guaranteed(pair: &Pair) -> usize {
    count(pair, |event| matches!(event, ClientEvent::Guaranteed(_)))
}

/// A pair whose lanes have begun, so that nothing but calls waits for the logs.
fn linked(config: Config, client: bool, server: bool) -> Pair {
    let mut pair = Pair::durable_with(config, client, server);
    pair.run_for(SOON);
    pair
}

fn flush_at_once() -> Config {
    Config { flush_after: Duration::ZERO, ..Config::default() }
}

// spec: protocol.md 4
#[test]
fn a_call_is_said_to_be_accepted_when_it_is_durable_and_is_sent_before() {
    let mut pair = linked(Config::default(), true, true);
    pair.answers = false;
    pair.hold_syncs(true, false);
    pair.send(1);
    pair.run_for(SOON);
    assert_eq!((accepted(&pair), pair.begun.len()), (0, 1), "its frame did not wait");
    pair.sync_client();
    assert_eq!(accepted(&pair), 1);
}

#[test]
fn an_answer_that_comes_before_its_call_is_on_record_is_told_when_the_call_is_accepted() {
    let mut pair = linked(flush_at_once(), true, true);
    pair.hold_syncs(true, false);
    let call = pair.send(1);
    pair.run_for(SOON);
    assert!(!pair.begun.is_empty() && !pair.answered.contains_key(&call.number), "who has an answer was accepted");
    pair.sync_client();
    assert_eq!(accepted(&pair), 1);
    assert!(pair.answered.contains_key(&call.number));
}

#[test]
fn an_answer_that_is_held_back_when_the_client_gives_up_or_its_log_stops_is_listed_as_dropped() {
    for log_stops in [false, true] {
        let mut pair = linked(flush_at_once(), true, true);
        pair.hold_syncs(true, false);
        let call = pair.send(1);
        pair.run_for(SOON);
        assert!(!pair.begun.is_empty() && !pair.answered.contains_key(&call.number));
        if log_stops {
            pair.client.log_stopped(pair.now, "no disk");
        } else {
            pair.client.disconnect(pair.now, Duration::ZERO);
        }
        pair.run_for(SOON);
        let is_listed = |event: &ClientEvent<u64>| matches!(event, ClientEvent::Disconnected { dropped } if dropped.contains(&call));
        assert!(pair.client_events.iter().any(is_listed), "{:?}", pair.client_events);
    }
}

// spec: protocol.md 8
#[test]
fn a_client_that_gives_up_before_its_answers_are_on_record_says_no_goodbye() {
    let mut pair = linked(flush_at_once(), true, true);
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(SOON);
    pair.hold_syncs(true, false);
    pair.answer(pair.begun[0].0, 2);
    pair.run_for(SOON);
    assert_eq!(pair.answered[&call.number], Answer::Response(2));
    pair.client.disconnect(pair.now, Duration::ZERO);
    pair.run_for(SOON);
    pair.crash_client(); // The answer was not on record.
    pair.hold_syncs(false, false);
    pair.connect();
    pair.run_until_answered(1, Duration::from_secs(5));
    assert_eq!(pair.answered[&call.number], Answer::Response(2), "its server had it until its client has");
    assert_eq!(pair.begun.len(), 1);
}

#[test]
fn a_call_whose_client_dies_before_its_sync_was_never_accepted_and_its_number_is_never_used_again() {
    let mut pair = linked(Config::default(), true, true);
    pair.hold_syncs(true, false);
    let lost = pair.send(1);
    pair.run_for(SOON);
    pair.crash_client();
    pair.hold_syncs(false, false);
    assert_eq!((accepted(&pair), pair.client.open_calls()), (0, 0));
    let next = pair.send(100);
    assert!(next.number > lost.number, "{} after {}", next.number, lost.number);
    pair.run_until_answered(1, Duration::from_secs(5));
    assert_eq!(pair.answered[&next.number], Answer::Response(101));
}

// spec: protocol.md 1
#[test]
fn an_accepted_call_is_answered_though_its_client_was_restarted() {
    let mut pair = linked(Config::default(), true, true);
    pair.answers = false;
    let calls = [pair.send(1), pair.send(2), pair.send(3)];
    pair.run_for(SOON);
    assert_eq!((accepted(&pair), pair.begun.len()), (3, 3));
    pair.crash_client();
    let numbers = |handles: Vec<CallHandle>| handles.into_iter().map(|handle| handle.number).collect::<Vec<_>>();
    assert_eq!(numbers(pair.client.open_handles()), numbers(calls.to_vec()));
    pair.connect();
    pair.run_for(SOON);
    for (action, _, payload, _) in pair.begun.clone() {
        pair.answer(action, payload + 1);
    }
    pair.run_until_answered(3, Duration::from_secs(5));
    assert_eq!(pair.begun.len(), 3, "what runs is not run again");
    assert_eq!(pair.answered[&calls[2].number], Answer::Response(4));
}

// spec: protocol.md 4
#[test]
fn the_bit_of_an_action_waits_for_its_record_and_so_do_those_behind_it() {
    let mut pair = linked(flush_at_once(), true, true);
    pair.answers = false;
    pair.hold_syncs(false, true);
    pair.send(1);
    let volatile = pair.client.send(pair.now, VOLATILE, 2).unwrap();
    pair.run_for(SOON);
    assert_eq!((pair.begun.len(), guaranteed(&pair)), (2, 0), "{volatile:?} waits for its turn in the lane");
    pair.sync_server();
    pair.run_for(SOON);
    assert_eq!(guaranteed(&pair), 2);
}

// spec: protocol.md 6
#[test]
fn a_bit_that_comes_after_the_answer_is_not_taken_for_the_next_call_in_the_slot() {
    let mut pair = linked(Config { slots: 2, ..flush_at_once() }, true, true);
    pair.answers = false;
    pair.hold_syncs(false, true);
    let first = pair.send(1);
    let volatile = pair.client.send(pair.now, VOLATILE, 2).unwrap();
    pair.run_for(SOON);
    pair.answer(pair.begun[1].0, 3);
    pair.run_for(SOON);
    assert_eq!(pair.answered.len(), 1, "its bit waits behind the record of the first one, its answer does not");
    pair.sync_server();
    let next = pair.send(4);
    pair.run_for(SOON);
    assert_eq!(pair.begun.len(), 3);
    let told = [first, volatile, next].map(|call| count(&pair, |event| *event == ClientEvent::Guaranteed(call)));
    assert_eq!(told, [1, 1, 0], "{next:?} is not on the server's record");
}

// spec: protocol.md 4
#[test]
fn an_answer_waits_for_its_record() {
    let mut pair = linked(flush_at_once(), true, true);
    pair.answers = false;
    pair.send(1);
    pair.run_for(SOON);
    pair.hold_syncs(false, true);
    pair.answer(pair.begun[0].0, 2);
    pair.run_for(SOON);
    assert_eq!(pair.answered.len(), 0);
    pair.sync_server();
    pair.run_for(SOON);
    assert_eq!(pair.answered.len(), 1);
}

#[test]
fn an_action_whose_server_dies_before_its_answer_is_on_record_is_run_again_and_says_so() {
    let mut pair = linked(flush_at_once(), true, true);
    pair.answers = false;
    pair.send(1);
    pair.run_for(SOON);
    pair.hold_syncs(false, true);
    pair.answer(pair.begun[0].0, 2);
    pair.run_for(SOON);
    pair.crash_server();
    pair.hold_syncs(false, false);
    pair.drain();
    assert_eq!((pair.begun.len(), pair.begun[0].3), (1, true), "it runs before its client is back");
    pair.answer(pair.begun[0].0, 2);
    pair.run_until_answered(1, Duration::from_secs(5));
    assert_eq!(pair.begun.len(), 1);
}

#[test]
fn an_answer_that_is_on_record_is_sent_again_by_the_next_server_and_nothing_runs_again() {
    let mut pair = linked(Config::default(), true, true);
    pair.send(1);
    pair.down.drop_next = 100;
    pair.run_for(SOON);
    assert!(pair.answered.is_empty());
    pair.down.drop_next = 0;
    pair.crash_server();
    pair.run_until_answered(1, Duration::from_secs(5));
    assert_eq!(pair.begun.len(), 0, "the next server ran nothing");
}

#[test]
fn an_answer_that_its_client_had_not_synced_is_asked_for_again_and_is_the_stored_one() {
    let mut pair = linked(flush_at_once(), true, true);
    let call = pair.send(1);
    pair.hold_syncs(true, false);
    pair.run_for(SOON);
    assert_eq!(pair.answered.len(), 1);
    pair.crash_client();
    pair.hold_syncs(false, false);
    pair.run_until_answered(1, Duration::from_secs(5));
    assert_eq!((pair.begun.len(), &pair.answered[&call.number]), (1, &Answer::Response(2)));
}

#[test]
fn an_answer_that_its_client_has_on_record_is_forgotten_by_the_server() {
    let mut pair = linked(flush_at_once(), true, true);
    pair.send(1);
    pair.run_for(SOON);
    assert_eq!(pair.server_log.as_ref().unwrap().recover().unwrap().actions, vec![]);
    pair.crash_client();
    assert_eq!(pair.recovered.len(), 1, "the application may still claim it");
}

#[test]
fn a_client_that_died_with_an_answer_in_its_memory_does_not_say_that_it_has_it() {
    let mut pair = linked(flush_at_once(), true, true);
    pair.send(1);
    pair.hold_syncs(true, false);
    pair.run_for(SOON);
    assert_eq!(pair.answered.len(), 1);
    pair.cut();
    pair.connect(); // Its hello says what it needs no more.
    pair.run_for(SOON);
    pair.crash_server();
    pair.crash_client();
    pair.hold_syncs(false, false);
    pair.run_until_answered(1, Duration::from_secs(5));
    assert!(pair.begun.is_empty() && pair.answered.values().all(|answer| *answer == Answer::Response(2)));
}

#[test]
fn both_ends_die_at_any_step_and_every_accepted_call_is_answered_and_none_runs_twice_unsaid() {
    for steps in 0..40 {
        for (client, server) in [(true, false), (false, true), (true, true)] {
            let mut pair = Pair::durable(true, true);
            let mut runs = Vec::new();
            pair.send(1);
            pair.send(2);
            for _ in 0..steps {
                if !pair.is_linked {
                    pair.connect();
                }
                pair.step();
            }
            runs.append(&mut pair.begun);
            let before = pair.answered.len();
            if server {
                pair.crash_server();
            }
            if client {
                pair.crash_client();
            }
            let open = pair.client.open_calls();
            assert!(pair.recovered.len() + open >= 2 || !client, "after {steps}");
            pair.run_until_answered(if client { open } else { 2.max(before) }, Duration::from_secs(30));
            runs.append(&mut pair.begun);
            for number in [1, 2] {
                let unsaid = runs.iter().filter(|(.., payload, again)| *payload == number && !again).count();
                assert!(unsaid <= 1, "{number} ran {unsaid} times unsaid after {steps}: {client} {server}");
            }
        }
    }
}

// spec: protocol.md 8
#[test]
fn another_request_under_a_call_key_gets_no_answer_of_the_first() {
    let mut pair = linked(flush_at_once(), true, true);
    pair.hold_syncs(true, false);
    let call = pair.send(1);
    pair.sync_client();
    pair.run_for(SOON);
    assert_eq!(pair.answered.len(), 1, "and its answer is not on record at the client");
    let log = pair.client_log.as_mut().unwrap();
    for record in &mut log.records {
        if let ClientRecord::Call(RecordedCall { payload, .. }) = record {
            *payload = 77;
        }
    }
    pair.crash_client();
    pair.hold_syncs(false, false);
    pair.run_until_answered(1, Duration::from_secs(5));
    assert_eq!(pair.answered[&call.number], Answer::Refused(Refusal::CallKeyReused));
    assert_eq!(pair.begun.len(), 1);
}

// spec: protocol.md 8
#[test]
fn what_a_rolled_back_client_asks_for_again_is_unknown_and_never_run() {
    let mut pair = linked(flush_at_once(), true, true);
    let call = pair.send(1);
    let snapshot = pair.client_log.clone();
    pair.run_for(SOON);
    assert_eq!((pair.answered.len(), pair.begun.len()), (1, 1));
    pair.client_log = snapshot;
    pair.client_log.as_mut().unwrap().sync();
    pair.crash_client();
    pair.run_until_answered(1, Duration::from_secs(5));
    assert_eq!(pair.answered[&call.number], Answer::Refused(Refusal::Unknown));
    assert_eq!(pair.begun.len(), 1);
}

#[test]
fn an_action_without_records_that_its_server_forgot_is_run_again_among_others_that_are_on_record() {
    let mut pair = linked(flush_at_once(), true, true);
    pair.answers = false;
    let volatile = pair.client.send(pair.now, VOLATILE, 1).unwrap();
    pair.send(2);
    pair.run_for(SOON);
    assert_eq!(pair.begun.len(), 2);
    pair.answers = true;
    pair.crash_server();
    pair.run_until_answered(2, Duration::from_secs(5));
    let again = pair.begun.iter().find(|(action, ..)| action.number == volatile.number).unwrap();
    assert!(again.3, "redelivered");
    assert_eq!(pair.answered[&volatile.number], Answer::Response(2));
}

#[test]
fn a_call_without_records_dies_with_its_client() {
    let mut pair = linked(flush_at_once(), true, true);
    pair.answers = false;
    pair.client.send(pair.now, VOLATILE, 1).unwrap();
    pair.send(2);
    pair.run_for(SOON);
    pair.crash_client();
    assert_eq!(pair.client.open_calls(), 1);
}

// spec: protocol.md 9
#[test]
fn an_action_that_kills_its_server_three_times_is_parked() {
    let mut pair = linked(Config::default(), true, true);
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(SOON);
    for crash in 0..4 {
        pair.crash_server();
        pair.drain();
        assert_eq!(pair.begun.len(), usize::from(crash < 3), "after crash {crash}");
    }
    pair.run_until_answered(1, Duration::from_secs(5));
    assert_eq!(pair.answered[&call.number], Answer::Refused(Refusal::Poisoned));
}

#[test]
fn a_full_log_of_the_client_accepts_nothing_and_nothing_is_left() {
    let mut pair = linked(Config::default(), true, true);
    pair.client_log.as_mut().unwrap().is_full = true;
    pair.send(1);
    pair.run_for(SOON);
    assert_eq!(count(&pair, |event| matches!(event, ClientEvent::NotAccepted(_))), 1);
    assert_eq!((pair.client.open_calls(), pair.begun.len(), accepted(&pair)), (0, 0, 0));
    pair.client_log.as_mut().unwrap().is_full = false;
    pair.send(2);
    pair.run_until_answered(1, Duration::from_secs(5));
}

#[test]
fn a_full_log_of_the_server_refuses_and_the_action_does_not_run() {
    let mut pair = linked(flush_at_once(), true, true);
    pair.server_log.as_mut().unwrap().is_full = true;
    let refused = pair.send(1);
    pair.run_for(SOON);
    assert_eq!(pair.answered[&refused.number], Answer::Refused(Refusal::NoSpace));
    assert_eq!((pair.begun.len(), guaranteed(&pair)), (0, 0), "its bit was 0");
    pair.server_log.as_mut().unwrap().is_full = false;
    pair.send(2);
    pair.run_until_answered(2, Duration::from_secs(5));
    assert_eq!(pair.begun.len(), 1);
}

// spec: protocol.md 4
#[test]
fn an_action_that_may_have_run_is_not_refused_by_a_full_log_and_what_is_new_behind_it_is() {
    let mut pair = linked(flush_at_once(), true, true);
    pair.hold_syncs(false, true);
    pair.answers = false;
    let sent = pair.send(1);
    pair.run_for(SOON);
    assert_eq!(pair.begun.len(), 1);
    // Its record was on its way to the disk: the next server knows nothing of it.
    pair.crash_server();
    pair.hold_syncs(false, false);
    pair.server_log.as_mut().unwrap().is_full = true;
    pair.answers = true;
    let new = pair.send(2);
    pair.connect();
    pair.run_until_answered(2, Duration::from_secs(5));
    assert_eq!(pair.begun.len(), 1, "it ran again, and the new one did not");
    assert!(matches!(pair.answered[&sent.number], Answer::Response(_)), "{:?}", pair.answered);
    assert_eq!(pair.answered[&new.number], Answer::Refused(Refusal::NoSpace));
}

// spec: protocol.md 4
#[test]
fn of_a_log_that_has_stopped_nothing_is_said_that_waited_for_it() {
    let mut pair = linked(flush_at_once(), true, true);
    pair.hold_syncs(true, true);
    pair.send(1);
    pair.run_for(SOON);
    let now = pair.now;
    pair.client.log_stopped(now, "EIO");
    pair.server.as_mut().unwrap().log_stopped(now, "EIO");
    pair.run_for(SOON);
    assert_eq!((accepted(&pair), guaranteed(&pair), pair.answered.len()), (0, 0, 0));
    assert!(pair.client.is_ended() && pair.server.as_ref().unwrap().is_ended());
    assert_eq!(pair.client.send(now, ECHO, 1), Err(SendError::LogStopped));
    let closed = |reason: &&CloseReason| matches!(reason, CloseReason::LogStopped(cause) if cause == "EIO");
    assert_eq!(pair.close_reasons.iter().filter(closed).count(), 2);
    pair.client.handle(now, Input::Persisted(crate::record::Mark(9)));
    pair.drain();
    assert_eq!(accepted(&pair), 0);
}

// spec: protocol.md 4
#[test]
fn a_slot_is_used_again_when_the_bit_of_its_answer_may_be_told() {
    let mut pair = linked(Config { slots: 1, ..flush_at_once() }, true, true);
    pair.hold_syncs(true, false);
    pair.send(1);
    pair.send(2);
    pair.run_for(SOON);
    assert_eq!((pair.answered.len(), pair.begun.len(), pair.close_reasons.len()), (0, 1, 0));
    pair.sync_client();
    pair.run_for(SOON);
    assert_eq!((pair.begun.len(), pair.close_reasons.len()), (2, 0));
}

// spec: protocol.md 1
#[test]
fn a_cancel_that_is_settled_at_the_client_is_told_when_that_is_on_record() {
    let mut pair = linked(Config::default(), true, true);
    pair.cut();
    let call = pair.send(1);
    pair.hold_syncs(true, false);
    assert!(pair.client.cancel(pair.now, call));
    pair.drain();
    assert_eq!(count(&pair, |event| matches!(event, ClientEvent::CancelResult(..))), 0);
    let mut other = pair.client_log.clone().unwrap();
    other.crash();
    assert_eq!(other.recover().0.calls.len(), 1, "a crash now, and the call is sent: so nobody may know yet");
    pair.sync_client();
    assert!(pair.client_events.contains(&ClientEvent::CancelResult(call, CancelOutcome::Cancelled)));
    pair.hold_syncs(false, false);
    pair.connect();
    pair.run_for(SOON);
    assert!(pair.begun.is_empty() && pair.answered[&call.number] == Answer::Refused(Refusal::Cancelled));
}

#[test]
fn a_disconnect_at_its_limit_leaves_what_is_on_record_to_the_next_life() {
    let mut pair = linked(Config::default(), true, true);
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(SOON);
    pair.client.disconnect(pair.now, Duration::from_secs(1));
    pair.run_for(Duration::from_secs(2));
    assert!(pair.client_events.contains(&ClientEvent::Disconnected { dropped: vec![call] }));
    assert!(pair.answered.is_empty(), "nobody may say that it is over");
    pair.crash_client();
    pair.connect();
    pair.run_for(SOON);
    pair.answer(pair.begun[0].0, 2);
    pair.run_until_answered(1, Duration::from_secs(5));
    assert_eq!(pair.begun.len(), 1);
}

#[test]
fn an_expired_session_that_is_on_record_goes_on_with_its_answers_when_its_client_comes_back() {
    for crash in [false, true] {
        let mut pair = linked(Config::default(), true, true);
        pair.answers = false;
        let (answered, open) = (pair.send(1), pair.send(2));
        pair.run_for(SOON);
        pair.cut();
        pair.answer(pair.begun[0].0, 2);
        pair.run_for(Duration::from_secs(310));
        assert!(!pair.server.as_ref().unwrap().is_ended(), "its last handler runs");
        pair.answer(pair.begun[1].0, 3);
        assert!(pair.server.as_ref().unwrap().is_ended());
        if crash {
            pair.crash_server();
        }
        pair.run_until_answered(2, Duration::from_secs(5));
        assert_eq!(pair.answered[&answered.number], Answer::Response(2));
        assert_eq!(pair.answered[&open.number], Answer::Response(3));
        assert_eq!(pair.begun.len(), if crash { 0 } else { 2 });
        pair.crash_server();
        pair.send(5);
        pair.answers = true;
        pair.run_until_answered(3, Duration::from_secs(5));
    }
}
