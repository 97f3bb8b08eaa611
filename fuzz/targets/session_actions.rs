//! Anything that applications, links and clocks may do, in any order; then peace.
#![no_main]

rpcgen_fuzz::target!(rpcgen_proto::session::fuzzing::fuzz_session_actions, 512 KiB, 4096 per byte);
