//! The echo service of all rows.

fn main() -> rpcgen::Result<()> {
    rpcgen::compile(&["../idl/echo.rpc"])
}
