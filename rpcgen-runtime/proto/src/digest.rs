//! A digest of 64 bits of a message: whether two requests under one call key are the same (trap T8).
//!
//! Knows: bytes. Does not know: who may forge them; a client that wants to collide with itself may.
//!
//! Each word of 8 bytes goes through the step of `SplitMix64`, a permutation: two messages that differ in one word
//! only are never equal. On record for ever: it never changes.

use crate::ids::MethodId;

/// The digest of an encoded message; never 0.
#[must_use]
pub fn of(bytes: &[u8]) -> u64 {
    let mut state = mix(bytes.len() as u64);
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        state = mix(state ^ u64::from_le_bytes(word.try_into().expect("chunks of 8")));
    }
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    not_zero(mix(state ^ u64::from_le_bytes(last)))
}

/// Of a request: its method belongs to it. 0 stays 0: not known.
#[must_use]
pub(crate) fn of_request(method: MethodId, digest: u64) -> u64 {
    if digest == 0 { 0 } else { not_zero(mix(digest ^ mix(u64::from(method.0)))) }
}

/// A permutation of the 64-bit words.
const fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const fn not_zero(digest: u64) -> u64 {
    if digest == 0 { 1 } else { digest }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::vec;

    use super::*;

    #[test]
    fn messages_that_differ_in_one_bit_or_in_their_length_differ() {
        let message = vec![0x5a_u8; 300];
        let mut seen = BTreeSet::from([of(&message), of(&message[..299]), of(&[]), of(&[0]), of(&[0; 8])]);
        assert_eq!(seen.len(), 5);
        for bit in 0..2_400 {
            let mut other = message.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(seen.insert(of(&other)), "bit {bit}");
        }
    }

    #[test]
    fn it_never_changes() {
        assert_eq!(of(b"an accepted call"), 768_924_299_463_320_217);
    }

    #[test]
    fn the_method_belongs_to_a_request_and_what_is_not_known_stays_so() {
        let request = of(b"request");
        assert_ne!(of_request(MethodId(0), request), of_request(MethodId(1), request));
        assert_eq!(of_request(MethodId(1), 0), 0);
    }
}
