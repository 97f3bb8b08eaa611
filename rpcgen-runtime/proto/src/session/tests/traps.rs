//! Traps that others fell into, and that no other file here is about. Their numbers are those of protocol.md, section 13.

use std::time::Duration;
use std::vec::Vec;

use super::pair::*;
use crate::config::Config;
use crate::error::SendError;
use crate::frame::{Begin, LinkFrame, Refusal, RejectReason};
use crate::ids::*;
use crate::server::Admission;
use crate::session::*;

/// T5.
#[test]
fn a_cut_at_every_step_without_return_ends_in_the_answer_or_in_unknown_and_never_in_failed() {
    let (mut answered, mut unknown, mut cancelled) = (0, 0, 0);
    for steps in 0..8 {
        let mut pair = Pair::new(Config { flush_after: Duration::ZERO, ..Config::default() }, true);
        let call = pair.send(1);
        for _ in 0..steps {
            pair.step();
        }
        pair.cut();
        pair.client.disconnect(pair.now, Duration::from_secs(1));
        pair.run_for(Duration::from_secs(2));
        match &pair.answered[&call.number] {
            Answer::Response(2) => answered += 1,
            Answer::Refused(Refusal::Unknown) => unknown += 1,
            Answer::Refused(Refusal::Cancelled) => {
                cancelled += 1;
                assert_eq!(pair.begun, [], "cut after {steps} steps: it was never sent");
            }
            other => panic!("cut after {steps} steps: {other:?}"),
        }
    }
    assert!(answered > 0 && unknown > 0 && cancelled > 0, "{answered} {unknown} {cancelled}");
}

/// T7: no window of time, however long, makes an action run twice.
#[test]
fn a_client_that_was_away_for_an_hour_a_day_or_a_year_runs_nothing_twice() {
    const DAY: u64 = 24 * 3600;
    for (away, expected) in [
        (60, Answer::Response(5)),
        (3_600, Answer::Response(5)),
        (DAY, Answer::Response(5)),
        (8 * DAY, Answer::Refused(Refusal::Unknown)),
        (365 * DAY, Answer::Refused(Refusal::Unknown)),
    ] {
        let mut pair = Pair::new(Config { flush_after: Duration::ZERO, ..Config::default() }, true);
        pair.answers = false;
        let call = pair.send(1);
        pair.run_for(Duration::from_millis(10));
        assert!(pair.client_events.contains(&ClientEvent::Guaranteed(call)));
        pair.cut();
        pair.answer(pair.begun[0].0, 5);
        pair.run_for(Duration::from_secs(away));
        pair.answers = true;
        pair.run_until_answered(1, Duration::from_secs(10));
        assert_eq!(pair.begun.len(), 1, "at_most_one_execution_per_call_key, away for {away} s");
        assert_eq!(pair.answered[&call.number], expected, "away for {away} s");
    }
}

/// T9: what an earlier life of the server would still say is for nobody.
#[test]
fn a_server_of_an_earlier_epoch_finds_nobody_who_listens() {
    let mut pair = Pair::new(Config::default(), true);
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    let mut zombie = pair.server.clone().unwrap();
    let action = pair.begun[0].0;
    pair.crash_server();
    pair.connect();
    pair.run_for(Duration::from_millis(10));
    zombie.answer(pair.now, action, Answer::Response(66));
    let Output::Transmit(late) = zombie.poll_output() else { panic!("it says nothing") };
    pair.down.frames.push_front((pair.now, late));
    pair.run_for(Duration::from_millis(10));
    assert!(pair.answered.is_empty(), "no_foreign_data");
    pair.answer(pair.begun[0].0, 7);
    pair.run_until_answered(1, Duration::from_secs(5));
    assert_eq!(pair.answered[&call.number], Answer::Response(7));
}

