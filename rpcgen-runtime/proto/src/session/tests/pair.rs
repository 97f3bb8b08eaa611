//! A client and a server with virtual time between them: what the scripted scenarios run on.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use std::vec;
use std::vec::Vec;

use super::toy_log::{Entry, ToyLog};
use crate::config::Config;
use crate::frame::LinkFrame;
use crate::ids::*;
use crate::record::{ClientRecord, Life};
use crate::rng::SplitMix64;
use crate::server::{Admission, Registry, RegistryConfig, Schema};
use crate::session::*;
use crate::time::Instant;

/// The high half, if there is one, says how large the payload is said to be.
impl Payload for u64 {
    fn size_bytes(&self) -> usize {
        usize::try_from(self >> 32).unwrap().max(8)
    }

    fn digest(&self) -> u64 {
        crate::digest::of(&self.to_le_bytes())
    }
}

/// A payload that is said to be so large.
pub(super) fn large(bytes: u32) -> u64 {
    u64::from(bytes) << 32
}

pub(super) const ECHO: MethodId = MethodId(0);
pub(super) const NEWS: MethodId = MethodId(0);
/// An action without records.
pub(super) const VOLATILE: MethodId = MethodId(9);

/// What the client knows of the one service, and the server unless told otherwise.
pub(super) const SHAPE: &str = "test.Echo\naction echo(app_id: AppId)\nbroadcast news(app_id: AppId)\n";

/// Frames on their way in one direction.
#[derive(Default)]
pub(super) struct Wire {
    pub(super) frames: VecDeque<(Instant, LinkFrame<u64>)>,
    /// Probability that a frame of the session is dropped.
    pub(super) drop: f64,
    /// Drops the next so many frames of the session.
    pub(super) drop_next: usize,
    pub(super) duplicate: f64,
    pub(super) reorder: f64,
    pub(super) dropped: usize,
}

pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) config: Config,
    pub(super) generator: SplitMix64,
    pub(super) client: ClientSession<u64>,
    pub(super) registry: Registry<u64>,
    pub(super) server: Option<ServerSession<u64>>,
    pub(super) is_linked: bool,
    pub(super) reliable_ordered: bool,
    pub(super) latency: Duration,
    pub(super) up: Wire,
    pub(super) down: Wire,
    /// Whether the business answers at once.
    pub(super) answers: bool,
    pub(super) begun: Vec<(ActionHandle, CallKey, u64, bool)>,
    pub(super) answered: BTreeMap<CallNumber, Answer<u64>>,
    pub(super) client_events: Vec<ClientEvent<u64>>,
    pub(super) server_events: Vec<ServerEvent<u64>>,
    pub(super) frames_seen: usize,
    pub(super) close_reasons: Vec<CloseReason>,
    epoch: u64,
    /// What the server serves when it is made again.
    pub(super) services: Vec<Schema>,
    /// Of ends with a durable log.
    pub(super) client_log: Option<ToyLog<ClientRecord<u64>>>,
    pub(super) server_log: Option<ToyLog<Entry>>,
    /// Answers that a client that was restarted found on record.
    pub(super) recovered: BTreeMap<CallNumber, Answer<u64>>,
    /// Actions that wait for their beginning, the fewest beginnings first; and how often each had begun.
    pub(super) begins: Vec<(u32, ActionHandle)>,
    /// Restarts of the client.
    pub(super) restarts: u32,
    /// Steps since the time last went on.
    steps_at_now: u32,
}

impl Pair {
    pub(super) fn new(config: Config, reliable_ordered: bool) -> Self {
        Self::seeded(config, reliable_ordered, 1)
    }

    pub(super) fn seeded(config: Config, reliable_ordered: bool, seed: u64) -> Self {
        let mut pair = Self::unlinked(config, reliable_ordered, seed);
        pair.connect();
        pair
    }

    pub(super) fn identity(life: Life) -> ClientIdentity {
        ClientIdentity {
            client: ClientId(7),
            incarnation: Incarnation(u64::from(life == Life(0))),
            life,
            service: "test.Echo".into(),
            fingerprint: 42,
            shape: Some(SHAPE),
            broadcasts: vec![NEWS],
        }
    }

    pub(super) fn unlinked(config: Config, reliable_ordered: bool, seed: u64) -> Self {
        Self {
            now: Instant::START,
            client: ClientSession::new(config.clone(), Self::identity(Life(0)), seed),
            config,
            generator: SplitMix64::new(seed),
            registry: Self::registry(1, Self::services(42, SHAPE)),
            services: Self::services(42, SHAPE),
            server: None,
            is_linked: false,
            reliable_ordered,
            latency: Duration::from_millis(1),
            up: Wire::default(),
            down: Wire::default(),
            answers: true,
            begun: Vec::new(),
            answered: BTreeMap::new(),
            client_events: Vec::new(),
            server_events: Vec::new(),
            frames_seen: 0,
            close_reasons: Vec::new(),
            epoch: 1,
            client_log: None,
            server_log: None,
            recovered: BTreeMap::new(),
            begins: Vec::new(),
            restarts: 0,
            steps_at_now: 0,
        }
    }

