//! What comes on a link that was greeted, and has no place there.

use rpcgen_proto::bits::{BitArray, Bits};
use rpcgen_proto::frame::{
    Body, CancelOutcome, Close, Frame, LinkFrame, MissingRange, QuarterAgree, RangeAgree, Refusal, Riders,
};
use rpcgen_proto::fuzzing::Carried;
use rpcgen_proto::ids::{BroadcastNumber, CallNumber, LaneKind, MessageId, MethodId, Position, Slot};

use super::Scene;
use super::stranger::{ECHO, WAIT};

fn bits(base: u32, bits: Bits) -> LinkFrame<Carried> {
    LinkFrame::Frame(Frame { bits: Some(BitArray { base, bits }), riders: None, message: None })
}

fn action(frame: &mut Frame<Carried>) -> (&mut Slot, &mut Option<CallNumber>) {
    match frame.message.as_mut().map(|message| &mut message.body) {
        Some(Body::Action { slot, number, .. }) => (slot, number),
        other => panic!("an action: {other:?}"),
    }
}

#[tokio::test]
async fn second_hello() {
    let scene = Scene::begin().await;
    let mut stranger = scene.greeted().await;
    let hello = stranger.hello();
    stranger.say(&LinkFrame::Hello(Box::new(hello))).await;
    scene.ends(stranger, "a handshake frame is not allowed after the handshake").await;
}

#[tokio::test]
async fn reject_from_a_client() {
    let scene = Scene::begin().await;
    let mut stranger = scene.greeted().await;
    let reason = rpcgen_proto::frame::RejectReason::Overloaded;
    let (message, pause) = (String::new(), std::time::Duration::ZERO);
    stranger.say(&LinkFrame::Reject(rpcgen_proto::frame::Reject { reason, message, pause, schema: None })).await;
    scene.ends(stranger, "a handshake frame is not allowed after the handshake").await;
}

#[tokio::test]
async fn last_words_end_the_link_and_not_the_session() {
    let scene = Scene::begin().await;
    let mut stranger = scene.greeted().await;
    stranger.say(&LinkFrame::Close(Close { message: "enough".to_owned() })).await;
    while stranger.hear().await.is_some() {}
    let mut again = stranger.comes_again(&scene.server).await;
    again.greet().await;
    scene.victim_goes_on().await;
    assert_eq!(scene.server.stats().session_count, 2);
}

#[tokio::test]
async fn lengths_beyond_the_agreed_one() {
    let scene = Scene::begin().await;
    for beyond in [1, 1_000, u64::from(u32::MAX), u64::MAX / 2] {
        let mut stranger = scene.greeted().await;
        let length = stranger.codec.length_max() + beyond;
        stranger.say_length(length).await;
        scene.ends(stranger, "are agreed").await;
    }
}

#[tokio::test]
async fn frame_of_nothing_and_head_that_nobody_knows() {
    let scene = Scene::begin().await;
    for (body, words) in [(&[][..], "an empty frame"), (&[0x8b, 1], "is no head"), (&[0x20, 0], "set of riders")] {
        let mut stranger = scene.greeted().await;
        stranger.say_body(body).await;
        scene.ends(stranger, words).await;
    }
}

#[tokio::test]
async fn half_an_action_never_runs() {
    let scene = Scene::begin().await;
    let runs = scene.business.runs();
    let mut stranger = scene.greeted().await;
    let action = LinkFrame::Frame(stranger.action(ECHO));
    let bytes = stranger.encoded(&action);
    stranger.say_bytes(&bytes[..bytes.len() - 1]).await;
    stranger.falls_silent().await;
    assert!(stranger.turned_away().await);
    assert_eq!(scene.business.runs(), runs);
    scene.victim_goes_on().await;
}

#[tokio::test]
async fn guarantees_of_what_was_never_sent() {
    let scene = Scene::begin().await;
    for array in [Bits::Ones(1), Bits::Ones(32_768), Bits::Mixed { count: 3, bytes: Box::from([0b101]) }] {
        let mut stranger = scene.greeted().await;
        stranger.say(&bits(0, array)).await;
        scene.ends(stranger, "guarantee bits up to").await;
    }
}

#[tokio::test]
async fn guarantees_after_a_gap() {
    let scene = Scene::begin().await;
    let mut stranger = scene.greeted().await;
    stranger.say(&bits(100, Bits::Ones(1))).await;
    scene.ends(stranger, "guarantee bits begin at").await;
}

