//! How frames become bytes and bytes become frames: what both directions share.
//!
//! Knows: which form a link uses. Does not know: what is legal now. The byte map is docs/wire.md.

use super::Welcome;
use super::limits::{FRAME_BYTES_LIMIT, OVERHEAD_BYTES_MAX, SHAPE_BYTES_MAX};
use crate::config::HANDSHAKE_BYTES_MAX;

/// Bytes of the checksum at the end of a frame that has one: CRC-32 of everything after the length.
pub(super) const CHECKSUM_BYTES: usize = 4;

/// The form of the frames on one link.
///
/// A link begins with [`FrameCodec::handshake`], at the client with [`FrameCodec::answer_to_hello`]; once the welcome is sent or
/// received, both ends go on with what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameCodec {
    /// Whether the link neither loses nor reorders nor corrupts: then message IDs travel as one byte and frames have no checksum.
    pub reliable_ordered: bool,
    /// The largest payload of a frame, in bytes; headers come on top.
    pub frame_bytes_max: u32,
}

impl FrameCodec {
    /// For the first frame of each end: everything is checked, and nothing large is read.
    #[must_use]
    pub const fn handshake() -> Self {
        Self { reliable_ordered: false, frame_bytes_max: 0 }
    }

    /// For the first frame of each end, at the client: the same, but a reject may tell of the server's schema.
    #[must_use]
    pub const fn answer_to_hello() -> Self {
        Self { reliable_ordered: false, frame_bytes_max: SHAPE_BYTES_MAX as u32 }
    }

    /// For everything after this welcome, at both ends.
    #[must_use]
    pub fn after(welcome: &Welcome) -> Self {
        Self {
            reliable_ordered: welcome.reliable_ordered,
            frame_bytes_max: welcome.frame_bytes_max.clamp(1, FRAME_BYTES_LIMIT),
        }
    }

    /// The largest length that a frame may announce.
    #[must_use]
    pub const fn length_max(&self) -> u64 {
        if self.frame_bytes_max == 0 {
            HANDSHAKE_BYTES_MAX as u64
        } else {
            self.frame_bytes_max as u64 + OVERHEAD_BYTES_MAX as u64
        }
    }
}
