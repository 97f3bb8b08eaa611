//! The world of one run: clients, a server, their disks, the links between them.
//!
//! Knows: what happens next. Does not know: how a session decides.

mod checks;
mod clients;
mod moments;
mod server;
mod troubles;

use std::collections::BTreeMap;
use std::time::Duration;

use rpcgen_proto::frame::LinkFrame;
use rpcgen_proto::ids::{ClientId, MethodId};
use rpcgen_proto::rng::SplitMix64;
use rpcgen_proto::session::Input;
use rpcgen_proto::time::Instant;

use super::DurableOutcome;
use super::book::{Book, Tag};
use super::client::{Client, Process};
use super::options::DurableOptions;
use super::server::Server;
use super::storage::Death;
use crate::checkers::{Check, Violation, violated};
use crate::load::Load;
use crate::trace::Trace;

pub(super) const SERVICE: &str = "durable.Service";
pub(super) const METHOD: MethodId = MethodId(0);
/// The action without records.
pub(super) const VOLATILE: MethodId = MethodId(1);

/// The schema of an end in this life: two versions that fit take turns, so that most ends that meet have different ones.
pub(super) const fn schema_of(life: u64) -> (u64, &'static str) {
    match life % 2 {
        0 => (0x52, "durable.Service\naction go(n: u64)\naction volatile(n: u64)\nbroadcast news(n: u64)\n"),
        _ => (
            0x53,
            "durable.Service\naction go(n: u64, note: string?)\naction volatile(n: u64)\nbroadcast news(n: u64)\n",
        ),
    }
}

/// After the troubles everything has to be answered within so long: the longest that a session is kept whose client
/// cannot prove it, and some.
const HEALED_WITHIN: Duration = Duration::from_secs(1_200);
const STEPS_MAX: u32 = 200_000;

/// The world.
#[derive(Debug)]
pub(super) struct World {
    options: DurableOptions,
    random: SplitMix64,
    /// Of goodbyes alone, so that worlds without them are what they were.
    goodbyes: SplitMix64,
    now: Instant,
    clients: Vec<Client>,
    server: Server,
    /// The number of a mark of which the server was told that the database may have it from another state of the log.
    accepted: Option<u64>,
    book: Book,
    /// Clients that are no more: their disks were wiped, or they had none. By identity.
    abandoned: Vec<bool>,
    /// Of each client: the latest life that was let in, and when the secret came on whose lanes the server last promised something.
    let_in: BTreeMap<ClientId, (u64, Option<Instant>)>,
    tags: Tag,
    calls_at: Instant,
    troubles_at: Instant,
    troubles_left: u32,
    full_until: Option<Instant>,
    server_dies: bool,
    healed_at: Option<Instant>,
    counts: BTreeMap<&'static str, u64>,
    trace: Trace,
}

impl World {
    pub(super) fn new(options: DurableOptions, trace: Trace) -> Self {
        Self {
            random: SplitMix64::new(options.seed),
            goodbyes: SplitMix64::new(options.seed ^ 0x6c65_6176_6500),
            now: Instant::START,
            clients: (0..options.clients)
                .map(|index| Client::new(index, index > 0 || !options.memory_client))
                .collect(),
            server: Server::new(&options),
            accepted: None,
            book: Book::default(),
            abandoned: vec![false; options.clients],
            let_in: BTreeMap::new(),
            tags: 0,
            calls_at: Instant::START,
            troubles_at: Instant::START + Duration::from_millis(5),
            troubles_left: options.troubles,
            full_until: None,
            server_dies: false,
            healed_at: None,
            counts: BTreeMap::new(),
            trace,
            options,
        }
    }

    pub(super) fn into_outcome(self, violation: Option<Violation>) -> DurableOutcome {
        let (trace_hash, end) = (self.trace.hash(), format!("{:?}", self.options));
        let trace = self.trace.into_lines().into_iter().chain([end]).collect();
        DurableOutcome { counts: self.counts, violation, trace_hash, trace }
    }

    fn say(&mut self, what: impl FnOnce() -> String) {
        self.trace.say(self.now, what);
    }

    /// Something of a kind happened to the `which`th.
    fn count(&mut self, name: &'static str, which: usize) {
        *self.counts.entry(name).or_default() += 1;
        let name = name.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
        self.trace.mix(self.now, name, which as u64);
    }

    fn up_to(&mut self, longest: Duration) -> Duration {
        let micros = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
        Duration::from_micros(u64::from(self.random.below(micros.saturating_add(1))))
    }

    fn commit_in(&mut self) -> Duration {
        let longest = if self.healed_at.is_some() { Duration::from_millis(1) } else { self.options.commit_max };
        self.up_to(longest)
    }

    /// How long after a sync its end is told.
    fn told_in(&mut self) -> Duration {
        if self.random.chance(0.5) { Duration::ZERO } else { self.commit_in() / 2 }
    }

