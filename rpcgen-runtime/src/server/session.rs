//! The task of one session: its core, its link, its handlers.
//!
//! Knows: how actions become handlers and handlers answers, and how links, broadcasts and the server's wishes reach the session. Does
//! not know: other sessions, how a link was accepted.

mod counters;
mod node;
mod on_record;
mod resident;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use rpcgen_proto::faults::FaultPlan;
use rpcgen_proto::frame::{FrameRef, Hello, Refusal};
use rpcgen_proto::ids::{CallNumber, ClientId, MethodId, SessionId};
use rpcgen_proto::record::{Mark, ServerRecord};
use rpcgen_proto::session::{
    ActionHandle, Answer, Ended, Input, Opening, Output, ServerEvent, ServerSession, Unassigned,
};
use rpcgen_proto::time::Instant;
use rpcgen_store::BroadcastHandle;

pub(super) use self::counters::Counters;
pub(super) use self::resident::Resident;
use super::Shared;
use super::broadcasts::Job;
use super::business::{Call, Cancels, Handlers};
use super::dispatch::unknown_action;
use super::drain::{Busy, Draining};
use super::records::Records;
use super::resting::Resting;
use super::room::Share;
use crate::carried::Carried;
use crate::driver::inbox::{Inbox, lock};
use crate::driver::link::Link;
use crate::driver::rounds::Rounds;
use crate::driver::watch::Watch;
use crate::driver::{Driver, Side};

/// The completion store hears after so many answers of a session what may go. More often, and it is busy with that.
const RETIRED_EVERY: u64 = 256;

/// A session's door for the rest of the server.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) session: SessionId,
    pub(super) client: ClientId,
    pub(super) service: usize,
    pub(super) inbox: Inbox<Command>,
    pub(super) counters: Mutex<Counters>,
    /// What is logged for its client.
    pub(super) logged: Share,
}

/// What the rest of the server wants of a session.
#[derive(Debug)]
pub(super) enum Command {
    /// A new link of this session, and the hello that it was admitted with.
    Link(Link, Box<Hello>),
    /// The same, and its lanes begin afresh.
    Restart(Link, Box<Opening<Carried>>),
    Broadcast(Job),
    /// Of an action that was running when the server crashed: it is its turn. With how often it had begun.
    Turn(ActionHandle, u32),
    /// The log on disk has stopped.
    LogStopped(Arc<str>),
    PauseBusiness(bool),
    SetFaults(Option<FaultPlan>),
    /// Take nothing new, and say when nothing is open.
    Drain(Busy),
    /// The client never learned of this session and has a new one.
    Replaced,
    /// The server is gone. What comes with it is dropped when what the session had is given up.
    Stop(LastWords, Option<Busy>),
}

/// Whether a link is told why it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastWords {
    Say,
    Omit,
}

/// What handlers of a session may need.
pub(super) struct SessionContext {
    pub(super) shared: Arc<Shared>,
    pub(super) client: ClientId,
    pub(super) service: usize,
    pub(super) cancels: Cancels,
}

impl SessionContext {
    /// What the client's action created: broadcasts about it will find the client.
    pub(super) fn record_origins(&self, keys: Vec<(u32, Vec<u8>)>) {
        if !keys.is_empty() {
            lock(&self.shared.router).record(self.service, self.client, keys);
        }
    }
}

/// What a session does while it is whole. Ends with its session, or with the server.
pub(super) struct SessionTask {
    driver: Driver<ServerSide>,
    /// The how manyth session of the server it is: each has a seed of its own.
    number: u64,
    /// The link that the session was opened on.
    first_link: Option<Link>,
    port: Arc<Port>,
    batch: VecDeque<Command>,
    rounds: Rounds,
    /// It was not polled yet.
    is_new: bool,
}

