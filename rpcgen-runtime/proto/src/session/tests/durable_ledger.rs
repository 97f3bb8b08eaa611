//! What earlier lanes left, and new ones are told of.

use std::time::Duration;

use super::pair::*;
use crate::config::Config;
use crate::frame::Refusal;
use crate::session::*;

const SOON: Duration = Duration::from_millis(50);

/// 31 days: whatever was kept of a session is forgotten.
const LONG_AFTER: Duration = Duration::from_secs(31 * 86_400);

/// A call that runs, of a session of which nothing is left.
fn forgotten(pair: &mut Pair) -> CallHandle {
    pair.run_for(SOON);
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(SOON);
    pair.cut();
    pair.answer(pair.begun[0].0, 1);
    pair.run_for(LONG_AFTER);
    call
}

// spec: protocol.md 8
#[test]
fn a_session_of_which_nothing_was_kept_ends_what_was_sent_before_and_nothing_that_came_since() {
    let mut pair = Pair::durable(true, true);
    let before = forgotten(&mut pair);
    pair.answers = true;
    pair.connect();
    pair.send(2);
    pair.run_until_answered(2, Duration::from_secs(5));
    assert_eq!(pair.answered[&before.number], Answer::Refused(Refusal::Unknown));
    pair.cut();
    let since = pair.send(3);
    pair.crash_client(); // Its next life cannot know that nobody was sent it.
    pair.connect();
    pair.run_for(Duration::from_secs(2));
    assert!(matches!(pair.answered.get(&since.number), Some(Answer::Response(_))), "{:?}", pair.answered);
}

// spec: protocol.md 8
#[test]
fn what_a_forgotten_session_may_have_run_does_not_run_after_a_crash_of_the_server_either() {
    let mut pair = Pair::durable(true, true);
    let before = forgotten(&mut pair);
    pair.answers = true;
    pair.connect();
    pair.run_for(Duration::from_millis(2)); // The new session is on record at both ends; its first frame is on its way.
    assert_eq!(pair.begun.len(), 1);
    pair.crash_server();
    pair.connect();
    pair.run_for(Duration::from_secs(2));
    assert!(pair.begun.is_empty(), "it ran 31 days ago");
    assert_eq!(pair.answered.get(&before.number), Some(&Answer::Refused(Refusal::Unknown)));
}

// spec: protocol.md 8
#[test]
fn what_a_forgotten_session_may_have_run_does_not_run_though_its_client_is_away_once_more() {
    for server_has_log in [true, false] {
        let mut pair = Pair::durable(true, server_has_log);
        let before = forgotten(&mut pair);
        pair.connect();
        pair.run_for(Duration::from_millis(2));
        pair.cut(); // The server has heard nothing in the new session.
        pair.run_for(Duration::from_secs(3600));
        if server_has_log {
            pair.crash_server();
        }
        pair.begun.clear();
        pair.connect();
        pair.run_for(Duration::from_secs(2));
        assert!(pair.begun.is_empty(), "it ran 31 days ago");
        assert_eq!(pair.answered.get(&before.number), Some(&Answer::Refused(Refusal::Unknown)));
    }
}

/// The actions that were handed out to be answered from their completion records.
fn only_asked_for(pair: &Pair) -> usize {
    let is =
        |event: &&ServerEvent<u64>| matches!(event, ServerEvent::Action { must_not_run: true, redelivered: true, .. });
    pair.server_events.iter().filter(is).count()
}

// spec: protocol.md 8
#[test]
fn a_completion_store_is_asked_for_what_a_forgotten_session_may_have_run_and_for_nothing_else() {
    for server_has_log in [true, false] {
        let config = Config { has_completions: true, ..Config::default() };
        let mut pair = Pair::durable_with(config, true, server_has_log);
        let before = forgotten(&mut pair);
        pair.connect();
        pair.run_for(SOON);
        assert_eq!(only_asked_for(&pair), 1);
        if server_has_log {
            pair.crash_server(); // It was not answered.
            pair.connect();
            pair.run_for(SOON);
            assert_eq!(only_asked_for(&pair), 2, "nor may it run in the next life");
        }
        let since = pair.send(2);
        pair.run_for(SOON);
        assert_eq!(only_asked_for(&pair), 1 + usize::from(server_has_log));
        for (action, _, payload, _) in pair.begun.clone() {
            pair.answer(action, payload + 10);
        }
        pair.run_until_answered(2, Duration::from_secs(5));
        assert_eq!(pair.answered[&before.number], Answer::Response(11));
        assert_eq!(pair.answered[&since.number], Answer::Response(12));
    }
}

// spec: protocol.md 8
#[test]
fn what_came_after_a_forgotten_session_runs_after_a_crash_of_both_ends() {
    let mut pair = Pair::durable(true, true);
    pair.run_for(SOON);
    pair.send(1);
    pair.run_until_answered(1, Duration::from_secs(5));
    pair.run_for(SOON);
    pair.cut();
    pair.run_for(LONG_AFTER);
    pair.connect();
    pair.send(2);
    pair.run_until_answered(2, Duration::from_secs(5));
    pair.cut();
    let since = pair.send(3);
    pair.crash_client();
    pair.crash_server();
    pair.connect();
    pair.run_for(Duration::from_secs(2));
    assert!(matches!(pair.answered.get(&since.number), Some(Answer::Response(_))), "{:?}", pair.answered);
}

// spec: protocol.md 4
#[test]
fn an_answer_that_came_before_its_client_asked_again_waits_for_its_record_too() {
    let mut pair = Pair::durable_with(Config { flush_after: Duration::ZERO, ..Config::default() }, true, true);
    pair.run_for(SOON);
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(SOON);
    pair.crash_client();
    pair.hold_syncs(true, false);
    pair.connect();
    pair.run_for(SOON);
    pair.hold_syncs(true, true);
    pair.answer(pair.begun[0].0, 2); // Nobody has asked for it on these lanes.
    pair.sync_client();
    pair.run_for(SOON);
    let is_told = |pair: &Pair| pair.answered.contains_key(&call.number);
    assert!(!is_told(&pair), "a crash now, and it would run again");
    pair.sync_server();
    pair.run_for(SOON);
    assert!(is_told(&pair));
    assert_eq!(pair.begun.len(), 1);
}
