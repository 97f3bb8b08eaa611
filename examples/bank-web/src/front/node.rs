//! One front node: who it talks to, and what it does with what it hears.
//!
//! Knows: the bank, its neighbours, the sessions behind it, the shared store. Does not know: HTTP.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rpcgen_runtime::{AppId, ClientStats, Config, Interest, Server};

use super::documents::{Document, Kind, Summary, Waiting};
use super::neighbours::{Desk, Neighbours};
use super::passwords;
use super::sessions::{Behind, Session};
use super::store::{Ended, SignIn, Store};
use super::tickets::{self, Tickets};
use crate::Failure;
use crate::bank::drop_frames;
use crate::clock::random_name;
use crate::stubs::{bank, control, front, neighbour};

/// Who a front node is, and where the others are.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its name, and how its tickets begin.
    pub name: String,
    /// Where the bank is.
    pub bank: String,
    /// Where the bank's control port is.
    pub control: String,
    /// Where its neighbours find it.
    pub address: String,
    /// The other front nodes: name and address.
    pub neighbours: Vec<(String, String)>,
    /// A folder of its own.
    pub data: PathBuf,
    /// The store that all front nodes share.
    pub store: PathBuf,
    /// Which share of its frames to the bank it drops, to begin with: 0 to 0.9.
    pub drop: f64,
}

/// A file of a log on disk; a log has three at least.
pub(super) const LOG_SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// What a session can watch: a user of an app.
type Topic = (AppId, String);

/// Writes documents, and tells those who are interested.
#[derive(Debug)]
pub(super) struct Relay {
    name: String,
    store: Store,
    interest: Interest<Topic, String>,
    sessions: front::Broadcasts,
    neighbours: Neighbours,
}

impl Relay {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn neighbours(&self) -> &Neighbours {
        &self.neighbours
    }

    pub(super) fn interest(&self) -> &Interest<Topic, String> {
        &self.interest
    }

    /// Writes a document, however long it takes, then tells of it: here and at the neighbours.
    pub(super) async fn write(&self, mut document: Document, ends: Option<Ended>) {
        document.node.clone_from(&self.name);
        let (app, user, key) = (document.app, document.user.clone(), document.key.clone());
        tickets::insist(&self.name, || self.store.write(document.clone(), ends.clone())).await;
        self.document_written(app, &user, &key).await;
        self.neighbours.document_written(app, &user, &key).await;
    }

    /// Tells the sessions behind this node of a document. Only its key is passed on.
    pub(super) async fn document_written(&self, app: AppId, user: &str, key: &str) {
        for session in self.interest.members(&(app, user.to_owned())) {
            // A session that has just ended need not know.
            let _ = self.sessions.document_written(app, session, user, key).await;
        }
    }

    /// What waits for a user has changed: here and at the neighbours.
    pub(super) async fn pending_changed(&self, app: AppId, user: &str) {
        self.pending_changed_here(app, user).await;
        self.neighbours.pending_changed(app, user).await;
    }

    pub(super) async fn pending_changed_here(&self, app: AppId, user: &str) {
        for session in self.interest.members(&(app, user.to_owned())) {
            let _ = self.sessions.pending_changed(app, session, user).await;
        }
    }
}

/// A front node that runs.
#[derive(Debug)]
pub struct Node {
    relay: Arc<Relay>,
    tickets: Arc<Tickets>,
    bank: bank::Client,
    control: control::Client,
    sessions: Server,
    /// For requests of browsers that have no tab open.
    desk: front::Client,
    neighbour: OnceLock<Server>,
    /// Which share of its frames to the bank is dropped.
    drop: Mutex<f64>,
}

