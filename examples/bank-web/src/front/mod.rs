//! A front node: a client of the bank, a server of the browser sessions behind it, and one among neighbours.
//!
//! Knows: how the parts are put together. Does not know: HTTP; that is `web`'s.

mod documents;
mod neighbours;
mod node;
mod passwords;
mod sessions;
mod store;
mod stories;
mod tickets;

pub use self::documents::{Document, Summary, Waiting};
pub use self::node::{Node, Settings};
pub use self::sessions::Session;
#[cfg(test)]
pub(crate) use self::store::SCHEMA;
pub use self::store::SignIn;
