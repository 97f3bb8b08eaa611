//! The task of one session: its core, its link, its handlers.
//!
//! Knows: how actions become handlers and handlers answers, and how links, broadcasts and the server's wishes reach the session. Does
//! not know: other sessions, how a link was accepted.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use rpcgen_proto::error::SendError;
use rpcgen_proto::faults::{FaultCounters, FaultPlan};
use rpcgen_proto::frame::Hello;
use rpcgen_proto::ids::{ClientId, MethodId, SessionId};
use rpcgen_proto::session::{
    ActionHandle, Answer, Ended, Input, Opening, Output, ServerEvent, ServerSession, Stats, Unassigned,
};
use rpcgen_proto::time::Instant;
use tokio::sync::mpsc;

use super::Shared;
use super::broadcasts::Job;
use super::business::{Call, Cancels, Handlers};
use super::dispatch::unknown_action;
use crate::carried::Carried;
use crate::driver::inbox::{Inbox, Taken, lock};
use crate::driver::link::Link;
use crate::driver::{Driver, Rounds, Side};
use crate::error::BroadcastError;

/// A session's door for the rest of the server.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) session: SessionId,
    pub(super) client: ClientId,
    pub(super) service: usize,
    pub(super) inbox: Inbox<Command>,
    pub(super) counters: Mutex<Counters>,
    /// Whether nothing is executing, queued, or without a guarantee; kept up to date while the server drains.
    pub(super) is_idle: AtomicBool,
}

/// What one session did so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    pub(super) session: Stats,
    pub(super) faults: FaultCounters,
    pub(super) actions: u64,
    pub(super) is_linked: bool,
}

impl Counters {
    pub(super) fn add(&mut self, other: &Self) {
        self.session.add(&other.session);
        self.faults.add(&other.faults);
        self.actions += other.actions;
    }
}

/// What the rest of the server wants of a session.
#[derive(Debug)]
pub(super) enum Command {
    /// A new link of this session, and the hello that it was admitted with.
    Link(Link, Box<Hello>),
    Broadcast(Job),
    PauseBusiness(bool),
    /// Take nothing new; the sender is kept until nothing is open.
    Drain(mpsc::Sender<()>),
    /// The client never learned of this session and has a new one.
    Replaced,
    /// The server is gone.
    Stop(LastWords),
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

/// The task. Ends with its session, or with the server.
pub(super) struct SessionTask {
    driver: Driver<ServerSide>,
    /// The link that the session was opened on.
    first_link: Option<Link>,
    port: Arc<Port>,
    batch: VecDeque<Command>,
    draining: Option<mpsc::Sender<()>>,
    rounds: Rounds,
}

impl SessionTask {
    /// `number`: the how manyth session of the server.
    pub(super) fn new(
        shared: Arc<Shared>,
        port: Arc<Port>,
        opening: Opening<Carried>,
        link: Link,
        number: u64,
    ) -> Self {
        // Each session has a seed of its own.
        let faults = shared.faults.map(|plan| FaultPlan { seed: plan.seed.wrapping_add(number), ..plan });
        let is_reliable = faults.is_none_or(|plan| plan.is_none());
        let clock = shared.clock;
        let mut session = ServerSession::open(clock.now(), shared.config.clone(), opening, is_reliable);
        let actions = shared.services.get(port.service).map_or(&[][..], |service| service.descriptor.actions);
        for (method, action) in (0_u32..).zip(actions) {
            if let Some(deadline) = action.deadline {
                session.set_deadline(MethodId(method), deadline);
            }
        }
        let side = ServerSide {
            session,
            in_process: link.is_in_process(),
            handlers: Handlers::default(),
            port: Arc::clone(&port),
            actions: 0,
            end: None,
            context: Arc::new(SessionContext {
                shared,
                client: port.client,
                service: port.service,
                cancels: Cancels::default(),
            }),
        };
        Self {
            driver: Driver::new(side, clock, faults),
            first_link: Some(link),
            port,
            batch: VecDeque::new(),
            draining: None,
            rounds: Rounds::default(),
        }
    }

