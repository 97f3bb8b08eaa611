//! Four services: the bank's, its control port's, the one that a front node offers to the browser sessions behind it, and the one
//! between front nodes.

fn main() -> rpcgen::Result<()> {
    rpcgen::Config::new().extern_package("front", "crate::stubs::front").compile(&[
        "../../idl/bank_web.rpc",
        "../../idl/bank_control.rpc",
        "../../idl/front.rpc",
        "../../idl/neighbour.rpc",
    ])
}
