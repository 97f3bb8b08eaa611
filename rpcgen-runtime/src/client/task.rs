//! The task of a client: owns the session, keeps a link up, hears events.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rpcgen_proto::faults::FaultPlan;
use rpcgen_proto::frame::Reject;
use rpcgen_proto::ids::MethodId;
use rpcgen_proto::session::{Answer, CallHandle, ClientEvent, ClientSession, Input, Output};
use rpcgen_proto::time::Instant;
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::broadcasts::BroadcastHandlers;
use super::call::CallCell;
use super::{ClientStats, Command, Shared, Submission};
use crate::business::{Started, start};
use crate::carried::Carried;
use crate::driver::address::Address;
use crate::driver::clock::Clock;
use crate::driver::inbox::{Taken, lock};
use crate::driver::link::Link;
use crate::driver::{Driver, Rounds, Side};
use crate::error::{DisconnectReport, SendError};
use crate::random;

/// Bounds of the pause before the next try to connect; the pause itself is random between 0 and a bound that doubles ("full jitter").
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(30);
/// A TCP connection that is not there by then is given up.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// What became of the first try to greet.
#[derive(Debug)]
pub(super) enum FirstLink {
    Up,
    Rejected(Reject),
}

/// The session and those who wait for its events.
struct ClientSide {
    session: ClientSession<Carried>,
    /// By the index of the call's handle.
    cells: Vec<Option<(CallHandle, Arc<CallCell>)>>,
    /// Submissions that wait for room in the log, oldest first.
    waiting: VecDeque<Submission>,
    handlers: BroadcastHandlers,
    first_link: Option<oneshot::Sender<FirstLink>>,
    disconnect_reports: Vec<oneshot::Sender<DisconnectReport>>,
    /// A welcome came on this link: the next back-off starts from the beginning.
    was_welcomed: bool,
    reject: Option<Reject>,
    ended: bool,
    last_trouble: String,
}

impl ClientSide {
    fn submit(&mut self, now: Instant, submission: Submission) {
        if self.waiting.is_empty() || !submission.waits {
            self.try_submit(now, submission);
        } else {
            self.waiting.push_back(submission);
        }
    }

    fn try_submit(&mut self, now: Instant, submission: Submission) {
        let Submission { method, payload, cell, waits } = submission;
        if waits && !self.session.has_room() {
            self.waiting.push_back(Submission { method, payload, cell, waits });
            return;
        }
        match self.session.send(now, MethodId(method), payload) {
            Ok(handle) => {
                cell.update(|state| state.accepted = Some(Ok(handle.number.0)));
                let index = handle.index as usize;
                if self.cells.len() <= index {
                    self.cells.resize_with(index + 1, || None);
                }
                self.cells[index] = Some((handle, cell));
            }
            Err(error) => cell.update(|state| {
                state.accepted = Some(Err(SendError::Refused(error)));
                state.answered = true;
            }),
        }
    }

    fn admit_waiting(&mut self, now: Instant) {
        while self.session.has_room() {
            let Some(submission) = self.waiting.pop_front() else { return };
            self.try_submit(now, submission);
        }
    }

    fn cell(&self, handle: CallHandle) -> Option<&Arc<CallCell>> {
        let (known, cell) = self.cells.get(handle.index as usize)?.as_ref()?;
        (*known == handle).then_some(cell)
    }

    fn cancel(&mut self, now: Instant, cell: &Arc<CallCell>) {
        let known = self.cells.iter().flatten().find(|(_, known)| Arc::ptr_eq(known, cell)).map(|(handle, _)| *handle);
        if let Some(handle) = known {
            self.session.cancel(now, handle);
        }
    }

    fn on_answered(&self, handle: CallHandle, answer: Answer<Carried>) {
        if let Some(cell) = self.cell(handle) {
            cell.update(|state| {
                state.answer = Some(answer);
                state.answered = true;
            });
        }
    }

    fn run_broadcast(&self, method: MethodId, payload: Carried) {
        let Some(handling) = self.handlers.handle(method, payload) else { return };
        match start(handling) {
            Started::Done(Ok(())) => {}
            Started::Done(Err(_)) => tracing::error!(method = method.0, "a broadcast handler panicked"),
            Started::Waiting(handling) => drop(tokio::spawn(async move {
                if handling.await.is_err() {
                    tracing::error!(method = method.0, "a broadcast handler panicked");
                }
            })),
        }
    }

