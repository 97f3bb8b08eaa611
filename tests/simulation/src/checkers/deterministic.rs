//! Equal seeds give equal runs.

use super::{Check, violated};

/// Two runs of one seed.
///
/// # Errors
/// They differ.
pub fn check(first: u64, second: u64) -> Check {
    if first == second {
        Ok(())
    } else {
        violated("deterministic", format!("two runs of one seed differ: {first:016x}, {second:016x}"))
    }
}
