//! The shop: a server with a log on disk.
//!
//! Knows: orders. Does not know: who survives what.

use std::path::Path;
use std::time::Duration;

use rpcgen_runtime::{AppId, Call, ListenError, Server};

use crate::Failure;

/// The stubs of `shop.rpc`.
pub(crate) mod stubs {
    rpcgen_runtime::include_rpc!("shop");
}

/// The business.
pub(crate) struct Shop;

impl stubs::Shop for Shop {
    async fn order(&self, call: &Call, _: AppId, item: String) -> u64 {
        let again = if call.redelivered() { " (it may have run before: its server was killed)" } else { "" };
        println!("[shop] works on {item}{again}");
        tokio::time::sleep(Duration::from_millis(500)).await;
        call.key().number.0
    }

    async fn ping(&self, _: &Call, _: AppId, text: String) -> String {
        text
    }
}

/// Serves until it is killed.
pub(crate) async fn run(directory: &Path, address: &str) -> Result<(), Failure> {
    let server = loop {
        match Server::builder().log(directory).serve(stubs::server(Shop)).listen(address).await {
            // The port of a shop that was just killed.
            Err(ListenError::Io { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
            result => break result?,
        }
    };
    println!("[shop] open at {}", server.local_address());
    std::future::pending::<()>().await;
    Ok(())
}