    /// The session has ended: nobody waits for anything any more.
    fn finish(&mut self, report: &DisconnectReport) {
        self.ended = true;
        for submission in self.waiting.drain(..) {
            submission.cell.update(|state| {
                state.accepted = Some(Err(SendError::Disconnected));
                state.answered = true;
            });
        }
        for waiting in self.disconnect_reports.drain(..) {
            // Who asked may have stopped waiting.
            let _ = waiting.send(report.clone());
        }
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
            ClientEvent::Answered(handle, answer) => {
                self.on_answered(handle, answer);
                self.admit_waiting(now);
            }
            ClientEvent::Guaranteed(handle) => {
                if let Some(cell) = self.cell(handle) {
                    cell.update(|state| state.guaranteed = true);
                }
            }
            ClientEvent::CancelResult(handle, outcome) => {
                if let Some(cell) = self.cell(handle) {
                    cell.update(|state| state.cancel = Some(outcome));
                }
            }
            ClientEvent::Broadcast { method, payload, .. } => self.run_broadcast(method, payload),
            ClientEvent::Linked { session, fresh } => {
                tracing::debug!(%session, ?fresh, "linked");
                self.was_welcomed = true;
                if let Some(first) = self.first_link.take() {
                    let _ = first.send(FirstLink::Up);
                }
            }
            ClientEvent::LinkLost => tracing::debug!("link lost"),
            ClientEvent::Rejected(reject) => self.reject = Some(reject),
            ClientEvent::StillPending(handle) => tracing::debug!(call = handle.number.0, "still pending at the server"),
            ClientEvent::Overdue(handle) => {
                tracing::warn!(call = handle.number.0, "unanswered for longer than its deadline")
            }
            ClientEvent::Disconnected { dropped } => {
                let dropped = dropped.iter().map(|handle| handle.number.0).collect();
                self.finish(&DisconnectReport { dropped });
            }
        }
    }

    fn on_link_lost(&mut self, why: &str) {
        why.clone_into(&mut self.last_trouble);
        tracing::debug!(why, "link closed");
    }
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<Link>> + Send>>;

/// What is done about the link.
enum Reaching {
    /// Nothing: it is up, or the session has ended.
    Nothing,
    Connecting(Connecting),
    Pausing(Pin<Box<Sleep>>),
}

/// The task.
pub(super) struct Task {
    shared: Arc<Shared>,
    driver: Driver<ClientSide>,
    address: Address,
    reaching: Reaching,
    back_off: Duration,
    /// Whether the faults on purpose make this end's links lossy.
    reliable_ordered: bool,
    commands: VecDeque<Command>,
    rounds: Rounds,
}

impl Task {
    pub(super) fn new(
        shared: Arc<Shared>,
        session: ClientSession<Carried>,
        handlers: BroadcastHandlers,
        address: Address,
        faults: Option<FaultPlan>,
        first_link: oneshot::Sender<FirstLink>,
    ) -> Self {
        let faults = faults.filter(|plan| !plan.is_none());
        let reliable_ordered = faults.is_none();
        let side = ClientSide {
            session,
            cells: Vec::new(),
            waiting: VecDeque::new(),
            handlers,
            first_link: Some(first_link),
            disconnect_reports: Vec::new(),
            was_welcomed: false,
            reject: None,
            ended: false,
            last_trouble: "nothing was tried yet".to_owned(),
        };
        Self {
            shared,
            driver: Driver::new(side, Clock::start(), faults),
            address,
            reaching: Reaching::Nothing,
            back_off: BACK_OFF_MIN,
            reliable_ordered,
            commands: VecDeque::new(),
            rounds: Rounds::default(),
        }
    }