#[tokio::test]
async fn more_guarantees_than_a_frame_may_have() {
    let scene = Scene::begin().await;
    let mut stranger = scene.greeted().await;
    // Control with bits; base 0; 2 x 32,769.
    stranger.say_body(&[0x10, 0, 0, 252, 2, 0, 1, 0]).await;
    scene.ends(stranger, "at most 32768 are allowed").await;
}

#[tokio::test]
async fn agreement_for_a_cycle_that_is_not_next() {
    let scene = Scene::begin().await;
    for (cycle, quarter) in [(7, 0), (2, 1), (0, 3)] {
        let mut stranger = scene.greeted().await;
        let quarter = Some(QuarterAgree { cycle, quarter, crc: 1 });
        stranger.say_riders(Riders { quarter, ..Riders::default() }).await;
        scene.ends(stranger, "down lane pool").await;
    }
}

#[tokio::test]
async fn agreement_to_another_order() {
    let scene = Scene::begin().await;
    let mut stranger = scene.greeted().await;
    let quarter = Some(QuarterAgree { cycle: 0, quarter: 2, crc: 1 });
    stranger.say_riders(Riders { quarter, ..Riders::default() }).await;
    scene.ends(stranger, "pool order disputed in cycle 0").await;
}

#[tokio::test]
async fn range_from_a_client() {
    let scene = Scene::begin().await;
    for lane in [LaneKind::Up, LaneKind::Down] {
        let mut stranger = scene.greeted().await;
        let range = RangeAgree { lane, cycle: 1, from: Position(50), start: MessageId(0), size: 65_536, crc: 1 };
        stranger.say_riders(Riders { range: Some(range), ..Riders::default() }).await;
        scene.ends(stranger, "a range is not allowed from a client").await;
    }
}

#[tokio::test]
async fn question_for_what_cannot_be_missing() {
    let scene = Scene::begin().await;
    let mut stranger = scene.greeted().await;
    let where_is = vec![MissingRange { first: Position(0), count: u32::MAX }];
    stranger.say_riders(Riders { where_is, ..Riders::default() }).await;
    scene.ends(stranger, "which is not possible here").await;
}

#[tokio::test]
async fn word_of_slow_handlers_from_a_client() {
    let scene = Scene::begin().await;
    let mut stranger = scene.greeted().await;
    stranger.say_riders(Riders { still_pending: vec![(Slot(0), 0)], ..Riders::default() }).await;
    scene.ends(stranger, "still pending is not allowed from a client").await;
}

#[tokio::test]
async fn messages_that_only_a_server_sends() {
    let scene = Scene::begin().await;
    let (slot, check, number) = (Slot(0), 0, BroadcastNumber(0));
    for body in [
        Body::Response { slot, check, payload: Carried::default() },
        Body::Failure { slot, check, payload: Carried::default() },
        Body::Refusal { slot, check, reason: Refusal::Overloaded },
        Body::CancelResult { slot, check, outcome: CancelOutcome::Cancelled },
        Body::Offer { number, method: MethodId(0), redelivered: false, payload: Carried::default() },
        Body::Go { number },
        Body::Revoke { number },
    ] {
        let mut stranger = scene.greeted().await;
        stranger.say_message(body).await;
        scene.ends(stranger, "an answer or a broadcast is not allowed from a client").await;
    }
}

#[tokio::test]
async fn cancel_of_what_nobody_called() {
    let scene = Scene::begin().await;
    for slot in [Slot(0), Slot(1_023), Slot(u32::MAX)] {
        let mut stranger = scene.greeted().await;
        stranger.say_message(Body::Cancel { slot, check: 5 }).await;
        scene.ends(stranger, "which is not open").await;
    }
}

#[tokio::test]
async fn cancel_of_another_call_of_the_slot() {
    let scene = Scene::begin().await;
    let mut stranger = scene.greeted().await;
    let waits = stranger.action(WAIT);
    stranger.say(&LinkFrame::Frame(waits)).await;
    stranger.say_message(Body::Cancel { slot: Slot(0), check: 5 }).await;
    scene.ends(stranger, "which is not open").await;
    scene.business.open_gate();
}

