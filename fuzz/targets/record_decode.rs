//! Bytes from a log that are any record are read back as the same one.
#![no_main]

rpcgen_fuzz::target!(rpcgen_store::codec::fuzz_decode, 16 KiB, 16 per byte);
