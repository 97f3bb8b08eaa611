//! The language's words in any order.
#![no_main]

rpcgen_fuzz::target!(rpcgen_tests::fuzz_idl_tokens, 16384 KiB, 65536 per byte);
