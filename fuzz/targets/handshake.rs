//! Any first frame, in both roles.
#![no_main]

rpcgen_fuzz::target!(rpcgen_proto::session::fuzzing::fuzz_handshake, 512 KiB, 64 per byte);
