//! The client's task: its session, its link, its callers' commands.
//!
//! Knows: how calls and handles belong together, when to reconnect. Does not know: what a call says.

mod leaving;
mod on_record;
mod refused;

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rpcgen_log::Sequence;
use rpcgen_proto::config::Config;
use rpcgen_proto::faults::FaultPlan;
use rpcgen_proto::frame::{FrameRef, Refusal, Reject};
use rpcgen_proto::ids::CallNumber;
use rpcgen_proto::record::{ClientRecord, Mark};
use rpcgen_proto::session::{Answer, CallHandle, ClientEvent, ClientSession, Input, Output};
use rpcgen_proto::time::Instant;
use tokio::sync::oneshot;
use tokio::time::Sleep;

use super::broadcasts::{Arrived, Runs};
use super::call::WhenFull;
use super::cell::{CallCell, Offered};
use super::found::Left;
use super::open_calls::OpenCalls;
use super::reconnect::{Backoff, connect};
use super::records::Records;
use super::{BroadcastHandlers, ClientStats, Command, Delivery, Shared, Submission};
use crate::carried::Carried;
use crate::contract::ServiceDescriptor;
use crate::driver::address::Address;
use crate::driver::inbox::{Inbox, lock};
use crate::driver::link::Link;
use crate::driver::rounds::Rounds;
use crate::driver::watch::Watch;
use crate::driver::{Driver, Side};
use crate::error::{DisconnectReport, SendError};
use crate::random;

/// Withdrawn submissions are swept out of the queue once it is this long.
const SWEEP_FROM: usize = 1_024;
/// How long a client that nobody holds any more tries to get its calls answered: as long as a server keeps a session without a link.
const LEAVE_WITHIN: Duration = Duration::from_secs(5 * 60);

/// What a client's task is made of.
pub(super) struct Parts {
    pub(super) session: ClientSession<Carried>,
    pub(super) left: Left,
    pub(super) service: &'static ServiceDescriptor,
    pub(super) config: Config,
    pub(super) broadcasts: BroadcastHandlers,
    pub(super) faults: Option<FaultPlan>,
    pub(super) address: Address,
    pub(super) inbox: Arc<Inbox<Command>>,
    pub(super) shared: Arc<Shared>,
    pub(super) greeted: oneshot::Sender<Result<(), Reject>>,
}

/// The task. Ends after a disconnect or a final rejection; it disconnects by itself when nobody holds the client any more.
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
        let Left { records, open, broadcasts, .. } = parts.left;
        if let Some(records) = &records {
            let inbox = Arc::clone(&parts.inbox);
            records.log().when_stopped(move |cause| drop(inbox.push(Command::LogStopped(Arc::clone(cause)))));
        }
        let mut calls = OpenCalls::default();
        open.into_iter().for_each(|(handle, cell)| calls.keep(handle, cell));
        let mut runs = Runs::new(parts.broadcasts, parts.config.handlers_max as usize);
        runs.go_on(broadcasts);
        let side = ClientSide {
            session: parts.session,
            service: parts.service,
            records,
            newest_broadcast: None,
            broadcasts: runs,
            calls,
            waiting: VecDeque::new(),
            sweep_at: SWEEP_FROM,
            greeted: Some(parts.greeted),
            reports: Vec::new(),
            report: DisconnectReport::default(),
            unanswered: BTreeMap::new(),
            shared: Arc::clone(&parts.shared),
            is_linked: false,
            was_linked: false,
            is_refused: false,
            told_to_wait: Duration::ZERO,
            has_adapted: false,
            is_expected: false,
            has_ended: false,
        };
        Self {
            driver: Driver::new(side, parts.shared.clock, Watch::new(&parts.config), parts.faults),
            connection: Connection::Connecting(connect(&parts.address)),
            backoff: Backoff::new(random::u64()),
            address: parts.address,
            inbox: parts.inbox,
            batch: VecDeque::new(),
            rounds: Rounds::default(),
            shared: parts.shared,
        }
    }

    /// Works off the commands. Returns how many there were.
    fn poll_commands(&mut self, cx: &mut Context<'_>) -> usize {
        let mut batch = std::mem::take(&mut self.batch);
        self.inbox.poll_take(cx, &mut batch);
        let (count, now) = (batch.len(), self.driver.tick());
        for command in batch.drain(..) {
            match command {
                Command::Send(submission) => self.driver.side.submit(now, submission),
                Command::Cancel(cell) => self.driver.side.cancel(now, &cell),
                Command::Disconnect { limit, reply } => {
                    self.driver.command(cx, |side, now| side.disconnect(now, limit, reply));
                }
                Command::SetFaults(plan) => self.driver.set_faults(cx, plan),
                // Who asked may be gone.
                Command::List(reply) => drop(reply.send(self.driver.side.calls.in_order())),
                Command::Claim(number) => self.driver.side.claim(number),
                Command::LogStopped(cause) => self.driver.command(cx, |side, now| side.log_stopped(now, &cause)),
                Command::CutLink => self.driver.cut(cx, "cut on purpose"),
                Command::Leave => self.driver.command(cx, |side, now| side.leave(now)),
            }
        }
        self.batch = batch;
        if count > 0 {
            self.driver.settle(cx);
        }
        count
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
                    self.connection = if std::mem::take(&mut self.driver.side.is_expected) {
                        Connection::Connecting(connect(&self.address))
                    } else {
                        self.wait()
                    };
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
        let wait = match std::mem::take(&mut self.driver.side.told_to_wait) {
            Duration::ZERO => self.backoff.next_wait(),
            told => told, // Each client is told another instant.
        };
        Connection::Waiting(Box::pin(tokio::time::sleep(wait)))
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
                Command::Claim(number) => self.driver.side.claim(number),
                Command::Disconnect { reply, .. } => self.driver.side.reports.push(reply),
                Command::Cancel(_)
                | Command::CutLink
                | Command::SetFaults(_)
                | Command::List(_)
                | Command::LogStopped(_)
                | Command::Leave => {}
            }
        }
        self.driver.side.end();
    }
}