impl Node {
    /// Opens the store, takes up what an earlier life left, and talks to the others. None of them need be there yet.
    ///
    /// # Errors
    /// A folder cannot be used, or an address is taken.
    pub async fn start(settings: &Settings) -> Result<Arc<Self>, Failure> {
        std::fs::create_dir_all(&settings.data)?;
        let behind = Arc::new(Behind::default());
        let address = format!("thread://sessions-of-{}-{}", settings.name, random_name());
        let service = front::server_shared(Arc::clone(&behind));
        let sessions = Server::builder().config(quick()).serve(service).listen(&address).await?;
        let relay = Arc::new(Relay {
            name: settings.name.clone(),
            store: Store::open(&settings.store)?,
            interest: Interest::new(),
            sessions: sessions.broadcasts(),
            neighbours: Neighbours::connect(&settings.neighbours, &settings.data).await?,
        });
        // What was accepted for a person survives this process.
        let mut builder = bank::Client::builder().log(settings.data.join("calls")).log_segment_bytes(LOG_SEGMENT_BYTES);
        builder = builder.config(quick()).broadcasts(hearing(&relay)).connect_lazily();
        if settings.drop > 0.0 {
            builder = builder.faults(drop_frames(settings.drop));
        }
        let bank = builder.connect(&settings.bank).await?;
        tokio::spawn(end_with_log(settings.name.clone(), bank.clone()));
        let control = control::Client::builder().connect_lazily().connect(&settings.control).await?;
        let tickets = Arc::new(Tickets::new(Arc::clone(&relay), bank.clone()));
        let desk = front::Client::builder().config(quick()).connect(&address).await?;
        let (neighbour, drop) = (OnceLock::new(), Mutex::new(settings.drop));
        let node = Arc::new(Self { relay, tickets, bank, control, sessions, desk, neighbour, drop });
        behind.set(&node);
        node.tickets.take_up().await;
        node.tickets.settle_the_lost().await?;
        let neighbour = Server::builder().serve(neighbour::server(Desk::new(&node))).listen(&settings.address).await?;
        // Nobody else sets it.
        let _ = node.neighbour.set(neighbour);
        Ok(node)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.relay.name()
    }

    pub(super) fn relay(&self) -> &Arc<Relay> {
        &self.relay
    }

    pub(super) fn tickets(&self) -> &Arc<Tickets> {
        &self.tickets
    }

    /// Opens a session for a tab: it hears of `user` until it is dropped.
    ///
    /// # Errors
    /// The node is shutting down.
    pub async fn open_session(self: &Arc<Self>, app: AppId, user: &str) -> Result<Session, Failure> {
        Session::open(self, &self.sessions.local_address(), app, user).await
    }

    /// For requests of browsers that have no tab open: a session that hears of nothing.
    #[must_use]
    pub fn desk(&self) -> &front::Client {
        &self.desk
    }

