//! A client and a server with two queues of frames between them; the caller decides what becomes of each frame.
//!
//! Knows: both ends, what was called and answered. Does not know: what happens next (the caller draws that from the input).
//! Every step checks the invariants of both ends, and that no call is answered twice or run twice without a word.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::Config;
use crate::frame::LinkFrame;
use crate::fuzzing::{Carried, Choices};
use crate::ids::{CallNumber, ClientId, Epoch, Incarnation, MethodId};
use crate::server::{Admission, Registry, RegistryConfig, Schema};
use crate::session::{
    ActionHandle, Answer, CallHandle, ClientEvent, ClientIdentity, ClientSession, Input, Output, ServerEvent,
    ServerSession,
};
use crate::time::Instant;

/// The only method of either kind.
pub(super) const METHOD: MethodId = MethodId(0);
const SERVICE: (&str, u64) = ("fuzz.Service", 42);
/// Outputs of one end for one input: far above what the limits of [`config`] allow.
const OUTPUTS_MAX: usize = 20_000;

/// Small limits, so that a short input reaches them.
pub(super) fn config(choices: &mut Choices<'_>) -> Config {
    Config {
        pool_size: choices.of([4, 8, 16, 100]),
        pool_size_max: choices.of([4, 16, 64, 256]),
        slots: choices.of([1, 2, 8, 64]),
        handlers_max: choices.of([1, 2, 64]),
        flush_after: choices.of([Duration::ZERO, Duration::from_millis(20), Duration::from_secs(1)]),
        log_messages_max: choices.of([4, 64, 100_000]),
        bytes_in_flight_max: choices.of([1, 300, 8 << 20]),
        early_bytes_max: choices.of([0, 300, 8 << 20]),
        ..Config::default()
    }
}

pub(super) fn identity() -> ClientIdentity {
    ClientIdentity {
        client: ClientId(7),
        incarnation: Incarnation(1),
        life: crate::record::Life(0),
        service: SERVICE.0.into(),
        fingerprint: SERVICE.1,
        shape: None,
        broadcasts: vec![METHOD],
    }
}

pub(super) fn registry(epoch: u64) -> Registry<Carried> {
    let services = vec![Schema { service: SERVICE.0.into(), fingerprint: SERVICE.1, shape: "" }];
    Registry::new(Epoch(epoch), services, RegistryConfig::default(), [epoch.to_le_bytes()[0]; 32])
}

/// Both ends and what is on its way.
pub(super) struct Duo {
    pub(super) now: Instant,
    pub(super) config: Config,
    pub(super) reliable_ordered: bool,
    pub(super) client: ClientSession<Carried>,
    pub(super) registry: Registry<Carried>,
    pub(super) server: Option<ServerSession<Carried>>,
    pub(super) is_linked: bool,
    pub(super) up: VecDeque<LinkFrame<Carried>>,
    pub(super) down: VecDeque<LinkFrame<Carried>>,
    pub(super) calls: Vec<(CallHandle, Carried)>,
    pub(super) answered: BTreeMap<CallNumber, Answer<Carried>>,
    pub(super) executing: Vec<(ActionHandle, Carried)>,
    /// Runs without a word that it may have run before.
    runs: BTreeMap<CallNumber, u32>,
    pub(super) is_ended: bool,
    epoch: u64,
}

impl Duo {
    pub(super) fn new(config: Config, reliable_ordered: bool) -> Self {
        Self {
            now: Instant::START,
            client: ClientSession::new(config.clone(), identity(), 1),
            config,
            reliable_ordered,
            registry: registry(1),
            server: None,
            is_linked: false,
            up: VecDeque::new(),
            down: VecDeque::new(),
            calls: Vec::new(),
            answered: BTreeMap::new(),
            executing: Vec::new(),
            runs: BTreeMap::new(),
            is_ended: false,
            epoch: 1,
        }
    }

    pub(super) fn connect(&mut self) {
        self.cut();
        self.is_linked = true;
        self.client.handle(self.now, Input::LinkUp { reliable_ordered: self.reliable_ordered });
        self.settle();
    }

    pub(super) fn cut(&mut self) {
        self.is_linked = false;
        self.up.clear();
        self.down.clear();
        self.client.handle(self.now, Input::LinkDown);
        if let Some(server) = &mut self.server {
            server.handle(self.now, Input::LinkDown);
        }
        self.settle();
    }

    /// The server's process dies with its memory.
    pub(super) fn crash_server(&mut self) {
        self.server = None;
        self.executing.clear();
        self.epoch += 1;
        self.registry = registry(self.epoch);
        self.cut();
    }

    pub(super) fn send(&mut self, payload: Carried) {
        if let Ok(call) = self.client.send(self.now, METHOD, payload.clone()) {
            self.calls.push((call, payload));
        }
        self.settle();
    }

