//! An end that was rolled back is told so; nothing is skipped, nothing clamped.

use rpcgen_proto::ids::Position;
use rpcgen_proto::session::LanesView;

use super::{Check, violated};

/// A client resumes from `expected`; `before` is the server's view at that moment.
///
/// # Errors
/// The position is outside of the server's log, and the link is live all the same.
pub fn check(expected: Position, before: &LanesView, is_live: bool) -> Check {
    let is_outside = expected < before.guaranteed || expected > before.sent;
    if is_outside && is_live {
        let message = format!("resumed from {expected}; the log is from {} to {}", before.guaranteed, before.sent);
        return violated("restore_detected", message);
    }
    Ok(())
}
