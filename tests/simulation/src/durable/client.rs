//! The driver of a client, with a durable log or without one.
//!
//! Knows: the contract of session and store. Does not know: what the application wants.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rpcgen_log::{LogError, Sequence};
use rpcgen_proto::config::{Config, Durable};
use rpcgen_proto::frame::LinkFrame;
use rpcgen_proto::ids::{BroadcastNumber, CallNumber, ClientId, Incarnation, MethodId};
use rpcgen_proto::record::{ClientRecord, Life, Mark};
use rpcgen_proto::session::{CallHandle, ClientEvent, ClientIdentity, ClientSession, CloseReason, Input, Output};
use rpcgen_proto::time::Instant;
use rpcgen_store::{ClientStore, Marks, RecoveredClientLog};

use super::book::Tag;
use super::options::DurableOptions;
use super::storage::Storage;
use super::wire::Wire;
use super::world::{METHOD, SERVICE, VOLATILE, schema_of};
use crate::load::Load;

/// A client's machine.
#[derive(Debug)]
pub(super) struct Client {
    /// The how manyth of the run: two copies of a log have one each.
    pub(super) identity: usize,
    /// As whom it says hello.
    pub(super) id: ClientId,
    pub(super) has_log: bool,
    pub(super) storage: Storage,
    pub(super) process: Option<Process>,
    /// When a process begins, if there is none.
    pub(super) begins_at: Instant,
    pub(super) connects_at: Instant,
    pub(super) wire: Wire,
    /// An older state of its log was put back, or there is a copy.
    pub(super) has_rivals: bool,
    /// Which call a number is.
    pub(super) numbers: BTreeMap<CallNumber, Tag>,
    /// Broadcasts that its handlers were given and that have not run.
    pub(super) unrun: BTreeSet<Tag>,
    /// When each secret came that was put on record.
    secrets: BTreeMap<[u8; 32], Instant>,
    /// The present secret: when it came.
    pub(super) secret: Option<Instant>,
    /// That of the last hello.
    pub(super) greeted_with: Option<Instant>,
}

/// A client's process.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) session: ClientSession<Load>,
    /// `None`: it has no log.
    pub(super) store: Option<ClientStore>,
    marks: Marks,
    /// Records that wait for space.
    waiting: VecDeque<(Mark, ClientRecord<Load>)>,
    pub(super) commits_at: Option<Instant>,
    /// Commits that are done: when the session hears of it, and how far.
    pub(super) told: VecDeque<(Instant, Sequence)>,
    pub(super) deadline: Option<Instant>,
    pub(super) is_stopped: bool,
    /// It has left: the process ends when its log is in order.
    pub(super) has_left: bool,
    pub(super) recent: Vec<CallHandle>,
    /// Handlers of broadcasts that run: until when, which, and whether it may have run before.
    pub(super) handlers: Vec<(Instant, BroadcastNumber, Tag, bool)>,
    /// Where broadcasts are on record.
    broadcasts: BTreeMap<BroadcastNumber, Sequence>,
}

/// What a drain brought.
#[derive(Debug)]
pub(super) enum FromClient {
    Frame(LinkFrame<Load>),
    Event(ClientEvent<Load>),
    Close(CloseReason),
}

impl Client {
    pub(super) fn new(identity: usize, has_log: bool) -> Self {
        let id = identity as u128 + 1;
        Self {
            identity,
            id: ClientId(id),
            has_log,
            storage: Storage::new(id),
            process: None,
            begins_at: Instant::START,
            connects_at: Instant::START,
            wire: Wire::default(),
            has_rivals: false,
            numbers: BTreeMap::new(),
            unrun: BTreeSet::new(),
            secrets: BTreeMap::new(),
            secret: None,
            greeted_with: None,
        }
    }

    /// Another machine with a copy of its directory.
    pub(super) fn copied(&mut self, identity: usize) -> Self {
        self.has_rivals = true;
        Self {
            id: self.id,
            storage: self.storage.copied(),
            has_rivals: true,
            numbers: self.numbers.clone(),
            secrets: self.secrets.clone(),
            ..Self::new(identity, true)
        }
    }

