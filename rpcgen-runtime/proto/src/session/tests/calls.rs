//! Calls on a link that loses nothing.

use std::time::Duration;
use std::vec::Vec;

use super::pair::*;
use crate::config::{AdaptiveDeadline, Config};
use crate::frame::{CancelOutcome, Refusal};
use crate::ids::*;
use crate::session::*;

#[test]
fn a_call_is_accepted_guaranteed_and_answered() {
    let mut pair = Pair::new(Config::default(), true);
    let call = pair.send(1);
    pair.run_until_answered(1, Duration::from_secs(1));
    assert_eq!(pair.answered[&call.number], Answer::Response(2));
    let steps: Vec<_> =
        pair.client_events.iter().filter(|event| !matches!(event, ClientEvent::Linked { .. })).collect();
    assert_eq!(steps, [&ClientEvent::Guaranteed(call), &ClientEvent::Answered(call, Answer::Response(2))]);
}

#[test]
fn a_call_is_accepted_while_no_link_is_up() {
    let mut pair = Pair::new(Config::default(), true);
    pair.run_for(Duration::from_millis(10));
    pair.cut();
    pair.send(5);
    pair.run_until_answered(1, Duration::from_secs(1));
}

#[test]
fn thousands_of_calls_on_a_reliable_link_need_no_resend() {
    let mut pair = Pair::new(Config::default(), true);
    for number in 0..5_000 {
        pair.send(number);
    }
    pair.run_until_answered(5_000, Duration::from_secs(60));
    assert_eq!(pair.client.stats().resent + pair.server.as_ref().unwrap().stats().resent, 0);
    assert_eq!(pair.begun.len(), 5_000);
    let order: Vec<u64> = pair.begun.iter().map(|begun| begun.2).collect();
    assert!(order.is_sorted(), "lane_order");
}

#[test]
fn an_idle_link_is_silent_but_for_heartbeats() {
    let mut pair = Pair::new(Config::default(), true);
    pair.send(1);
    pair.run_for(Duration::from_secs(3));
    let frames = pair.frames_seen;
    pair.run_for(Duration::from_secs(60));
    let heartbeats = pair.frames_seen - frames;
    assert!(heartbeats <= 2 * 2 * 60 / 5, "{heartbeats} frames in a minute of idleness");
    assert_eq!(pair.close_reasons, []);
}

#[test]
fn guarantee_goes_alone_after_the_flush_time_when_the_handler_is_slow() {
    let mut pair = Pair::new(Config::default(), true);
    pair.run_for(Duration::from_millis(10));
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(Duration::from_millis(900));
    assert!(!pair.client_events.contains(&ClientEvent::Guaranteed(call)));
    pair.run_for(Duration::from_millis(200));
    assert!(pair.client_events.contains(&ClientEvent::Guaranteed(call)));
    assert!(pair.answered.is_empty());
}

#[test]
fn an_action_that_waits_its_turn_can_be_cancelled_and_never_runs() {
    let mut pair = Pair::new(Config::default(), true);
    pair.run_for(Duration::from_millis(10));
    let now = pair.now;
    pair.server.as_mut().unwrap().pause_business(now, true);
    let call = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    assert!(pair.client.cancel(pair.now, call));
    assert!(!pair.client.cancel(pair.now, call), "asked before");
    pair.run_for(Duration::from_millis(10));
    assert_eq!(pair.answered[&call.number], Answer::Refused(Refusal::Cancelled));
    assert!(pair.client_events.contains(&ClientEvent::CancelResult(call, CancelOutcome::Cancelled)));
    let now = pair.now;
    pair.server.as_mut().unwrap().pause_business(now, false);
    pair.run_for(Duration::from_secs(2));
    assert!(pair.begun.is_empty(), "cancel_xor_execute");
}

#[test]
fn an_action_that_has_begun_is_not_cancelled_and_its_answer_comes() {
    let mut pair = Pair::new(Config::default(), true);
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    pair.client.cancel(pair.now, call);
    pair.run_for(Duration::from_millis(10));
    assert!(pair.client_events.contains(&ClientEvent::CancelResult(call, CancelOutcome::Executing)));
    let action = pair.begun[0].0;
    pair.answer(action, 9);
    pair.run_for(Duration::from_millis(10));
    assert_eq!(pair.answered[&call.number], Answer::Response(9));
}

#[test]
fn a_call_that_was_never_sent_is_cancelled_without_the_server() {
    let mut pair = Pair::new(Config::default(), true);
    pair.cut();
    let call = pair.send(1);
    pair.client.cancel(pair.now, call);
    pair.drain();
    assert_eq!(pair.answered[&call.number], Answer::Refused(Refusal::Cancelled));
}

