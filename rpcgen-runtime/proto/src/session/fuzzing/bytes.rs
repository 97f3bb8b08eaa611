//! Any bytes on a live link, in both roles.

use bytes::BytesMut;

use super::duo::{Duo, config};
use crate::frame::FrameCodec;
use crate::fuzzing::{Carried, Choices, sealed};
use crate::session::Input;

/// A session of each role, greeted and with a call on its way, hears bytes.
///
/// # Panics
/// An invariant does not hold.
pub fn fuzz_session_bytes(data: &[u8]) {
    for is_server in [false, true] {
        let mut choices = Choices::new(data);
        let reliable_ordered = choices.is();
        let mut duo = Duo::new(config(&mut choices), reliable_ordered);
        duo.connect();
        duo.deliver_up(0);
        duo.deliver_down(0);
        duo.send(Carried::default());
        duo.send(Carried::default());
        duo.deliver_up(0);
        let codec = FrameCodec { reliable_ordered, frame_bytes_max: 1 << 16 };
        while !choices.is_done() {
            let mut input =
                if reliable_ordered { lengthened(choices.piece()) } else { sealed(choices.piece()).as_slice().into() };
            if let Ok(Some(frame)) = codec.decode::<Carried>(&mut input) {
                if is_server {
                    duo.arrive_up(frame);
                } else {
                    duo.client.handle(duo.now, Input::Received(frame));
                }
            }
            duo.settle();
        }
        // Whatever came, the session lives on with the next link.
        duo.connect();
    }
}

/// A frame of a link that has no checksums. Pieces are short: one byte is their length.
fn lengthened(body: &[u8]) -> BytesMut {
    let mut frame = alloc::vec::Vec::new();
    crate::varint::write_u64(&mut frame, body.len() as u64);
    frame.extend_from_slice(body);
    frame.as_slice().into()
}
