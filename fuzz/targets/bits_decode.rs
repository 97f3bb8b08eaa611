//! Guarantee bits are applied to the positions that they were given for, once.
#![no_main]

rpcgen_fuzz::target!(rpcgen_proto::bits::fuzzing::fuzz_bits_decode, 64 KiB, 4096 per byte);
