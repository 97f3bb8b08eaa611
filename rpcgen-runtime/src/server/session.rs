//! The task of one server session: owns it, runs its handlers, hears its events.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use rpcgen_proto::faults::{FaultCounters, FaultPlan};
use rpcgen_proto::frame::{Hello, Refusal};
use rpcgen_proto::ids::{ClientId, MethodId, SessionId};
use rpcgen_proto::session::{ActionHandle, Answer, Ended, Input, Opening, Output, ServerEvent, ServerSession, Stats};
use rpcgen_proto::time::Instant;

use super::Shared;
use super::broadcasts::{Outgoing, tell};
use super::dispatch::{Call, Outcome};
use crate::business::{Panicked, Started, start};
use crate::carried::Carried;
use crate::driver::inbox::{Inbox, Taken, lock};
use crate::driver::link::Link;
use crate::driver::{Driver, Rounds, Side};
use crate::error::BroadcastError;

/// What others want of a session's task.
pub(super) enum SessionCommand {
    /// A new link, admitted by the registry.
    Link(Link, Box<Hello>),
    /// A handler that waited is done.
    Done(ActionHandle, Result<Outcome, Panicked>),
    Broadcast(Outgoing),
    PauseBusiness(bool),
    /// Takes nothing new; ends when idle.
    Shutdown,
    /// Ends now.
    End,
}

/// A session as the rest of the server sees it.
pub(super) struct SessionHandle {
    pub(super) inbox: Inbox<SessionCommand>,
    pub(super) stats: Mutex<SessionStats>,
}

/// Counters of one session.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SessionStats {
    pub(super) session: Stats,
    pub(super) faults: FaultCounters,
    pub(super) is_linked: bool,
}

struct ServerSide {
    session: ServerSession<Carried>,
    client: ClientId,
    id: SessionId,
    service: usize,
    server: Arc<Shared>,
    handle: Arc<SessionHandle>,
    /// Of the actions that have begun, by slot.
    cancel_flags: Vec<Option<(ActionHandle, Arc<AtomicBool>)>>,
    in_process: bool,
    handles: Vec<MethodId>,
    ended: bool,
}

impl ServerSide {
    fn run(&mut self, now: Instant, action: ActionHandle, call: Call, method: MethodId, request: Carried) {
        let Some(service) = self.server.services.get(self.service) else { return };
        match start(service.dispatch.dispatch(method.0, call, request)) {
            Started::Done(result) => self.on_done(now, action, result),
            Started::Waiting(handler) => {
                let handle = Arc::clone(&self.handle);
                tokio::spawn(async move {
                    let mut guard = DropGuard { handle, action: Some(action) };
                    let result = handler.await;
                    guard.action = None;
                    // The session may have ended meanwhile.
                    let _ = guard.handle.inbox.push(SessionCommand::Done(action, result));
                });
            }
        }
    }

    fn on_done(&mut self, now: Instant, action: ActionHandle, result: Result<Outcome, Panicked>) {
        if let Some(flag) = self.cancel_flags.get_mut(action.slot.0 as usize) {
            *flag = None;
        }
        let answer = match result {
            Ok(Outcome { answer, origins }) => {
                if !origins.is_empty() {
                    let mut routing = lock(&self.server.routing);
                    for (broadcast, key) in origins {
                        routing.record_origin((self.service, broadcast), key, self.client);
                    }
                }
                answer
            }
            Err(Panicked) => {
                tracing::error!(client = %self.client, call = action.number.0, "a handler panicked");
                Answer::Refused(Refusal::HandlerPanicked)
            }
        };
        self.session.answer(now, action, answer);
    }