impl Future for ClientTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.driver.begin();
        if !this.rounds.begin(cx) {
            return Poll::Pending;
        }
        loop {
            let commands = this.poll_commands(cx);
            let linked = this.poll_connection(cx);
            let turns = this.driver.side.poll_handlers(cx);
            let durable = this.poll_durable(cx);
            let work = commands + usize::from(linked) + turns + durable + this.driver.poll(cx);
            if this.driver.side.is_refused {
                this.driver.command(cx, |side, now| side.session.disconnect(now, Duration::ZERO));
                this.driver.side.is_refused = false;
            }
            if this.driver.side.has_ended {
                this.driver.side.broadcasts.run_the_rest();
                this.publish();
                this.end();
                return Poll::Ready(());
            }
            this.driver.side.rest_records(work);
            if !this.rounds.go_on(cx, work) {
                this.publish();
                return Poll::Pending;
            }
        }
    }
}

impl Drop for ClientTask {
    /// Also when the runtime ends under it: no caller hangs.
    fn drop(&mut self) {
        self.end();
    }
}

/// The session and what hears its events.
struct ClientSide {
    session: ClientSession<Carried>,
    service: &'static ServiceDescriptor,
    /// With a log on disk: what is in it.
    records: Option<Records>,
    /// Where the broadcast is on record of which the session is about to tell.
    newest_broadcast: Option<Sequence>,
    broadcasts: Runs,
    calls: OpenCalls,
    /// Calls that found the log full.
    waiting: VecDeque<Submission>,
    sweep_at: usize,
    /// Who waits for the first welcome.
    greeted: Option<oneshot::Sender<Result<(), Reject>>>,
    /// Who waits for the end of the disconnect.
    reports: Vec<oneshot::Sender<DisconnectReport>>,
    /// What they will be told.
    report: DisconnectReport,
    /// Calls that ended without an answer while it went on: what the report may have to name.
    unanswered: BTreeMap<CallNumber, &'static str>,
    shared: Arc<Shared>,
    is_linked: bool,
    /// Whether there was a welcome since the back-off last asked.
    was_linked: bool,
    is_refused: bool,
    /// For how long the server told to wait before the next attempt; zero: it did not.
    told_to_wait: Duration,
    /// Whether it took another version of the schema since the last welcome.
    has_adapted: bool,
    /// The next attempt is for a server that has just said what it speaks.
    is_expected: bool,
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
        if submission.when_full == WhenFull::Wait && !self.session.has_room() {
            return (!submission.cell.is_withdrawn()).then_some(submission);
        }
        let Submission { payload, cell, .. } = submission;
        // What is put on record is accepted when the record is durable.
        let is_on_record = self.is_on_record(cell.method);
        let (session, method) = (&mut self.session, cell.method);
        let offered = cell.offer(|| {
            let handle = session.send(now, method, payload)?;
            Ok(if is_on_record { Offered::OnRecord(handle) } else { Offered::Accepted(handle, now) })
        });
        match offered {
            Ok(Some(handle)) => self.calls.keep(handle, cell),
            Ok(None) => {}
            Err(error) => cell.rejected(error),
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

    fn cancel(&mut self, now: Instant, cell: &CallCell) {
        if let Some(handle) = cell.handle() {
            // `false`: it ended meanwhile, or was asked before; the waiter learns either from the cell.
            self.session.cancel(now, handle);
        }
    }

    fn on_answered(&mut self, now: Instant, handle: CallHandle, answer: Answer<Carried>) {
        if let Some(cell) = self.calls.take(handle) {
            if !self.reports.is_empty() && matches!(answer, Answer::Refused(Refusal::Unknown | Refusal::Cancelled)) {
                self.unanswered.insert(handle.number, self.action_name(&cell));
            }
            cell.answered(handle.number, answer);
        }
        if !self.waiting.is_empty() {
            self.resume_waiting(now);
        }
    }

    /// Broadcasts that wait for their handlers' turn leave less room for further ones.
    fn tell_waiting(&mut self) {
        let (messages, bytes) = self.broadcasts.waiting();
        self.session.hold_broadcasts(messages, bytes);
    }

    fn poll_handlers(&mut self, cx: &mut Context<'_>) -> usize {
        let had_turns = self.broadcasts.poll_turns(cx);
        if had_turns {
            self.tell_waiting();
        }
        usize::from(had_turns)
    }

    fn abandon_calls(&mut self) {
        let cells: Vec<_> = self.calls.take_all().collect();
        for cell in cells {
            if self.is_on_record(cell.method) {
                cell.kept();
            } else {
                cell.abandoned();
            }
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
    type Record = ClientRecord<Carried>;

    fn handle(&mut self, now: Instant, input: Input<Carried>) {
        self.session.handle(now, input);
    }

    fn poll_output(&mut self, lend: impl FnMut(FrameRef<'_, Carried>)) -> Output<Carried, Self::Event, Self::Record> {
        self.session.poll_output_lending(lend)
    }

    fn persist(&mut self, now: Instant, mark: Mark, record: Self::Record) {
        self.put_on_record(now, mark, record);
    }

    fn forget(&mut self, _: CallNumber) {
        // A client's calls are over when their answers are claimed.
    }

    fn is_on_record(&self) -> bool {
        self.records.is_some()
    }

    fn batch_done(&mut self) {
        self.records_done();
    }

    fn on_event(&mut self, now: Instant, event: Self::Event) {
        match event {
            ClientEvent::Linked { session, fresh } => {
                tracing::debug!(service = self.service.name, %session, ?fresh, "linked");
                (self.is_linked, self.was_linked, self.has_adapted) = (true, true, false);
                if let Some(greeted) = self.greeted.take() {
                    // Nobody waits for a lazy client.
                    let _ = greeted.send(Ok(()));
                }
            }
            ClientEvent::LinkLost => self.is_linked = false,
            ClientEvent::SchemaFits { fingerprint } => self.on_schema_fits(fingerprint),
            ClientEvent::Rejected(reject) => self.on_rejected(reject),
            ClientEvent::Guaranteed(handle) => {
                if let Some(cell) = self.calls.get(handle) {
                    cell.guaranteed();
                }
            }
            ClientEvent::Answered(handle, answer) => self.on_answered(now, handle, answer),
            ClientEvent::CancelResult(handle, outcome) => {
                if let Some(cell) = self.calls.get(handle) {
                    cell.cancel_result(outcome);
                }
            }
            ClientEvent::StillPending(handle) => {
                let action = self.calls.get(handle).map_or("", |cell| self.action_name(cell));
                tracing::debug!(action, number = handle.number.0, "the handler is slow, and alive");
            }
            ClientEvent::Overdue(handle) => {
                let action = self.calls.get(handle).map_or("", |cell| self.action_name(cell));
                tracing::warn!(action, number = handle.number.0, "a call is overdue; it stays logged");
            }
            ClientEvent::Broadcast { method, redelivered, payload, .. } => {
                let record = self.newest_broadcast.take();
                self.broadcasts.run(Arrived { delivery: Delivery::new(redelivered), method, payload, record });
                self.tell_waiting();
            }
            ClientEvent::ServerRestored { seen, found } => {
                let service = self.service.name;
                tracing::error!(service, %seen, %found, "the server's log is older than what was seen of it, or another one");
            }
            ClientEvent::Accepted(handle) => {
                if let Some(cell) = self.calls.get(handle) {
                    cell.accepted(handle, now);
                }
            }
            ClientEvent::NotAccepted(handle) => {
                if let Some(cell) = self.calls.take(handle) {
                    cell.rejected(SendError::DiskFull);
                }
            }
            ClientEvent::Disconnected { dropped } => self.on_disconnected(&dropped),
        }
    }

    fn on_link_lost(&mut self, why: &str) {
        tracing::debug!(service = self.service.name, why, "the link is gone");
        *lock(&self.shared.last_error) = why.to_owned();
    }
}
