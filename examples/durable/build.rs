//! Makes the stubs of the shop.

fn main() -> rpcgen::Result<()> {
    rpcgen::compile(&["shop.rpc"])
}
