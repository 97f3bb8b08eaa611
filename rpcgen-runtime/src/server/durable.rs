//! A server's durable log: what all its sessions share of it.
//!
//! Knows: the log, the books of sessions that are over, whose turn it is after a crash, broadcasts on record. Does not know: what one
//! session puts on record.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use rpcgen_proto::ids::{CallNumber, ClientId, Epoch, Incarnation, SessionId};
use rpcgen_proto::record::{RecoveredSession, RecoveredState};
use rpcgen_proto::server::{RegistryConfig, Turns};
use rpcgen_proto::session::{ActionHandle, ServerSession};
use rpcgen_store::codec::BroadcastEntry;
use rpcgen_store::{BroadcastHandle, RecoveredBroadcast, RecoveredServerLog, Retention, ServerStore, SessionStore};

use super::Shared;
use super::broadcasts::Job;
use super::records::Records;
use super::routing::Destination;
use super::same_moment::Opened;
use super::session::{Command, Resident, SessionTask};
use crate::carried::Carried;
use crate::completion::CompletionStore;
use crate::driver::inbox::lock;
use crate::durable::{DiskLog, OpenLogError, Opening};
use crate::error::BroadcastError;
use crate::random;

/// How often it is looked whether something was kept for long enough.
const TICK_EVERY: Duration = Duration::from_secs(60);

/// What the sessions of a server share of its log.
pub(super) struct Durable {
    log: Arc<DiskLog>,
    store: Mutex<ServerStore>,
    turns: Mutex<Turns>,
    directory: String,
}

/// A log that is open, and what was found in it.
pub(super) struct Found {
    pub(super) durable: Durable,
    pub(super) recovered: RecoveredServerLog<Carried>,
    /// The life of the log that has begun.
    pub(super) epoch: Epoch,
    pub(super) payload_bytes_max: u32,
}

/// What a log has to belong to.
#[derive(Clone, Copy)]
pub(super) struct Belonging<'a> {
    /// Where completion records are, if anywhere.
    pub(super) completions: Option<&'a Arc<dyn CompletionStore>>,
    /// The number of a mark there that may be of another state of it.
    pub(super) accepted: Option<u64>,
}

impl Found {
    /// Opens the log of a server. Nothing in it was begun when it returns.
    pub(super) async fn open(
        opening: Opening,
        frame_bytes_max: u32,
        registry: &RegistryConfig,
        belonging: Belonging<'_>,
    ) -> Result<Self, OpenLogError> {
        let retention = Retention { answers_for: registry.records_for, tombstones_for: registry.tombstones_for };
        let directory = opening.directory.display().to_string();
        let books = move |found, log: &mut _| ServerStore::recover::<Carried>(found, log, retention);
        let opened = opening.open(frame_bytes_max, books).await?;
        let life = opened.log.incarnation().0;
        let failed = |why: String| OpenLogError::Failed { directory: directory.clone(), why };
        let life = u32::try_from(life).ok().filter(|life| *life <= Epoch::LIFE_MAX);
        let life = life.ok_or_else(|| failed("it was opened too often".to_owned()))?;
        let [first, second, third, ..] = opened.log.id().0;
        let log = DiskLog::start(opened.log).map_err(|error| failed(error.to_string()))?;
        let (store, recovered) = opened.books;
        let durable = Durable { log, store: Mutex::new(store), turns: Mutex::default(), directory: directory.clone() };
        if let Some(completions) = belonging.completions {
            durable.opened().belong_to(&**completions, belonging.accepted).await?;
        }
        tracing::info!(
            directory,
            life,
            sessions = recovered.sessions.len(),
            actions = recovered.sessions.iter().map(|(session, _)| session.actions.len()).sum::<usize>(),
            broadcasts = recovered.broadcasts.len(),
            "a durable log is open"
        );
        Ok(Self {
            durable,
            recovered,
            epoch: Epoch::of_log(life, [first, second, third], random::u16()),
            payload_bytes_max: opened.payload_bytes_max,
        })
    }

    /// All sessions that the registry has to know.
    pub(super) fn known(&self) -> impl Iterator<Item = &RecoveredSession<Carried>> {
        self.recovered.sessions.iter().map(|(session, _)| session).chain(&self.recovered.tombstones)
    }

    /// The service of a session that goes on, if the server does not have it.
    pub(super) fn service_that_is_not_among<'a>(&'a self, names: &[&str]) -> Option<&'a str> {
        let of_sessions = self.recovered.sessions.iter().map(|(session, _)| session.session.service.as_str());
        let of_broadcasts = self.recovered.broadcasts.iter().map(|broadcast| broadcast.broadcast.service.as_str());
        of_sessions.chain(of_broadcasts).find(|service| !names.contains(service))
    }
}

impl Durable {
    pub(super) fn log(&self) -> &Arc<DiskLog> {
        &self.log
    }

