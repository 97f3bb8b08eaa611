//! Whether two versions of a service understand each other, by the texts of their shapes.
//!
//! Knows: the text that the compiler writes into generated code, what of it decides whether messages can be read. Does not know: frames,
//! which of the two versions is the older one.
//!
//! A shape is written by `rpcgen` (`model/shape.rs` there) and read here. One line is the service's name, one each an action, a
//! broadcast, and a named type; types have the number of their first use for a name:
//!
//! ```text
//! shop.Shop
//! action order(app_id: AppId, item: #0) -> (number: u64) fails {sold_out {left: u32}}
//! broadcast sold(app_id: AppId, item: string<64>)
//! #0 struct {name: string, tags: [string]<9>, color: #1 = _, weight: f64?}
//! #1 enum {red, mixed {share: f32}}
//! ```

mod compare;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod parse;
#[cfg(test)]
mod tests;

use alloc::string::String;

use self::compare::Comparison;
use self::parse::parse;

/// Why two versions cannot talk, in words: what differs, each with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// What one of them writes, the other would misread or could never read.
    #[error("{0}")]
    Differs(String),
    /// This end's text is no shape.
    #[error("what this end knows of the schema cannot be read")]
    NoShapeHere,
    /// The other end's text is no shape, or one of a later form.
    #[error("what the server says of its schema cannot be read")]
    NoShapeThere,
    /// They take more steps to compare than a service of any sensible size.
    #[error("the schemas are too large to be compared")]
    TooLarge,
}

/// Compares a client's shape with a server's. They fit if neither would misread what the other writes, and no message of either lacks
/// what the other needs: then values that only one of them knows (a variant, a larger number, a longer text) are refused one by one.
///
/// # Errors
/// They do not fit. At most four differences are named.
// spec: protocol.md 8
pub fn compare(client: &str, server: &str) -> Result<(), Unfit> {
    let here = parse(client).ok_or(Unfit::NoShapeHere)?;
    let there = parse(server).ok_or(Unfit::NoShapeThere)?;
    Comparison::new(&here, &there).run()
}
