//! Nobody takes a session over without its secret, or with an old hello.

use super::{Check, violated};

/// Somebody else said hello in the name of a client that has a session.
///
/// # Errors
/// It was let in.
pub fn check(what: &str, is_refused: bool) -> Check {
    if is_refused { Ok(()) } else { violated("one_writer_per_session", format!("{what} takes a session over")) }
}