impl SessionTask {
    pub(super) fn new(
        shared: Arc<Shared>,
        port: Arc<Port>,
        mut session: ServerSession<Carried>,
        link: Option<Link>,
        records: Option<Records>,
        number: u64,
    ) -> Self {
        let faults = own_faults(*lock(&shared.faults), number);
        let (clock, watch) = (shared.clock, Watch::new(&shared.config));
        let actions = shared.services.get(port.service).map_or(&[][..], |service| service.descriptor.actions);
        for (method, action) in (0_u32..).zip(actions) {
            if let Some(deadline) = action.deadline {
                session.set_deadline(MethodId(method), deadline);
            }
        }
        let side = ServerSide {
            session,
            in_process: link.as_ref().is_some_and(Link::is_in_process),
            records,
            handlers: Handlers::default(),
            port: Arc::clone(&port),
            actions: 0,
            answered: 0,
            end: None,
            draining: Draining::default(),
            resting: Resting::default(),
            context: Arc::new(SessionContext {
                shared,
                client: port.client,
                service: port.service,
                cancels: Cancels::default(),
            }),
        };
        Self {
            driver: Driver::new(side, clock, watch, faults),
            number,
            first_link: link,
            port,
            batch: VecDeque::new(),
            rounds: Rounds::default(),
            is_new: true,
        }
    }

    /// `None`: the server is gone.
    fn poll_commands(&mut self, cx: &mut Context<'_>) -> Option<usize> {
        let mut batch = std::mem::take(&mut self.batch);
        self.port.inbox.poll_take(cx, &mut batch);
        let (count, now) = (batch.len(), self.driver.tick());
        while let Some(command) = batch.pop_front() {
            match command {
                // It has ended: its client comes again, and is told.
                Command::Link(..) | Command::Restart(..) if self.driver.side.end.is_some() => {}
                Command::Broadcast(job) if self.driver.side.end.is_some() => {
                    self.driver.side.context.shared.route(job);
                }
                Command::LogStopped(_) if self.driver.side.end.is_some() => self.driver.side.end = Some(End::Stopped),
                Command::Link(link, hello) => {
                    let reliable_ordered = self.driver.is_reliable();
                    self.driver.attach(cx, link, |side, now| side.resume(now, *hello, reliable_ordered));
                }
                Command::Restart(link, opening) => {
                    let reliable_ordered = self.driver.is_reliable();
                    self.driver.side.in_process = link.is_in_process();
                    self.driver.attach(cx, link, |side, now| side.restart(now, *opening, reliable_ordered));
                }
                Command::Turn(action, begun) => self.driver.side.begin_on_record(now, action, begun),
                Command::LogStopped(cause) => {
                    self.driver.command(cx, |side, now| side.session.log_stopped(now, &cause));
                }
                Command::Broadcast(job) => self.driver.side.log_broadcast(now, job),
                Command::PauseBusiness(paused) => {
                    self.driver.command(cx, |side, now| side.session.pause_business(now, paused));
                }
                Command::SetFaults(plan) => self.driver.set_faults(cx, own_faults(plan, self.number)),
                Command::Drain(busy) => {
                    self.driver.side.draining.begin(busy);
                    self.driver.command(cx, |side, now| side.session.shutdown(now));
                }
                Command::Replaced => self.driver.command(cx, |side, now| side.replaced(now)),
                Command::Stop(last_words, busy) => {
                    if last_words == LastWords::Say {
                        self.driver.close_link(cx, "the server has stopped");
                    }
                    self.give_up(batch);
                    drop(busy);
                    return None;
                }
            }
        }
        self.batch = batch;
        if count > 0 {
            self.driver.settle(cx);
        }
        Some(count)
    }

    fn poll_handlers(&mut self, cx: &mut Context<'_>) -> usize {
        let mut answered = 0;
        while let Some((action, answer)) = self.driver.side.handlers.poll_answered(cx) {
            answered += 1;
            let now = self.driver.now();
            self.driver.side.answer(now, action, answer);
        }
        if answered > 0 {
            self.driver.settle(cx);
        }
        answered
    }

    /// A full node may have room again: 1 if it is tried.
    fn poll_rested(&mut self, cx: &mut Context<'_>) -> usize {
        if !self.driver.side.resting.poll_over(cx) {
            return 0;
        }
        self.driver.command(cx, ServerSide::offer_again);
        1
    }

    fn publish(&mut self) {
        let side = &self.driver.side;
        self.port.logged.set(side.session.logged_bytes());
        *lock(&self.port.counters) = Counters {
            session: side.session.stats(),
            faults: self.driver.fault_counters(),
            actions: side.actions,
            is_linked: self.driver.has_link(),
        };
        if side.draining.is_on() {
            let is_busy = !(side.session.is_idle() && side.resting.is_empty());
            self.driver.side.draining.set_busy(is_busy);
        }
    }

