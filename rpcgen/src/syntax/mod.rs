//! From text to a syntax tree.
//!
//! Knows: how a file is written. Does not know: what its names mean.

pub mod ast;
mod build;
mod file;
mod habits;
mod literal;
mod parse;
mod scan;
mod split;

pub use file::parse;
