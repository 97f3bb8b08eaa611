//! What earlier lanes left, and new ones are told of.

use std::time::Duration;

use super::pair::*;
use crate::config::Config;

const SOON: Duration = Duration::from_millis(50);

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