    /// The server has stopped: what was on its way here, or logged here, is lost.
    fn give_up(&self, batch: VecDeque<Command>) {
        let side = &self.driver.side;
        let shared = &side.context.shared;
        shared.note_lost(side.session.undelivered_broadcasts() + side.resting.len());
        for command in batch.into_iter().chain(self.port.inbox.close_and_take()) {
            if let Command::Broadcast(job) = command {
                shared.give_up(job);
            }
        }
    }

    /// The session is over: what it leaves goes to others.
    fn finish(&mut self, end: End) {
        // A server that shuts down waits until everything has found its place, or was counted.
        self.driver.side.draining.set_busy(true);
        let resting = self.driver.side.resting.take();
        let shared = &self.driver.side.context.shared;
        shared.close_route(self.port.session);
        let left = match end {
            End::Ended(ended) => {
                let mut records = self.driver.side.records.take();
                let handles: Vec<_> = (ended.unassigned.iter())
                    .map(|left| records.as_mut().and_then(|records| records.take_route(left.number)))
                    .collect();
                let left = shared.session_ended(&self.port, *ended, records);
                left.into_iter().zip(handles).collect()
            }
            End::Replaced(unassigned) => unassigned.into_iter().map(|left| (left, None)).collect::<Vec<_>>(),
            // What is on record is the next life's.
            End::Stopped => return,
        };
        left.into_iter()
            .map(|(left, handle)| self.again(left, handle))
            .chain(resting)
            .for_each(|job| shared.route(job));
        for command in self.port.inbox.close_and_take() {
            if let Command::Broadcast(job) = command {
                shared.route(job);
            }
        }
    }

    fn again(&self, left: Unassigned<Carried>, record: Option<BroadcastHandle>) -> Job {
        let room = &self.driver.side.context.shared.room;
        Job::again(room, self.port.service, left.method, left.payload, left.redelivered, record)
    }
}

impl Future for SessionTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.driver.begin();
        if let Some(link) = this.first_link.take() {
            // The welcome is waiting.
            this.driver.attach(cx, link, |_, _| ());
        } else if std::mem::take(&mut this.is_new) {
            // Of a session that was found in the log, or was packed: what it has to do at once.
            this.driver.tick();
            this.driver.settle(cx);
        }
        if !this.rounds.begin(cx) {
            return Poll::Pending;
        }
        loop {
            let Some(commands) = this.poll_commands(cx) else { return Poll::Ready(()) };
            let work =
                commands + this.poll_handlers(cx) + this.poll_rested(cx) + this.poll_durable(cx) + this.driver.poll(cx);
            if !this.driver.side.owes_records()
                && let Some(end) = this.driver.side.end.take()
            {
                this.publish();
                this.finish(end);
                return Poll::Ready(());
            }
            if !this.rounds.go_on(cx, work) {
                this.publish();
                return Poll::Pending;
            }
        }
    }
}

/// The faults of the server's `number`th session.
fn own_faults(plan: Option<FaultPlan>, number: u64) -> Option<FaultPlan> {
    plan.map(|plan| FaultPlan { seed: plan.seed.wrapping_add(number), ..plan })
}

/// How a session came to its end.
enum End {
    Ended(Box<Ended<Carried>>),
    Replaced(Vec<Unassigned<Carried>>),
    /// The log on disk has stopped.
    Stopped,
}

/// The session and what hears its events.
struct ServerSide {
    session: ServerSession<Carried>,
    /// Whether its client takes messages as they are.
    in_process: bool,
    /// With a log on disk: what of it is the session's.
    records: Option<Records>,
    context: Arc<SessionContext>,
    handlers: Handlers,
    port: Arc<Port>,
    actions: u64,
    answered: u64,
    end: Option<End>,
    draining: Draining,
    /// What the node had no room for.
    resting: Resting,
}

impl ServerSide {
    fn resume(&mut self, now: Instant, hello: Hello, reliable_ordered: bool) {
        self.context.shared.open_route(&self.port, &hello);
        self.session.resume(now, &hello, reliable_ordered);
    }

    fn restart(&mut self, now: Instant, opening: Opening<Carried>, reliable_ordered: bool) {
        self.context.shared.open_route(&self.port, &opening.hello);
        self.session.restart(now, opening, reliable_ordered);
    }

    fn replaced(&mut self, now: Instant) {
        let unassigned = self.session.take_unassigned(now);
        self.end = Some(End::Replaced(unassigned));
    }

