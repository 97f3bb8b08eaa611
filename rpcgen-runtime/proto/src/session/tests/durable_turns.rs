//! Actions that may have killed their server: their turns, and what counts against them.

use std::time::Duration;

use super::pair::*;
use crate::config::Config;
use crate::session::*;

const SOON: Duration = Duration::from_millis(50);

fn turns_over(pair: &Pair) -> usize {
    pair.server_events.iter().filter(|event| matches!(event, ServerEvent::TurnOver(_))).count()
}

/// An action runs that was running when its server died, for the second time.
fn suspect() -> Pair {
    let mut pair = Pair::durable_with(Config { flush_after: Duration::ZERO, ..Config::default() }, true, true);
    pair.run_for(SOON);
    pair.answers = false;
    pair.send(1);
    pair.run_for(SOON);
    pair.crash_server();
    pair.drain();
    assert_eq!(pair.begun.len(), 1, "its beginning is on record now");
    pair.crash_server();
    pair.drain();
    pair
}

// spec: protocol.md 9
#[test]
fn a_turn_is_over_when_its_answer_is_on_record_and_not_before() {
    let mut pair = suspect();
    pair.hold_syncs(false, true);
    pair.answer(pair.begun[0].0, 2);
    assert_eq!(turns_over(&pair), 0, "the next one might end the server now, and this one would be blamed");
    pair.sync_server();
    assert_eq!(turns_over(&pair), 1);
}

#[test]
fn an_action_that_runs_for_the_first_time_has_no_turn() {
    let mut pair = Pair::durable(true, true);
    pair.send(1);
    pair.run_until_answered(1, Duration::from_secs(5));
    pair.answers = false;
    pair.send(2);
    pair.run_for(SOON);
    pair.crash_server();
    pair.drain();
    pair.answer(pair.begun[0].0, 3);
    assert_eq!(turns_over(&pair), 0, "its beginning was not on record: it began at once");
}

#[test]
fn a_session_that_ends_leaves_its_turns_to_whoever_gives_them() {
    let mut pair = suspect();
    pair.run_for(Duration::from_secs(310));
    pair.hold_syncs(false, true);
    pair.answer(pair.begun[0].0, 2);
    assert!(pair.server.as_ref().unwrap().is_ended());
    assert_eq!(turns_over(&pair), 0, "`Turns::session_over` ends them, also those that are not given yet");
}