    fn opened(&self) -> Opened<'_> {
        Opened { log: &self.log, books: &self.store, directory: &self.directory }
    }

    /// The books for a session that begins.
    pub(super) fn open_session(&self, client: ClientId, incarnation: Incarnation) -> Records {
        let store = lock(&self.store).open((client, incarnation));
        Records::new(Arc::clone(&self.log), store, BTreeMap::new())
    }

    fn recovered_session(&self, session: &RecoveredSession<Carried>, store: SessionStore) -> Records {
        let begun = session.actions.iter().filter_map(|action| match action.state {
            RecoveredState::Open { begun, .. } => Some((action.number, begun)),
            RecoveredState::Answered(_) => None,
        });
        Records::new(Arc::clone(&self.log), store, begun.collect())
    }

    /// A session is over: what is left of it stays for its client.
    pub(super) fn close_session(&self, client: ClientId, incarnation: Incarnation, records: Records) {
        let mut store = records.into_store();
        // What cannot be released now is found again by the next life.
        let _ = store.flush(&mut &*self.log);
        lock(&self.store).close((client, incarnation), store);
    }

    /// Puts a broadcast on record.
    pub(super) fn broadcast(
        &self,
        service: &str,
        destination: &Destination,
        payload: Carried,
    ) -> Result<BroadcastHandle, BroadcastError> {
        let payload = payload.converted(false).ok_or(BroadcastError::Closed)?;
        let entry = BroadcastEntry {
            service: service.to_owned(),
            method: destination.method,
            origin: destination.origin.clone(),
            payload,
        };
        let handle = ServerStore::broadcast(&mut &*self.log, entry).map_err(|error| match error {
            rpcgen_log::LogError::Full => BroadcastError::DiskFull,
            error => BroadcastError::LogStopped(error.to_string()),
        });
        self.log.commit_soon();
        handle
    }

    pub(super) fn enter_turn(&self, begun: u32, session: SessionId, action: ActionHandle) {
        lock(&self.turns).enter(begun, session, action);
    }

    pub(super) fn turn_over(&self, session: SessionId, number: CallNumber) {
        lock(&self.turns).over(session, number);
    }

    fn session_over(&self, session: SessionId) {
        lock(&self.turns).session_over(session);
    }

    fn next_turn(&self) -> Option<(u32, SessionId, ActionHandle)> {
        lock(&self.turns).give()
    }

    fn tick(&self, open_for: Duration) {
        if let Err(error) = lock(&self.store).tick(&mut &*self.log, open_for) {
            tracing::debug!(%error, "what was kept for long enough stays a little longer");
        }
        self.log.commit_soon();
    }
}

impl Shared {
    /// Gives the next of the actions that were running at the crash its turn, if none has it.
    pub(super) fn give_turn(&self) {
        let Some(durable) = &self.durable else { return };
        while let Some((begun, session, action)) = durable.next_turn() {
            let port = lock(&self.hall).ports.get(&session).cloned();
            if port.is_some_and(|port| port.inbox.push(Command::Turn(action, begun)).is_ok()) {
                return;
            }
            durable.session_over(session);
        }
    }

    /// The session has ended. Its turn, if it had one or was about to, is the next one's.
    pub(super) fn end_turns_of(&self, session: SessionId) {
        let Some(durable) = &self.durable else { return };
        durable.session_over(session);
        self.give_turn();
    }

    /// Begins the sessions and broadcasts that were found in the log.
    pub(super) fn go_on(self: &Arc<Self>, recovered: RecoveredServerLog<Carried>) {
        let Some(durable) = &self.durable else { return };
        for (session, store) in recovered.sessions {
            let Some(service) = self.service_index(&session.session.service) else { continue };
            let records = durable.recovered_session(&session, store);
            let (id, client) = (session.session.session, session.session.client);
            let (port, number) = self.new_port(&mut lock(&self.hall), id, client, service);
            let config = self.config_of(service);
            let epoch = lock(&self.hall).registry.epoch();
            let core = ServerSession::recover(self.clock.now(), config, epoch, session);
            tokio::spawn(Resident::new(SessionTask::new(Arc::clone(self), port, core, None, Some(records), number)));
        }
        for RecoveredBroadcast { broadcast, handle } in recovered.broadcasts {
            let Some(service) = self.service_index(&broadcast.service) else { continue };
            let destination = Destination { service, method: broadcast.method, origin: broadcast.origin };
            let redelivered = handle.is_assigned();
            let job = Job::new(&self.room, destination, broadcast.payload);
            self.route(Job { redelivered, record: Some(handle), ..job });
        }
    }

    /// Gives log and completion store a new mark in common now and then.
    pub(super) fn mark_log(self: &Arc<Self>, every: Duration) {
        if self.durable.is_none() || self.completions.is_none() {
            return;
        }
        let theirs = Arc::downgrade(self);
        tokio::spawn(async move {
            while let Some(shared) = Self::go_on_after(every, &theirs).await {
                let (Some(durable), Some(store)) = (&shared.durable, &shared.completions) else { return };
                // It is tried again; until then an older backup is not told from the right one.
                if let Err(error) = durable.opened().belong_to(&**store, None).await {
                    tracing::warn!(%error, "log and database have no new mark in common");
                }
            }
        });
    }

    /// What the log asks of the server now and then, and when it stops.
    pub(super) fn tend_log(self: &Arc<Self>) {
        let Some(durable) = &self.durable else { return };
        let theirs: Weak<Self> = Arc::downgrade(self);
        durable.log.when_stopped(move |cause| {
            if let Some(shared) = theirs.upgrade() {
                lock(&shared.hall).tell_all(|| Command::LogStopped(Arc::clone(cause)));
            }
        });
        let (theirs, began) = (Arc::downgrade(self), self.clock.now());
        tokio::spawn(async move {
            while let Some(shared) = Self::go_on_after(TICK_EVERY, &theirs).await {
                let Some(durable) = &shared.durable else { return };
                durable.tick(shared.clock.now().saturating_since(began));
            }
        });
    }

    /// For what is done now and then: the server, after that time, unless it or its log has ended.
    async fn go_on_after(time: Duration, theirs: &Weak<Self>) -> Option<Arc<Self>> {
        tokio::time::sleep(time).await;
        let shared = theirs.upgrade()?;
        let has_log = shared.durable.as_ref().is_some_and(|durable| durable.log.stopped().is_none());
        has_log.then_some(shared)
    }
}
