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

fn sizes(pair: &Pair) -> (u64, u64) {
    let stats = pair.server.as_ref().unwrap().stats();
    (stats.pools_grown, stats.pools_halved)
}

/// Calls in bursts of 100, each answered before the next.
fn burst(pair: &mut Pair, bursts: usize) {
    for _ in 0..bursts {
        let before = pair.answered.len();
        for number in 0..100 {
            pair.send(number);
        }
        pair.run_until_answered(before + 100, Duration::from_secs(600));
    }
}

#[test]
fn a_pool_that_grew_is_halved_after_a_long_idle_time_and_grows_back_under_load() {
    for reliable_ordered in [true, false] {
        let mut pair = Pair::new(Config { pool_size: 8, ..Config::default() }, reliable_ordered);
        burst(&mut pair, 20);
        let (grown, halved) = sizes(&pair);
        assert!(grown >= 4 && halved == 0, "{grown} {halved}");
        pair.run_for(Duration::from_secs(59));
        assert_eq!(sizes(&pair), (grown, 0));
        pair.run_for(Duration::from_secs(2));
        assert_eq!(sizes(&pair), (grown, 2), "one in each lane");
        pair.run_for(Duration::from_secs(600));
        assert_eq!(sizes(&pair), (grown, 2), "the lane comes to the new range first");
        burst(&mut pair, 20);
        let (grown_back, _) = sizes(&pair);
        assert!(grown_back > grown, "grows back under load");
        let blocked = pair.client.stats().pool_blocked + pair.server.as_ref().unwrap().stats().pool_blocked;
        burst(&mut pair, 10);
        let blocked_later = pair.client.stats().pool_blocked + pair.server.as_ref().unwrap().stats().pool_blocked;
        assert_eq!(blocked, blocked_later, "never blocks twice at one size under the same load");
        assert_eq!(pair.close_reasons, []);
    }
}

#[test]
fn a_pool_is_never_halved_below_its_first_size() {
    let mut pair = Pair::new(Config { pool_size: 8, ..Config::default() }, true);
    burst(&mut pair, 5);
    let mut halved = 0;
    for _ in 0..60 {
        for _ in 0..20 {
            let count = pair.answered.len() + 1;
            pair.send(1);
            pair.run_until_answered(count, Duration::from_secs(5));
        }
        pair.run_for(Duration::from_secs(61));
        halved = sizes(&pair).1;
    }
    let (grown, _) = sizes(&pair);
    assert_eq!(halved, grown, "as often as it grew, then no more");
    assert_eq!(pair.close_reasons, []);
}

#[test]
fn halving_survives_loss_cuts_and_messages_that_cross_it() {
    for seed in 0..20 {
        let config = Config { pool_size: 4, pool_idle: Duration::from_millis(20), ..Config::default() };
        let mut pair = Pair::seeded(Config { flush_after: Duration::ZERO, ..config }, false, seed);
        (pair.up.drop, pair.down.drop) = (0.2, 0.2);
        for number in 0..600 {
            pair.send(number);
            if number % 50 == 49 {
                let pause = u64::from(pair.generator.below(60));
                pair.run_for(Duration::from_millis(pause));
            }
            if number % 170 == 169 {
                pair.cut();
            }
            if !pair.is_linked {
                pair.connect();
            }
        }
        pair.run_until_answered(600, Duration::from_secs(3_600));
        assert!(sizes(&pair).1 > 0, "seed {seed}");
        assert!(
            pair.close_reasons.iter().all(|reason| *reason == CloseReason::Silent),
            "seed {seed}: {:?}",
            pair.close_reasons
        );
    }
}
