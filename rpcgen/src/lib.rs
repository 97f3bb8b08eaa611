//! The compiler of `.rpc` files. Under construction.
#![forbid(unsafe_code)]

pub mod check;
pub mod codegen;
pub mod diagnostic;
pub mod model;
mod nearest;
pub mod source;
pub mod syntax;
