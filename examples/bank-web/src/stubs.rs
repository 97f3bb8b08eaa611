//! What is generated from the `.rpc` files.

/// The bank's service.
pub(crate) mod bank {
    rpcgen_runtime::include_rpc!("bank_web");
}
/// The bank's control port.
pub(crate) mod control {
    rpcgen_runtime::include_rpc!("bank_control");
}
/// What a front node offers to the browser sessions behind it.
pub(crate) mod front {
    rpcgen_runtime::include_rpc!("front");
}
/// What front nodes say to each other.
pub(crate) mod neighbour {
    rpcgen_runtime::include_rpc!("neighbour");
}