#[test]
fn a_slot_is_held_until_the_outcome_of_its_cancel_is_known() {
    let config = Config { slots: 1, ..Config::default() };
    let mut pair = Pair::new(config, true);
    pair.answers = false;
    let first = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    let action = pair.begun[0].0;
    // The answer and the cancel cross each other.
    pair.client.cancel(pair.now, first);
    pair.answer(action, 2);
    let second = pair.send(2);
    pair.run_for(Duration::from_millis(10));
    assert!(pair.client_events.contains(&ClientEvent::CancelResult(first, CancelOutcome::Answered)));
    let action = pair.begun[1].0;
    pair.answer(action, 3);
    pair.run_for(Duration::from_millis(10));
    assert_eq!(pair.answered[&first.number], Answer::Response(2));
    assert_eq!(pair.answered[&second.number], Answer::Response(3));
    assert_eq!(pair.close_reasons, []);
}

#[test]
fn a_cancel_that_the_answer_overtakes_before_it_is_sent_is_settled_and_holds_no_slot() {
    // Nothing can be sent while the first request is without its guarantee.
    let config = Config { slots: 1, bytes_in_flight_max: 8, ..Config::default() };
    let mut pair = Pair::new(config, true);
    pair.answers = false;
    let first = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    let (second, action) = (pair.send(2), pair.begun[0].0);
    assert!(pair.client.cancel(pair.now, first));
    pair.answers = true;
    pair.answer(action, 2);
    pair.run_until_answered(2, Duration::from_secs(5));
    assert_eq!(pair.answered[&first.number], Answer::Response(2));
    assert_eq!(pair.answered[&second.number], Answer::Response(3));
    assert!(pair.client_events.contains(&ClientEvent::CancelResult(first, CancelOutcome::Answered)));
}

#[test]
fn a_slow_handler_is_reported_at_both_ends_again_and_again() {
    let mut pair = Pair::new(Config::default(), true);
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(Duration::from_secs(95));
    let pending = pair.client_events.iter().filter(|event| **event == ClientEvent::StillPending(call)).count();
    assert_eq!(pending, 3);
    assert!(pair.client_events.contains(&ClientEvent::Overdue(call)));
    let action = pair.begun[0].0;
    assert_eq!(pair.server_events.iter().filter(|event| **event == ServerEvent::Overdue(action)).count(), 1);
    pair.answer(action, 2);
    pair.run_until_answered(1, Duration::from_secs(1));
}

#[test]
fn a_full_log_says_so_and_keeps_nothing_of_the_call() {
    let config = Config { log_messages_max: 3, ..Config::default() };
    let mut pair = Pair::new(config, true);
    pair.cut();
    for number in 0..3 {
        pair.send(number);
    }
    assert!(matches!(pair.client.send(pair.now, ECHO, 9), Err(crate::error::SendError::LogFull { messages: 3, .. })));
    pair.run_until_answered(3, Duration::from_secs(1));
    pair.send(4);
    pair.run_until_answered(4, Duration::from_secs(1));
}

#[test]
fn an_answer_for_another_call_of_the_slot_closes_the_link() {
    use crate::frame::{Body, Frame, LinkFrame, Sequenced, WireId};
    let mut pair = Pair::new(Config::default(), false);
    pair.answers = false;
    pair.send(1);
    pair.run_for(Duration::from_millis(10));
    let wrong = Body::Response { slot: Slot(0), check: 77, payload: 1 };
    pair.answer(pair.begun[0].0, 5);
    // The server's own answer, with another call's check.
    let (due, frame) = pair.down.frames.pop_back().unwrap();
    let LinkFrame::Frame(Frame { message: Some(Sequenced { id, .. }), .. }) = frame else { panic!("not the answer") };
    assert!(matches!(id, WireId::Full(_)));
    let forged = Frame { bits: None, riders: None, message: Some(Sequenced { id, body: wrong }) };
    pair.down.frames.push_back((due, LinkFrame::Frame(forged)));
    pair.run_for(Duration::from_millis(5));
    assert!(matches!(pair.close_reasons[..], [CloseReason::Protocol(crate::error::ProtocolError::WrongSlot { .. })]));
    pair.run_until_answered(1, Duration::from_secs(5));
    assert_eq!(pair.answered[&CallNumber(0)], Answer::Response(5));
}

