//! Sending broadcasts: from the business to the session of one node.

use std::fmt;
use std::sync::Arc;

use rpcgen_proto::ids::SessionId;
use tokio::sync::oneshot;

use super::Shared;
use super::session::SessionCommand;
use crate::carried::Carried;
use crate::contract::{Broadcast, ServiceDescriptor};
use crate::driver::inbox::lock;
use crate::error::BroadcastError;

/// A broadcast on its way to a session's log.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) service: usize,
    pub(super) method: u32,
    pub(super) key: Option<Vec<u8>>,
    /// Typed until it reaches a session: only that knows whether its link takes messages as they are.
    pub(super) payload: Carried,
    /// It may have run on another node.
    pub(super) redelivered: bool,
    /// The session that just gave it back.
    pub(super) not: Option<SessionId>,
    /// Who waits until it is logged.
    pub(super) logged: Option<oneshot::Sender<Result<(), BroadcastError>>>,
}

/// Sends the broadcasts of one service.
#[derive(Clone)]
pub struct BroadcastSender {
    server: Arc<Shared>,
    service: &'static ServiceDescriptor,
}

impl fmt::Debug for BroadcastSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastSender").field("service", &self.service.name).finish_non_exhaustive()
    }
}

impl BroadcastSender {
    pub(super) fn new(server: Arc<Shared>, service: &'static ServiceDescriptor) -> Self {
        Self { server, service }
    }

    /// Sends a broadcast. Returns once it is logged: then it is delivered once to one node, even if none is there now.
    ///
    /// # Errors
    /// It was not logged, and no node will handle it.
    pub async fn send<B: Broadcast>(&self, message: B) -> Result<(), BroadcastError> {
        let service =
            self.server.service_index(self.service.name).ok_or(BroadcastError::UnknownService(self.service.name))?;
        let key = message.origin_key();
        // A message that cannot be encoded is refused here, where its sender hears of it.
        let payload = Carried::typed(message);
        if payload.clone().into_encoded().is_none() {
            return Err(BroadcastError::Full("a field exceeds its limit".to_owned()));
        }
        let (logged, waits) = oneshot::channel();
        let outgoing =
            Outgoing { service, method: B::METHOD, key, payload, redelivered: false, not: None, logged: Some(logged) };
        self.server.route(outgoing);
        waits.await.unwrap_or(Err(BroadcastError::Closed))
    }
}

impl Shared {
    /// Hands a broadcast to the session that it goes to, or lets it wait for one.
    pub(super) fn route(&self, mut outgoing: Outgoing) {
        loop {
            let kind = (outgoing.service, outgoing.method);
            let mut routing = lock(&self.routing);
            let Some(session) = routing.choose(kind, outgoing.key.as_deref(), outgoing.not) else {
                outgoing.not = None;
                let logged = outgoing.logged.take();
                let result = match routing.wait(kind, outgoing) {
                    Ok(()) => Ok(()),
                    Err(_) => {
                        Err(BroadcastError::Full(format!("{} broadcasts wait for a node", routing.waiting_count())))
                    }
                };
                drop(routing);
                tell(logged, result);
                return;
            };
            drop(routing);
            let handle = lock(&self.sessions).get(&session).cloned();
            let Some(handle) = handle else {
                lock(&self.routing).forget(session);
                continue;
            };
            match handle.inbox.push(SessionCommand::Broadcast(outgoing)) {
                Ok(()) => return,
                Err(SessionCommand::Broadcast(returned)) => {
                    lock(&self.routing).forget(session);
                    outgoing = returned;
                }
                Err(_) => return,
            }
        }
    }
}

/// Tells who waits, if somebody does.
pub(super) fn tell(logged: Option<oneshot::Sender<Result<(), BroadcastError>>>, result: Result<(), BroadcastError>) {
    if let Some(logged) = logged {
        // The sender's caller may have gone.
        let _ = logged.send(result);
    }
}
