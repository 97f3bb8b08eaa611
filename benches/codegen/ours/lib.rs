//! Generated code, served and called: what a user's crate compiles.

#[allow(warnings)]
mod generated {
    include!(env!("CODEGEN_BENCH_OURS"));
}
mod used {
    include!(env!("CODEGEN_BENCH_OURS_USED"));
}
pub use used::*;