#[test]
fn cancelling_unsent_calls_over_and_over_needs_no_more_memory() {
    let mut pair = Pair::new(Config::default(), true);
    pair.cut();
    for number in 0..10_000 {
        let call = pair.client.send(pair.now, ECHO, number).unwrap();
        assert!(pair.client.cancel(pair.now, call));
        pair.drain();
    }
    assert!(pair.client.backlog_len() <= 64, "no_unbounded_memory");
}

#[test]
fn an_action_with_a_deadline_of_its_own_is_overdue_by_that() {
    let mut pair = Pair::new(Config::default(), true);
    pair.answers = false;
    pair.run_for(Duration::from_millis(10));
    pair.server.as_mut().unwrap().set_deadline(ECHO, Duration::from_secs(3));
    let call = pair.send(1);
    pair.run_for(Duration::from_secs(10));
    let pending = pair.client_events.iter().filter(|event| **event == ClientEvent::StillPending(call)).count();
    assert_eq!(pending, 3);
}

#[test]
fn a_slot_is_not_free_until_its_answer_is_guaranteed() {
    use crate::frame::LinkFrame;
    let mut pair = Pair::new(Config::default(), true);
    pair.send(1);
    pair.run_until_answered(1, Duration::from_secs(1));
    pair.send(2);
    // A client that takes answers and never says so would make the server keep them for ever.
    for (_, frame) in &mut pair.up.frames {
        if let LinkFrame::Frame(frame) = frame {
            frame.bits = None;
        }
    }
    pair.run_for(Duration::from_millis(5));
    let wrong_slot = |reason: &CloseReason| {
        matches!(reason, CloseReason::Protocol(crate::error::ProtocolError::WrongSlot { what: "an action", .. }))
    };
    assert!(pair.close_reasons.iter().any(wrong_slot), "{:?}", pair.close_reasons);
    pair.run_until_answered(2, Duration::from_secs(5));
}

/// The outcomes of the cancels of a call.
fn outcomes(pair: &Pair, call: CallHandle) -> Vec<CancelOutcome> {
    let outcome = |event: &ClientEvent<u64>| match event {
        ClientEvent::CancelResult(handle, outcome) if *handle == call => Some(*outcome),
        _ => None,
    };
    pair.client_events.iter().filter_map(outcome).collect()
}

/// A call that was cancelled in time: its answer has come, the outcome of its cancel is lost.
fn cancelled_without_outcome(pair: &mut Pair) -> CallHandle {
    pair.run_for(Duration::from_millis(10));
    let now = pair.now;
    pair.server.as_mut().unwrap().pause_business(now, true);
    let call = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    assert!(pair.client.cancel(pair.now, call));
    pair.drain();
    pair.step();
    assert_eq!(pair.down.frames.len(), 2, "the answer and the outcome are on their way");
    pair.down.frames.pop_back();
    pair.step();
    assert_eq!(pair.answered[&call.number], Answer::Refused(Refusal::Cancelled));
    assert_eq!(outcomes(pair, call), []);
    call
}

#[test]
fn a_cancel_whose_outcome_died_with_the_server_came_to_what_the_answer_says() {
    let mut pair = Pair::new(Config::default(), true);
    let call = cancelled_without_outcome(&mut pair);
    pair.crash_server();
    pair.connect();
    pair.run_for(Duration::from_secs(2));
    assert_eq!(outcomes(&pair, call), [CancelOutcome::Cancelled]);
    assert_eq!(pair.begun, [], "cancel_xor_execute");
}

#[test]
fn a_disconnect_at_its_limit_tells_the_outcome_of_every_cancel() {
    let mut pair = Pair::new(Config::default(), true);
    let held = cancelled_without_outcome(&mut pair);
    let open = pair.send(2);
    pair.run_for(Duration::from_millis(10));
    pair.cut();
    assert!(pair.client.cancel(pair.now, open), "it may have run, so only the server could say");
    pair.client.disconnect(pair.now, Duration::from_secs(1));
    pair.run_for(Duration::from_secs(2));
    assert_eq!(outcomes(&pair, held), [CancelOutcome::Cancelled]);
    assert_eq!(outcomes(&pair, open), [CancelOutcome::MaybeExecuted]);
    assert_eq!(pair.answered[&open.number], Answer::Refused(Refusal::Unknown));
    assert_eq!(pair.client_events.last(), Some(&ClientEvent::Disconnected { dropped: Vec::from([open]) }));
}