/// T11: one of the two ends was rolled back; nothing is skipped, nothing is clamped.
#[test]
fn a_resume_from_outside_of_the_log_is_refused_at_either_end() {
    for wrong in [0, 11, u64::MAX] {
        // The client says a wrong position.
        let mut pair = ten_answered();
        pair.client.handle(pair.now, Input::LinkUp { reliable_ordered: true });
        let Output::Transmit(LinkFrame::Hello(mut hello)) = next_frame(&mut pair.client) else { panic!("no hello") };
        let resume = hello.resume.as_mut().unwrap();
        assert_eq!(resume.down_expected, Position(10));
        resume.down_expected = Position(wrong);
        let server = pair.server.as_mut().unwrap();
        server.resume(pair.now, &hello, true);
        let said = std::iter::from_fn(|| match server.poll_output() {
            Output::Timeout(_) => None,
            output => Some(output),
        });
        let said: Vec<_> = said.collect();
        let rejects = said.iter().filter_map(|output| match output {
            Output::Transmit(LinkFrame::Reject(reject)) => Some(reject.reason),
            _ => None,
        });
        assert!(rejects.eq([RejectReason::ResumeGone]), "{wrong}: {said:?}");
        assert!(!said.iter().any(|output| matches!(output, Output::Transmit(LinkFrame::Welcome(_)))), "{wrong}");

        // The server says one.
        let mut pair = ten_answered();
        pair.connect();
        pair.step();
        for (_, frame) in &mut pair.down.frames {
            if let LinkFrame::Welcome(welcome) = frame {
                assert_eq!(welcome.begin, Begin::Resumed { up_expected: Position(10) });
                welcome.begin = Begin::Resumed { up_expected: Position(wrong) };
            }
        }
        pair.step();
        assert!(matches!(pair.close_reasons[0], CloseReason::Protocol(_)), "{wrong}: {:?}", pair.close_reasons);
    }
}

/// Ten calls, answered and guaranteed both ways; no link.
fn ten_answered() -> Pair {
    let mut pair = Pair::new(Config::default(), true);
    for number in 0..10 {
        pair.send(number);
    }
    pair.run_until_answered(10, Duration::from_secs(5));
    pair.run_for(Duration::from_secs(3));
    pair.cut();
    pair
}

fn next_frame(client: &mut ClientSession<u64>) -> ClientOutput<u64> {
    loop {
        match client.poll_output() {
            Output::Event(_) => {}
            output => return output,
        }
    }
}

/// T16.
#[test]
fn a_handler_that_never_answers_holds_up_nobody() {
    for reliable_ordered in [true, false] {
        let mut pair = Pair::new(Config { pool_size: 8, pool_size_max: 8, ..Config::default() }, reliable_ordered);
        pair.answers = false;
        pair.send(0);
        pair.run_for(Duration::from_millis(10));
        pair.answers = true;
        let before = pair.now;
        for number in 1..=2_000 {
            pair.send(number);
        }
        pair.run_until_answered(2_000, Duration::from_secs(60));
        assert_eq!(pair.begun.len(), 2_001);
        assert!(pair.now - before < Duration::from_secs(5), "{:?}", pair.now - before);
    }
}

/// T17.
#[test]
fn what_is_logged_for_a_client_that_is_away_is_bounded_in_number_and_bytes() {
    for (config, payload, bound) in [
        (Config { log_messages_max: 20, ..Config::default() }, 1, 20),
        (Config { log_bytes_max: 4_000, ..Config::default() }, large(1_000), 4),
    ] {
        let mut pair = Pair::new(config, true);
        pair.run_for(Duration::from_millis(10));
        pair.cut();
        let now = pair.now;
        let server = pair.server.as_mut().unwrap();
        let logged = (0..100).filter(|_| server.broadcast(now, NEWS, payload, false).is_ok()).count();
        assert_eq!(logged, bound);
        let refused = server.broadcast(now, NEWS, payload, false);
        assert!(matches!(refused, Err(SendError::LogFull { messages, .. }) if messages == bound));
    }
}

/// T19.
#[test]
fn guesses_of_a_proof_leave_the_link_of_their_victim_alone() {
    let mut pair = Pair::new(Config::default(), true);
    pair.send(0);
    pair.run_until_answered(1, Duration::from_secs(5));
    let mut twin = pair.client.clone();
    twin.handle(pair.now, Input::LinkUp { reliable_ordered: true });
    let Output::Transmit(LinkFrame::Hello(hello)) = next_frame(&mut twin) else { panic!("no hello") };
    for bit in 0..256 {
        let mut guess = hello.clone();
        guess.resume.as_mut().unwrap().proof[bit / 8] ^= 1 << (bit % 8);
        assert_is_no_proof(&mut pair, *guess);
    }
    // The proof is of the whole hello: what it says cannot be changed under it.
    let mut later_link = hello.clone();
    later_link.link.0 += 1;
    assert_is_no_proof(&mut pair, *later_link);
    let mut other_position = hello;
    other_position.resume.as_mut().unwrap().down_expected = Position(0);
    assert_is_no_proof(&mut pair, *other_position);
    pair.send(1);
    pair.run_until_answered(2, Duration::from_secs(5));
    assert_eq!(pair.close_reasons, []);
    assert_eq!(pair.registry.stats().unproven, 258);
}

