//! The browser sessions behind a node: each open tab is a client of the node's own service, in the same process.
//!
//! Knows: which session is told what. Does not know: how a tab shows it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use rpcgen_runtime::{AppId, Call};
use tokio::sync::Notify;

use super::node::{Node, quick};
use crate::Failure;
use crate::clock::random_name;
use crate::stubs::front::{self, AskError, CancelError, Cancelled, Wish};

/// What the node does for the sessions behind it.
#[derive(Default)]
pub(super) struct Behind {
    /// The node is made after the service that it offers.
    node: OnceLock<Weak<Node>>,
}

impl Behind {
    pub(super) fn set(&self, node: &Arc<Node>) {
        // Nobody else sets it.
        let _ = self.node.set(Arc::downgrade(node));
    }

    fn node(&self) -> Option<Arc<Node>> {
        self.node.get().and_then(Weak::upgrade)
    }
}

impl front::Sessions for Behind {
    /// Nothing to do: that this session asked is what its broadcasts find it by.
    async fn open(&self, _call: &Call, _app_id: AppId, _session: String) {}

    async fn watch(&self, _call: &Call, app_id: AppId, session: String, user: String) {
        if let Some(node) = self.node() {
            // A session watches one user.
            let _ = node.relay().interest().watch(session, (app_id, user));
        }
    }

    async fn ask(&self, _call: &Call, app_id: AppId, user: String, wish: Wish) -> Result<String, AskError> {
        let gone = || AskError::NotAccepted { why: "the node is shutting down".to_owned() };
        let node = self.node().ok_or_else(gone)?;
        let ticket = node.tickets().ask(app_id, user, wish).await;
        ticket.map_err(|error| AskError::NotAccepted { why: error.to_string() })
    }

    async fn cancel(&self, _call: &Call, app_id: AppId, ticket: String) -> Result<Cancelled, CancelError> {
        let node = self.node().ok_or(CancelError::NoSuchTicket)?;
        if let Some(outcome) = node.tickets().cancel(&ticket).await {
            return Ok(outcome);
        }
        node.relay().neighbours().cancel(app_id, &ticket).await.ok_or(CancelError::NoSuchTicket)
    }
}

/// What a tab has not been shown yet.
#[derive(Debug, Default)]
struct Unseen {
    documents: AtomicBool,
    pending: AtomicBool,
    changed: Notify,
}

/// An open tab. Dropped, it hears of nothing any more; what it asked for goes on.
#[derive(Debug)]
pub struct Session {
    node: Arc<Node>,
    name: String,
    client: front::Client,
    unseen: Arc<Unseen>,
}

/// What a tab is to look at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// There are new entries.
    pub documents: bool,
    /// What waits has changed.
    pub pending: bool,
}

impl Session {
    pub(super) async fn open(node: &Arc<Node>, address: &str, app: AppId, user: &str) -> Result<Self, Failure> {
        let unseen = Arc::new(Unseen::default());
        let (documents, pending) = (Arc::clone(&unseen), Arc::clone(&unseen));
        let handlers = front::Handlers::new()
            .document_written(move |_, _| {
                documents.documents.store(true, Ordering::Release);
                documents.changed.notify_one();
                std::future::ready(())
            })
            .pending_changed(move |_, _| {
                pending.pending.store(true, Ordering::Release);
                pending.changed.notify_one();
                std::future::ready(())
            });
        let client = front::Client::builder().config(quick()).broadcasts(handlers).connect(address).await?;
        let session = Self { node: Arc::clone(node), name: random_name(), client, unseen };
        session.client.open(app, &session.name).await?;
        session.client.watch(app, &session.name, user).await?;
        Ok(session)
    }

    /// The session's own way to ask for something.
    #[must_use]
    pub fn client(&self) -> &front::Client {
        &self.client
    }

    /// Its name, which the tab says with what it asks.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits until there is something new.
    pub async fn changed(&self) -> Changed {
        loop {
            let changed = Changed {
                documents: self.unseen.documents.swap(false, Ordering::AcqRel),
                pending: self.unseen.pending.swap(false, Ordering::AcqRel),
            };
            if changed.documents || changed.pending {
                return changed;
            }
            self.unseen.changed.notified().await;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.node.relay().interest().leave(&self.name);
    }
}
