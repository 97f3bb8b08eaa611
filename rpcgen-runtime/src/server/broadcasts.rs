//! Broadcasts on their way from the business to a node.
//!
//! Knows: how a broadcast finds a session's inbox, or waits. Does not know: which node it should be (the routes do), what the session
//! does with it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rpcgen_proto::ids::{MethodId, SessionId};
use rpcgen_proto::session::Payload;
use rpcgen_store::BroadcastHandle;
use tokio::sync::oneshot;

use super::Shared;
use super::durable::Durable;
use super::room::{Room, Share};
use super::routing::{Destination, Target};
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
    /// Where it is in the log on disk, if there is one and it is not with its session.
    pub(super) record: Option<BroadcastHandle>,
    /// What it takes of the server's memory until it is in its session's log, which counts it then.
    pub(super) _held: Share,
}

impl Job {
    /// One that is logged for the first time.
    pub(super) fn new(room: &Room, destination: Destination, payload: Carried) -> Self {
        let _held = room.share_of_waiting(payload.size_bytes());
        Self { destination, payload, redelivered: false, reply: None, record: None, _held }
    }

    /// A broadcast that was logged for a node that is gone, or has no handler for it: any other will do.
    pub(super) fn again(
        room: &Room,
        service: usize,
        method: MethodId,
        payload: Carried,
        redelivered: bool,
        record: Option<BroadcastHandle>,
    ) -> Self {
        let destination = Destination { service, method, origin: None };
        Self { redelivered, record, ..Self::new(room, destination, payload) }
    }

    /// Whether its sender was told that it is logged: it may not be refused any more.
    pub(super) fn is_promised(&self) -> bool {
        self.reply.is_none()
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
        self.shared.room.admit()?;
        let payload = Carried::of_broadcast(broadcast, !self.shared.is_on_network.load(Ordering::Relaxed))?;
        if let Some(durable) = &self.shared.durable {
            return self.send_on_record(durable, destination, payload).await;
        }
        let (reply, logged) = oneshot::channel();
        let job = Job::new(&self.shared.room, destination, payload);
        self.shared.route(Job { reply: Some(reply), ..job });
        logged.await.unwrap_or(Err(BroadcastError::Closed))
    }

    /// With a log on disk: it is logged when its record is durable. It sets out before that: a crash in between takes it back from
    /// nobody who was told.
    async fn send_on_record(
        &self,
        durable: &Durable,
        destination: Destination,
        payload: Carried,
    ) -> Result<(), BroadcastError> {
        self.shared.may_log_broadcast()?;
        let record = durable.broadcast(self.descriptor.name, &destination, payload.clone())?;
        let sequence = record.sequence();
        let job = Job::new(&self.shared.room, destination, payload);
        self.shared.route(Job { record: Some(record), ..job });
        let stopped = |_| BroadcastError::LogStopped("it is not known whether the broadcast is on record".to_owned());
        durable.log().wait(sequence).await.map_err(stopped)
    }
}

impl Shared {
    /// Whether a broadcast may be put on record: not if the server has stopped, or as many wait as may.
    fn may_log_broadcast(&self) -> Result<(), BroadcastError> {
        let router = lock(&self.router);
        if router.is_stopped() {
            return Err(BroadcastError::Closed);
        }
        if router.is_full() {
            return Err(BroadcastError::Full { waiting: router.waiting_count() });
        }
        Ok(())
    }

    /// Gives a broadcast to the inbox of its node's session, or keeps it until there is a node.
    pub(super) fn route(&self, mut job: Job) {
        loop {
            let mut router = lock(&self.router);
            let (session, port) = match router.target(&job.destination) {
                Target::Node(session, port) => (session, port),
                Target::Nobody => return self.wait_for_node(&mut router, job),
                Target::Stopped => {
                    drop(router);
                    return self.give_up(job);
                }
            };
            drop(router);
            match port.inbox.push(Command::Broadcast(job)) {
                // That session has just ended; the next place is without it.
                Err(Command::Broadcast(returned)) => job = returned,
                _ => return,
            }
            self.close_route(session);
        }
    }

    /// Logs it here: its sender is told, unless there is no room.
    fn wait_for_node(&self, router: &mut super::Routes, mut job: Job) {
        if !job.is_promised() && router.is_full() {
            return job.settle(Err(BroadcastError::Full { waiting: router.waiting_count() }));
        }
        job.settle(Ok(()));
        let destination = job.destination.clone();
        router.keep(&destination, job);
        self.waiting_broadcasts.store(router.waiting_count(), Ordering::Relaxed);
    }

    /// Keeps a broadcast that its node's log has no room for.
    pub(super) fn keep_waiting(&self, job: Job) {
        let mut router = lock(&self.router);
        if router.is_stopped() {
            drop(router);
            return self.give_up(job);
        }
        self.wait_for_node(&mut router, job);
    }

    /// The server has stopped: the sender is told, or the shutdown's report says so.
    pub(super) fn give_up(&self, mut job: Job) {
        if job.record.is_some() {
            // The next life of the log goes on with it.
        } else if job.is_promised() {
            self.note_lost(1);
        } else {
            job.settle(Err(BroadcastError::Closed));
        }
    }

    /// So many broadcasts that were logged are lost.
    pub(super) fn note_lost(&self, count: usize) {
        self.lost_broadcasts.fetch_add(count, Ordering::AcqRel);
    }

    /// Waiting broadcasts that this session handles.
    pub(super) fn take_waiting(&self, session: SessionId, count: usize) -> Vec<Job> {
        if self.waiting_broadcasts.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let mut router = lock(&self.router);
        let taken = router.take_waiting(session, count);
        self.waiting_broadcasts.store(router.waiting_count(), Ordering::Relaxed);
        taken
    }

    /// The session takes no broadcasts any more.
    pub(super) fn close_route(&self, session: SessionId) {
        lock(&self.router).close(session);
    }
}
