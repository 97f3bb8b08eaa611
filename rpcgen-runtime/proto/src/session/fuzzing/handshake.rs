//! Any first frame, in both roles; and hellos that are almost right.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::duo::{Duo, config, identity, registry};
use crate::config::Config;
use crate::frame::{FrameCodec, Hello, LinkFrame};
use crate::fuzzing::{Carried, Choices, sealed};
use crate::ids::LinkNumber;
use crate::server::Admission;
use crate::session::{ClientSession, Input, Output};
use crate::time::Instant;

fn first_frame(body: &[u8]) -> Option<LinkFrame<Carried>> {
    let bytes = sealed(body);
    FrameCodec::handshake().decode(&mut bytes.as_slice().into()).ok().flatten()
}

/// The inside of a frame of a handshake: without length and checksum.
fn body_of(frame: &LinkFrame<Carried>) -> Vec<u8> {
    let mut bytes = Vec::new();
    FrameCodec::handshake().encode(frame, &mut bytes);
    let mut rest: &[u8] = &bytes;
    crate::varint::read_u64(&mut rest).expect("what was encoded has a length");
    rest[..rest.len() - 4].to_vec()
}

/// Changes, inserts or removes bytes as the input says.
fn mutate(bytes: &mut Vec<u8>, choices: &mut Choices<'_>) {
    while !choices.is_done() && !bytes.is_empty() {
        let at = choices.below(bytes.len());
        match choices.below(4) {
            0 => bytes[at] ^= choices.byte(),
            1 => bytes[at] = choices.byte(),
            2 => bytes.insert(at, choices.byte()),
            _ => drop(bytes.remove(at)),
        }
    }
}

/// Either end hears any first frame: one of its own making, or what the peer really says with bytes changed.
///
/// # Panics
/// An invariant does not hold.
pub fn fuzz_handshake(data: &[u8]) {
    let mut choices = Choices::new(data);
    let (is_up, is_almost_right) = (choices.is(), choices.is());
    let mut duo = Duo::new(config(&mut choices), choices.is());
    duo.connect();
    if choices.is() {
        have_a_past(&mut duo, choices.is());
    }
    if !is_up {
        duo.deliver_up(0);
    }
    let queue = if is_up { &mut duo.up } else { &mut duo.down };
    let truth = queue.pop_front().expect("a hello, or its welcome");
    let mut body = if is_almost_right { body_of(&truth) } else { choices.piece().to_vec() };
    mutate(&mut body, &mut choices);
    if let Some(frame) = first_frame(&body) {
        if is_up {
            duo.arrive_up(frame);
        } else {
            duo.client.handle(duo.now, Input::Received(frame));
        }
    }
    duo.settle();
    // What came of it hears the peer's next frames.
    duo.send(Carried::default());
    for _ in 0..3 {
        duo.deliver_up(0);
        duo.deliver_down(0);
    }
    duo.connect();
}

/// A session with calls on their way, and a second link; to the same server, or to one that has forgotten.
fn have_a_past(duo: &mut Duo, crashes: bool) {
    duo.deliver_up(0);
    duo.deliver_down(0);
    duo.send(Carried::default());
    duo.send(Carried::default());
    duo.deliver_up(0);
    if crashes {
        duo.crash_server();
    }
    duo.connect();
}

/// The client's next hello.
fn next_hello(client: &mut ClientSession<Carried>) -> Hello {
    client.handle(Instant::START, Input::LinkDown);
    client.handle(Instant::START, Input::LinkUp { reliable_ordered: true });
    loop {
        match client.poll_output() {
            Output::Transmit(LinkFrame::Hello(hello)) => return *hello,
            Output::Timeout(_) => panic!("a client greets"),
            _ => {}
        }
    }
}

/// A hello that is not exactly what the client said never gets its session.
///
/// # Panics
/// It did, or the client itself was locked out by it.
pub fn fuzz_resume_proof(data: &[u8]) {
    let mut client = ClientSession::<Carried>::new(Config::default(), identity(), 1);
    let mut registry = registry(1);
    let first = next_hello(&mut client);
    let Admission::Open(opening) = registry.admit(Instant::START, first) else { panic!("the first hello opens") };
    let session = opening.session;
    let mut server = crate::session::ServerSession::<Carried>::open(Instant::START, Config::default(), *opening, true);
    let Output::Transmit(welcome) = server.poll_output() else { panic!("a session begins with its welcome") };
    client.handle(Instant::START, Input::Received(welcome));
    let truth = next_hello(&mut client);
    let mut body = body_of(&LinkFrame::Hello(Box::new(truth.clone())));
    mutate(&mut body, &mut Choices::new(data));
    if let Some(LinkFrame::Hello(forged)) = first_frame(&body)
        && *forged != truth
        && forged.client == truth.client
    {
        let is_rejected = matches!(registry.admit(Instant::START, (*forged).clone()), Admission::Reject(_));
        assert!(is_rejected, "one_writer_per_session: {forged:?} took the session over");
    }
    let resumed = registry.admit(Instant::START, truth.clone());
    assert!(matches!(resumed, Admission::Resume(known, _) if known == session), "the client itself: {resumed:?}");
    let replayed = registry.admit(Instant::START, truth.clone());
    assert!(matches!(replayed, Admission::Reject(_)), "a replayed hello: {replayed:?}");
    assert!(truth.link > LinkNumber(1));
}
