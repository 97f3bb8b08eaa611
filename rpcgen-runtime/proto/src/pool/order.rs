//! The order in which a cycle's IDs are used: a permutation that both ends derive alike.
//!
//! Knows: the generator and the shuffle, both frozen by vectors in the tests. Does not know: cycles' places in a lane, agreement.

use alloc::vec::Vec;

use crate::ids::{LaneKind, MessageId};
use crate::rng::SplitMix64;

/// The seed of the orders of one lane: both nonces of the handshake and the lane, mixed. Never wall-clock time.
// spec: protocol.md 5
#[must_use]
pub(crate) fn lane_seed(client_nonce: u64, server_nonce: u64, lane: LaneKind) -> u64 {
    let lane_word = match lane {
        LaneKind::Up => 0x7570,
        LaneKind::Down => 0x646f_776e,
    };
    let first = SplitMix64::new(client_nonce).next_u64();
    let second = SplitMix64::new(first ^ server_nonce).next_u64();
    SplitMix64::new(second ^ lane_word).next_u64()
}

/// The order of one cycle: offsets `0..size`, shuffled (Fisher and Yates, in Durstenfeld's form) by `SplitMix64`.
#[must_use]
pub(super) fn shuffled_offsets(lane_seed: u64, cycle: u32, size: u32) -> Vec<u32> {
    let mut generator = SplitMix64::new(lane_seed ^ (u64::from(cycle) << 32 | u64::from(cycle)));
    let mut offsets: Vec<u32> = (0..size).collect();
    for last in (1..size).rev() {
        let other = generator.below(last + 1);
        offsets.swap(last as usize, other as usize);
    }
    offsets
}

/// CRC-32 of IDs in their order of use, each as four little-endian bytes.
#[must_use]
pub(super) fn order_crc(start: MessageId, offsets: &[u32]) -> u32 {
    /// IDs that are hashed at a time: the hash is much faster over many bytes than over four.
    const AT_ONCE: usize = 64;
    let mut hasher = crc32fast::Hasher::new();
    let mut bytes = [[0; 4]; AT_ONCE];
    for some in offsets.chunks(AT_ONCE) {
        for (id, offset) in bytes.iter_mut().zip(some) {
            *id = start.0.wrapping_add(*offset).to_le_bytes();
        }
        hasher.update(bytes[..some.len()].as_flattened());
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_a_permutation() {
        for size in [4, 8, 100, 1024] {
            let mut offsets = shuffled_offsets(42, 7, size);
            offsets.sort_unstable();
            assert!(offsets.into_iter().eq(0..size));
        }
    }

    #[test]
    fn order_differs_by_cycle_seed_and_lane() {
        assert_ne!(shuffled_offsets(1, 0, 100), shuffled_offsets(1, 1, 100));
        assert_ne!(shuffled_offsets(1, 0, 100), shuffled_offsets(2, 0, 100));
        assert_ne!(lane_seed(1, 2, LaneKind::Up), lane_seed(1, 2, LaneKind::Down));
        assert_ne!(lane_seed(1, 2, LaneKind::Up), lane_seed(2, 1, LaneKind::Up));
    }
}
