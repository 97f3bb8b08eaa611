//! What decodes encodes, and decodes to the same.
#![no_main]

rpcgen_fuzz::target!(rpcgen_proto::frame::fuzzing::fuzz_frame_roundtrip, 16 KiB, 64 per byte);
