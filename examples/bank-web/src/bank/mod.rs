//! The bank: accounts in SQLite, a business for each app, the coin network, and a control port for visitors who pull cables.
//!
//! Knows: how the parts are put together. Does not know: what each does.

mod books;
mod business;
mod control;
mod network;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rpcgen_runtime::{AppId, Config, FaultPlan, Server};

use self::books::Books;
use self::business::{App, Business};
use self::control::Desk;
use crate::Failure;
use crate::clock::random;
use crate::stubs::{bank, control as stubs_control};

/// Where a bank listens, and where it keeps what it knows.
#[derive(Clone, Debug)]
pub struct Settings {
    /// For front nodes.
    pub address: String,
    /// For the fault pages.
    pub control: String,
    /// A folder of its own.
    pub data: PathBuf,
    /// A front node that was away for longer is given up: what was for it goes to another.
    pub reconnect_timeout: Duration,
    /// Which share of its frames it drops, to begin with: 0 to 0.9.
    pub drop: f64,
}

/// The apps of the bank. Each has a business implementation of its own.
pub const APPS: [App; 2] = [
    App { id: AppId(7), name: "Coins", key_prefix: "coin", confirmed_after: Duration::from_millis(2_500) },
    App { id: AppId(8), name: "Points", key_prefix: "point", confirmed_after: Duration::from_millis(500) },
];

/// A bank that runs.
#[derive(Debug)]
pub struct Bank {
    server: Arc<Server>,
    control: Server,
}

impl Bank {
    /// Opens the books, and listens.
    ///
    /// # Errors
    /// The folder cannot be used, or an address is taken.
    pub async fn start(settings: &Settings) -> Result<Self, Failure> {
        std::fs::create_dir_all(&settings.data)?;
        let books = Books::open(&settings.data.join("bank.sqlite"))?;
        // What was guaranteed, and what was broadcast, survives this process; what a call did is recorded with it in the books.
        let mut builder = Server::builder().log(settings.data.join("log")).config(config(settings));
        builder = builder.completions(books.completions());
        if settings.drop > 0.0 {
            builder = builder.faults(drop_frames(settings.drop));
        }
        for app in APPS {
            let business = Business::new(app, books.clone());
            builder = builder.serve(bank::server(business).for_app(app.id));
        }
        let server = Arc::new(builder.listen(&settings.address).await?);
        tokio::spawn(end_with_log(Arc::clone(&server)));
        tokio::spawn(network::run(books, server.broadcasts::<bank::Broadcasts>()));
        let desk = stubs_control::server(Desk::new(Arc::clone(&server), settings.drop));
        let control = Server::builder().serve(desk).listen(&settings.control).await?;
        Ok(Self { server, control })
    }

    /// Where front nodes find it.
    #[must_use]
    pub fn address(&self) -> String {
        self.server.local_address()
    }

    /// Where fault pages find it.
    #[must_use]
    pub fn control_address(&self) -> String {
        self.control.local_address()
    }
}

/// A bank whose disk fails must not go on: its next life knows what is on record.
async fn end_with_log(server: Arc<Server>) {
    let why = server.log_stopped().await;
    eprintln!("bank: the log cannot be written any more: {why}");
    std::process::abort();
}

fn config(settings: &Settings) -> Config {
    Config {
        // People watch: guarantees are to be seen at once, also where nothing else travels.
        flush_after: Duration::from_millis(50),
        reconnect_timeout: settings.reconnect_timeout,
        ..Config::default()
    }
}

/// A plan that drops a share of all frames.
pub(crate) fn drop_frames(share: f64) -> FaultPlan {
    let share = if share.is_finite() { share.clamp(0.0, 0.9) } else { 0.0 };
    FaultPlan { seed: random(), drop: share, drop_broadcast: share, ..FaultPlan::default() }
}
