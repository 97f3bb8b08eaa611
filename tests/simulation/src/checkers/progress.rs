//! With the faults over, everything is answered in bounded time.

use super::{Check, violated};

/// What is still open when everything should be over.
///
/// # Errors
/// Something is.
pub fn check(open: &[(u32, usize)]) -> Check {
    match open.first() {
        Some((node, calls)) => violated("progress", format!("node {node} still has {calls} open calls")),
        None => Ok(()),
    }
}

/// Steps at one instant.
///
/// # Errors
/// Time does not go on.
pub fn check_time(steps: u64) -> Check {
    if steps > 2_000_000 { violated("progress", "time stands still".to_owned()) } else { Ok(()) }
}