    /// `None`: the server is gone.
    fn poll_commands(&mut self, cx: &mut Context<'_>) -> Option<bool> {
        let mut batch = std::mem::take(&mut self.batch);
        let taken = self.port.inbox.poll_take(cx, &mut batch);
        for command in batch.drain(..) {
            match command {
                Command::Link(link, hello) => {
                    let reliable_ordered = self.driver.is_reliable();
                    self.driver.attach(cx, link, |side, now| side.resume(now, *hello, reliable_ordered));
                }
                Command::Broadcast(job) => self.driver.command_of_batch(|side, now| side.log_broadcast(now, job)),
                Command::PauseBusiness(paused) => {
                    self.driver.command(cx, |side, now| side.session.pause_business(now, paused));
                }
                Command::Drain(sender) => {
                    self.draining = Some(sender);
                    self.driver.command(cx, |side, now| side.session.shutdown(now));
                }
                Command::Replaced => self.driver.command(cx, |side, now| side.replaced(now)),
                Command::Stop(last_words) => {
                    if last_words == LastWords::Say {
                        self.driver.close_link(cx, "the server has stopped");
                    }
                    return None;
                }
            }
        }
        self.batch = batch;
        if taken == Taken::Some {
            self.driver.settle(cx);
        }
        Some(taken == Taken::Some)
    }

    fn poll_handlers(&mut self, cx: &mut Context<'_>) -> bool {
        let mut answered = false;
        while let Some((action, answer)) = self.driver.side.handlers.poll_answered(cx) {
            answered = true;
            self.driver.command_of_batch(|side, now| side.answer(now, action, answer));
        }
        if answered {
            self.driver.settle(cx);
        }
        answered
    }

    fn publish(&mut self) {
        let side = &self.driver.side;
        *lock(&self.port.counters) = Counters {
            session: side.session.stats(),
            faults: self.driver.fault_counters(),
            actions: side.actions,
            is_linked: self.driver.has_link(),
        };
        if self.draining.is_some() && side.session.is_idle() {
            self.port.is_idle.store(true, Ordering::Relaxed);
            self.draining = None;
        }
    }

    /// The session is over: what it leaves goes to others.
    fn finish(&self, end: End) {
        let shared = &self.driver.side.context.shared;
        shared.close_route(self.port.session);
        let left: Vec<Job> = match end {
            End::Ended(ended) => {
                let unassigned = shared.session_ended(&self.port, *ended);
                unassigned.into_iter().map(|left| self.again(left)).collect()
            }
            End::Replaced(unassigned) => unassigned.into_iter().map(|left| self.again(left)).collect(),
        };
        left.into_iter().for_each(|job| shared.route(job));
        for command in self.port.inbox.close_and_take() {
            if let Command::Broadcast(job) = command {
                shared.route(job);
            }
        }
    }

    fn again(&self, left: Unassigned<Carried>) -> Job {
        Job::again(self.port.service, left.method, left.payload, left.redelivered)
    }
}

impl Drop for SessionTask {
    /// Also when the server is gone: nobody waits for a task that will not come back. A broadcast that was on its way is dropped, and
    /// with it the word that it was logged, which its sender reads as "closed".
    fn drop(&mut self) {
        drop(self.port.inbox.close_and_take());
    }
}

impl Future for SessionTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if let Some(link) = this.first_link.take() {
            // The welcome is waiting.
            this.driver.attach(cx, link, |_, _| ());
        }
        if !this.rounds.begin(cx) {
            return Poll::Pending;
        }
        let Some(commanded) = this.poll_commands(cx) else { return Poll::Ready(()) };
        let answered = this.poll_handlers(cx);
        let worked = this.driver.poll(cx);
        this.publish();
        if let Some(end) = this.driver.side.end.take() {
            this.finish(end);
            return Poll::Ready(());
        }
        this.rounds.end(cx, commanded || answered || worked);
        Poll::Pending
    }
}

/// How a session came to its end.
enum End {
    Ended(Box<Ended<Carried>>),
    Replaced(Vec<Unassigned<Carried>>),
}

