//! Links, sessions, epochs, disconnects.

use std::time::Duration;
use std::vec;

use super::pair::*;
use crate::config::Config;
use crate::frame::{FreshReason, LinkFrame, Refusal};
use crate::session::*;

#[test]
fn a_session_resumes_after_a_cut_and_no_call_runs_twice() {
    let mut pair = Pair::new(Config::default(), true);
    for round in 0..50 {
        for number in 0..20 {
            pair.send(round * 20 + number);
        }
        pair.step();
        pair.cut();
        pair.connect();
    }
    pair.run_until_answered(1_000, Duration::from_secs(60));
    assert_eq!(pair.begun.len(), 1_000);
    let fresh =
        pair.client_events.iter().filter(|event| matches!(event, ClientEvent::Linked { fresh: Some(_), .. })).count();
    assert!(fresh >= 1);
}

#[test]
fn a_cut_at_every_step_of_one_call_changes_nothing() {
    for steps in 0..12 {
        let mut pair = Pair::new(Config::default(), true);
        pair.send(1);
        for _ in 0..steps {
            pair.step();
        }
        pair.cut();
        pair.run_until_answered(1, Duration::from_secs(10));
        assert_eq!(pair.begun.len(), 1, "cut after {steps} steps");
    }
}

#[test]
fn a_server_that_lost_its_memory_runs_unanswered_actions_again_and_says_so() {
    let mut pair = Pair::new(Config::default(), true);
    pair.answers = false;
    let first = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    assert!(!pair.begun[0].3);
    pair.crash_server();
    let second = pair.send(2);
    pair.answers = true;
    pair.run_until_answered(2, Duration::from_secs(10));
    assert_eq!((pair.begun[0].1.number, pair.begun[0].3), (first.number, true), "redelivered");
    assert_eq!((pair.begun[1].1.number, pair.begun[1].3), (second.number, false), "never sent before");
    assert!(
        pair.client_events.iter().any(|e| matches!(e, ClientEvent::Linked { fresh: Some(FreshReason::NewEpoch), .. }))
    );
}

#[test]
fn what_ran_in_an_earlier_epoch_is_said_to_be_redelivered_also_after_a_session_that_it_never_reached_expired() {
    let mut pair = Pair::new(Config::default(), true);
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    assert_eq!(pair.begun.len(), 1);
    pair.crash_server();
    pair.connect();
    pair.step(); // The hello arrives; the welcome is cut off, or the action that follows it.
    pair.step();
    pair.cut();
    pair.run_for(Duration::from_secs(400));
    assert!(pair.server.as_ref().unwrap().is_ended() && pair.begun.is_empty());
    pair.answers = true;
    pair.run_until_answered(1, Duration::from_secs(10));
    assert_eq!((pair.begun[0].1.number, pair.begun[0].3), (call.number, true));
}

#[test]
fn an_action_that_may_have_run_is_never_refused_as_if_it_had_not() {
    let mut pair = Pair::new(Config { log_bytes_max: 12, bytes_in_flight_max: 1, ..Config::default() }, true);
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    assert_eq!(pair.begun.len(), 1);
    pair.crash_server();
    pair.answers = true;
    pair.connect();
    pair.step(); // The hello arrives. The new server's log is full before the action comes.
    let now = pair.now;
    for number in 0..3 {
        pair.server.as_mut().unwrap().broadcast(now, NEWS, number, false).unwrap();
        pair.drain();
    }
    pair.run_until_answered(1, Duration::from_secs(10));
    assert_eq!(pair.answered[&call.number], Answer::Response(2), "run again, and said to be");
    assert!(pair.begun[0].3);
}

#[test]
fn a_session_that_expired_ends_its_calls_in_their_records_or_in_unknown() {
    let mut pair = Pair::new(Config::default(), true);
    pair.answers = false;
    let (answered, lost) = (pair.send(1), pair.send(2));
    pair.run_for(Duration::from_millis(10));
    let (first, second) = (pair.begun[0].0, pair.begun[1].0);
    pair.cut();
    pair.answer(first, 11);
    let later = pair.send(3);
    // The second handler runs on: the session waits for it.
    pair.run_for(Duration::from_secs(3_600));
    assert!(!pair.server.as_ref().unwrap().is_ended());
    pair.answer(second, 12);
    assert!(pair.server.as_ref().unwrap().is_ended());
    pair.answers = true;
    pair.run_until_answered(3, Duration::from_secs(10));
    assert_eq!(pair.answered[&answered.number], Answer::Response(11));
    assert_eq!(pair.answered[&lost.number], Answer::Response(12));
    assert_eq!(pair.answered[&later.number], Answer::Response(4), "never sent before, so it may run");
}

#[test]
fn an_action_that_may_have_run_in_an_expired_session_without_record_is_unknown() {
    let mut pair = Pair::new(Config::default(), true);
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    pair.cut();
    let action = pair.begun[0].0;
    pair.answer(action, 11);
    pair.run_for(Duration::from_secs(400));
    pair.begun.clear();
    // The tombstone is too old.
    pair.run_for(Duration::from_secs(8 * 24 * 3600));
    pair.answers = true;
    pair.run_until_answered(1, Duration::from_secs(10));
    assert_eq!(pair.answered[&call.number], Answer::Refused(Refusal::Unknown));
    assert!(pair.begun.is_empty(), "it must not run");
}