    fn on_broadcast(&mut self, now: Instant, mut outgoing: Outgoing) {
        let payload =
            if self.in_process { Some(outgoing.payload.clone()) } else { outgoing.payload.clone().into_encoded() };
        let Some(payload) = payload else {
            // Handed over within this process before, and its node is gone: it may have run there, and nothing is left of it.
            tracing::error!(method = outgoing.method, "a broadcast was taken by a node that is gone");
            tell(outgoing.logged, Err(BroadcastError::Closed));
            return;
        };
        match self.session.broadcast(now, MethodId(outgoing.method), payload, outgoing.redelivered) {
            Ok(_) => tell(outgoing.logged.take(), Ok(())),
            Err(rpcgen_proto::error::SendError::Closing) => {
                outgoing.not = Some(self.id);
                self.server.route(outgoing);
            }
            Err(error) => tell(outgoing.logged.take(), Err(BroadcastError::Full(error.to_string()))),
        }
    }

    fn on_linked(&self) {
        let handles = self.handles.iter().map(|method| method.0).collect();
        let waited = lock(&self.server.routing).link_up(self.id, self.client, self.service, handles);
        for (_, outgoing) in waited {
            self.server.route(outgoing);
        }
    }

    fn on_ended(&mut self, now: Instant, ended: Ended<Carried>) {
        self.ended = true;
        lock(&self.server.routing).forget(self.id);
        let mut ended = ended;
        for left in std::mem::take(&mut ended.unassigned) {
            self.server.route(Outgoing {
                service: self.service,
                method: left.method.0,
                key: None,
                payload: left.payload,
                redelivered: left.redelivered,
                not: Some(self.id),
                logged: None,
            });
        }
        lock(&self.server.registry).ended(now, ended);
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
            ServerEvent::Action { action, key, method, redelivered, payload } => {
                let cancel_requested = Arc::new(AtomicBool::new(false));
                let slot = action.slot.0 as usize;
                if self.cancel_flags.len() <= slot {
                    self.cancel_flags.resize_with(slot + 1, || None);
                }
                self.cancel_flags[slot] = Some((action, Arc::clone(&cancel_requested)));
                let call = Call { key, redelivered, cancel_requested, server: Arc::clone(&self.server) };
                self.run(now, action, call, method, payload);
            }
            ServerEvent::CancelRequested(action) => {
                if let Some(Some((known, flag))) = self.cancel_flags.get(action.slot.0 as usize)
                    && *known == action
                {
                    flag.store(true, Ordering::Relaxed);
                }
            }
            ServerEvent::Linked { .. } => self.on_linked(),
            ServerEvent::Parked => lock(&self.server.routing).link_down(self.id),
            ServerEvent::Overdue(action) => {
                tracing::warn!(client = %self.client, call = action.number.0, "a handler is overdue")
            }
            ServerEvent::BroadcastAssigned(number) => tracing::trace!(%number, "assigned"),
            ServerEvent::BroadcastRefused { method, payload, .. } => self.server.route(Outgoing {
                service: self.service,
                method: method.0,
                key: None,
                payload,
                redelivered: false,
                not: Some(self.id),
                logged: None,
            }),
            ServerEvent::Ended(ended) => self.on_ended(now, ended),
        }
    }

    fn on_link_lost(&mut self, why: &str) {
        tracing::debug!(client = %self.client, why, "link closed");
    }
}

/// Answers for a handler whose task is dropped before it is done.
struct DropGuard {
    handle: Arc<SessionHandle>,
    action: Option<ActionHandle>,
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(action) = self.action {
            let outcome = Outcome { answer: Answer::Refused(Refusal::HandlerDropped), origins: Vec::new() };
            let _ = self.handle.inbox.push(SessionCommand::Done(action, Ok(outcome)));
        }
    }
}

/// The task.
pub(super) struct SessionTask {
    driver: Driver<ServerSide>,
    handle: Arc<SessionHandle>,
    commands: VecDeque<SessionCommand>,
    first_link: Option<Link>,
    is_shutting_down: bool,
    reliable_ordered: bool,
    rounds: Rounds,
}

