//! The client's task: its session, its link, its callers' commands.
//!
//! Knows: how calls and handles belong together, when to reconnect. Does not know: what a call says.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rpcgen_proto::faults::FaultPlan;
use rpcgen_proto::frame::{Refusal, Reject};
use rpcgen_proto::ids::CallNumber;
use rpcgen_proto::session::{Answer, CallHandle, ClientEvent, ClientSession, Input, Output};
use rpcgen_proto::time::Instant;
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::call::{CallCell, WhenFull};
use super::reconnect::Backoff;
use super::{BroadcastHandlers, ClientStats, Command, Shared, Submission};
use crate::carried::Carried;
use crate::contract::ServiceDescriptor;
use crate::driver::address::Address;
use crate::driver::clock::Clock;
use crate::driver::inbox::{Inbox, Taken, lock};
use crate::driver::link::Link;
use crate::driver::{Driver, Rounds, Side};
use crate::error::{DisconnectReport, DroppedCall, SendError};
use crate::random;

/// How long one attempt to connect may take.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(5);
/// Withdrawn submissions are swept out of the queue once it is this long.
const SWEEP_FROM: usize = 1_024;

/// What a client's task is made of.
pub(super) struct Parts {
    pub(super) session: ClientSession<Carried>,
    pub(super) service: &'static ServiceDescriptor,
    pub(super) broadcasts: BroadcastHandlers,
    pub(super) faults: Option<FaultPlan>,
    pub(super) address: Address,
    pub(super) inbox: Arc<Inbox<Command>>,
    pub(super) shared: Arc<Shared>,
    pub(super) greeted: oneshot::Sender<Result<(), Reject>>,
}

/// The task. Ends after a disconnect, a final rejection, or when nobody holds the client any more.
pub(super) struct ClientTask {
    driver: Driver<ClientSide>,
    connection: Connection,
    backoff: Backoff,
    address: Address,
    inbox: Arc<Inbox<Command>>,
    batch: VecDeque<Command>,
    rounds: Rounds,
    shared: Arc<Shared>,
}

/// Where the link is to come from.
enum Connection {
    /// It is there, or was until a moment ago.
    Linked,
    /// On its way.
    Connecting(Pin<Box<dyn Future<Output = io::Result<Link>> + Send>>),
    /// Until the next attempt.
    Waiting(Pin<Box<Sleep>>),
}

impl ClientTask {
    pub(super) fn new(parts: Parts) -> Self {
        let side = ClientSide {
            session: parts.session,
            service: parts.service,
            broadcasts: parts.broadcasts,
            calls: Vec::new(),
            waiting: VecDeque::new(),
            sweep_at: SWEEP_FROM,
            greeted: Some(parts.greeted),
            reports: Vec::new(),
            unanswered: BTreeMap::new(),
            shared: Arc::clone(&parts.shared),
            is_linked: false,
            was_linked: false,
            is_refused: false,
            has_ended: false,
        };
        Self {
            driver: Driver::new(side, Clock::start(), parts.faults),
            connection: Connection::Connecting(connect(&parts.address)),
            backoff: Backoff::new(random::u64()),
            address: parts.address,
            inbox: parts.inbox,
            batch: VecDeque::new(),
            rounds: Rounds::default(),
            shared: parts.shared,
        }
    }

    /// Works off the commands. `Break`: nobody is there any more.
    fn poll_commands(&mut self, cx: &mut Context<'_>) -> ControlFlow<(), bool> {
        let mut batch = std::mem::take(&mut self.batch);
        let taken = self.inbox.poll_take(cx, &mut batch);
        let mut is_detached = false;
        for command in batch.drain(..) {
            match command {
                Command::Send(submission) => self.driver.command_of_batch(|side, now| side.submit(now, submission)),
                Command::Cancel(cell) => self.driver.command_of_batch(|side, now| side.cancel(now, &cell)),
                Command::Disconnect { limit, reply } => {
                    self.driver.command(cx, |side, now| side.disconnect(now, limit, reply));
                }
                Command::CutLink => self.driver.cut(cx, "cut on purpose"),
                Command::Detach => is_detached = true,
            }
        }
        self.batch = batch;
        if taken == Taken::Some {
            self.driver.settle(cx);
        }
        if is_detached { ControlFlow::Break(()) } else { ControlFlow::Continue(taken == Taken::Some) }
    }

