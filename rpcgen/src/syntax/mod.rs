//! From text to a syntax tree.
//!
//! Knows: how a file is written. Does not know: what its names mean.

pub mod ast;
mod build;
mod clauses;
mod elsewhere;
mod file;
mod habits;
mod literal;
mod members;
mod parse;
mod protobuf;
mod scan;
mod signature;
mod split;
mod words;

pub use file::parse;
pub(crate) use literal::is_duration;