    /// Begins a process. What it found in its log.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        options: &DurableOptions,
        seed: u64,
    ) -> Result<Option<RecoveredClientLog<Load>>, String> {
        // Each life, another version.
        let (fingerprint, shape) = schema_of(self.storage.life);
        let mut identity = ClientIdentity {
            client: self.id,
            incarnation: Incarnation(0),
            life: Life(0),
            service: SERVICE.to_owned(),
            fingerprint,
            shape: Some(shape),
            broadcasts: vec![METHOD],
        };
        if !self.has_log {
            identity.incarnation = Incarnation(seed | 1);
            let config = Config { durable: None, ..config(options) };
            self.process = Some(Process::new(now, ClientSession::new(config, identity, seed), None));
            return Ok(None);
        }
        let found = self.storage.open()?;
        identity.life = Life(self.storage.life);
        let log = self.storage.log.as_mut().ok_or("no log")?;
        let (store, recovered) = ClientStore::recover::<Load>(found, log, SERVICE).map_err(|e| e.to_string())?;
        self.secret = recovered.client.established.as_ref().and_then(|known| self.secrets.get(&known.secret)).copied();
        let session = ClientSession::recover(now, config(options), identity, seed, recovered.client.clone());
        self.process = Some(Process::new(now, session, Some(store)));
        Ok(Some(recovered))
    }

    pub(super) fn send(&mut self, now: Instant, method: MethodId, load: Load) -> Option<CallHandle> {
        let process = self.process.as_mut()?;
        let call = process.session.send(now, method, load).ok()?;
        self.numbers.insert(call.number, load.tag());
        process.recent.push(call);
        Some(call)
    }

    pub(super) fn tag(&self, number: CallNumber) -> Tag {
        self.numbers.get(&number).copied().unwrap_or(Tag::MAX)
    }

    /// The next thing that the session wants.
    pub(super) fn poll(&mut self, now: Instant, commit_in: Duration) -> Option<FromClient> {
        loop {
            let process = self.process.as_mut()?;
            match process.session.poll_output() {
                Output::Transmit(frame) => return Some(FromClient::Frame(frame)),
                Output::Event(event) => return Some(FromClient::Event(event)),
                Output::CloseLink(reason) => {
                    process.session.handle(now, Input::LinkDown);
                    return Some(FromClient::Close(reason));
                }
                Output::Persist(mark, record) => self.persist(now, mark, record, commit_in),
                Output::Forget(_) => {}
                Output::Timeout(deadline) => {
                    process.deadline = deadline;
                    return None;
                }
            }
        }
    }

    fn persist(&mut self, now: Instant, mark: Mark, record: ClientRecord<Load>, commit_in: Duration) {
        let Some(process) = &mut self.process else { return };
        if let ClientRecord::Session(established) = &record {
            self.secrets.insert(established.secret, now);
            self.secret = Some(now);
        }
        process.commits_at.get_or_insert(now + commit_in);
        if !process.waiting.is_empty() && !record.is_refusable() {
            process.waiting.push_back((mark, record));
            return;
        }
        match process.record(&mut self.storage, mark, &record) {
            Ok(()) => {}
            Err(LogError::Full) if record.is_refusable() => process.session.handle(now, Input::NoSpace(mark)),
            Err(LogError::Full) => process.waiting.push_back((mark, record)),
            Err(error) => process.stop(now, &error.to_string()),
        }
    }

    /// The handler of a broadcast has run.
    pub(super) fn ran(&mut self, now: Instant, number: BroadcastNumber, tag: Tag) {
        self.unrun.remove(&tag);
        let Some(process) = &mut self.process else { return };
        if let (Some(store), Some(sequence)) = (&mut process.store, process.broadcasts.remove(&number)) {
            store.ran(sequence);
            process.commits_at.get_or_insert(now);
        }
    }

    /// The log syncs. The session hears of it `later`, and asks for more meanwhile.
    pub(super) fn commit(&mut self, now: Instant, later: Duration) {
        let Some(process) = &mut self.process else { return };
        process.commits_at = None;
        if process.is_stopped {
            return;
        }
        while let Some((mark, record)) = process.waiting.pop_front() {
            match process.record(&mut self.storage, mark, &record) {
                Ok(()) => {}
                Err(LogError::Full) => {
                    process.waiting.push_front((mark, record));
                    break;
                }
                Err(error) => return process.stop(now, &error.to_string()),
            }
        }
        let (Some(store), Some(log)) = (&mut process.store, &mut self.storage.log) else { return };
        let flushed = store.flush(log);
        match log.commit() {
            Ok(below) => {
                let last = process.told.back().map_or(now, |(at, _)| *at);
                process.told.push_back((last.max(now + later), below));
            }
            Err(error) => process.stop(now, &error.to_string()),
        }
        if !process.waiting.is_empty() || flushed.is_err() {
            process.commits_at = Some(now + Duration::from_millis(50));
        }
    }
}

impl Process {
    /// What is durable is told when it is due.
    pub(super) fn tell(&mut self, now: Instant) {
        while let Some((_, below)) = self.told.pop_front_if(|(at, _)| *at <= now) {
            if let Some(mark) = self.marks.durable(below) {
                self.session.handle(now, Input::Persisted(mark));
            }
        }
    }

    fn new(now: Instant, session: ClientSession<Load>, store: Option<ClientStore>) -> Self {
        Self {
            session,
            commits_at: store.is_some().then_some(now),
            told: VecDeque::new(),
            store,
            marks: Marks::default(),
            waiting: VecDeque::new(),
            deadline: None,
            is_stopped: false,
            has_left: false,
            recent: Vec::new(),
            handlers: Vec::new(),
            broadcasts: BTreeMap::new(),
        }
    }

    fn record(&mut self, storage: &mut Storage, mark: Mark, record: &ClientRecord<Load>) -> Result<(), LogError> {
        let (Some(store), Some(log)) = (&mut self.store, &mut storage.log) else { return Ok(()) };
        let sequence = store.record(log, record)?;
        self.marks.push(mark, sequence);
        if let ClientRecord::Broadcast(broadcast) = record {
            self.broadcasts.insert(broadcast.number, sequence);
        }
        Ok(())
    }

    fn stop(&mut self, now: Instant, cause: &str) {
        self.is_stopped = true;
        self.session.log_stopped(now, cause);
    }
}

pub(super) fn config(options: &DurableOptions) -> Config {
    Config {
        flush_after: options.flush_after,
        reconnect_timeout: options.reconnect_timeout,
        durable: Some(Durable { volatile: [VOLATILE].into() }),
        ..Config::default()
    }
}
