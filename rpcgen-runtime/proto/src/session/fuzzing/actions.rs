//! Anything that applications, links and clocks may do, in any order; then peace, in which everything must come to its end.

use alloc::vec::Vec;
use core::time::Duration;

use super::duo::{Duo, METHOD, config};
use crate::frame::{FrameCodec, LinkFrame};
use crate::fuzzing::{Carried, Choices, sealed};
use crate::session::{Answer, Input};

/// Steps of the peace at the end: far above what the few calls of one input need.
const PEACE_STEPS_MAX: usize = 20_000;

/// Both ends, one link, and an input that decides what happens.
///
/// # Panics
/// An invariant does not hold, a call is answered twice or never or with another's answer, or it runs twice without a word.
pub fn fuzz_session_actions(data: &[u8]) {
    let mut choices = Choices::new(data);
    let (reliable_ordered, is_hostile) = (choices.is(), choices.below(8) == 7);
    let mut duo = Duo::new(config(&mut choices), reliable_ordered);
    duo.connect();
    while !choices.is_done() {
        step(&mut duo, &mut choices, is_hostile);
    }
    if !is_hostile {
        make_peace(&mut duo);
    }
}

fn step(duo: &mut Duo, choices: &mut Choices<'_>, is_hostile: bool) {
    match choices.below(20) {
        0..=2 => duo.send(Carried(Vec::from(choices.piece()).into())),
        3 | 4 if !duo.executing.is_empty() => {
            let index = choices.below(duo.executing.len());
            duo.answer(index, choices.is());
        }
        5 if !duo.calls.is_empty() => {
            let (call, _) = duo.calls[choices.below(duo.calls.len())];
            duo.client.cancel(duo.now, call);
            duo.settle();
        }
        6 => {
            let payload = Carried(Vec::from(choices.piece()).into());
            let (now, redelivered) = (duo.now, choices.is());
            if let Some(server) = &mut duo.server {
                // A full log says so; that is an answer too.
                let _ = server.broadcast(now, METHOD, payload, redelivered);
            }
            duo.settle();
        }
        7..=9 => duo.deliver_up(if duo.reliable_ordered { 0 } else { choices.below(duo.up.len()) }),
        10..=12 => duo.deliver_down(if duo.reliable_ordered { 0 } else { choices.below(duo.down.len()) }),
        13 if !duo.reliable_ordered => lose_or_repeat(duo, choices),
        14 => duo.cut(),
        15 => duo.connect(),
        16 => {
            let paused = choices.is();
            if let Some(server) = &mut duo.server {
                server.pause_business(duo.now, paused);
            }
            duo.settle();
        }
        17 => interrupt(duo, choices),
        18 if is_hostile => intrude(duo, choices),
        _ => duo.pass(choices.of([
            Duration::from_millis(1),
            Duration::from_millis(30),
            Duration::from_secs(1),
            Duration::from_secs(6),
            Duration::from_secs(400),
        ])),
    }
}

/// What happens seldom.
fn interrupt(duo: &mut Duo, choices: &mut Choices<'_>) {
    match choices.below(16) {
        0 => duo.crash_server(),
        1 => {
            duo.client.disconnect(duo.now, Duration::from_secs(30));
            duo.settle();
        }
        2 => {
            if let Some(server) = &mut duo.server {
                let left = server.take_unassigned(duo.now);
                let now = duo.now;
                for unassigned in left {
                    let _ = server.broadcast(now, unassigned.method, unassigned.payload, unassigned.redelivered);
                }
            }
            duo.settle();
        }
        _ => duo.deliver_up(0),
    }
}

fn lose_or_repeat(duo: &mut Duo, choices: &mut Choices<'_>) {
    let queue = if choices.is() { &mut duo.up } else { &mut duo.down };
    let index = choices.below(queue.len());
    // The handshake is exempt.
    if let Some(LinkFrame::Frame(_)) = queue.get(index) {
        if choices.is() {
            queue.remove(index);
        } else {
            queue.extend(queue.get(index).cloned());
        }
    }
}

/// A frame that the peer never sent.
fn intrude(duo: &mut Duo, choices: &mut Choices<'_>) {
    let is_up = choices.is();
    let codec = FrameCodec { reliable_ordered: false, frame_bytes_max: 1 << 16 };
    let bytes = sealed(choices.piece());
    let Ok(Some(frame)) = codec.decode::<Carried>(&mut bytes.as_slice().into()) else { return };
    if is_up {
        duo.arrive_up(frame);
    } else {
        duo.client.handle(duo.now, Input::Received(frame));
    }
    duo.settle();
}

/// No more faults: every call that was accepted ends, once, and with its own answer.
fn make_peace(duo: &mut Duo) {
    for _ in 0..PEACE_STEPS_MAX {
        if duo.answered.len() == duo.calls.len() || duo.is_ended {
            break;
        }
        if !duo.is_linked {
            duo.connect();
        }
        if let Some(server) = &mut duo.server {
            server.pause_business(duo.now, false);
        }
        duo.settle();
        while !duo.executing.is_empty() {
            duo.answer(0, false);
        }
        let is_quiet = duo.up.is_empty() && duo.down.is_empty();
        for _ in 0..duo.up.len() {
            duo.deliver_up(0);
        }
        for _ in 0..duo.down.len() {
            duo.deliver_down(0);
        }
        duo.pass(if is_quiet { Duration::from_millis(250) } else { Duration::from_millis(1) });
    }
    for (call, payload) in &duo.calls {
        match duo.answered.get(&call.number) {
            None => panic!("no_lost_answer: {} of {} calls", call.number, duo.calls.len()),
            Some(Answer::Response(answer) | Answer::Failure(answer)) => {
                assert_eq!(answer, payload, "answer_matches_call: {}", call.number);
            }
            Some(Answer::Refused(_)) => {}
        }
    }
}
