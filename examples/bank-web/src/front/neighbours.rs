//! The other front nodes.
//!
//! Knows: that keys of documents are passed on, and cancels of persons who have moved. Does not know: what a document says.

use std::sync::{Arc, Weak};

use rpcgen_runtime::{AppId, Call};

use super::node::{Node, quick};
use crate::Failure;
use crate::stubs::front::Cancelled;
use crate::stubs::neighbour::{self, CancelError};

/// The neighbours of a node, as their client. None of them need be there.
#[derive(Debug)]
pub(super) struct Neighbours {
    nodes: Vec<(String, neighbour::Client)>,
}

impl Neighbours {
    pub(super) async fn connect(addresses: &[(String, String)]) -> Result<Self, Failure> {
        let mut nodes = Vec::new();
        for (name, address) in addresses {
            let client = neighbour::Client::builder().config(quick()).connect_lazily().connect(address).await?;
            nodes.push((name.clone(), client));
        }
        Ok(Self { nodes })
    }

    /// Tells all of them. One that is away hears of it when it is back; one that was away for so long that this node's log for it is
    /// full reads the store when its sessions come.
    pub(super) async fn document_written(&self, app: AppId, user: &str, key: &str) {
        for (_, node) in &self.nodes {
            let _ = node.document_written(app, user, key).try_send().await;
        }
    }

    pub(super) async fn pending_changed(&self, app: AppId, user: &str) {
        for (_, node) in &self.nodes {
            let _ = node.pending_changed(app, user).try_send().await;
        }
    }

    /// Cancels what waits at another node. `None`: no node has that ticket.
    pub(super) async fn cancel(&self, app: AppId, ticket: &str) -> Option<Cancelled> {
        let (name, _) = ticket.split_once('.')?;
        let (_, node) = self.nodes.iter().find(|(known, _)| known == name)?;
        node.cancel(app, ticket).await.ok()
    }
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
