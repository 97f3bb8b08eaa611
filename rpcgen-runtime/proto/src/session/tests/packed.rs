//! Sessions without a link, packed: how little they take, and that nothing of them is lost. Every scenario of a [`Pair`] has its server's
//! session packed while it has no link; here is what is about packing itself.

use std::time::Duration;

use super::pair::*;
use crate::config::Config;
use crate::session::PackedSession;

/// A session whose client has made calls, one after another, and vanished.
fn vanished(reliable_ordered: bool, calls: usize) -> Pair {
    let mut pair = Pair::new(Config::default(), reliable_ordered);
    pair.run_for(Duration::from_millis(10));
    for number in 0..calls {
        pair.send(number as u64);
        pair.run_until_answered(number + 1, Duration::from_secs(10));
    }
    pair.cut();
    pair
}

fn bytes(pair: &Pair) -> usize {
    let server = pair.server.clone().unwrap();
    assert!(server.is_packable());
    size_of::<PackedSession<u64>>() + server.pack().heap_bytes()
}

#[test]
fn a_packed_session_takes_a_kilobyte_at_most_however_long_it_worked() {
    for reliable_ordered in [true, false] {
        for calls in [0, 1, 50, 1_000] {
            let bytes = bytes(&vanished(reliable_ordered, calls));
            assert!(bytes <= 1_024, "{bytes} after {calls} calls");
        }
    }
}

#[test]
fn a_packed_session_grows_by_what_is_logged_and_no_more() {
    let mut pair = vanished(true, 50);
    let before = bytes(&pair);
    for number in 0..100 {
        let now = pair.now;
        pair.server.as_mut().unwrap().broadcast(now, NEWS, number, false).unwrap();
        pair.drain();
    }
    let each = (bytes(&pair) - before) / 100;
    assert!(each <= 64, "{each} for each message that is logged");
}

#[test]
fn a_session_that_was_packed_goes_on_where_it_was() {
    for reliable_ordered in [true, false] {
        let mut pair = vanished(reliable_ordered, 120);
        for number in 120..150 {
            pair.send(number);
        }
        let now = pair.now;
        pair.server.as_mut().unwrap().broadcast(now, NEWS, 7, false).unwrap();
        pair.drain();
        pair.connect();
        pair.run_until_answered(150, Duration::from_secs(60));
        assert_eq!(pair.begun.len(), 150, "each ran once");
    }
}
