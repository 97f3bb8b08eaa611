//! Randomness of the system: for seeds, ids, epochs and secrets.

/// 64 random bits.
///
/// # Panics
/// The system has no randomness: nothing safe can be done then.
pub(crate) fn u64() -> u64 {
    getrandom::u64().expect("the system has randomness")
}

/// 128 random bits.
pub(crate) fn u128() -> u128 {
    (u128::from(u64()) << 64) | u128::from(u64())
}

/// 256 random bits.
pub(crate) fn key() -> [u8; 32] {
    let mut key = [0; 32];
    getrandom::fill(&mut key).expect("the system has randomness");
    key
}
