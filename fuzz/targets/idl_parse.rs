//! Any text is a model or has errors.
#![no_main]

rpcgen_fuzz::target!(rpcgen_tests::fuzz_idl_parse, 16384 KiB, 16384 per byte);
