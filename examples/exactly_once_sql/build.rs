//! The stubs of the ledger.

fn main() -> rpcgen::Result<()> {
    rpcgen::compile(&["ledger.rpc"])
}
