//! Links that lose, duplicate and reorder.

use std::boxed::Box;
use std::collections::BTreeSet;
use std::time::Duration;
use std::vec::Vec;

use super::pair::*;
use crate::config::Config;
use crate::frame::{Frame, LinkFrame, MissingRange, Riders};
use crate::ids::Position;
use crate::rng::SplitMix64;
use crate::session::CloseReason;

fn quick() -> Config {
    Config { flush_after: Duration::from_millis(20), ..Config::default() }
}

fn assert_each_ran_once(pair: &Pair, count: usize) {
    let numbers: BTreeSet<_> = pair.begun.iter().map(|begun| begun.1.number).collect();
    assert_eq!(numbers.len(), pair.begun.len(), "at_most_one_execution_per_call_key");
    assert_eq!(numbers.len(), count, "no_lost_answer");
}

#[test]
fn every_call_is_answered_once_when_one_frame_in_ten_is_lost() {
    for seed in 0..20 {
        let mut pair = Pair::seeded(quick(), false, seed);
        (pair.up.drop, pair.down.drop) = (0.1, 0.1);
        for number in 0..1_000 {
            pair.send(number);
        }
        pair.run_until_answered(1_000, Duration::from_secs(600));
        assert_each_ran_once(&pair, 1_000);
        assert!(pair.up.dropped > 20 && pair.down.dropped > 20);
        assert_eq!(pair.close_reasons, [], "seed {seed}");
    }
}

#[test]
fn a_lone_call_survives_the_loss_of_its_first_frames_in_both_directions() {
    for (up, down) in [(1, 0), (0, 1), (2, 2), (5, 0), (0, 5), (3, 3)] {
        let mut pair = Pair::new(quick(), false);
        pair.run_for(Duration::from_millis(100));
        (pair.up.drop_next, pair.down.drop_next) = (up, down);
        pair.send(1);
        pair.run_until_answered(1, Duration::from_secs(60));
        assert_each_ran_once(&pair, 1);
    }
}

#[test]
fn every_call_is_answered_once_under_loss_duplicates_reordering_and_cuts() {
    for seed in 0..std::env::var("SEEDS").map_or(60, |n| n.parse().unwrap()) {
        let mut generator = SplitMix64::new(seed);
        let config = Config {
            pool_size: [4, 8, 16, 100][generator.below(4) as usize],
            slots: [1, 3, 64, 1_024][generator.below(4) as usize],
            flush_after: Duration::from_millis(u64::from(generator.below(100))),
            ..Config::default()
        };
        let mut pair = Pair::seeded(config, false, seed);
        for wire in [&mut pair.up, &mut pair.down] {
            wire.drop = f64::from(generator.below(40)) / 100.0;
            wire.duplicate = f64::from(generator.below(20)) / 100.0;
            wire.reorder = f64::from(generator.below(40)) / 100.0;
        }
        for number in 0..300 {
            pair.send(number);
            if pair.is_linked && generator.chance(0.5) {
                pair.step();
            }
            if generator.chance(0.02) {
                pair.cut();
            }
            if !pair.is_linked && generator.chance(0.3) {
                pair.connect();
            }
        }
        pair.run_until_answered(300, Duration::from_secs(3_600));
        assert_each_ran_once(&pair, 300);
        assert!(
            pair.close_reasons.iter().all(|reason| *reason == CloseReason::Silent),
            "seed {seed}: {:?}",
            pair.close_reasons
        );
    }
}

#[test]
fn resends_stay_in_proportion_to_the_loss() {
    let mut pair = Pair::new(quick(), false);
    (pair.up.drop, pair.down.drop) = (0.1, 0.1);
    for number in 0..5_000 {
        pair.send(number);
    }
    pair.run_until_answered(5_000, Duration::from_secs(600));
    let client = pair.client.stats();
    let server = pair.server.as_ref().unwrap().stats();
    for stats in [client, server] {
        let ratio = stats.resent as f64 / stats.sent as f64;
        assert!(ratio <= 0.4, "amplification_bounded: {ratio:.2} re-sent for each new message");
    }
}

#[test]
fn a_lossy_link_becomes_silent_when_everything_is_guaranteed() {
    let mut pair = Pair::new(quick(), false);
    (pair.up.drop, pair.down.drop) = (0.3, 0.3);
    for number in 0..50 {
        pair.send(number);
    }
    pair.run_until_answered(50, Duration::from_secs(60));
    (pair.up.drop, pair.down.drop) = (0.0, 0.0);
    pair.run_for(Duration::from_secs(10));
    let frames = pair.frames_seen;
    pair.run_for(Duration::from_secs(60));
    let heartbeats = pair.frames_seen - frames;
    assert!(heartbeats <= 2 * 2 * 60 / 5, "quiescent_when_idle: {heartbeats} frames in a minute");
}

#[test]
fn resends_stay_in_proportion_to_the_loss_on_a_link_with_a_long_round_trip() {
    for flush in [0, 20, 1_000] {
        let config = Config { flush_after: Duration::from_millis(flush), ..Config::default() };
        let mut pair = Pair::new(config, false);
        pair.cut();
        pair.latency = Duration::from_millis(100);
        pair.connect();
        (pair.up.drop, pair.down.drop) = (0.1, 0.1);
        for number in 0..3_000 {
            pair.send(number);
        }
        pair.run_until_answered(3_000, Duration::from_secs(3_600));
        for stats in [pair.client.stats(), pair.server.as_ref().unwrap().stats()] {
            let ratio = stats.resent as f64 / stats.sent as f64;
            assert!(ratio <= 0.4, "amplification_bounded: {ratio:.2} re-sent for each new message, flush {flush} ms");
        }
    }
}

#[test]
fn who_asks_again_and_again_and_guarantees_nothing_gets_little() {
    let mut pair = Pair::new(Config { flush_after: Duration::ZERO, ..Config::default() }, false);
    pair.run_for(Duration::from_millis(10));
    pair.down.drop = 1.0;
    for number in 0..50 {
        pair.send(number);
    }
    let sent = pair.client.stats().sent;
    let missing = MissingRange { first: Position(1), count: u32::try_from(sent - 1).unwrap() };
    let riders = Riders { where_is: Vec::from([missing]), ..Riders::default() };
    for _ in 0..500 {
        let frame = Frame { bits: None, riders: Some(Box::new(riders.clone())), message: None };
        pair.down.frames.push_back((pair.now, LinkFrame::Frame(frame)));
        pair.run_for(Duration::from_millis(25)); // Time goes on, also when the oldest message has to wait to be paid for.
    }
    // A stock of half the pool and 64, and one each round trip.
    let resent = pair.client.stats().resent;
    assert!(resent <= 50 + 64 + 500 * 25 / 20 + 1, "amplification_bounded: {resent} re-sent");
}