#[test]
fn a_formal_disconnect_waits_for_every_answer_and_frees_the_session() {
    let mut pair = Pair::new(Config::default(), true);
    for number in 0..100 {
        pair.send(number);
    }
    pair.client.disconnect(pair.now, Duration::from_secs(30));
    pair.run_for(Duration::from_secs(5));
    assert_eq!(pair.answered.len(), 100, "drain_drops_nothing");
    assert!(pair.client_events.contains(&ClientEvent::Disconnected { dropped: vec![] }));
    assert!(pair.server.as_ref().unwrap().is_ended());
    assert_eq!(pair.registry.session_count(), 0);
    assert!(pair.client.send(pair.now, ECHO, 1).is_err());
}

#[test]
fn a_formal_disconnect_terminates_on_a_lossy_link() {
    for seed in 0..30 {
        let config = Config { flush_after: Duration::from_millis(20), ..Config::default() };
        let mut pair = Pair::seeded(config, false, seed);
        (pair.up.drop, pair.down.drop) = (0.3, 0.3);
        for number in 0..20 {
            pair.send(number);
        }
        pair.client.disconnect(pair.now, Duration::from_secs(600));
        for _ in 0..100_000 {
            if pair.client.is_ended() {
                break;
            }
            if !pair.is_linked {
                pair.connect();
            }
            pair.step();
        }
        assert!(
            pair.client_events.contains(&ClientEvent::Disconnected { dropped: vec![] }),
            "drain_terminates, seed {seed}"
        );
        assert_eq!(pair.answered.len(), 20, "drain_drops_nothing");
    }
}

#[test]
fn a_disconnect_at_its_limit_lists_what_it_dropped() {
    let mut pair = Pair::new(Config::default(), true);
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    pair.client.disconnect(pair.now, Duration::from_secs(1));
    pair.run_for(Duration::from_secs(2));
    assert!(pair.client_events.contains(&ClientEvent::Disconnected { dropped: vec![call] }));
    assert_eq!(pair.answered[&call.number], Answer::Refused(Refusal::Unknown));
}

#[test]
fn a_dead_link_is_found_by_heartbeats_and_closed() {
    let mut pair = Pair::new(Config::default(), true);
    pair.run_for(Duration::from_secs(1));
    (pair.up.drop, pair.down.drop) = (1.0, 1.0);
    pair.run_for(Duration::from_secs(20));
    assert!(pair.close_reasons.contains(&CloseReason::Silent));
}

#[test]
fn a_client_that_never_saw_its_welcome_gets_another() {
    let mut pair = Pair::new(Config::default(), true);
    // The hello arrives, the welcome does not.
    pair.step();
    assert!(pair.server.is_some());
    pair.cut();
    pair.send(1);
    pair.run_until_answered(1, Duration::from_secs(5));
    assert_eq!(pair.registry.session_count(), 1);
}

#[test]
fn a_second_client_with_the_same_id_and_no_proof_is_refused() {
    let mut pair = Pair::new(Config::default(), true);
    pair.send(1);
    pair.run_until_answered(1, Duration::from_secs(1));
    let identity = ClientIdentity {
        client: crate::ids::ClientId(7),
        incarnation: crate::ids::Incarnation(2),
        life: crate::record::Life(0),
        service: "test.Echo".into(),
        fingerprint: 42,
        shape: None,
        broadcasts: vec![],
    };
    let mut thief: ClientSession<u64> = ClientSession::new(Config::default(), identity, 99);
    thief.handle(pair.now, Input::LinkUp { reliable_ordered: true });
    let Output::Transmit(LinkFrame::Hello(hello)) = thief.poll_output() else { panic!("no hello") };
    let admission = pair.registry.admit(pair.now, *hello);
    let crate::server::Admission::Reject(reject) = admission else { panic!("admitted") };
    assert_eq!(reject.reason, crate::frame::RejectReason::BadProof);
    pair.send(2);
    pair.run_until_answered(2, Duration::from_secs(1));
}

#[test]
fn a_planned_restart_of_the_server_fails_no_call() {
    let mut pair = Pair::new(Config::default(), true);
    pair.answers = false;
    let first = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    let now = pair.now;
    pair.server.as_mut().unwrap().shutdown(now);
    let second = pair.send(2);
    pair.run_for(Duration::from_millis(10));
    assert_eq!(pair.begun.len(), 1, "nothing new is taken");
    let action = pair.begun[0].0;
    pair.answer(action, 11);
    pair.run_for(Duration::from_millis(1_100));
    assert_eq!(pair.answered[&first.number], Answer::Response(11));
    assert!(pair.server.as_ref().unwrap().is_idle());
    pair.crash_server();
    pair.answers = true;
    pair.run_until_answered(2, Duration::from_secs(5));
    assert_eq!(pair.answered[&second.number], Answer::Response(3));
    assert_eq!(pair.close_reasons, []);
}

#[test]
fn a_server_that_takes_a_returning_client_for_a_new_one_is_told_what_may_have_run() {
    let mut pair = Pair::new(Config::default(), true);
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    pair.crash_server();
    pair.connect();
    let Some((_, LinkFrame::Hello(hello))) = pair.up.frames.front_mut() else { panic!("a hello is on its way") };
    hello.resume = None;
    pair.answers = true;
    pair.run_until_answered(1, Duration::from_secs(10));
    assert_eq!((pair.begun[0].1.number, pair.begun[0].3), (call.number, true), "redelivered");
    let fresh = pair.client_events.iter().rev().find(|event| matches!(event, ClientEvent::Linked { .. }));
    assert!(matches!(fresh, Some(ClientEvent::Linked { fresh: Some(FreshReason::Asked), .. })), "{fresh:?}");
}
