//! Any bytes are frames or named errors, on links of every form.
#![no_main]

rpcgen_fuzz::target!(rpcgen_proto::frame::fuzzing::fuzz_frame_decode, 16 KiB, 32 per byte);
