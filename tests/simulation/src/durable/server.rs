//! The driver of a server with a durable log.
//!
//! Knows: the contract of registry, sessions and store. Does not know: what the business does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use rpcgen_log::{LogError, Sequence};
use rpcgen_proto::config::{BEGUN_MAX, Config};
use rpcgen_proto::frame::{Hello, LinkFrame, Reject};
use rpcgen_proto::ids::{CallKey, CallNumber, ClientId, Epoch, Incarnation, SessionId};
use rpcgen_proto::record::{Mark, RecoveredSession, RecoveredState, ServerRecord};
use rpcgen_proto::server::{Admission, Registry, RegistryConfig, Schema, Turns};
use rpcgen_proto::session::{ActionHandle, Answer, CloseReason, Input, Output, ServerEvent, ServerSession};
use rpcgen_proto::time::Instant;
use rpcgen_store::codec::BroadcastEntry;
use rpcgen_store::{BroadcastHandle, Marks, RecoveredServerLog, Retention, ServerStore, SessionStore};

use super::book::Tag;
use super::client::config;
use super::database::{BadBegin, Database, Found};
use super::options::DurableOptions;
use super::storage::{Storage, Tightness};
use super::world::{METHOD, SERVICE, schema_of};
use crate::load::Load;

/// The server's machine.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) storage: Storage,
    pub(super) database: Option<Database>,
    pub(super) process: Option<Process>,
    pub(super) begins_at: Instant,
    /// How often it was about to be on record that an action begins, in all lives.
    pub(super) begins: BTreeMap<(ClientId, CallNumber), u32>,
    /// Calls of which it asked for a record.
    pub(super) known: BTreeSet<(ClientId, CallNumber)>,
    /// Broadcasts that are on record, since the last look.
    pub(super) logged: Vec<Tag>,
}

/// The server's process.
#[derive(Debug)]
pub(super) struct Process {
    registry: Registry<Load>,
    store: ServerStore,
    pub(super) seats: BTreeMap<SessionId, Seat>,
    pub(super) commits_at: Option<Instant>,
    /// Commits that are done: when the sessions hear of it, and how far.
    pub(super) told: VecDeque<(Instant, Sequence)>,
    pub(super) handlers: Vec<(Instant, SessionId, ActionHandle, Tag)>,
    /// How often actions that were found in the log had begun.
    begun: BTreeMap<(SessionId, CallNumber), u32>,
    /// Of them, those that had begun before: one at a time, the fewest beginnings first.
    turns: Turns,
    /// Actions whose beginning has no space on the disk.
    stalled: Vec<(SessionId, ActionHandle, u32)>,
    /// Those that had a turn in this life.
    pub(super) had_turns: BTreeSet<(SessionId, CallNumber)>,
    /// Broadcasts that look for a node.
    unrouted: VecDeque<(Load, BroadcastHandle, bool)>,
    pub(super) is_stopped: bool,
}

/// A session.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) session: ServerSession<Load>,
    store: SessionStore,
    owner: (ClientId, Incarnation),
    marks: Marks,
    waiting: VecDeque<(Mark, ServerRecord<Load>)>,
    /// The client and the number of its link.
    pub(super) link: Option<(usize, u64)>,
    pub(super) deadline: Option<Instant>,
    config: Config,
}

impl Seat {
    fn new(session: ServerSession<Load>, store: SessionStore, owner: (ClientId, Incarnation), config: Config) -> Self {
        let (marks, waiting) = (Marks::default(), VecDeque::new());
        Self { session, store, owner, marks, waiting, link: None, deadline: None, config }
    }

    /// Every other session without a link goes on packed.
    fn pack(&mut self, now: Instant) {
        if self.session.is_packable() && self.session.session().0.is_multiple_of(2) {
            let stats = self.session.stats();
            self.session = self.session.clone().pack().unpack(now, self.config.clone(), stats);
        }
    }
}

