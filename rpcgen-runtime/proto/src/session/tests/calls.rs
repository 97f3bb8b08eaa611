//! Calls on a link that loses nothing.

use std::time::Duration;
use std::vec::Vec;

use super::pair::*;
use crate::config::Config;
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
    use crate::frame::{Body, Frame, LinkFrame, Riders, Sequenced, WireId};
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
    let forged = Frame { bits: None, riders: Riders::default(), message: Some(Sequenced { id, body: wrong }) };
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
