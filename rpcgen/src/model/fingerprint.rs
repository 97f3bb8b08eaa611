//! The fingerprint of a service: equal when two sides speak the same wire.
//!
//! Knows: the hash. Does not know: what decides the wire; that is the shape.
//!
//! The algorithm is named and frozen: FNV-1a, 64 bits, over the text of the shape. A change of either changes every fingerprint and
//! costs every pair of unequal versions the fast path of the handshake.

/// The fingerprint of a shape: Fowler, Noll and Vo's hash, variant 1a, of 64 bits.
pub fn of(shape: &str) -> u64 {
    shape.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_of_64_bits() {
        // From the reference of its authors.
        assert_eq!(of("foobar"), 0x8594_4171_f739_67e8);
    }
}
