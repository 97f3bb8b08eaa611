//! What the tests of all databases share: a service, gates in its handlers, a folder of their own.
//!
//! Knows: where a handler is held. Does not know: databases.
#![expect(clippy::print_stdout, reason = "what is skipped is said")]

/// The stubs.
pub mod ledger {
    rpcgen_runtime::include_rpc!("ledger");
}
mod folder;
mod gates;
mod postgres;

pub use folder::Folder;
pub use gates::{Gates, Place};
pub use postgres::{PostgresServer, postgres};

use std::io;
use std::path::Path;
use std::time::Duration;

use rpcgen_runtime::completion::CompletionStore;
use rpcgen_runtime::server::ServerBuilder;
use rpcgen_runtime::{AppId, Config, ListenError, Server};

/// The app id of all calls.
pub const APP: AppId = AppId(7);

/// Small files: a test makes many.
const SEGMENT_BYTES: u64 = 64 << 10;

/// Short flushes: a test waits for guarantees, not for traffic that they might ride on.
#[must_use]
pub fn config() -> Config {
    Config { flush_after: Duration::from_millis(5), ..Config::default() }
}

/// A server of that business and store, also where one was dropped a moment ago: its listener takes a moment to go.
///
/// # Panics
/// It cannot listen there.
pub async fn serve<B, S>(address: &str, business: B, store: S) -> Server
where
    B: ledger::Ledger + Clone,
    S: CompletionStore + Clone,
{
    listen(address, || Server::builder().completions(store.clone()).serve(ledger::server(business.clone()))).await
}

/// The same with a log on disk in this directory.
///
/// # Panics
/// It cannot listen there.
pub async fn serve_on_disk<B, S>(address: &str, business: B, store: S, log: &Path) -> Server
where
    B: ledger::Ledger + Clone,
    S: CompletionStore + Clone,
{
    let builder = || Server::builder().completions(store.clone()).log(log).log_segment_bytes(SEGMENT_BYTES);
    listen(address, || builder().serve(ledger::server(business.clone()))).await
}

async fn listen(address: &str, builder: impl Fn() -> ServerBuilder) -> Server {
    loop {
        match builder().config(config()).listen(address).await {
            Ok(server) => return server,
            Err(ListenError::Io { source, .. }) if source.kind() == io::ErrorKind::AddrInUse => {
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// A client of a server.
///
/// # Panics
/// None is there.
pub async fn connect(address: &str) -> ledger::Client {
    ledger::Client::builder().config(config()).connect(address).await.expect("a server is there")
}
