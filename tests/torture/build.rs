//! The service of the run is the example's.

fn main() -> rpcgen::Result<()> {
    rpcgen::compile(&["../../examples/exactly_once_sql/ledger.rpc"])
}
