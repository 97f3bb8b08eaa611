//! Any bytes on a live link, in both roles.
#![no_main]

rpcgen_fuzz::target!(rpcgen_proto::session::fuzzing::fuzz_session_bytes, 512 KiB, 4096 per byte);
