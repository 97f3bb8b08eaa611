//! What a fuzzer calls: any two texts are compared, or named as no shapes, within bounds.
//!
//! Knows: the comparison. Does not know: which fuzzer calls.

use alloc::string::String;

use super::{Unfit, compare};

/// Compares two texts, which a zero byte parts, either way. Panics, and what takes for ever, are for the fuzzer to find.
///
/// # Panics
/// A shape does not fit itself.
pub fn fuzz_shape(data: &[u8]) {
    let mut texts = data.splitn(2, |byte| *byte == 0).map(String::from_utf8_lossy);
    let (one, other) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
    for (client, server) in [(&one, &other), (&other, &one)] {
        if let Err(Unfit::Differs(differences)) = compare(client, server) {
            assert!(differences.len() < 16 * 1_024, "{} bytes are said", differences.len());
            assert!(!differences.contains(char::is_control), "{differences:?}");
        }
    }
    assert!(matches!(compare(&one, &one), Ok(()) | Err(Unfit::NoShapeHere | Unfit::TooLarge)));
}
