//! The inputs that the fuzzers found, and what is called with them.
//!
//! Knows: the files of `fuzz/corpus`, one input a line, in hexadecimal. Does not know: what an input is for.

use std::path::{Path, PathBuf};

use rpcgen_proto::bits::fuzzing::fuzz_bits_decode;
use rpcgen_proto::frame::fuzzing::{fuzz_frame_decode, fuzz_frame_roundtrip};
use rpcgen_store::codec::fuzz_decode;
use rpcgen_tests::fuzz_payload_decode;

/// What a target calls.
pub(crate) type Fuzz = fn(&[u8]);

/// The targets that only decode.
pub(crate) const DECODERS: [(&str, Fuzz); 5] = [
    ("bits_decode", fuzz_bits_decode),
    ("frame_decode", fuzz_frame_decode),
    ("frame_roundtrip", fuzz_frame_roundtrip),
    ("payload_decode", fuzz_payload_decode),
    ("record_decode", fuzz_decode),
];

/// Where the fuzzers are.
pub(crate) fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// The inputs of a target.
pub(crate) fn inputs(target: &str) -> Vec<Vec<u8>> {
    let file = fuzz().join(format!("corpus/{target}.hex"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text.lines().map(bytes).collect()
}

fn bytes(line: &str) -> Vec<u8> {
    assert!(line.len().is_multiple_of(2), "{line}");
    (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).expect("hexadecimal")).collect()
}

/// An input as a line of such a file.
pub(crate) fn line(input: &[u8]) -> String {
    input.iter().map(|byte| format!("{byte:02x}")).collect()
}
