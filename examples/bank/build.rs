//! Two services: the bank's, and the one that a client node offers to the people behind it.

fn main() -> rpcgen::Result<()> {
    rpcgen::compile(&["../../idl/bank.rpc", "../../idl/session.rpc"])
}