#[tokio::test]
async fn slot_that_was_never_granted() {
    let scene = Scene::begin().await;
    let mut stranger = scene.greeted().await;
    let mut frame = stranger.action(ECHO);
    *action(&mut frame).0 = Slot(u32::MAX);
    stranger.say(&LinkFrame::Frame(frame)).await;
    scene.ends(stranger, "exceeds the limit of 1024 slots").await;
}

#[tokio::test]
async fn slot_that_is_in_use() {
    let scene = Scene::begin().await;
    let mut stranger = scene.greeted().await;
    let waits = stranger.action(WAIT);
    stranger.say(&LinkFrame::Frame(waits)).await;
    let mut frame = stranger.action(ECHO);
    *action(&mut frame).0 = Slot(0);
    stranger.say(&LinkFrame::Frame(frame)).await;
    scene.ends(stranger, "an action for slot 0").await;
    scene.business.open_gate();
}

#[tokio::test]
async fn call_number_that_was_used() {
    let scene = Scene::begin().await;
    for number in [CallNumber(0), CallNumber(u64::MAX)] {
        let mut stranger = scene.greeted().await;
        let first = stranger.action(ECHO);
        stranger.say(&LinkFrame::Frame(first)).await;
        let mut frame = stranger.action(ECHO);
        *action(&mut frame).1 = Some(number);
        stranger.say(&LinkFrame::Frame(frame)).await;
        scene.ends(stranger, "a call number is not allowed below one that was used").await;
    }
}

#[tokio::test]
async fn message_that_is_not_the_next() {
    let scene = Scene::begin().await;
    let mut stranger = scene.greeted().await;
    let (_lost, second) = (stranger.action(ECHO), stranger.action(ECHO));
    stranger.say(&LinkFrame::Frame(second)).await;
    scene.ends(stranger, "gap on a reliable link").await;
}

#[tokio::test]
async fn message_that_was_said_before() {
    let scene = Scene::begin().await;
    let runs = scene.business.runs();
    let mut stranger = scene.greeted().await;
    let first = LinkFrame::Frame(stranger.action(ECHO));
    stranger.say(&first).await;
    stranger.say(&first).await;
    scene.ends(stranger, "gap on a reliable link").await;
    assert_eq!(scene.business.runs(), runs + 2, "the stranger's call ran once, and the victim's");
}

#[tokio::test]
async fn frame_after_goodbye_does_nothing() {
    let scene = Scene::begin().await;
    let runs = scene.business.runs();
    let mut stranger = scene.greeted().await;
    stranger.say_message(Body::Goodbye).await;
    let late = LinkFrame::Frame(stranger.action(ECHO));
    stranger.say(&late).await;
    assert_eq!(stranger.hear_message().await, Body::Goodbye, "the server says goodbye, and no answer");
    stranger.falls_silent().await;
    assert!(stranger.turned_away().await);
    assert_eq!(scene.business.runs(), runs);
    scene.victim_goes_on().await;
}

#[tokio::test]
async fn action_that_the_service_does_not_have_and_request_that_is_none() {
    let scene = Scene::begin().await;
    let mut stranger = scene.greeted().await;
    for (method, payload, refusal) in [
        (MethodId(99), &[7][..], Refusal::UnknownAction),
        (MethodId(u32::MAX), &[], Refusal::UnknownAction),
        (ECHO.0, &[7, 200], Refusal::Undecodable),
        (ECHO.0, &[], Refusal::Undecodable),
        (ECHO.0, &[7, 1, 0xff], Refusal::Undecodable),
    ] {
        let frame = stranger.action_of(method, Carried(payload.into()));
        stranger.say(&LinkFrame::Frame(frame)).await;
        let answer = stranger.hear_message().await;
        assert!(matches!(answer, Body::Refusal { reason, .. } if reason == refusal), "{refusal:?}: {answer:?}");
    }
    scene.victim_goes_on().await;
}

#[tokio::test]
async fn session_whose_link_was_closed_goes_on_with_the_next() {
    let scene = Scene::begin().await;
    let mut stranger = scene.greeted().await;
    let waits = stranger.action(WAIT);
    stranger.say(&LinkFrame::Frame(waits)).await;
    scene.business.started(2).await;
    stranger.say(&bits(500, Bits::Ones(1))).await;
    while stranger.hear().await.is_some() {}
    let mut again = stranger.comes_again(&scene.server).await;
    again.greet().await;
    scene.business.open_gate();
    assert!(matches!(again.hear_message().await, Body::Response { .. }), "the answer was kept");
    scene.victim_goes_on().await;
}