#[test]
fn a_call_that_is_too_large_for_the_next_server_is_unknown_if_it_may_have_run() {
    let mut pair = Pair::new(Config::default(), true);
    pair.answers = false;
    let sent = pair.send(large(100_000));
    pair.run_for(Duration::from_millis(10));
    pair.crash_server();
    pair.config.frame_bytes_max = 8 * 1024;
    let unsent = pair.send(large(100_000));
    assert!(pair.client.cancel(pair.now, sent));
    pair.client.disconnect(pair.now, Duration::from_secs(60));
    pair.connect();
    pair.run_for(Duration::from_secs(3));
    assert_eq!(pair.answered[&sent.number], Answer::Refused(Refusal::Unknown));
    assert_eq!(outcomes(&pair, sent), [CancelOutcome::MaybeExecuted]);
    assert_eq!(pair.answered[&unsent.number], Answer::Refused(Refusal::RequestTooLarge));
    assert!(pair.client.is_ended(), "drain_terminates");
}

#[test]
fn an_adaptive_deadline_follows_the_times_of_the_action() {
    let rule = AdaptiveDeadline { percentile: 90, multiple: 3, floor: Duration::from_millis(200) };
    let mut pair = Pair::new(Config { adaptive_deadline: Some(rule), ..Config::default() }, true);
    pair.answers = false;
    pair.run_for(Duration::from_millis(10));
    for number in 0..30 {
        pair.send(number);
        pair.run_for(Duration::from_millis(300));
        let action = pair.begun.last().unwrap().0;
        pair.answer(action, 0);
    }
    let is_pending = |event: &&ClientEvent<u64>| matches!(event, ClientEvent::StillPending(_));
    assert_eq!(pair.client_events.iter().filter(is_pending).count(), 0);
    pair.send(30);
    pair.run_for(Duration::from_millis(1_100));
    assert_eq!(pair.client_events.iter().filter(is_pending).count(), 0, "usual times take up to 384 ms");
    pair.run_for(Duration::from_millis(100));
    assert_eq!(pair.client_events.iter().filter(is_pending).count(), 1);
}

fn with_begin_records() -> Pair {
    let mut pair = Pair::new(Config::default(), true);
    pair.config.begin_records = true;
    pair
}

/// The action that is about to begin.
fn beginning(pair: &Pair) -> ActionHandle {
    let action = |event: &ServerEvent<u64>| match event {
        ServerEvent::Begin { action, .. } => Some(*action),
        _ => None,
    };
    pair.server_events.iter().find_map(action).expect("nothing is about to begin")
}

#[test]
fn an_action_is_not_handed_over_before_its_beginning_is_on_record() {
    let mut pair = with_begin_records();
    let call = pair.send(1);
    pair.run_for(Duration::from_secs(1));
    let action = beginning(&pair);
    assert_eq!(pair.begun, []);
    pair.client.cancel(pair.now, call);
    pair.run_for(Duration::from_millis(10));
    assert_eq!(outcomes(&pair, call), [CancelOutcome::Executing], "the record that was first decides");
    let now = pair.now;
    pair.server.as_mut().unwrap().begun(now, action, 1);
    pair.server.as_mut().unwrap().begun(now, action, 1);
    pair.run_until_answered(1, Duration::from_secs(1));
    assert_eq!(pair.begun.len(), 1);
    assert!(!pair.begun[0].3);
}

#[test]
fn an_action_that_began_too_often_is_parked() {
    for times in 1..6 {
        let mut pair = with_begin_records();
        let call = pair.send(1);
        pair.run_for(Duration::from_secs(1));
        let (now, action) = (pair.now, beginning(&pair));
        pair.server.as_mut().unwrap().begun(now, action, times);
        pair.run_until_answered(1, Duration::from_secs(1));
        if times <= crate::config::BEGUN_MAX {
            assert_eq!(pair.answered[&call.number], Answer::Response(2));
            assert_eq!(pair.begun[0].3, times > 1, "redelivered");
        } else {
            assert_eq!(pair.answered[&call.number], Answer::Refused(Refusal::Poisoned));
            assert_eq!(pair.begun, []);
        }
    }
}

#[test]
fn a_handler_that_fails_again_after_a_crash_is_named_and_not_run_once_more() {
    let mut pair = Pair::new(Config::default(), true);
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    pair.crash_server(); // Perhaps because of it.
    pair.connect();
    pair.run_for(Duration::from_millis(10));
    let (action, _, _, redelivered) = pair.begun[0];
    assert!(redelivered);
    let now = pair.now;
    pair.server.as_mut().unwrap().answer(now, action, Answer::Refused(Refusal::HandlerPanicked));
    pair.run_for(Duration::from_secs(2));
    assert_eq!(pair.answered[&call.number], Answer::Refused(Refusal::Poisoned));
    pair.crash_server();
    pair.connect();
    pair.run_for(Duration::from_secs(2));
    assert_eq!(pair.begun, []);
}