    /// Sees to it that there is a link, or will be. `true`: there is a new one.
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            match &mut self.connection {
                Connection::Linked if self.driver.has_link() => return false,
                Connection::Linked => {
                    if std::mem::take(&mut self.driver.side.was_linked) {
                        self.backoff.reset();
                    }
                    self.connection = self.wait();
                }
                Connection::Waiting(sleep) => {
                    if sleep.as_mut().poll(cx).is_pending() {
                        return false;
                    }
                    self.connection = Connection::Connecting(connect(&self.address));
                }
                Connection::Connecting(attempt) => match attempt.as_mut().poll(cx) {
                    Poll::Pending => return false,
                    Poll::Ready(Ok(link)) => {
                        self.connection = Connection::Linked;
                        let reliable_ordered = self.driver.is_reliable();
                        self.driver.attach(cx, link, |side, now| side.handle(now, Input::LinkUp { reliable_ordered }));
                        return true;
                    }
                    Poll::Ready(Err(error)) => {
                        *lock(&self.shared.last_error) = error.to_string();
                        self.connection = self.wait();
                    }
                },
            }
        }
    }

    fn wait(&mut self) -> Connection {
        Connection::Waiting(Box::pin(tokio::time::sleep(self.backoff.next_wait())))
    }

    fn publish(&self) {
        let side = &self.driver.side;
        *lock(&self.shared.stats) = ClientStats {
            session: side.session.stats(),
            faults: self.driver.fault_counters(),
            open_calls: side.session.open_calls(),
            is_linked: side.is_linked,
        };
    }

    /// Nothing more comes from here: everybody who waits is told.
    fn end(&mut self) {
        for command in self.inbox.close_and_take() {
            match command {
                Command::Send(submission) => submission.cell.rejected(SendError::Disconnected),
                Command::Cancel(_) | Command::CutLink | Command::Detach => {}
                Command::Disconnect { reply, .. } => drop(reply.send(DisconnectReport::default())),
            }
        }
        self.driver.side.abandon_calls();
    }
}

impl Future for ClientTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if !this.rounds.begin(cx) {
            return Poll::Pending;
        }
        let Some(commanded) = this.poll_commands(cx).continue_value() else {
            return Poll::Ready(());
        };
        let linked = this.poll_connection(cx);
        let worked = this.driver.poll(cx);
        if this.driver.side.is_refused {
            this.driver.command(cx, |side, now| side.session.disconnect(now, Duration::ZERO));
            this.driver.side.is_refused = false;
        }
        this.publish();
        if this.driver.side.has_ended {
            return Poll::Ready(());
        }
        this.rounds.end(cx, commanded || linked || worked);
        Poll::Pending
    }
}

impl Drop for ClientTask {
    /// Also when the runtime ends under it: no caller hangs.
    fn drop(&mut self) {
        self.end();
    }
}

fn connect(address: &Address) -> Pin<Box<dyn Future<Output = io::Result<Link>> + Send>> {
    let address = address.clone();
    Box::pin(async move {
        tokio::time::timeout(ATTEMPT_WITHIN, Link::connect(&address))
            .await
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "nothing answered there")))
    })
}

/// A call that is accepted and not answered.
#[derive(Clone)]
struct OpenCall {
    number: CallNumber,
    cell: Arc<CallCell>,
}

/// The session and what hears its events.
struct ClientSide {
    session: ClientSession<Carried>,
    service: &'static ServiceDescriptor,
    broadcasts: BroadcastHandlers,
    /// By the index of their handles.
    calls: Vec<Option<OpenCall>>,
    /// Calls that found the log full.
    waiting: VecDeque<Submission>,
    sweep_at: usize,
    /// Who waits for the first welcome.
    greeted: Option<oneshot::Sender<Result<(), Reject>>>,
    /// Who waits for the end of the disconnect.
    reports: Vec<oneshot::Sender<DisconnectReport>>,
    /// Calls that ended without an answer while it went on: what the report may have to name.
    unanswered: BTreeMap<CallNumber, &'static str>,
    shared: Arc<Shared>,
    is_linked: bool,
    /// Whether there was a welcome since the back-off last asked.
    was_linked: bool,
    is_refused: bool,
    has_ended: bool,
}

impl ClientSide {
    fn submit(&mut self, now: Instant, submission: Submission) {
        if submission.when_full == WhenFull::Wait && !self.waiting.is_empty() {
            self.enqueue(submission);
        } else if let Some(submission) = self.try_submit(now, submission) {
            self.enqueue(submission);
        }
    }

    /// Offers a call to the session; returns it when it is to wait for room.
    fn try_submit(&mut self, now: Instant, submission: Submission) -> Option<Submission> {
        if submission.cell.is_withdrawn() {
            return None;
        }
        if submission.when_full == WhenFull::Wait && !self.session.has_room() {
            return Some(submission);
        }
        match self.session.send(now, submission.cell.method, submission.payload) {
            Ok(handle) => {
                submission.cell.accepted(handle);
                self.keep(handle, submission.cell);
            }
            Err(error) => submission.cell.rejected(error.into()),
        }
        None
    }

    /// Waits for room. Those whose callers went away are swept out when the queue has doubled since the last time.
    fn enqueue(&mut self, submission: Submission) {
        self.waiting.push_back(submission);
        if self.waiting.len() >= self.sweep_at {
            self.waiting.retain(|submission| !submission.cell.is_withdrawn());
            self.sweep_at = SWEEP_FROM.max(2 * self.waiting.len());
        }
    }

    fn resume_waiting(&mut self, now: Instant) {
        while self.session.has_room() {
            let Some(submission) = self.waiting.pop_front() else { return };
            if let Some(submission) = self.try_submit(now, submission) {
                self.waiting.push_front(submission);
                return;
            }
        }
    }