    pub(super) fn answer(&mut self, index: usize, is_failure: bool) {
        let (action, payload) = self.executing.remove(index);
        let answer = if is_failure { Answer::Failure(payload) } else { Answer::Response(payload) };
        if let Some(server) = &mut self.server {
            server.answer(self.now, action, answer);
        }
        self.settle();
    }

    /// The `index`th frame on its way up arrives.
    pub(super) fn deliver_up(&mut self, index: usize) {
        let Some(frame) = self.up.remove(index) else { return };
        self.arrive_up(frame);
        self.settle();
    }

    pub(super) fn arrive_up(&mut self, frame: LinkFrame<Carried>) {
        let LinkFrame::Hello(hello) = frame else {
            if let Some(server) = &mut self.server {
                server.handle(self.now, Input::Received(frame));
            }
            return;
        };
        match self.registry.admit(self.now, *hello) {
            Admission::Open(opening) => {
                self.executing.clear();
                let session = ServerSession::open(self.now, self.config.clone(), *opening, self.reliable_ordered);
                self.server = Some(session);
            }
            Admission::Resume(_, hello) => {
                if let Some(server) = &mut self.server {
                    server.resume(self.now, &hello, self.reliable_ordered);
                }
            }
            // Without a durable log no lanes begin afresh.
            Admission::Restart(_) => {}
            Admission::Reject(reject) => self.down.push_back(LinkFrame::Reject(reject)),
        }
    }

    /// The `index`th frame on its way down arrives.
    pub(super) fn deliver_down(&mut self, index: usize) {
        let Some(frame) = self.down.remove(index) else { return };
        self.client.handle(self.now, Input::Received(frame));
        self.settle();
    }

    /// Time goes on, and both ends are told.
    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.client.handle(self.now, Input::Timeout);
        if let Some(server) = &mut self.server {
            server.handle(self.now, Input::Timeout);
        }
        self.settle();
    }

    /// Lets both ends say what they have to say, and checks what must hold.
    pub(super) fn settle(&mut self) {
        while self.drain_client() | self.drain_server() {}
        self.client.check_invariants().expect("the client's invariants");
        if let Some(server) = &self.server {
            server.check_invariants().expect("the server's invariants");
        }
    }

    fn drain_client(&mut self) -> bool {
        let mut closed = false;
        for count in 0.. {
            assert!(count < OUTPUTS_MAX, "no_unbounded_memory: the client never stops");
            match self.client.poll_output() {
                Output::Transmit(frame) if self.is_linked => self.up.push_back(frame),
                Output::Transmit(_) => {}
                Output::Event(event) => self.on_client_event(event),
                Output::Persist(..) | Output::Forget(_) => {}
                Output::CloseLink(_) => {
                    closed = true;
                    self.is_linked = false;
                    self.client.handle(self.now, Input::LinkDown);
                    // What was said before still arrives; then the server sees the end of the link.
                    while let Some(frame) = self.up.pop_front() {
                        self.arrive_up(frame);
                    }
                    if let Some(server) = &mut self.server {
                        server.handle(self.now, Input::LinkDown);
                    }
                    self.down.clear();
                }
                Output::Timeout(_) => break,
            }
        }
        closed
    }

    fn drain_server(&mut self) -> bool {
        let mut closed = false;
        for count in 0.. {
            assert!(count < OUTPUTS_MAX, "no_unbounded_memory: the server never stops");
            let Some(server) = &mut self.server else { break };
            match server.poll_output() {
                Output::Transmit(frame) if self.is_linked => self.down.push_back(frame),
                Output::Transmit(_) => {}
                Output::Event(event) => self.on_server_event(event),
                Output::Persist(..) | Output::Forget(_) => {}
                Output::CloseLink(_) => {
                    closed = true;
                    self.is_linked = false;
                    server.handle(self.now, Input::LinkDown);
                    while let Some(frame) = self.down.pop_front() {
                        self.client.handle(self.now, Input::Received(frame));
                    }
                    self.client.handle(self.now, Input::LinkDown);
                    self.up.clear();
                }
                Output::Timeout(_) => break,
            }
        }
        closed
    }

    fn on_client_event(&mut self, event: ClientEvent<Carried>) {
        match event {
            ClientEvent::Answered(call, answer) => {
                let before = self.answered.insert(call.number, answer);
                assert_eq!(before, None, "no_lost_answer: {} is answered twice", call.number);
            }
            ClientEvent::Disconnected { .. } => self.is_ended = true,
            _ => {}
        }
    }

    fn on_server_event(&mut self, event: ServerEvent<Carried>) {
        match event {
            ServerEvent::Action { action, key, redelivered, payload, .. } => {
                if !redelivered {
                    let runs = self.runs.entry(key.number).or_default();
                    *runs += 1;
                    assert_eq!(*runs, 1, "at_most_one_execution_per_call_key: {key}");
                }
                self.executing.push((action, payload));
            }
            ServerEvent::Ended(ended) => self.registry.ended(self.now, *ended),
            _ => {}
        }
    }
}