    /// One version of the one service.
    pub(super) fn services(fingerprint: u64, shape: &'static str) -> Vec<Schema> {
        vec![Schema { service: "test.Echo".into(), fingerprint, shape }]
    }

    fn registry(epoch: u64, services: Vec<Schema>) -> Registry<u64> {
        Registry::new(Epoch(epoch), services, RegistryConfig::default(), [epoch as u8; 32])
    }

    pub(super) fn connect(&mut self) {
        self.is_linked = true;
        self.client.handle(self.now, Input::LinkUp { reliable_ordered: self.reliable_ordered });
        self.drain();
    }

    pub(super) fn cut(&mut self) {
        self.is_linked = false;
        self.up.frames.clear();
        self.down.frames.clear();
        self.client.handle(self.now, Input::LinkDown);
        if let Some(server) = &mut self.server {
            server.handle(self.now, Input::LinkDown);
        }
        self.drain();
    }

    /// The server's process dies with its memory.
    pub(super) fn crash_server(&mut self) {
        self.server = None;
        self.begun.clear();
        if let Some(log) = &mut self.server_log {
            log.crash();
            self.recover_server();
            self.cut();
            return;
        }
        self.epoch += 1;
        self.registry = Self::registry(self.epoch, self.services.clone());
        self.cut();
    }

    pub(super) fn send(&mut self, payload: u64) -> CallHandle {
        let call = self.client.send(self.now, ECHO, payload).unwrap();
        self.drain();
        call
    }

    pub(super) fn answer(&mut self, action: ActionHandle, payload: u64) {
        let now = self.now;
        self.server.as_mut().unwrap().answer(now, action, Answer::Response(payload));
        self.drain();
    }

    /// Lets both ends say what they have to say.
    pub(super) fn drain(&mut self) {
        loop {
            let before =
                (self.client_events.len(), self.server_events.len(), self.frames_seen, self.close_reasons.len());
            self.drain_client();
            self.drain_server();
            self.client.check_invariants().unwrap();
            if let Some(server) = &self.server {
                server.check_invariants().unwrap();
            }
            if before
                == (self.client_events.len(), self.server_events.len(), self.frames_seen, self.close_reasons.len())
            {
                return;
            }
        }
    }

    fn drain_client(&mut self) {
        loop {
            match self.client.poll_output() {
                Output::Transmit(frame) => {
                    self.frames_seen += 1;
                    let due = self.now + self.latency;
                    transmit(&mut self.up, &mut self.generator, due, frame);
                }
                Output::Event(event) => {
                    if let ClientEvent::Answered(call, answer) = &event {
                        assert_eq!(
                            self.answered.insert(call.number, answer.clone()),
                            None,
                            "{} answered twice",
                            call.number
                        );
                    }
                    self.client_events.push(event);
                }
                Output::CloseLink(reason) => {
                    self.close_reasons.push(reason);
                    self.is_linked = false;
                    self.client.handle(self.now, Input::LinkDown);
                    // What was sent before still arrives; then the server sees the end of the link.
                    while let Some((_, frame)) = self.up.frames.pop_front() {
                        self.deliver_up(frame);
                    }
                    if let Some(server) = &mut self.server {
                        server.handle(self.now, Input::LinkDown);
                    }
                    self.down.frames.clear();
                }
                Output::Persist(mark, record) => self.persist_client(mark, record),
                Output::Forget(_) => panic!("a client forgets nothing"),
                Output::Timeout(_) => return,
            }
        }
    }

    fn drain_server(&mut self) {
        loop {
            let Some(server) = &mut self.server else { return };
            match server.poll_output() {
                Output::Transmit(frame) => {
                    self.frames_seen += 1;
                    let due = self.now + self.latency;
                    transmit(&mut self.down, &mut self.generator, due, frame);
                }
                Output::Event(event) => self.on_server_event(event),
                Output::CloseLink(reason) => {
                    self.close_reasons.push(reason);
                    self.is_linked = false;
                    server.handle(self.now, Input::LinkDown);
                    while let Some((_, frame)) = self.down.frames.pop_front() {
                        self.client.handle(self.now, Input::Received(frame));
                        self.drain_client();
                    }
                    self.client.handle(self.now, Input::LinkDown);
                    self.up.frames.clear();
                }
                Output::Persist(mark, record) => self.persist_server(mark, record),
                Output::Forget(number) => {
                    self.server_log.as_mut().expect("only with a log").note(Entry::Forget(number));
                }
                Output::Timeout(_) => return self.pack_server(),
            }
        }
    }

    /// Whatever a server session does after its link is gone, it does packed.
    fn pack_server(&mut self) {
        self.server = self.server.take().map(|server| {
            if !server.is_packable() {
                return server;
            }
            let (stats, view) = (server.stats(), server.view());
            let server = server.pack().unpack(self.now, self.server_config(), stats);
            assert_eq!(server.view(), view);
            server
        });
    }

