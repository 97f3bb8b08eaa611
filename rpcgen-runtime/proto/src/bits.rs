//! Guarantee bits: one per message that a receiver accepted, in lane order.
//!
//! Knows: arrays of bits, where they begin, how they are gathered and applied. Does not know: frames, links, time, what a message is.

use alloc::vec::Vec;

/// Guarantees for consecutive positions of a lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BitArray {
    /// Low 16 bits of the first position: a check that both sides count alike (trap T3).
    pub base: u16,
    /// The bits.
    pub bits: Bits,
}

/// One bit per position: 1 = I have it, 0 = refused (the reason follows as that action's answer).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Bits {
    /// So many ones.
    Ones(u32),
    /// Some are refused. Bit `i` is bit `i % 8` (lowest first) of byte `i / 8`; unused bits of the last byte are 0.
    Mixed {
        /// How many bits.
        count: u32,
        /// The bits, `count.div_ceil(8)` bytes.
        bytes: Vec<u8>,
    },
}
