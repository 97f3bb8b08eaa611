//! Any bytes are a message of generated code or a named error, and a message comes back.
#![no_main]

rpcgen_fuzz::target!(rpcgen_tests::fuzz_payload_decode, 2048 KiB, 1024 per byte);