    fn keep(&mut self, handle: CallHandle, cell: Arc<CallCell>) {
        let index = handle.index as usize;
        if index >= self.calls.len() {
            self.calls.resize(index + 1, None);
        }
        if let Some(place) = self.calls.get_mut(index) {
            *place = Some(OpenCall { number: handle.number, cell });
        }
    }

    fn call(&self, handle: CallHandle) -> Option<&CallCell> {
        let call = self.calls.get(handle.index as usize)?.as_ref()?;
        (call.number == handle.number).then_some(&*call.cell)
    }

    fn take_call(&mut self, handle: CallHandle) -> Option<Arc<CallCell>> {
        let call = self.calls.get_mut(handle.index as usize)?;
        call.take_if(|call| call.number == handle.number).map(|call| call.cell)
    }

    fn cancel(&mut self, now: Instant, cell: &CallCell) {
        if let Some(handle) = cell.handle() {
            // `false`: it ended meanwhile, or was asked before; the waiter learns either from the cell.
            self.session.cancel(now, handle);
        }
    }

    fn disconnect(&mut self, now: Instant, limit: Duration, reply: oneshot::Sender<DisconnectReport>) {
        self.reports.push(reply);
        for submission in self.waiting.drain(..) {
            submission.cell.rejected(SendError::Disconnected);
        }
        self.session.disconnect(now, limit);
    }

    fn on_answered(&mut self, now: Instant, handle: CallHandle, answer: Answer<Carried>) {
        if let Some(cell) = self.take_call(handle) {
            if !self.reports.is_empty() && matches!(answer, Answer::Refused(Refusal::Unknown | Refusal::Cancelled)) {
                self.unanswered.insert(handle.number, self.action_name(&cell));
            }
            cell.answered(handle.number, answer);
        }
        if !self.waiting.is_empty() {
            self.resume_waiting(now);
        }
    }

    fn on_disconnected(&mut self, dropped: &[CallHandle]) {
        let calls = dropped.iter().map(|handle| DroppedCall {
            number: handle.number,
            action: self.unanswered.get(&handle.number).copied().unwrap_or_default(),
        });
        let report = DisconnectReport { dropped: calls.collect() };
        for reply in self.reports.drain(..) {
            // Whoever asked may be gone.
            let _ = reply.send(report.clone());
        }
        self.has_ended = true;
    }

    fn on_rejected(&mut self, reject: Reject) {
        *lock(&self.shared.last_error) = reject.message.clone();
        if !reject.is_final() {
            return;
        }
        tracing::error!(service = self.service.name, reason = ?reject.reason, "the server refused for good: {}", reject.message);
        self.is_refused = true;
        if let Some(greeted) = self.greeted.take() {
            let _ = greeted.send(Err(reject));
        }
    }

    fn abandon_calls(&mut self) {
        for call in self.calls.drain(..).flatten() {
            call.cell.abandoned();
        }
        for submission in self.waiting.drain(..) {
            submission.cell.rejected(SendError::Disconnected);
        }
    }

    fn action_name(&self, cell: &CallCell) -> &'static str {
        self.service.actions.get(cell.method.0 as usize).map_or("", |action| action.name)
    }
}

impl Side for ClientSide {
    type Event = ClientEvent<Carried>;

    fn handle(&mut self, now: Instant, input: Input<Carried>) {
        self.session.handle(now, input);
    }

    fn poll_output(&mut self) -> Output<Carried, Self::Event> {
        self.session.poll_output()
    }

    fn on_event(&mut self, now: Instant, event: Self::Event) {
        match event {
            ClientEvent::Linked { session, fresh } => {
                tracing::debug!(service = self.service.name, %session, ?fresh, "linked");
                (self.is_linked, self.was_linked) = (true, true);
                if let Some(greeted) = self.greeted.take() {
                    // Nobody waits for a lazy client.
                    let _ = greeted.send(Ok(()));
                }
            }
            ClientEvent::LinkLost => self.is_linked = false,
            ClientEvent::Rejected(reject) => self.on_rejected(reject),
            ClientEvent::Guaranteed(handle) => {
                if let Some(cell) = self.call(handle) {
                    cell.guaranteed();
                }
            }
            ClientEvent::Answered(handle, answer) => self.on_answered(now, handle, answer),
            ClientEvent::CancelResult(handle, outcome) => {
                if let Some(cell) = self.call(handle) {
                    cell.cancel_result(outcome);
                }
            }
            ClientEvent::StillPending(handle) => {
                let action = self.call(handle).map_or("", |cell| self.action_name(cell));
                tracing::debug!(action, number = handle.number.0, "the handler is slow, and alive");
            }
            ClientEvent::Overdue(handle) => {
                let action = self.call(handle).map_or("", |cell| self.action_name(cell));
                tracing::warn!(action, number = handle.number.0, "a call is overdue; it stays logged");
            }
            ClientEvent::Broadcast { method, payload, .. } => self.broadcasts.run(method, payload),
            ClientEvent::Disconnected { dropped } => self.on_disconnected(&dropped),
        }
    }

    fn on_link_lost(&mut self, why: &str) {
        tracing::debug!(service = self.service.name, why, "the link is gone");
        *lock(&self.shared.last_error) = why.to_owned();
    }
}
