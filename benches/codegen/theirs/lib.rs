//! Generated code, served and called: what a user's crate compiles.

#[allow(warnings)]
mod generated {
    include!(env!("CODEGEN_BENCH_THEIRS"));
}
mod used {
    include!(env!("CODEGEN_BENCH_THEIRS_USED"));
}
pub use used::*;
