//! What a fuzzer calls: any bytes are a frame or a named error, and a frame survives its way over the wire.
//!
//! Knows: the codec. Does not know: which fuzzer calls.

use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use super::{FrameCodec, LinkFrame};
use crate::fuzzing::sealed;

/// Every form that a link may use.
const CODECS: [FrameCodec; 3] = [
    FrameCodec::handshake(),
    FrameCodec { reliable_ordered: true, frame_bytes_max: 64 * 1_024 },
    FrameCodec { reliable_ordered: false, frame_bytes_max: 64 * 1_024 },
];

/// The bytes as they come, and as the inside of one frame whose length and checksum are right.
fn inputs(data: &[u8]) -> [BytesMut; 2] {
    [BytesMut::from(data), BytesMut::from(sealed(data).as_slice())]
}

/// Decodes frames until the input is used up or makes no sense. Panics are for the fuzzer to find.
pub fn fuzz_frame_decode(data: &[u8]) {
    for mut input in inputs(data).into_iter().flat_map(|input| CODECS.map(|codec| (codec, input.clone()))) {
        while input.0.decode::<Bytes>(&mut input.1).is_ok_and(|frame| frame.is_some()) {}
    }
}

/// What decodes encodes, and decodes to the same. (Not to the same bytes: readers accept integers in a longer form.)
///
/// # Panics
/// The codec is wrong.
pub fn fuzz_frame_roundtrip(data: &[u8]) {
    for (codec, mut input) in inputs(data).into_iter().flat_map(|input| CODECS.map(|codec| (codec, input.clone()))) {
        while let Ok(Some(frame)) = codec.decode::<Bytes>(&mut input) {
            if matches!(&frame, LinkFrame::Hello(hello) if hello.version > super::PROTOCOL_VERSION) {
                continue; // What a later version appended is not known here.
            }
            let mut bytes = Vec::new();
            codec.encode(&frame, &mut bytes);
            let again = codec.decode::<Bytes>(&mut bytes.as_slice().into());
            assert_eq!(again, Ok(Some(frame)));
        }
    }
}
