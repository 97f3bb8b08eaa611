//! What a fuzzer calls in the compiler and in generated code; the rest of this package is tests.
//!
//! Knows: the compiler's door, generated types. Does not know: which fuzzer calls. Each function takes any bytes, and panics when a
//! promise is broken.

mod idl;
#[cfg(feature = "generated")]
mod payload;

pub use idl::{WORDS, fuzz_idl_parse, fuzz_idl_tokens};
#[cfg(feature = "generated")]
pub use payload::fuzz_payload_decode;
