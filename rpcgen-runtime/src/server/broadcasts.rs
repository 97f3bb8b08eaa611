//! Broadcasts on their way from the business to a node.
//!
//! Knows: how a broadcast finds a session's inbox, or waits. Does not know: which node it should be (the routes do), what the session
//! does with it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rpcgen_proto::ids::{MethodId, SessionId};
use tokio::sync::oneshot;

use super::Shared;
use super::routing::{Destination, Placement, Promise};
use super::session::Command;
use crate::carried::Carried;
use crate::contract::{Broadcast, ServiceDescriptor};
use crate::driver::inbox::lock;
use crate::error::BroadcastError;

/// A broadcast that is to be logged for a node.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) destination: Destination,
    pub(super) payload: Carried,
    /// It may have run on another node.
    pub(super) redelivered: bool,
    /// Who waits for its being logged; nobody, if it was logged before.
    pub(super) reply: Option<oneshot::Sender<Result<(), BroadcastError>>>,
}

impl Job {
    /// A broadcast that was logged for a node that is gone, or has no handler for it: any other will do.
    pub(super) fn again(service: usize, method: MethodId, payload: Carried, redelivered: bool) -> Self {
        Self { destination: Destination { service, method, origin: None }, payload, redelivered, reply: None }
    }

    pub(super) fn promise(&self) -> Promise {
        if self.reply.is_some() { Promise::New } else { Promise::Logged }
    }

    /// Tells who waits for it, once.
    pub(super) fn settle(&mut self, result: Result<(), BroadcastError>) {
        if let Some(reply) = self.reply.take() {
            // Who does not wait any more need not know.
            let _ = reply.send(result);
        }
    }
}

/// Sends the broadcasts of one service.
#[derive(Clone)]
pub struct BroadcastSender {
    shared: Arc<Shared>,
    descriptor: &'static ServiceDescriptor,
    /// `None`: this server does not serve it.
    service: Option<usize>,
}

impl fmt::Debug for BroadcastSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BroadcastSender").field(&self.descriptor.name).finish()
    }
}

impl BroadcastSender {
    pub(super) fn new(shared: Arc<Shared>, descriptor: &'static ServiceDescriptor) -> Self {
        let service = shared.service_index(descriptor.name);
        Self { shared, descriptor, service }
    }

    /// Logs a broadcast: for the node that it is for, or until there is one. Once this returns, it is delivered to one node that
    /// handles it, as long as this server lives.
    ///
    /// # Errors
    /// Nothing of it remains; the error says why.
    pub async fn send<B: Broadcast>(&self, broadcast: B) -> Result<(), BroadcastError> {
        let service = self.service.ok_or(BroadcastError::UnknownService(self.descriptor.name))?;
        let destination = Destination { service, method: MethodId(B::METHOD), origin: broadcast.origin_key() };
        let payload = Carried::new(broadcast, !self.shared.is_on_network.load(Ordering::Relaxed))?;
        let (reply, logged) = oneshot::channel();
        self.shared.route(Job { destination, payload, redelivered: false, reply: Some(reply) });
        logged.await.unwrap_or(Err(BroadcastError::Closed))
    }
}

impl Shared {
    /// Gives a broadcast to the inbox of its node's session, or keeps it until there is a node.
    pub(super) fn route(&self, mut job: Job) {
        loop {
            let (destination, promise) = (job.destination.clone(), job.promise());
            let mut router = lock(&self.router);
            match router.place(destination, job, promise) {
                Placement::To(session, port, given) => {
                    drop(router);
                    match port.inbox.push(Command::Broadcast(given)) {
                        // That session has just ended; the next place is without it.
                        Err(Command::Broadcast(returned)) => job = returned,
                        _ => return,
                    }
                    self.close_route(session);
                }
                Placement::Waits => return self.note_waiting(&mut router),
                Placement::Full(waiting, mut refused) => {
                    drop(router);
                    return refused.settle(Err(BroadcastError::Full { waiting }));
                }
            }
        }
    }

    /// What waits is logged here: its senders are told.
    fn note_waiting(&self, router: &mut super::Routes) {
        if let Some(job) = router.last_waiting() {
            job.settle(Ok(()));
        }
        self.waiting_broadcasts.store(router.waiting_count(), Ordering::Relaxed);
    }

    /// Keeps a broadcast that its node has no room for.
    pub(super) fn keep_waiting(&self, job: Job) {
        let mut router = lock(&self.router);
        router.keep(job.destination.clone(), job);
        self.waiting_broadcasts.store(router.waiting_count(), Ordering::Relaxed);
    }

    /// Waiting broadcasts that this session handles.
    pub(super) fn take_waiting(&self, session: SessionId, count: usize) -> Vec<Job> {
        if self.waiting_broadcasts.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let mut router = lock(&self.router);
        let taken = router.take_waiting(session, count);
        self.waiting_broadcasts.store(router.waiting_count(), Ordering::Relaxed);
        taken.into_iter().map(|(_, job)| job).collect()
    }

    /// The session takes no broadcasts any more.
    pub(super) fn close_route(&self, session: SessionId) {
        lock(&self.router).close(session);
    }
}