fn assert_is_no_proof(pair: &mut Pair, hello: crate::frame::Hello) {
    let Admission::Reject(reject) = pair.registry.admit(pair.now, hello) else { panic!("admitted") };
    assert_eq!(reject.reason, RejectReason::BadProof);
}

/// T20.
#[test]
fn two_copies_of_a_client_do_not_take_the_session_from_each_other_for_ever() {
    let mut pair = Pair::new(Config::default(), true);
    pair.send(0);
    pair.run_until_answered(1, Duration::from_secs(5));
    let copy = pair.client.clone();
    pair.cut();
    pair.connect();
    pair.run_for(Duration::from_secs(1));
    let links = pair.server.as_ref().unwrap().stats().links;
    // The copy has the secret, and the link number from before.
    let mut copy = copy;
    copy.handle(pair.now, Input::LinkDown);
    copy.handle(pair.now, Input::LinkUp { reliable_ordered: true });
    let Output::Transmit(LinkFrame::Hello(hello)) = next_frame(&mut copy) else { panic!("no hello") };
    let Admission::Reject(reject) = pair.registry.admit(pair.now, *hello) else { panic!("admitted") };
    assert_eq!((reject.reason, reject.is_final()), (RejectReason::Superseded, true));
    assert_eq!(pair.server.as_ref().unwrap().stats().links, links, "one_writer_per_session");
}

/// The first open question: a first send that is lost, and a client that goes away after "accepted".
#[test]
fn an_accepted_action_whose_client_dies_before_it_was_delivered_is_gone_and_never_half() {
    let mut pair = Pair::new(Config::default(), false);
    pair.run_for(Duration::from_millis(10));
    pair.up.drop_next = 1;
    pair.send(1);
    assert_eq!(pair.up.dropped, 1);
    pair.cut(); // The client's memory is gone with it: nobody connects again.
    pair.run_for(Duration::from_secs(600));
    assert_eq!(pair.begun, [], "it never ran");
    let Some(ServerEvent::Ended(ended)) = pair.server_events.last() else { panic!("not ended") };
    assert_eq!((ended.past.called_below, ended.past.answers.len()), (CallNumber(0), 0), "nothing of it is left");
}

/// The second: an answer that is lost, and a server that then dies.
#[test]
fn an_action_whose_answer_died_with_the_server_is_run_again_under_the_same_call_key_and_says_so() {
    let mut pair = Pair::new(Config::default(), false);
    pair.run_for(Duration::from_millis(10));
    pair.down.drop = 1.0;
    let call = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    let first = pair.begun[0];
    assert!(pair.answered.is_empty() && !first.3);
    pair.down.drop = 0.0;
    pair.crash_server();
    pair.run_until_answered(1, Duration::from_secs(5));
    let again = pair.begun[0];
    assert_eq!((again.1, again.2), (first.1, first.2), "the same call key, the same request");
    assert!(again.3, "redelivered");
    assert_eq!(pair.answered[&call.number], Answer::Response(2));
}

/// The third: a broadcast that is lost before it is logged cannot be noticed, so it is logged when the call returns.
#[test]
fn a_broadcast_is_in_the_log_when_the_call_returns_or_nothing_of_it_is_left() {
    let mut pair = Pair::new(Config { log_messages_max: 1, ..Config::default() }, true);
    pair.run_for(Duration::from_millis(10));
    pair.cut();
    let now = pair.now;
    let server = pair.server.as_mut().unwrap();
    assert_eq!(server.broadcast(now, NEWS, 5, false), Ok(BroadcastNumber(0)));
    assert!(matches!(server.broadcast(now, NEWS, 6, false), Err(SendError::LogFull { .. })));
    let left: Vec<_> = server.take_unassigned(now).into_iter().map(|left| left.payload).collect();
    assert_eq!(left, [5]);
}