    pub(super) fn run(&mut self) -> Check {
        for _ in 0..STEPS_MAX {
            if self.healed_at.is_none() && self.tags >= self.options.calls && self.troubles_left == 0 {
                self.heal();
            }
            if let Some(healed) = self.healed_at
                && (self.is_done() || self.now - healed > HEALED_WITHIN)
            {
                self.check_effects()?;
                return self.book.end(&self.abandoned);
            }
            let Some(next) = self.next() else {
                return violated("progress", "nothing will happen any more".to_owned());
            };
            self.now = self.now.max(next);
            self.count("steps", 0);
            self.step()?;
        }
        violated("progress", "it goes on for ever".to_owned())
    }

    fn is_done(&self) -> bool {
        self.book.end(&self.abandoned).is_ok()
            && self.clients.iter().all(|client| {
                let is_free = |process: &Process| process.session.open_calls() == 0;
                self.book.server_restored || client.process.as_ref().is_some_and(is_free)
            })
    }

    fn heal(&mut self) {
        self.say(|| "healed".to_owned());
        self.healed_at = Some(self.now);
        self.make_space();
    }

    fn make_space(&mut self) {
        self.full_until = None;
        self.server.storage.set_full(false);
        self.clients.iter_mut().for_each(|client| client.storage.set_full(false));
    }

    /// When the next thing happens.
    fn next(&self) -> Option<Instant> {
        let mut next = Vec::new();
        for client in &self.clients {
            next.extend(client.wire.next());
            match &client.process {
                None => next.push(client.begins_at),
                Some(process) => {
                    let told_at = process.told.front().map(|(at, _)| *at);
                    next.extend([process.deadline, process.commits_at, told_at].into_iter().flatten());
                    next.extend(process.handlers.iter().map(|(at, ..)| *at));
                    if !client.wire.is_up {
                        next.push(client.connects_at);
                    }
                }
            }
        }
        match &self.server.process {
            None => next.push(self.server.begins_at),
            Some(process) => {
                next.extend(process.commits_at.into_iter().chain(process.told.front().map(|(at, _)| *at)));
                next.extend(process.handlers.iter().map(|(at, ..)| *at));
                next.extend(process.seats.values().filter_map(|seat| seat.deadline));
            }
        }
        if self.tags < self.options.calls {
            next.push(self.calls_at);
        }
        if self.troubles_left > 0 {
            next.push(self.troubles_at);
        }
        next.extend(self.full_until);
        next.into_iter().min()
    }

    fn step(&mut self) -> Check {
        for client in 0..self.clients.len() {
            self.client_turn(client)?;
        }
        self.server_turn()?;
        if self.tags < self.options.calls && self.calls_at <= self.now {
            self.work();
        }
        if self.troubles_left > 0 && self.troubles_at <= self.now {
            self.trouble();
        }
        if self.full_until.is_some_and(|until| until <= self.now) {
            self.make_space();
        }
        self.drain()
    }

    /// Lets both ends say what they have to say.
    fn drain(&mut self) -> Check {
        loop {
            let mut is_quiet = true;
            for index in 0..self.clients.len() {
                let commit_in = self.commit_in();
                while let Some(said) = self.clients[index].poll(self.now, commit_in) {
                    is_quiet = false;
                    self.on_client(index, said)?;
                }
                if let Some(process) = &self.clients[index].process
                    && let Err(violation) = process.session.check_invariants()
                {
                    return violated("well_behaved", violation.0.to_owned());
                }
            }
            let commit_in = self.commit_in();
            while let Some(said) = self.server.poll(self.now, commit_in) {
                is_quiet = false;
                self.on_server(said)?;
                if std::mem::take(&mut self.server_dies) {
                    self.kill_server(Death::Process);
                }
            }
            self.server.logged.drain(..).for_each(|tag| self.book.broadcast_logged(tag));
            for seat in self.server.process.iter().flat_map(|process| process.seats.values()) {
                if let Err(violation) = seat.session.check_invariants() {
                    return violated("well_behaved", violation.0.to_owned());
                }
            }
            if is_quiet {
                return Ok(());
            }
        }
    }

    fn is_lost(&mut self, frame: &LinkFrame<Load>) -> bool {
        self.healed_at.is_none() && matches!(frame, LinkFrame::Frame(_)) && self.random.chance(self.options.drop)
    }

    fn cut(&mut self, index: usize) {
        let (now, link) = (self.now, (index, self.clients[index].wire.number));
        self.cut_unnoticed(index);
        let seats = self.server.process.iter_mut().flat_map(|process| process.seats.values_mut());
        for seat in seats.filter(|seat| seat.link == Some(link)) {
            seat.link = None;
            seat.session.handle(now, Input::LinkDown);
        }
    }

    /// The server takes the link for alive until the next one of the client takes its session over.
    fn cut_unnoticed(&mut self, index: usize) {
        let pause = self.up_to(Duration::from_millis(200));
        let client = &mut self.clients[index];
        client.wire.cut();
        client.connects_at = self.now + pause + Duration::from_millis(1);
        if let Some(process) = &mut client.process {
            process.session.handle(self.now, Input::LinkDown);
        }
    }

    fn on_bad_begin(&mut self, error: String, again: impl FnOnce(&mut Self, Instant)) -> Check {
        // A disk without space for the segment of a new life: later.
        if self.full_until.is_some() {
            let at = self.now + Duration::from_millis(20);
            again(self, at);
            return Ok(());
        }
        violated("recovery_is_prefix", error)
    }
}
