//! The service that the end-to-end tests call.

fn main() -> rpcgen::Result<()> {
    rpcgen::compile(&["e2e/desk.rpc"])
}