    /// Whether the bank can be reached.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.bank.runtime().stats().is_linked
    }

    /// What the client of the bank did so far.
    #[must_use]
    pub fn bank_stats(&self) -> ClientStats {
        self.bank.runtime().stats()
    }

    /// Drops the live link to the bank.
    pub fn cut_link(&self) {
        self.bank.runtime().cut_link();
    }

    /// From now on this share of its frames to the bank is dropped: 0 to 0.9.
    pub fn set_faults(&self, drop: f64) {
        let plan = drop_frames(drop);
        *self.drop.lock().unwrap_or_else(PoisonError::into_inner) = plan.drop;
        self.bank.runtime().set_faults(Some(plan));
    }

    /// Which share is dropped now.
    #[must_use]
    pub fn faults(&self) -> f64 {
        *self.drop.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bank's control port.
    #[must_use]
    pub fn control(&self) -> &control::Client {
        &self.control
    }

    /// The entries of a user's timeline after `seq`, the oldest first, `count` of the youngest at most.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn timeline(&self, app: AppId, user: &str, seq: i64, count: u32) -> rusqlite::Result<Vec<Document>> {
        self.relay.store.timeline(app, user.to_owned(), seq, count).await
    }

    /// What stands above a timeline.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn summary(&self, app: AppId, user: &str) -> rusqlite::Result<Summary> {
        self.relay.store.summary(app, user.to_owned()).await
    }

    /// What waits for the bank, at whichever front node.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn waiting(&self, app: AppId, user: &str) -> rusqlite::Result<Vec<Waiting>> {
        self.relay.store.waiting(app, user.to_owned()).await
    }

    /// Signs a browser in: with the right password of an account that is there, or, if there is none of that name, with the wish to open
    /// it. Returns the token by which the browser is known; `None`: the password is wrong.
    ///
    /// # Errors
    /// The store or the log cannot be written.
    pub async fn sign_in(&self, app: AppId, user: &str, password: String) -> Result<Option<String>, Failure> {
        let token = random_name();
        let known = self.relay.store.password_hash(app, user.to_owned()).await?;
        let is_known = known.is_some();
        let waits_for = match known {
            Some(hash) if !passwords::is_right(password.clone(), hash.clone()).await => return Ok(None),
            Some(_) => String::new(),
            None => passwords::hash(password).await?,
        };
        let sign_in = SignIn {
            app,
            user: user.to_owned(),
            is_confirmed: is_known,
            is_refused: false,
            waits_for: waits_for.clone(),
        };
        self.relay.store.keep_sign_in(token.clone(), sign_in).await?;
        if !is_known {
            self.desk.ask(app, user, front::Wish::OpenAccount { password_hash: waits_for }).await?;
        }
        Ok(Some(token))
    }

    /// Who a browser with this token is.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn signed_in(&self, token: &str) -> rusqlite::Result<Option<SignIn>> {
        self.relay.store.sign_in(token.to_owned()).await
    }

    /// Forgets a browser.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn sign_out(&self, token: &str) -> rusqlite::Result<()> {
        self.relay.store.sign_out(token.to_owned()).await
    }

    /// Empties a user's timeline. `false`: the password is wrong, and nothing was changed.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn purge(&self, app: AppId, user: &str, password: String) -> rusqlite::Result<bool> {
        let Some(hash) = self.relay.store.password_hash(app, user.to_owned()).await? else { return Ok(false) };
        if !passwords::is_right(password, hash).await {
            return Ok(false);
        }
        let key = self.relay.store.purge(app, user.to_owned(), self.name().to_owned()).await?;
        self.relay.document_written(app, user, &key).await;
        self.relay.neighbours.document_written(app, user, &key).await;
        Ok(true)
    }
}

/// Between threads, and to people who watch, guarantees are to be seen at once.
pub(super) fn quick() -> Config {
    Config { flush_after: Duration::from_millis(20), ..Config::default() }
}

/// A node whose disk fails must not go on: its next life knows what is on record.
async fn end_with_log(name: String, bank: bank::Client) -> ! {
    let why = bank.runtime().log_stopped().await;
    eprintln!("{name}: the log cannot be written any more: {why}");
    std::process::exit(1)
}

/// What the bank's broadcasts become. One that comes again, because this node or another was killed (`Delivery::redelivered`), is written
/// once: its document has the name of what it tells of.
fn hearing(relay: &Arc<Relay>) -> bank::Handlers {
    let (seen, confirmed, received) = (Arc::clone(relay), Arc::clone(relay), Arc::clone(relay));
    let note = |relay: &Arc<Relay>, document| {
        let relay = Arc::clone(relay);
        async move { relay.write(document, None).await }
    };
    bank::Handlers::new()
        .pending_amount(move |_, event| {
            let key = format!("coin/{}/seen", event.coin);
            let document = Document::new(key, event.app_id, event.user, Kind::Seen, "Coins are on their way");
            note(&seen, document.about(event.key).amount(event.amount))
        })
        .confirmed_amount(move |_, event| {
            let key = format!("coin/{}/confirmed", event.coin);
            let document = Document::new(key, event.app_id, event.user, Kind::Confirmed, "Coins arrived");
            note(&confirmed, document.about(event.key).amount(event.amount).balance(&event.balance))
        })
        .payment_received(move |_, event| {
            let key = format!("payment/{}/{}", event.app_id.0, event.balance.booking);
            let text = format!("Paid by {}", event.from);
            let document = Document::new(key, event.app_id, event.user, Kind::Received, text);
            note(&received, document.about(event.from).amount(event.amount).balance(&event.balance))
        })
}
