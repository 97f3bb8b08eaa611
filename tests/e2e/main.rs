//! The runtime from end to end: real sockets, real threads, generated code. Each case runs over every transport.
#![expect(clippy::duplicate_mod, reason = "the same cases run over each transport")]
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod desk {
    rpcgen_runtime::include_rpc!("desk");
}
mod over_tcp;
mod over_threads;
mod support;
