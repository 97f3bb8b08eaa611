//! The service of the tests is the example's.

fn main() -> rpcgen::Result<()> {
    rpcgen::compile(&["../../examples/exactly_once_sql/ledger.rpc"])
}