    fn answer(&mut self, now: Instant, action: ActionHandle, answer: Answer<Carried>) {
        self.context.cancels.forget(action);
        self.session.answer(now, action, answer);
        self.answered += 1;
        if self.answered.is_multiple_of(RETIRED_EVERY) {
            self.retire();
        }
    }

    /// Tells the completion store which records nobody will ask for any more.
    fn retire(&self) {
        if let Some(store) = &self.context.shared.completions {
            let key = self.session.retired_below();
            if key.number > CallNumber(0) {
                store.retire(key.client, key.incarnation, key.number);
            }
        }
    }

    fn begin(&mut self, now: Instant, call: Call, method: MethodId, payload: Carried) {
        self.actions += 1;
        let (action, key, instead) = (call.action, call.key, call.instead);
        let service = self.context.shared.services.get(self.context.service);
        let dispatch = || service.map_or_else(unknown_action, |it| it.dispatch(method.0, call, payload)).or(instead);
        if let Some(answer) = self.handlers.run(&self.context.shared.room, action, key, method, dispatch) {
            self.answer(now, action, answer);
        }
    }
}

impl Side for ServerSide {
    type Event = ServerEvent<Carried>;
    type Record = ServerRecord<Carried>;

    fn handle(&mut self, now: Instant, input: Input<Carried>) {
        self.session.handle(now, input);
    }

    fn poll_output(&mut self, lend: impl FnMut(FrameRef<'_, Carried>)) -> Output<Carried, Self::Event, Self::Record> {
        self.session.poll_output_lending(lend)
    }

    fn persist(&mut self, now: Instant, mark: Mark, record: Self::Record) {
        self.put_on_record(now, mark, record);
    }

    fn forget(&mut self, number: CallNumber) {
        self.forget_record(number);
    }

    fn is_on_record(&self) -> bool {
        self.records.is_some()
    }

    fn batch_done(&mut self) {
        self.records_done();
    }

    fn on_event(&mut self, now: Instant, event: Self::Event) {
        match event {
            ServerEvent::Linked { fresh } => {
                tracing::debug!(session = %self.port.session, client = %self.port.client, fresh, "linked");
                lock(&self.context.shared.router).set_live(self.port.session, true);
                self.log_waiting(now, usize::MAX);
            }
            ServerEvent::Parked => {
                self.retire();
                lock(&self.context.shared.router).set_live(self.port.session, false);
            }
            ServerEvent::Begin { action, .. } => self.begin_recovered(now, action),
            ServerEvent::TurnOver(number) => self.turn_over(number),
            // It did not run, and need not: there is no room for what it would answer.
            ServerEvent::Action { action, redelivered: false, .. } if self.context.shared.room.is_full() => {
                self.answer(now, action, Answer::Refused(Refusal::Overloaded));
            }
            ServerEvent::Action { action, key, method, redelivered, must_not_run, payload } => {
                let context = Arc::clone(&self.context);
                let call =
                    Call::new(action, key, redelivered, context).instead_of_running(self.instead(action, must_not_run));
                self.begin(now, call, method, payload);
            }
            ServerEvent::CancelRequested(action) => self.context.cancels.request(action),
            ServerEvent::Overdue(action) => {
                tracing::warn!(client = %self.port.client, number = action.number.0, "a handler is overdue");
            }
            ServerEvent::BroadcastAssigned(_) => match self.resting.take_next() {
                Some(job) => self.log_broadcast(now, job),
                None => self.log_waiting(now, 1),
            },
            ServerEvent::BroadcastRefused { number, method, redelivered, payload } => {
                self.on_refused(number, method, redelivered, payload);
            }
            ServerEvent::Disputed => self.context.shared.disputed(self.port.client),
            ServerEvent::Ended(ended) => {
                self.retire();
                self.context.shared.close_route(self.port.session);
                self.end = Some(End::Ended(ended));
            }
            ServerEvent::Used => self.context.shared.used(self.port.client),
            ServerEvent::BroadcastDelivered(number) => {
                if let Some(records) = &mut self.records {
                    records.delivered(number);
                }
            }
            ServerEvent::Stopped => self.end = Some(End::Stopped),
        }
    }

    fn on_link_lost(&mut self, why: &str) {
        tracing::debug!(session = %self.port.session, client = %self.port.client, why, "the link is gone");
    }
}
