//! The inputs that the fuzzers found, one for each way through the code, once more: what was mended stays mended.
//!
//! `fuzz/corpus/<target>.hex` has one input a line. `fuzz/run --keep` writes them.

mod corpus;

use std::collections::BTreeSet;

use rpcgen_proto::session::fuzzing::{fuzz_handshake, fuzz_resume_proof, fuzz_session_actions, fuzz_session_bytes};
use rpcgen_proto::shape::fuzzing::fuzz_shape;
use rpcgen_tests::{fuzz_idl_parse, fuzz_idl_tokens};

use self::corpus::{DECODERS, Fuzz};

/// The targets that do more than decode.
const OTHERS: [(&str, Fuzz); 7] = [
    ("handshake", fuzz_handshake),
    ("idl_parse", fuzz_idl_parse),
    ("idl_tokens", fuzz_idl_tokens),
    ("resume_proof", fuzz_resume_proof),
    ("session_actions", fuzz_session_actions),
    ("session_bytes", fuzz_session_bytes),
    ("shape", fuzz_shape),
];

#[test]
fn every_input_of_the_corpora_is_taken_without_a_panic() {
    for (target, function) in DECODERS.into_iter().chain(OTHERS) {
        let inputs = corpus::inputs(target);
        assert!(inputs.len() >= 10, "{target}: a corpus of next to nothing");
        for input in inputs {
            if std::panic::catch_unwind(|| function(&input)).is_err() {
                panic!("{target}: {}", corpus::line(&input));
            }
        }
    }
}

#[test]
fn every_fuzz_target_has_its_function_here() {
    let names = std::fs::read_dir(corpus::fuzz().join("targets")).unwrap();
    let targets: BTreeSet<String> =
        names.map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect();
    let known = DECODERS.iter().chain(&OTHERS).map(|(target, _)| (*target).to_owned());
    assert_eq!(targets, known.collect());
}
