//! A hello that is not exactly the client's never gets its session.
#![no_main]

rpcgen_fuzz::target!(rpcgen_proto::session::fuzzing::fuzz_resume_proof, 64 KiB, 32 per byte);
