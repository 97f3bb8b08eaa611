//! The service whose histories are recorded.

fn main() -> rpcgen::Result<()> {
    rpcgen::compile(&["../../idl/bank.rpc"])
}
