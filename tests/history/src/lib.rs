//! An independent check of recorded histories: each call ran once, and the bank's answers have an order.
//!
//! Knows: what callers and the business wrote down. Does not know: the protocol; a history may come from any run of any transport.

pub mod bank;
pub mod linear;
pub mod once;
pub mod record;
mod search;