    pub(super) async fn run(mut self) {
        std::future::poll_fn(|cx| self.poll(cx)).await;
        self.publish();
        for command in self.shared.inbox.close_and_take() {
            match command {
                Command::Send(submission) => submission.cell.update(|state| {
                    state.accepted = Some(Err(SendError::Disconnected));
                    state.answered = true;
                }),
                Command::Disconnect(_, report) => drop(report.send(DisconnectReport::default())),
                Command::Cancel(_) | Command::CutLink => {}
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.rounds.begin(cx) {
            return Poll::Pending;
        }
        let mut busy = match self.shared.inbox.poll_take(cx, &mut self.commands) {
            Taken::Some => {
                self.work_off(cx);
                true
            }
            Taken::Nothing => false,
            // All handles are gone: this node leaves without a word.
            Taken::Closed => return Poll::Ready(()),
        };
        busy |= self.driver.poll(cx);
        if self.driver.side.ended {
            return Poll::Ready(());
        }
        if let Some(reject) = self.driver.side.reject.take() {
            self.on_reject(cx, reject);
            busy = true;
        }
        if !self.driver.has_link() {
            busy |= self.poll_reach(cx).is_ready();
        }
        if !busy {
            self.publish();
        }
        self.rounds.end(cx, busy);
        Poll::Pending
    }

    fn work_off(&mut self, cx: &mut Context<'_>) {
        let mut commands = std::mem::take(&mut self.commands);
        let mut cut = false;
        self.driver.command(cx, |side, now| {
            for command in commands.drain(..) {
                match command {
                    Command::Send(submission) => side.submit(now, submission),
                    Command::Cancel(cell) => side.cancel(now, &cell),
                    Command::Disconnect(limit, report) => {
                        side.disconnect_reports.push(report);
                        side.session.disconnect(now, limit);
                    }
                    Command::CutLink => cut = true,
                }
            }
        });
        self.commands = commands;
        if cut {
            self.driver.cut(cx, "cut by the application");
        }
    }

    /// A refusal for good ends the session: everything open is dropped.
    fn on_reject(&mut self, cx: &mut Context<'_>, reject: Reject) {
        reject.message.clone_into(&mut self.driver.side.last_trouble);
        if !reject.is_final() {
            return;
        }
        tracing::error!(reason = ?reject.reason, message = %reject.message, "the server refuses this client for good");
        if let Some(first) = self.driver.side.first_link.take() {
            let _ = first.send(FirstLink::Rejected(reject));
        }
        self.driver.command(cx, |side, now| {
            side.session.disconnect(now, Duration::ZERO);
            side.session.handle(now, Input::Timeout);
        });
    }

    /// Tries to bring a link up. `Ready`: something happened.
    fn poll_reach(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.reaching {
            Reaching::Nothing => {
                self.reaching = if std::mem::take(&mut self.driver.side.was_welcomed) {
                    self.back_off = BACK_OFF_MIN;
                    Reaching::Connecting(connect(self.address.clone()))
                } else if self.back_off == BACK_OFF_MIN && self.driver.side.first_link.is_some() {
                    self.back_off *= 2;
                    Reaching::Connecting(connect(self.address.clone()))
                } else {
                    self.pause()
                };
            }
            Reaching::Pausing(pause) => {
                ready!(pause.as_mut().poll(cx));
                self.reaching = Reaching::Connecting(connect(self.address.clone()));
            }
            Reaching::Connecting(connecting) => match ready!(connecting.as_mut().poll(cx)) {
                Ok(link) => {
                    self.reaching = Reaching::Nothing;
                    let reliable_ordered = self.reliable_ordered;
                    self.driver.attach(cx, link, |side, now| side.handle(now, Input::LinkUp { reliable_ordered }));
                }
                Err(error) => {
                    self.driver.side.last_trouble = error.to_string();
                    self.reaching = self.pause();
                }
            },
        }
        Poll::Ready(())
    }

    /// Full jitter: a random pause below a bound that doubles.
    fn pause(&mut self) -> Reaching {
        let bound = u64::try_from(self.back_off.as_millis()).unwrap_or(u64::MAX).max(1);
        self.back_off = (self.back_off * 2).min(BACK_OFF_MAX);
        Reaching::Pausing(Box::pin(tokio::time::sleep(Duration::from_millis(random::u64() % bound))))
    }

    fn publish(&self) {
        let side = &self.driver.side;
        side.last_trouble.clone_into(&mut lock(&self.shared.last_trouble));
        let mut stats = lock(&self.shared.stats);
        *stats = ClientStats {
            session: side.session.stats(),
            faults: self.driver.fault_counters(),
            is_linked: self.driver.has_link(),
            open_calls: side.session.open_calls(),
        };
    }
}

fn connect(address: Address) -> Connecting {
    Box::pin(async move {
        tokio::time::timeout(CONNECT_WITHIN, Link::connect(&address))
            .await
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no connection within 5 s")))
    })
}
