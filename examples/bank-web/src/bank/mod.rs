//! The bank: accounts in SQLite, a business for each app, the coin network, and a control port for visitors who pull cables.
//!
//! Knows: how the parts are put together. Does not know: what each does.

mod books;
mod business;
mod control;
mod network;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rpcgen_runtime::{AppId, Config, FaultPlan, Server};

use self::books::Books;
#[cfg(test)]
pub(crate) use self::books::SCHEMA;
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
    /// Locked as long as it is open.
    _folder: File,
}

impl Bank {
    /// Opens the books, and listens.
    ///
    /// # Errors
    /// The folder cannot be used, or an address is taken.
    pub async fn start(settings: &Settings) -> Result<Self, Failure> {
        let folder = lock(&settings.data)?;
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
        tokio::spawn(end_with_disk(Arc::clone(&server)));
        tokio::spawn(network::run(books, server.broadcasts::<bank::Broadcasts>()));
        let desk = stubs_control::server(Desk::new(Arc::clone(&server), settings.drop));
        let control = Server::builder().serve(desk).listen(&settings.control).await?;
        Ok(Self { server, control, _folder: folder })
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

/// A bank whose log or books cannot be written any more, or whose books are another's now, must not go on: nothing that it is asked would
/// ever be answered. Its next life knows what is on record.
async fn end_with_disk(server: Arc<Server>) -> ! {
    eprintln!("bank: it cannot go on, and ends: {}", server.stopped().await);
    std::process::exit(1)
}

/// Makes the folder, and keeps others out of it: whoever opens the books takes them over, and a second bank that found its port taken
/// after that would leave the first without them.
fn lock(folder: &Path) -> Result<File, Failure> {
    let shown = folder.display();
    std::fs::create_dir_all(folder).map_err(|error| format!("{shown} cannot be made: {error}"))?;
    let lock = File::create(folder.join("lock")).map_err(|error| format!("{shown} cannot be written: {error}"))?;
    lock.try_lock().map_err(|_| {
        format!("{shown} is another bank's that runs; end that one, or choose another --data and --ports")
    })?;
    Ok(lock)
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

#[cfg(test)]
mod tests {
    use rpcgen_runtime::CallError;

    use super::*;
    use crate::stubs::bank::{BalanceError, CreateAccountError, PayError, SendCoinsError};

    fn settings() -> Settings {
        Settings {
            address: "tcp://127.0.0.1:0".to_owned(),
            control: "tcp://127.0.0.1:0".to_owned(),
            data: std::env::temp_dir().join(format!("bank-web-{}", crate::clock::random_name())),
            reconnect_timeout: Duration::from_secs(5),
            drop: 0.0,
        }
    }

    #[tokio::test]
    async fn bank_that_is_started_twice_keeps_its_books() {
        let settings = settings();
        let first = Bank::start(&settings).await.unwrap();
        let second = Bank::start(&settings).await.unwrap_err().to_string();
        assert!(second.contains("is another bank's"), "{second}");
        let client = bank::Client::builder().connect(&first.address()).await.unwrap();
        let answer = client.balance(APPS[0].id, "nobody").await;
        assert_eq!(answer, Err(CallError::Failed(BalanceError::NoSuchUser)));
        drop(first);
        std::fs::remove_dir_all(settings.data).unwrap();
    }

    #[tokio::test]
    async fn name_is_one_account_of_each_app_and_keys_are_their_own_apps() {
        let settings = settings();
        let bank = Bank::start(&settings).await.unwrap();
        let client = bank::Client::builder().connect(&bank.address()).await.unwrap();
        let [coins, points] = APPS.map(|app| app.id);
        client.create_account(coins, "ann", "hash of ann").await.unwrap();
        client.create_account(coins, "ben", "hash of ben").await.unwrap();
        client.create_account(points, "ann", "hash of another ann").await.unwrap();
        // Whoever comes later does not get the account, nor changes it.
        let again = client.create_account(coins, "ann", "hash of somebody else").await;
        assert_eq!(again, Err(CallError::Failed(CreateAccountError::UserExists)));
        let books = rusqlite::Connection::open(settings.data.join("bank.sqlite")).unwrap();
        let hash = "SELECT password_hash FROM accounts WHERE app = ? AND user = 'ann'";
        let hash = |app: AppId| books.query_row(hash, [app.0], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!((hash(coins), hash(points)), ("hash of ann".to_owned(), "hash of another ann".to_owned()));
        let key = client.get_add_funds_key(coins, "ann").await.unwrap();
        assert!(key.starts_with(APPS[0].key_prefix), "{key}");
        let sent = client.send_coins(points, "ann", &key, 5).await;
        assert_eq!(sent, Err(CallError::Failed(SendCoinsError::NoSuchKey)));
        // Of the points there is nobody but ann.
        let paid = client.pay(points, "ann", "ben", 1).await;
        assert_eq!(paid, Err(CallError::Failed(PayError::NoSuchPayee)));
        client.send_coins(coins, "ann", &key, 5).await.unwrap();
        drop(bank);
        std::fs::remove_dir_all(settings.data).unwrap();
    }
}
