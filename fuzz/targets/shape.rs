//! Any two texts are compared as shapes, or named as none.
#![no_main]

rpcgen_fuzz::target!(rpcgen_proto::shape::fuzzing::fuzz_shape, 64 KiB, 1024 per byte);
