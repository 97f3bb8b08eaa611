//! What a fuzzer calls: whatever a peer, a link or an application does, a session neither panics nor breaks an invariant.
//!
//! Knows: both ends, one link of bytes between them. Does not know: which fuzzer calls.

mod actions;
mod bytes;
mod duo;
mod handshake;

pub use self::actions::fuzz_session_actions;
pub use self::bytes::fuzz_session_bytes;
pub use self::handshake::{fuzz_handshake, fuzz_resume_proof};

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::rng::SplitMix64;

    #[test]
    fn random_decisions_break_no_session() {
        let mut random = SplitMix64::new(9);
        for _ in 0..300 {
            let data: Vec<u8> = (0..random.below(400)).map(|_| random.next_u64().to_le_bytes()[0]).collect();
            for fuzz in [fuzz_handshake, fuzz_resume_proof, fuzz_session_bytes, fuzz_session_actions] {
                fuzz(&data);
            }
        }
    }
}