/// The session and what hears its events.
struct ServerSide {
    session: ServerSession<Carried>,
    /// Whether its client takes messages as they are.
    in_process: bool,
    context: Arc<SessionContext>,
    handlers: Handlers,
    port: Arc<Port>,
    actions: u64,
    end: Option<End>,
}

impl ServerSide {
    fn resume(&mut self, now: Instant, hello: Hello, reliable_ordered: bool) {
        self.context.shared.open_route(&self.port, &hello);
        self.session.resume(now, &hello, reliable_ordered);
    }

    fn replaced(&mut self, now: Instant) {
        let unassigned = self.session.take_unassigned(now);
        self.end = Some(End::Replaced(unassigned));
    }

    fn answer(&mut self, now: Instant, action: ActionHandle, answer: Answer<Carried>) {
        self.context.cancels.forget(action);
        self.session.answer(now, action, answer);
    }

    fn begin(&mut self, now: Instant, call: Call, method: MethodId, payload: Carried) {
        self.actions += 1;
        let of_handler = call.clone();
        let service = self.context.shared.services.get(self.context.service);
        let dispatch = || service.map_or_else(unknown_action, |it| it.dispatch.dispatch(method.0, of_handler, payload));
        if let Some(answer) = self.handlers.run(&call, method, dispatch) {
            self.answer(now, call.action, answer);
        }
    }

    /// Logs a broadcast for this node, or finds another place for it.
    fn log_broadcast(&mut self, now: Instant, mut job: Job) {
        let shared = Arc::clone(&self.context.shared);
        let method = job.destination.method;
        let Some(payload) = job.payload.clone().converted(self.in_process) else {
            tracing::error!(broadcast = method.0, "a broadcast's message is gone; it is dropped");
            return job.settle(Err(BroadcastError::Closed));
        };
        match self.session.broadcast(now, method, payload, job.redelivered) {
            Ok(_) => job.settle(Ok(())),
            Err(SendError::Closing) => {
                shared.close_route(self.port.session);
                shared.route(job);
            }
            Err(error) if job.reply.is_some() => job.settle(Err(error.into())),
            // It was logged once: it waits until there is room.
            Err(_) => shared.keep_waiting(job),
        }
    }

    /// There is a node, or room: what waits may go.
    fn log_waiting(&mut self, now: Instant, count: usize) {
        for job in self.context.shared.take_waiting(self.port.session, count) {
            self.log_broadcast(now, job);
        }
    }
}

impl Side for ServerSide {
    type Event = ServerEvent<Carried>;

    fn handle(&mut self, now: Instant, input: Input<Carried>) {
        self.session.handle(now, input);
    }

    fn poll_output(&mut self) -> Output<Carried, Self::Event> {
        self.session.poll_output()
    }

    fn on_event(&mut self, now: Instant, event: Self::Event) {
        match event {
            ServerEvent::Linked { fresh } => {
                tracing::debug!(session = %self.port.session, client = %self.port.client, fresh, "linked");
                lock(&self.context.shared.router).set_live(self.port.session, true);
                self.log_waiting(now, usize::MAX);
            }
            ServerEvent::Parked => {
                lock(&self.context.shared.router).set_live(self.port.session, false);
            }
            ServerEvent::Action { action, key, method, redelivered, payload } => {
                let context = Arc::clone(&self.context);
                self.begin(now, Call { action, key, is_redelivered: redelivered, context }, method, payload);
            }
            ServerEvent::CancelRequested(action) => self.context.cancels.request(action),
            ServerEvent::Overdue(action) => {
                tracing::warn!(client = %self.port.client, number = action.number.0, "a handler is overdue");
            }
            ServerEvent::BroadcastAssigned(_) => self.log_waiting(now, 1),
            ServerEvent::BroadcastRefused { method, redelivered, payload, .. } => {
                lock(&self.context.shared.router).forget_handler(self.port.session, method);
                self.context.shared.route(Job::again(self.port.service, method, payload, redelivered));
            }
            ServerEvent::Ended(ended) => self.end = Some(End::Ended(Box::new(ended))),
        }
    }

    fn on_link_lost(&mut self, why: &str) {
        tracing::debug!(session = %self.port.session, client = %self.port.client, why, "the link is gone");
    }
}
