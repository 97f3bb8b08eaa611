//! Two ends never both wait for IDs: with the faults over, who is out of agreed IDs gets some.

use super::{Check, violated};

/// A client whose calls got no further although everything is healed.
///
/// # Errors
/// It is out of agreed IDs, or the server is.
pub fn check(node: u32, is_blocked: bool) -> Check {
    if is_blocked {
        violated("no_credit_deadlock", format!("node {node} or its server waits for IDs for ever"))
    } else {
        Ok(())
    }
}
