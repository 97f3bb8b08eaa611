//! The runtime from end to end: real sockets, real threads, generated code. Each case runs over every transport.
#![expect(clippy::duplicate_mod, reason = "the same cases run over each transport")]
#![expect(clippy::unwrap_used, reason = "a test that fails says where")]

mod archive {
    rpcgen_runtime::include_rpc!("archive");
}
mod desk {
    rpcgen_runtime::include_rpc!("desk");
}
mod till {
    rpcgen_runtime::include_rpc!("till");
}
mod disks;
mod domains;
mod hostile;
mod mocks;
mod over_tcp;
mod over_threads;
mod processes;
mod support;
