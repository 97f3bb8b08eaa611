//! The compiler of `.rpc` files. Under construction.
#![forbid(unsafe_code)]

pub mod codegen;
pub mod model;
