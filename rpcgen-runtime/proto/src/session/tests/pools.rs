//! ID pools: credit, growth, wrap, disputes.

use std::time::Duration;

use super::pair::*;
use crate::config::Config;
use crate::session::CloseReason;

#[test]
fn both_sides_fill_their_windows_before_the_first_delivery_and_nobody_waits_for_ever() {
    for size in [4, 8, 12] {
        let config = Config { pool_size: size, pool_size_max: size, ..Config::default() };
        let mut pair = Pair::new(config, true);
        pair.run_for(Duration::from_millis(10));
        for number in 0..u64::from(size / 2 + 1) {
            pair.send(number);
            let now = pair.now;
            pair.server.as_mut().unwrap().broadcast(now, NEWS, number, false).unwrap();
            pair.drain();
        }
        pair.run_until_answered(size as usize / 2 + 1, Duration::from_secs(10));
    }
}

#[test]
fn a_pool_that_blocks_is_doubled_until_it_does_not() {
    let mut pair = Pair::new(Config { pool_size: 4, ..Config::default() }, true);
    for number in 0..2_000 {
        pair.send(number);
    }
    pair.run_until_answered(2_000, Duration::from_secs(60));
    assert!(pair.server.as_ref().unwrap().stats().pools_grown >= 5);
    let blocked = pair.client.stats().pool_blocked;
    for number in 0..500 {
        pair.send(number);
    }
    pair.run_until_answered(2_500, Duration::from_secs(60));
    assert!(pair.client.stats().pool_blocked <= blocked + 1, "never blocks twice at one size under the same load");
}

#[test]
fn a_pool_never_outgrows_its_limit() {
    let mut pair = Pair::new(Config { pool_size: 4, pool_size_max: 16, ..Config::default() }, true);
    for number in 0..500 {
        pair.send(number);
    }
    pair.run_until_answered(500, Duration::from_secs(60));
    assert_eq!(pair.close_reasons, []);
}

#[test]
fn growth_survives_loss_and_cuts() {
    for seed in 0..40 {
        let mut pair = Pair::seeded(Config { pool_size: 4, ..Config::default() }, false, seed);
        (pair.up.drop, pair.down.drop) = (0.3, 0.3);
        for number in 0..400 {
            pair.send(number);
            if number % 97 == 0 {
                pair.cut();
            }
            if !pair.is_linked {
                pair.connect();
            }
            pair.step();
        }
        pair.run_until_answered(400, Duration::from_secs(3_600));
        // Losing three in ten both ways may look like a dead link now and then; nothing else may close it.
        assert!(
            pair.close_reasons.iter().all(|reason| *reason == CloseReason::Silent),
            "seed {seed}: {:?}",
            pair.close_reasons
        );
    }
}

#[test]
fn a_sender_whose_bytes_are_all_in_flight_does_not_wait_for_the_flush_of_its_peer() {
    for reliable_ordered in [true, false] {
        let mut pair = Pair::new(Config::default(), reliable_ordered);
        // The server's limit is one message; the client, whose limit is larger, sees no reason to hurry with its bits.
        pair.config.bytes_in_flight_max = 8;
        for number in 0..50 {
            pair.send(number);
        }
        pair.run_until_answered(50, Duration::from_secs(1));
    }
}
