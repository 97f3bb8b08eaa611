//! What is from outside: the time of day, and chance.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// A name that nobody guesses: 128 bits, as 32 hexadecimal digits.
///
/// # Panics
/// The system has no randomness.
#[must_use]
pub fn random_name() -> String {
    format!("{:016x}{:016x}", random(), random())
}

/// 64 random bits.
///
/// # Panics
/// The system has no randomness.
#[must_use]
pub fn random() -> u64 {
    getrandom::u64().expect("the system has randomness")
}
