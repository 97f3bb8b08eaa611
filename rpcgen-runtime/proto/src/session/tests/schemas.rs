//! Ends of different versions of a schema: what fits goes on, what does not is refused with what differs.

use std::time::Duration;
use std::vec;
use std::vec::Vec;

use super::pair::*;
use crate::config::Config;
use crate::frame::RejectReason;
use crate::session::*;

const SOON: Duration = Duration::from_millis(50);
/// An action and a field are new.
const NEWER: &str =
    "test.Echo\naction echo(app_id: AppId, note: string?)\naction more(app_id: AppId)\nbroadcast news(app_id: AppId)\n";
/// Its broadcast has another name.
const OTHER: &str = "test.Echo\naction echo(app_id: AppId)\nbroadcast gossip(app_id: AppId)\n";

/// A server that is made again with another version.
fn update(pair: &mut Pair, fingerprint: u64, shape: &'static str) {
    pair.services = Pair::services(fingerprint, shape);
    pair.crash_server();
}

fn adopted(pair: &Pair) -> Vec<u64> {
    let adopted = |event: &ClientEvent<u64>| match event {
        ClientEvent::SchemaFits { fingerprint } => Some(*fingerprint),
        _ => None,
    };
    pair.client_events.iter().filter_map(adopted).collect()
}

fn refused(pair: &Pair) -> Vec<(RejectReason, &str)> {
    let rejects = pair.client_events.iter().filter_map(|event| match event {
        ClientEvent::Rejected(reject) => Some((reject.reason, reject.message.as_str())),
        _ => None,
    });
    rejects.collect()
}

// spec: protocol.md 8
#[test]
fn server_that_is_updated_to_a_version_that_fits_is_greeted_with_that_and_the_session_goes_on() {
    for durable in [false, true] {
        let mut pair = Pair::durable(durable, durable);
        pair.answers = false;
        pair.run_for(SOON);
        pair.send(1);
        pair.run_for(SOON);
        pair.answers = true;
        update(&mut pair, 43, NEWER);
        pair.connect();
        pair.run_for(SOON);
        assert_eq!((adopted(&pair), pair.is_linked), (vec![43], false), "the server has closed that link");
        pair.connect();
        pair.run_until_answered(1, Duration::from_secs(1));
        // And from then on at once.
        pair.cut();
        pair.connect();
        pair.send(2);
        pair.run_until_answered(2, Duration::from_secs(1));
        assert_eq!((adopted(&pair).len(), refused(&pair)), (1, vec![]));
        // Back to the version of the client.
        update(&mut pair, 42, SHAPE);
        pair.connect();
        pair.run_for(SOON);
        pair.connect();
        pair.send(3);
        pair.run_until_answered(3, Duration::from_secs(1));
        assert_eq!(adopted(&pair), [43, 42]);
    }
}

#[test]
fn version_that_does_not_fit_is_refused_with_what_differs() {
    let mut pair = Pair::new(Config::default(), true);
    update(&mut pair, 44, OTHER);
    pair.connect();
    pair.run_for(SOON);
    let [(RejectReason::SchemaMismatch, message)] = refused(&pair)[..] else { panic!("{:?}", refused(&pair)) };
    assert!(
        message.starts_with("the schema of `test.Echo` differs: server 000000000000002c, client 000000000000002a: ")
    );
    assert!(message.contains("broadcast 1 is `news` here and `gossip` at the server. Keep what is there"), "{message}");
}

#[test]
fn server_that_refuses_the_version_that_it_has_named_is_not_asked_for_ever() {
    let mut pair = Pair::new(Config::default(), true);
    update(&mut pair, 43, NEWER);
    pair.connect();
    pair.run_for(SOON);
    assert_eq!(adopted(&pair), [43]);
    let hello_of = |pair: &mut Pair| {
        pair.client.handle(pair.now, Input::LinkUp { reliable_ordered: true });
        let mut reject = None;
        loop {
            match pair.client.poll_output() {
                Output::Transmit(crate::frame::LinkFrame::Hello(mut hello)) => {
                    hello.fingerprint = 7; // As if it had not said what it was told.
                    reject = Some(pair.registry.admit(pair.now, *hello));
                }
                Output::Timeout(_) => return reject.expect("a hello"),
                _ => {}
            }
        }
    };
    let crate::server::Admission::Reject(reject) = hello_of(&mut pair) else { panic!("it is another version") };
    pair.client.handle(pair.now, Input::Received(crate::frame::LinkFrame::Reject(reject)));
    let Output::Event(ClientEvent::Rejected(reject)) = pair.client.poll_output() else {
        panic!("it is the same again")
    };
    assert!(
        reject.is_final() && reject.message.ends_with("it is what this client has asked for"),
        "{}",
        reject.message
    );
}

#[test]
fn shape_beyond_the_bound_is_not_told_and_the_reject_says_so() {
    let shape = std::string::String::leak("x".repeat(crate::frame::limits::SHAPE_BYTES_MAX + 1));
    let mut pair = Pair::new(Config::default(), true);
    update(&mut pair, 43, shape);
    pair.connect();
    pair.run_for(SOON);
    let [(RejectReason::SchemaMismatch, message)] = refused(&pair)[..] else { panic!("{:?}", refused(&pair)) };
    assert!(message.contains("262145 bytes, is too large to be compared at the handshake"), "{message}");
}