    fn on_server_event(&mut self, event: ServerEvent<u64>) {
        match &event {
            ServerEvent::Action { action, key, payload, redelivered, .. } => {
                self.begun.push((*action, *key, *payload, *redelivered));
                if self.answers {
                    let (action, payload, now) = (*action, *payload, self.now);
                    self.server.as_mut().unwrap().answer(now, action, Answer::Response(payload + 1));
                }
            }
            ServerEvent::Ended(ended) => {
                self.registry.ended(self.now, *ended.clone());
            }
            ServerEvent::Begin { action, .. } => self.begin(*action),
            ServerEvent::Used => self.registry.used(ClientId(7)),
            ServerEvent::Disputed => self.registry.disputed(self.now, ClientId(7)),
            _ => {}
        }
        self.server_events.push(event);
    }

    fn deliver_up(&mut self, frame: LinkFrame<u64>) {
        if let LinkFrame::Hello(hello) = frame {
            match self.registry.admit(self.now, *hello) {
                Admission::Open(opening) => {
                    self.server_log.iter_mut().for_each(ToyLog::begin_session);
                    self.server =
                        Some(ServerSession::open(self.now, self.server_config(), *opening, self.reliable_ordered));
                }
                Admission::Resume(_, hello) => {
                    let now = self.now;
                    self.server.as_mut().unwrap().resume(now, &hello, self.reliable_ordered);
                }
                Admission::Restart(opening) => {
                    let now = self.now;
                    self.server.as_mut().unwrap().restart(now, *opening, self.reliable_ordered);
                }
                Admission::Reject(reject) => {
                    self.down.frames.push_back((self.now + self.latency, LinkFrame::Reject(reject)));
                }
            }
        } else if let Some(server) = &mut self.server {
            server.handle(self.now, Input::Received(frame));
        }
    }

    fn next_deadline(&mut self) -> Option<Instant> {
        let mut next = None;
        let mut consider = |at: Option<Instant>| {
            if let Some(at) = at {
                next = Some(next.map_or(at, |next: Instant| next.min(at)));
            }
        };
        consider(self.up.frames.iter().map(|(due, _)| *due).min());
        consider(self.down.frames.iter().map(|(due, _)| *due).min());
        if let Output::Timeout(at) = self.client.poll_output() {
            consider(at);
        }
        if let Some(server) = &mut self.server
            && let Output::Timeout(at) = server.poll_output()
        {
            consider(at);
        }
        next
    }

    /// Goes on to the next thing that happens. `false`: nothing will.
    pub(super) fn step(&mut self) -> bool {
        self.drain();
        let Some(next) = self.next_deadline() else { return false };
        self.steps_at_now = if next > self.now { 0 } else { self.steps_at_now + 1 };
        assert!(self.steps_at_now < 100_000, "progress: time stands still");
        self.now = self.now.max(next);
        while let Some(frame) = take_due(&mut self.up, self.now) {
            self.deliver_up(frame);
        }
        while let Some(frame) = take_due(&mut self.down, self.now) {
            self.client.handle(self.now, Input::Received(frame));
        }
        self.client.handle(self.now, Input::Timeout);
        if let Some(server) = &mut self.server {
            server.handle(self.now, Input::Timeout);
        }
        self.drain();
        true
    }

    /// Goes on for so long.
    pub(super) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.drain();
            match self.next_deadline() {
                Some(next) if next <= end => {
                    self.step();
                }
                _ => break,
            }
        }
        self.now = end;
    }

    /// Reconnects whenever the link is gone, until all of `count` calls are answered.
    pub(super) fn run_until_answered(&mut self, count: usize, limit: Duration) {
        let end = self.now + limit;
        while self.answered.len() < count {
            assert!(
                self.now < end,
                "only {} of {count} answered; closed: {:?} {:?} {:?}",
                self.answered.len(),
                self.close_reasons.len(),
                self.client.stats(),
                self.server.as_ref().unwrap().stats()
            );
            if !self.is_linked {
                self.connect();
            }
            assert!(self.step(), "nothing will happen any more; {} of {count} answered", self.answered.len());
        }
    }
}

fn transmit(wire: &mut Wire, generator: &mut SplitMix64, due: Instant, frame: LinkFrame<u64>) {
    if matches!(frame, LinkFrame::Frame(_)) {
        if wire.drop_next > 0 {
            wire.drop_next -= 1;
            wire.dropped += 1;
            return;
        }
        if generator.chance(wire.drop) {
            wire.dropped += 1;
            return;
        }
        if generator.chance(wire.duplicate) {
            wire.frames.push_back((due, frame.clone()));
        }
        if generator.chance(wire.reorder) && !wire.frames.is_empty() {
            let at = generator.below(wire.frames.len() as u32) as usize;
            wire.frames.insert(at, (due, frame));
            return;
        }
    }
    wire.frames.push_back((due, frame));
}

fn take_due(wire: &mut Wire, now: Instant) -> Option<LinkFrame<u64>> {
    let index = wire.frames.iter().position(|(due, _)| *due <= now)?;
    wire.frames.remove(index).map(|(_, frame)| frame)
}