impl SessionTask {
    /// A new session on its first link.
    pub(super) fn open(
        server: Arc<Shared>,
        handle: Arc<SessionHandle>,
        service: usize,
        opening: Opening<Carried>,
        link: Link,
        faults: Option<FaultPlan>,
    ) -> Self {
        let reliable_ordered = faults.is_none();
        let (client, id) = (opening.hello.client, opening.session);
        let handles = opening.hello.broadcasts.clone();
        let session = ServerSession::open(server.clock.now(), server.config.clone(), opening, reliable_ordered);
        let clock = server.clock;
        let side = ServerSide {
            session,
            client,
            id,
            service,
            server,
            handle: Arc::clone(&handle),
            cancel_flags: Vec::new(),
            in_process: link.is_in_process(),
            handles,
            ended: false,
        };
        let driver = Driver::new(side, clock, faults);
        Self {
            driver,
            handle,
            commands: VecDeque::new(),
            first_link: Some(link),
            is_shutting_down: false,
            reliable_ordered,
            rounds: Rounds::default(),
        }
    }

    pub(super) async fn run(mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
        self.publish();
        let side = &mut self.driver.side;
        lock(&side.server.routing).forget(side.id);
        let stats = *lock(&self.handle.stats);
        lock(&side.server.sessions).remove(&side.id);
        side.server.add_past(&stats);
        for command in self.handle.inbox.close_and_take() {
            if let SessionCommand::Broadcast(mut outgoing) = command {
                outgoing.not = Some(side.id);
                side.server.route(outgoing);
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(link) = self.first_link.take() {
            self.driver.attach(cx, link, |_, _| {});
        }
        if !self.rounds.begin(cx) {
            return Poll::Pending;
        }
        let mut busy = match self.handle.inbox.poll_take(cx, &mut self.commands) {
            Taken::Some => {
                if self.work_off(cx) {
                    return Poll::Ready(());
                }
                true
            }
            Taken::Nothing => false,
            Taken::Closed => return Poll::Ready(()),
        };
        busy |= self.driver.poll(cx);
        if self.driver.side.ended || (self.is_shutting_down && self.is_idle()) {
            return Poll::Ready(());
        }
        if !busy {
            self.publish();
        }
        self.rounds.end(cx, busy);
        Poll::Pending
    }

    /// Whether a session that shuts down has nothing left to say.
    fn is_idle(&self) -> bool {
        self.driver.side.session.is_idle() || !self.driver.has_link()
    }

    /// Whether the task ends.
    fn work_off(&mut self, cx: &mut Context<'_>) -> bool {
        let mut commands = std::mem::take(&mut self.commands);
        let mut ends = false;
        for command in commands.drain(..) {
            match command {
                SessionCommand::Link(link, hello) => {
                    let reliable_ordered = self.reliable_ordered;
                    self.driver.side.in_process = link.is_in_process();
                    self.driver.side.handles.clone_from(&hello.broadcasts);
                    self.driver.attach(cx, link, |side, now| side.session.resume(now, &hello, reliable_ordered));
                }
                SessionCommand::Done(action, result) => {
                    self.driver.side_now(|side, now| side.on_done(now, action, result))
                }
                SessionCommand::Broadcast(outgoing) => {
                    self.driver.side_now(|side, now| side.on_broadcast(now, outgoing))
                }
                SessionCommand::PauseBusiness(paused) => {
                    self.driver.side_now(|side, now| side.session.pause_business(now, paused));
                }
                SessionCommand::Shutdown => {
                    self.is_shutting_down = true;
                    self.driver.side_now(|side, now| side.session.shutdown(now));
                }
                SessionCommand::End => ends = true,
            }
        }
        self.commands = commands;
        self.driver.command(cx, |_, _| {});
        ends
    }

    fn publish(&self) {
        *lock(&self.handle.stats) = SessionStats {
            session: self.driver.side.session.stats(),
            faults: self.driver.fault_counters(),
            is_linked: self.driver.has_link(),
        };
    }
}
