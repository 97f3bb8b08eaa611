//! What bounds a frame: every number that a peer could make large.
//!
//! Knows: bounds. Does not know: bytes, sessions.

use crate::config::POOL_SIZE_MAX;

/// Guarantee bits in one frame: what can be without a guarantee at once.
pub const BITS_MAX: u32 = POOL_SIZE_MAX / 2;
/// Ranges of missing messages in one frame.
pub const MISSING_RANGES_MAX: usize = 64;
/// Slow actions that one frame names. An encoder leaves out what is beyond: the next round names it again.
pub const STILL_PENDING_MAX: usize = 1_024;
/// Bytes of a service's name.
pub const SERVICE_BYTES_MAX: usize = 512;
/// Bytes of the text in a reject or a close. An encoder cuts what is beyond.
pub const MESSAGE_BYTES_MAX: usize = 1_024;
/// Bytes of the shape in a reject. A service of 10,000 lines has some 200 KiB; more than a quarter of what one frame may have later is
/// nothing that a client should read of a server that it does not know.
pub const SHAPE_BYTES_MAX: usize = 256 * 1_024;
/// What a frame may have beyond its largest payload: a full mixed array of bits (4 KiB), all riders at their bounds (8 KiB), the rest.
pub const OVERHEAD_BYTES_MAX: u32 = 16 * 1_024;
/// No server may ask a client to read more in one frame, whatever its welcome says.
pub const FRAME_BYTES_LIMIT: u32 = 16 << 20;
