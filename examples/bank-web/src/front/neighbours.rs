//! The other front nodes.
//!
//! Knows: that keys of documents are passed on, and cancels of persons who have moved. Does not know: what a document says.

use std::path::Path;
use std::sync::{Arc, Weak};

use futures_util::future::join_all;
use rpcgen_runtime::generated::Action;
use rpcgen_runtime::{AppId, Call, client as runtime};

use super::node::{LOG_SEGMENT_BYTES, Node, quick};
use crate::Failure;
use crate::stubs::front::Cancelled;
use crate::stubs::neighbour::{self, CancelError, RecoveredCall};

/// The neighbours of a node, as their client. None of them need be there.
#[derive(Debug)]
pub(super) struct Neighbours {
    nodes: Vec<(String, neighbour::Client)>,
}

impl Neighbours {
    /// What one is told has a log on disk below `data`: a node that is killed between writing and telling tells when it is back.
    pub(super) async fn connect(addresses: &[(String, String)], data: &Path) -> Result<Self, Failure> {
        let mut nodes = Vec::new();
        for (name, address) in addresses {
            let log = data.join(format!("to-{name}"));
            let builder = neighbour::Client::builder().log(log).log_segment_bytes(LOG_SEGMENT_BYTES);
            let client = builder.config(quick()).connect_lazily().connect(address).await?;
            for call in client.recovered() {
                match call {
                    RecoveredCall::DocumentWritten(call) => claim(call),
                    RecoveredCall::PendingChanged(call) => claim(call),
                    // Whoever asked does not wait any more.
                    RecoveredCall::Cancel(call) => claim(call),
                }
            }
            nodes.push((name.clone(), client));
        }
        Ok(Self { nodes })
    }

    /// Tells all of them. One that is away hears of it when it is back; one that was away for so long that this node's log for it is
    /// full reads the store when its sessions come.
    pub(super) async fn document_written(&self, app: AppId, user: &str, key: &str) {
        // Side by side: each is a commit of a log of its own.
        let told = self.nodes.iter().map(|(_, node)| async move {
            if let Ok(call) = node.document_written(app, user, key).try_send().await {
                claim(call);
            }
        });
        join_all(told).await;
    }

    pub(super) async fn pending_changed(&self, app: AppId, user: &str) {
        for (_, node) in &self.nodes {
            if let Ok(call) = node.pending_changed(app, user).try_send().await {
                claim(call);
            }
        }
    }

    /// Cancels what waits at another node. `None`: no node has that ticket.
    pub(super) async fn cancel(&self, app: AppId, ticket: &str) -> Option<Cancelled> {
        let (name, _) = ticket.split_once('.')?;
        let (_, node) = self.nodes.iter().find(|(known, _)| known == name)?;
        node.cancel(app, ticket).await.ok()
    }
}

/// Takes the answer of a call when it comes: an answer that nobody takes stays in the log.
fn claim<A: Action>(call: runtime::Call<A>) {
    tokio::spawn(async move {
        // A neighbour that refuses it will read the store.
        let _ = call.await;
    });
}

/// What a node does for its neighbours.
pub(super) struct Desk {
    node: Weak<Node>,
}

impl Desk {
    pub(super) fn new(node: &Arc<Node>) -> Self {
        Self { node: Arc::downgrade(node) }
    }
}

impl neighbour::Neighbour for Desk {
    async fn document_written(&self, _call: &Call, app_id: AppId, user: String, key: String) {
        if let Some(node) = self.node.upgrade() {
            node.relay().document_written(app_id, &user, &key).await;
        }
    }

    async fn pending_changed(&self, _call: &Call, app_id: AppId, user: String) {
        if let Some(node) = self.node.upgrade() {
            node.relay().pending_changed_here(app_id, &user).await;
        }
    }

    async fn cancel(&self, _call: &Call, _app_id: AppId, ticket: String) -> Result<Cancelled, CancelError> {
        let node = self.node.upgrade().ok_or(CancelError::NoSuchTicket)?;
        node.tickets().cancel(&ticket).await.ok_or(CancelError::NoSuchTicket)
    }
}
