//! What the tests of all databases share: a service, gates in its handlers, a folder of their own.
//!
//! Knows: where a handler is held. Does not know: databases.
#![expect(clippy::print_stdout, reason = "what is skipped is said")]

/// The stubs.
pub mod ledger {
    rpcgen_runtime::include_rpc!("ledger");
}
mod beside;
mod either;
mod folder;
mod gates;
mod postgres;
mod process;
mod ways;

pub use beside::{look, number};
pub use either::{Bank, Db, World, worlds};
pub use folder::{Folder, replace};
pub use gates::{Gates, Place};
pub use postgres::{PostgresServer, postgres};
pub use ways::{begin_way, counted};

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
    let builder = || Server::builder().completions(store.clone()).serve(ledger::server(business.clone()));
    listen(address, builder).await.unwrap_or_else(|error| panic!("{error}"))
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
    try_on_disk(address, business, store, log, None).await.unwrap_or_else(|error| panic!("{error}"))
}

/// The same, which may be refused. `accepted`: the number of the mark that the database has, where the two are not of the same moment.
///
/// # Errors
/// As [`ServerBuilder::listen`].
pub async fn try_on_disk<B, S>(
    address: &str,
    business: B,
    store: S,
    log: &Path,
    accepted: Option<u64>,
) -> Result<Server, ListenError>
where
    B: ledger::Ledger + Clone,
    S: CompletionStore + Clone,
{
    let builder = || {
        let builder = Server::builder().completions(store.clone()).log(log).log_segment_bytes(SEGMENT_BYTES);
        let builder = builder.serve(ledger::server(business.clone()));
        accepted.into_iter().fold(builder, ServerBuilder::accept_restored_log)
    };
    listen(address, builder).await
}

async fn listen(address: &str, builder: impl Fn() -> ServerBuilder) -> Result<Server, ListenError> {
    loop {
        match builder().config(config()).listen(address).await {
            Err(ListenError::Io { source, .. }) if source.kind() == io::ErrorKind::AddrInUse => {
                tokio::task::yield_now().await;
            }
            result => return result,
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
