//! Randomness of the operating system: identities, secrets and seeds. The core has none of its own.

/// 64 unpredictable bits.
pub(crate) fn u64() -> u64 {
    u64::from_le_bytes(bytes())
}

/// 128 unpredictable bits.
pub(crate) fn u128() -> u128 {
    u128::from_le_bytes(bytes())
}

/// 16 unpredictable bits.
pub(crate) fn u16() -> u16 {
    u16::from_le_bytes(bytes())
}

/// Unpredictable bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .expect("the operating system has randomness: without it there are neither identities nor secrets");
    bytes
}