/// What a drain brought.
#[derive(Debug)]
pub(super) enum FromServer {
    Frame((usize, u64), LinkFrame<Load>),
    Close((usize, u64), CloseReason),
    Run { session: SessionId, action: ActionHandle, load: Load, redelivered: bool },
}

pub(super) const RETENTION: Retention =
    Retention { answers_for: Duration::from_secs(7 * 86_400), tombstones_for: Duration::from_secs(30 * 86_400) };

impl Server {
    pub(super) fn new(options: &DurableOptions) -> Self {
        let tightness = match options.tight_log {
            false => Tightness::Roomy,
            true if options.seed.is_multiple_of(2) => Tightness::Kept,
            true => Tightness::Used,
        };
        let mut storage = Storage::new(1 << 64);
        storage.tightness = tightness;
        Self {
            storage,
            database: options.database.then(|| Database::new(options.seed)),
            process: None,
            begins_at: Instant::START,
            begins: BTreeMap::new(),
            logged: Vec::new(),
            known: BTreeSet::new(),
        }
    }

    /// Begins a process. The sessions that it found in its log, and what is left of others. `accepted`: the number of a mark that the
    /// database may have from another state of the log.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        options: &DurableOptions,
        random: u64,
        accepted: Option<u64>,
    ) -> Result<Vec<RecoveredSession<Load>>, BadBegin> {
        let failed = |error: &dyn std::fmt::Display| BadBegin::Failed(error.to_string());
        let found = self.storage.open().map_err(|error| failed(&error))?;
        let (life, [first, second, third, ..]) = (self.storage.life, self.storage.id.0);
        let Storage { log: Some(log), moments, .. } = &mut self.storage else { return Err(failed(&"no log")) };
        let (mut store, recovered) =
            ServerStore::recover::<Load>(found, log, RETENTION).map_err(|error| failed(&error))?;
        if let Some(database) = &mut self.database {
            database.meet(&mut store, log, moments, accepted)?;
        }
        let RecoveredServerLog { sessions, tombstones, broadcasts } = recovered;
        let mut key = [0; 32];
        key[..8].copy_from_slice(&random.to_le_bytes());
        let epoch =
            Epoch::of_log(u32::try_from(life).unwrap_or(u32::MAX), [first, second, third], (random >> 48) as u16);
        let found: Vec<_> = sessions.iter().map(|(session, _)| session).chain(&tombstones).cloned().collect();
        self.logged.extend(broadcasts.iter().map(|found| found.broadcast.payload.tag()));
        let all = sessions.iter().map(|(session, _)| session).chain(&tombstones);
        let (fingerprint, shape) = schema_of(life);
        let services = vec![Schema { service: SERVICE.to_owned(), fingerprint, shape }];
        let registry = Registry::recover(now, epoch, services, RegistryConfig::default(), key, all);
        let mut process = Process {
            registry,
            store: {
                store.tick(log, Duration::ZERO)?;
                store
            },
            seats: BTreeMap::new(),
            commits_at: Some(now),
            told: VecDeque::new(),
            handlers: Vec::new(),
            begun: BTreeMap::new(),
            turns: Turns::default(),
            stalled: Vec::new(),
            had_turns: BTreeSet::new(),
            unrouted: VecDeque::new(),
            is_stopped: false,
        };
        for (session, books) in sessions {
            process.recover(now, config(options), epoch, session, books);
        }
        for broadcast in broadcasts {
            let redelivered = broadcast.handle.is_assigned();
            process.unrouted.push_back((broadcast.broadcast.payload, broadcast.handle, redelivered));
        }
        self.process = Some(process);
        Ok(found)
    }

    /// Puts a broadcast on record; a node is looked for.
    pub(super) fn broadcast(&mut self, now: Instant, load: Load) {
        let (Some(process), Some(log)) = (&mut self.process, &mut self.storage.log) else { return };
        let entry = BroadcastEntry { service: SERVICE.to_owned(), method: METHOD, origin: None, payload: load };
        if let Ok(handle) = ServerStore::broadcast(log, entry) {
            process.unrouted.push_back((load, handle, false));
            process.commits_at.get_or_insert(now);
        }
    }

    /// A hello has arrived.
    pub(super) fn admit(
        &mut self,
        now: Instant,
        options: &DurableOptions,
        hello: Hello,
        link: (usize, u64),
    ) -> Option<Reject> {
        let process = self.process.as_mut()?;
        let owner = (hello.client, hello.incarnation);
        let is_reliable = options.drop == 0.0;
        let id = match process.registry.admit(now, hello) {
            Admission::Open(opening) => {
                let id = opening.session;
                let session = ServerSession::open(now, config(options), *opening, is_reliable);
                let books = process.store.open(owner);
                process.seats.insert(id, Seat::new(session, books, owner, config(options)));
                id
            }
            Admission::Resume(id, hello) => {
                process.seats.get_mut(&id)?.session.resume(now, &hello, is_reliable);
                id
            }
            Admission::Restart(opening) => {
                let id = opening.session;
                process.seats.get_mut(&id)?.session.restart(now, *opening, is_reliable);
                id
            }
            Admission::Reject(reject) => return Some(reject),
        };
        if let Some(seat) = process.seats.get_mut(&id) {
            seat.link = Some(link);
        }
        None
    }

    /// The identity of a call of a session for ever.
    pub(super) fn key_of(&self, id: SessionId, number: CallNumber) -> Option<CallKey> {
        let (client, incarnation) = self.process.as_ref()?.seats.get(&id)?.owner;
        Some(CallKey { client, incarnation, number })
    }

    /// What the database has of a call.
    pub(super) fn find(&self, id: SessionId, number: CallNumber) -> Found {
        let database = self.database.as_ref().zip(self.key_of(id, number));
        database.map_or(Found::Nothing, |(database, key)| database.find(key))
    }

    /// Log and database get another mark in common, as they do each hour.
    pub(super) fn mark_again(&mut self, now: Instant) {
        let (Some(database), Some(process)) = (&mut self.database, &mut self.process) else { return };
        let Storage { log: Some(log), moments, .. } = &mut self.storage else { return };
        match database.meet(&mut process.store, log, moments, None) {
            // It is tried again an hour later.
            Ok(()) | Err(BadBegin::CutShort) => {}
            Err(error) => process.stop(now, &format!("{error:?}")),
        }
    }

    /// A handler is done.
    pub(super) fn finish(&mut self, now: Instant, id: SessionId, action: ActionHandle, answer: Answer<Load>) {
        let Some(process) = &mut self.process else { return };
        if let Some(seat) = process.seats.get_mut(&id) {
            seat.session.answer(now, action, answer);
        }
    }

    /// The next thing that a session wants.
    pub(super) fn poll(&mut self, now: Instant, commit_in: Duration) -> Option<FromServer> {
        self.route(now);
        self.begin_suspect(now);
        let ids: Vec<_> = self.process.as_ref()?.seats.keys().copied().collect();
        for id in ids {
            while let Some(seat) = self.process.as_mut()?.seats.get_mut(&id) {
                match seat.session.poll_output() {
                    Output::Transmit(frame) => {
                        if let Some(link) = seat.link {
                            return Some(FromServer::Frame(link, frame));
                        }
                    }
                    Output::CloseLink(reason) => {
                        seat.session.handle(now, Input::LinkDown);
                        if let Some(link) = seat.link.take() {
                            return Some(FromServer::Close(link, reason));
                        }
                    }
                    Output::Persist(mark, record) => self.persist(now, id, mark, record, commit_in),
                    Output::Forget(number) => seat.store.forget(number),
                    Output::Event(ServerEvent::Action { action, redelivered, payload, .. }) => {
                        return Some(FromServer::Run { session: id, action, load: payload, redelivered });
                    }
                    Output::Event(event) => self.on_event(now, id, event),
                    Output::Timeout(deadline) => {
                        seat.deadline = deadline;
                        if let Some(database) = &mut self.database {
                            database.retire(seat.session.retired_below());
                        }
                        seat.pack(now);
                        break;
                    }
                }
            }
        }
        None
    }

    fn persist(&mut self, now: Instant, id: SessionId, mark: Mark, record: ServerRecord<Load>, commit_in: Duration) {
        let is_refused = self.storage.refuses(record.is_refusable());
        let (Some(process), Some(log)) = (&mut self.process, &mut self.storage.log) else { return };
        process.commits_at.get_or_insert(now + commit_in);
        let Some(seat) = process.seats.get_mut(&id) else { return };
        if let ServerRecord::Action { number, .. } | ServerRecord::Answer { number, .. } = &record {
            self.known.insert((seat.owner.0, *number));
        }
        if !seat.waiting.is_empty() {
            if record.is_refusable() {
                return seat.session.handle(now, Input::NoSpace(mark));
            }
            return seat.waiting.push_back((mark, record));
        }
        let recorded = if is_refused { Err(LogError::Full) } else { seat.store.record(log, record.clone()) };
        match recorded {
            Ok(Some(sequence)) => seat.marks.push(mark, sequence),
            Ok(None) => {}
            Err(LogError::Full) if record.is_refusable() => seat.session.handle(now, Input::NoSpace(mark)),
            Err(LogError::Full) => seat.waiting.push_back((mark, record)),
            Err(error) => process.stop(now, &error.to_string()),
        }
    }

    fn on_event(&mut self, now: Instant, id: SessionId, event: ServerEvent<Load>) {
        let (Some(process), Some(log)) = (&mut self.process, &mut self.storage.log) else { return };
        let Some(seat) = process.seats.get_mut(&id) else { return };
        match event {
            ServerEvent::Begin { action, .. } => {
                let begun = process.begun.get(&(id, action.number)).copied().unwrap_or(0);
                if begun == 0 {
                    self.begin_on_record(now, id, action, 0);
                } else {
                    process.turns.enter(begun, id, action);
                }
            }
            ServerEvent::TurnOver(number) => process.turns.over(id, number),
            ServerEvent::Used => process.registry.used(seat.owner.0),
            ServerEvent::Disputed => process.registry.disputed(now, seat.owner.0),
            ServerEvent::BroadcastDelivered(number) => {
                let released = seat.store.take_route(number).map(|handle| handle.release(log));
                debug_assert!(released.is_some(), "{number} was routed");
            }
            ServerEvent::BroadcastRefused { number, payload, redelivered, .. } => {
                if let Some(handle) = seat.store.take_route(number) {
                    process.unrouted.push_back((payload, handle, redelivered));
                }
            }
            ServerEvent::Ended(ended) => {
                for left in &ended.unassigned {
                    if let Some(handle) = seat.store.take_route(left.number) {
                        process.unrouted.push_back((left.payload, handle, left.redelivered));
                    }
                }
                process.registry.ended(now, *ended);
                process.turns.session_over(id);
                if let Some(seat) = process.seats.remove(&id) {
                    process.store.close(seat.owner, seat.store);
                }
            }
            _ => {}
        }
    }

    /// Gives broadcasts that are on record to a node that is there.
    fn route(&mut self, now: Instant) {
        let (Some(process), Some(log)) = (&mut self.process, &self.storage.log) else { return };
        let Process { unrouted, seats, .. } = process;
        let Some(seat) = seats.values_mut().find(|seat| seat.session.is_live()) else { return };
        while let Some((load, handle, redelivered)) =
            unrouted.pop_front_if(|(_, handle, _)| handle.sequence() < log.durable())
        {
            self.logged.push(load.tag());
            match seat.session.broadcast(now, METHOD, load, redelivered) {
                Ok(number) => seat.store.route(number, handle),
                Err(_) => return unrouted.push_front((load, handle, redelivered)),
            }
        }
    }

    fn begin_suspect(&mut self, now: Instant) {
        while let Some(process) = &mut self.process
            && let Some((begun, id, action)) = process.turns.give()
        {
            process.had_turns.insert((id, action.number));
            if process.seats.contains_key(&id) {
                self.begin_on_record(now, id, action, begun);
            } else {
                process.turns.session_over(id);
            }
        }
    }

    /// It is on record that an action begins before it runs: it may take the process with it.
    fn begin_on_record(&mut self, now: Instant, id: SessionId, action: ActionHandle, begun: u32) {
        // One that began too often is not run again, but its effect may be in the database, with its answer.
        let is_there = begun + 1 > BEGUN_MAX && self.find(id, action.number) != Found::Nothing;
        let times = if is_there { BEGUN_MAX } else { begun + 1 };
        let is_refused = self.storage.refuses(false);
        let (Some(process), Some(log)) = (&mut self.process, &mut self.storage.log) else { return };
        let Some(seat) = process.seats.get_mut(&id) else { return };
        // Its own record may be among those that wait.
        let recorded = match seat.waiting.is_empty() && !is_refused {
            true => seat.store.record::<Load>(log, ServerRecord::Begun { number: action.number }),
            false => Err(LogError::Full),
        };
        if !matches!(recorded, Err(LogError::Full)) {
            *self.begins.entry((seat.owner.0, action.number)).or_default() += 1;
        }
        match recorded.and_then(|_| log.commit()) {
            Ok(_) => seat.session.begun(now, action, times),
            Err(LogError::Full) => {
                process.stalled.push((id, action, begun));
                process.commits_at.get_or_insert(now + Duration::from_millis(50));
            }
            Err(error) => process.stop(now, &error.to_string()),
        }
    }

    /// The log syncs. The sessions hear of it `later`, and ask for more meanwhile.
    pub(super) fn commit(&mut self, now: Instant, later: Duration) {
        let stalled = self.process.as_mut().map(|process| std::mem::take(&mut process.stalled));
        stalled.into_iter().flatten().for_each(|(id, action, begun)| self.begin_on_record(now, id, action, begun));
        let is_refused = self.storage.refuses(false);
        let (Some(process), Some(log)) = (&mut self.process, &mut self.storage.log) else { return };
        process.commits_at = None;
        if process.is_stopped {
            return;
        }
        let mut is_waiting = !process.stalled.is_empty();
        for seat in process.seats.values_mut() {
            while let Some((mark, record)) = seat.waiting.front().filter(|_| !is_refused) {
                match seat.store.record(log, record.clone()) {
                    Ok(Some(sequence)) => seat.marks.push(*mark, sequence),
                    Ok(None) => {}
                    Err(_) => break,
                }
                seat.waiting.pop_front();
            }
            is_waiting |= seat.store.flush(log).is_err() || !seat.waiting.is_empty();
        }
        let below = match log.commit() {
            Ok(below) => below,
            Err(error) => return process.stop(now, &error.to_string()),
        };
        let last = process.told.back().map_or(now, |(at, _)| *at);
        process.told.push_back((last.max(now + later), below));
        if is_waiting {
            process.commits_at = Some(now + Duration::from_millis(50));
        }
    }
}

impl Process {
    /// What is durable is told when it is due.
    pub(super) fn tell(&mut self, now: Instant) {
        while let Some((_, below)) = self.told.pop_front_if(|(at, _)| *at <= now) {
            for seat in self.seats.values_mut() {
                if let Some(mark) = seat.marks.durable(below) {
                    seat.session.handle(now, Input::Persisted(mark));
                }
            }
        }
    }

    fn recover(
        &mut self,
        now: Instant,
        config: Config,
        epoch: Epoch,
        session: RecoveredSession<Load>,
        books: SessionStore,
    ) {
        let (id, owner) = (session.session.session, (session.session.client, session.session.incarnation));
        for action in &session.actions {
            if let RecoveredState::Open { begun, .. } = action.state {
                self.begun.insert((id, action.number), begun);
            }
        }
        let session = ServerSession::recover(now, config.clone(), epoch, session);
        self.seats.insert(id, Seat::new(session, books, owner, config));
    }

    fn stop(&mut self, now: Instant, cause: &str) {
        self.is_stopped = true;
        for seat in self.seats.values_mut() {
            seat.session.log_stopped(now, cause);
        }
    }
}
