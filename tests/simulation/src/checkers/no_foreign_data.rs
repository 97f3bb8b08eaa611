//! Nobody gets a byte that is for somebody else: guests and honest clients of one server do not see each other's messages.

use super::{Check, violated};

/// A message reached somebody.
///
/// # Errors
/// It belongs to the other kind.
pub fn check(reader_is_guest: bool, message_is_guests: bool) -> Check {
    if reader_is_guest == message_is_guests {
        return Ok(());
    }
    violated(
        "no_foreign_data",
        format!("a message of a guest: {message_is_guests}, its reader is one: {reader_is_guest}"),
    )
}
