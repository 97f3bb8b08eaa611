//! Who is let in, who is to come again, and who is refused.

use std::time::Duration;
use std::vec;
use std::vec::Vec;

use super::pair::*;
use crate::config::Config;
use crate::error::ProtocolError;
use crate::frame::{Begin, Body, Frame, Hello, LinkFrame, Reject, RejectReason, Sequenced, WireId};
use crate::ids::*;
use crate::server::{Admission, Registry, RegistryConfig};
use crate::session::*;

fn rejects(pair: &Pair) -> Vec<&Reject> {
    let mut rejects = Vec::new();
    for event in &pair.client_events {
        if let ClientEvent::Rejected(reject) = event {
            rejects.push(reject);
        }
    }
    rejects
}

/// The hello of another client.
fn hello_of(client: u128) -> Hello {
    let identity = ClientIdentity {
        client: ClientId(client),
        incarnation: Incarnation(1),
        life: crate::record::Life(0),
        service: "test.Echo".into(),
        fingerprint: 42,
        shape: None,
        broadcasts: vec![],
    };
    let mut session: ClientSession<u64> = ClientSession::new(Config::default(), identity, 99);
    session.handle(crate::time::Instant::START, Input::LinkUp { reliable_ordered: true });
    let Output::Transmit(LinkFrame::Hello(hello)) = session.poll_output() else { panic!("no hello") };
    *hello
}

fn registry(config: RegistryConfig) -> Registry<u64> {
    Registry::new(Epoch(1), Pair::services(42, ""), config, [1; 32])
}

#[test]
fn a_client_whose_links_end_in_disputes_again_and_again_is_refused_for_a_minute() {
    let mut pair = Pair::new(Config::default(), false);
    pair.send(0);
    pair.run_until_answered(1, Duration::from_secs(1));
    for _ in 0..5 {
        let body = Body::Cancel { slot: Slot(0), check: 0 };
        let message = Some(Sequenced { id: WireId::Full(MessageId(7)), body });
        let forged = Frame { bits: None, riders: None, message };
        pair.up.frames.push_back((pair.now, LinkFrame::Frame(forged)));
        pair.run_for(Duration::from_millis(10));
        let closed = std::mem::take(&mut pair.close_reasons);
        assert!(matches!(closed[0], CloseReason::Protocol(ProtocolError::UnknownId { .. })), "{closed:?}");
        assert_eq!(rejects(&pair), Vec::<&Reject>::new());
        pair.connect();
        pair.run_for(Duration::from_millis(10));
    }
    let [reject] = rejects(&pair)[..] else { panic!("not refused once") };
    assert_eq!(reject.reason, RejectReason::TooManyErrors);
    assert!(!reject.is_final());
    let pause = reject.pause;
    assert!(pause > Duration::from_secs(59) && pause <= Duration::from_secs(60));
    assert_eq!(pair.registry.stats().disputed, 1);
    pair.run_for(pause);
    pair.send(1);
    pair.run_until_answered(2, Duration::from_secs(1));
}

/// Else it would take the place that its own client is about to come back to, whose proof then fails for good.
#[test]
fn a_hello_that_was_on_its_way_for_longer_than_its_session_lived_opens_nothing() {
    for reason in [EndReason::Expired, EndReason::Formal] {
        let mut registry = registry(RegistryConfig::default());
        let (now, late) = (crate::time::Instant::START, hello_of(7));
        let link = |number| Hello { link: LinkNumber(number), ..late.clone() };
        let Admission::Open(opening) = registry.admit(now, link(2)) else { panic!("not opened") };
        let mut session = ServerSession::open(now, Config::default(), *opening, true);
        session.handle(now, Input::LinkDown);
        let later = now + Duration::from_secs(400);
        session.handle(later, Input::Timeout);
        let ended = loop {
            match session.poll_output() {
                Output::Event(ServerEvent::Ended(ended)) => break ended,
                Output::Timeout(_) => panic!("not ended"),
                _ => {}
            }
        };
        registry.ended(later, Ended { reason, ..*ended });
        let Admission::Reject(reject) = registry.admit(later, late.clone()) else { panic!("an old link is let in") };
        assert_eq!(reject.reason, RejectReason::Superseded);
        assert!(matches!(registry.admit(later, link(3)), Admission::Open(_)));
    }
}

#[test]
fn two_ends_that_derive_different_orders_come_to_a_named_refusal() {
    let mut pair = Pair::new(Config::default(), true);
    while rejects(&pair).is_empty() {
        pair.step(); // The hello arrives.
        for (_, frame) in &mut pair.down.frames {
            if let LinkFrame::Welcome(welcome) = frame
                && let Begin::Fresh { nonce, .. } = &mut welcome.begin
            {
                *nonce ^= 1;
            }
        }
        pair.step();
        if !pair.is_linked {
            pair.connect();
        }
        assert!(pair.now < crate::time::Instant::START + Duration::from_secs(10));
    }
    let disputed =
        |reason: &&CloseReason| matches!(reason, CloseReason::Protocol(ProtocolError::PoolOrderDisputed { .. }));
    assert_eq!(pair.close_reasons.iter().filter(disputed).count(), 5, "{:?}", pair.close_reasons);
    assert_eq!(rejects(&pair)[0].reason, RejectReason::TooManyErrors);
}

#[test]
fn more_clients_than_are_let_in_per_second_are_told_when_to_come_again() {
    let mut registry = registry(RegistryConfig { admissions_burst: 3, ..RegistryConfig::default() });
    let now = crate::time::Instant::START;
    let mut pauses = Vec::new();
    for client in 0..8 {
        match registry.admit(now, hello_of(client)) {
            Admission::Open(_) => assert!(pauses.is_empty()),
            Admission::Reject(reject) => {
                assert_eq!((reject.reason, reject.is_final()), (RejectReason::Overloaded, false));
                pauses.push(reject.pause);
            }
            Admission::Resume(..) | Admission::Restart(_) => panic!("there was no session"),
        }
    }
    assert_eq!(pauses, [Duration::from_millis(100); 5]);
    assert_eq!(registry.stats().deferred, 5);
    let later = now + Duration::from_millis(100);
    assert!(matches!(registry.admit(later, hello_of(7)), Admission::Open(_)));
}

#[test]
fn answers_that_were_not_taken_outlive_their_session_and_newcomers_wait_for_their_room() {
    let mut pair = Pair::new(Config::default(), true);
    pair.registry = registry(RegistryConfig { record_bytes_max: 1, ..RegistryConfig::default() });
    pair.answers = false;
    let call = pair.send(1);
    pair.run_for(Duration::from_millis(10));
    pair.cut();
    pair.answer(pair.begun[0].0, 5);
    pair.run_for(Duration::from_secs(301));
    assert_eq!(pair.registry.session_count(), 0);
    let Admission::Reject(reject) = pair.registry.admit(pair.now, hello_of(1)) else { panic!("a newcomer is let in") };
    assert_eq!(reject.reason, RejectReason::Overloaded);
    assert!(reject.pause >= Duration::from_secs(1));
    assert_eq!(pair.registry.stats().full, 1);
    pair.run_until_answered(1, Duration::from_secs(1));
    assert_eq!(pair.answered[&call.number], Answer::Response(5), "no_lost_answer");
    assert_eq!(pair.begun.len(), 1, "at_most_one_execution_per_call_key");
    assert!(matches!(pair.registry.admit(pair.now, hello_of(1)), Admission::Open(_)));
}
