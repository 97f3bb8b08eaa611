//! The server's end of a session: actions come up, answers and broadcasts go down.
//!
//! Knows: actions, broadcasts, how a session begins and ends. Does not know: other sessions (the registry does), sockets, clocks.
//!
//! Contract: as [`super::ClientSession`].

mod actions;
mod adaptive;
mod broadcasts;
mod end;
mod greet;
mod ledger;
mod outputs;
mod packed;
mod receive;
mod records;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use core::time::Duration;

use self::actions::{Actions, Finished};
use self::adaptive::Times;
pub use self::broadcasts::Unassigned;
pub use self::end::{EndReason, Ended};
pub use self::greet::Opening;
use self::ledger::Ledger;
pub use self::ledger::{Kept, Past};
pub use self::packed::PackedSession;
use self::records::Records;
use super::InvariantViolation;
use super::lanes::Lanes;
use super::output::{ActionHandle, Answer, CloseReason, Input, Output, Payload, ServerEvent, ServerOutput};
use super::stats::Stats;
use super::timers::{Timer, Timers};
use crate::config::BEGUN_MAX;
use crate::error::ProtocolError;
use crate::frame::{Body, Close, FrameRef, LinkFrame, Refusal};
use crate::ids::{BroadcastNumber, CallKey, CallNumber, ClientId, Epoch, Incarnation, MethodId, SessionId, Slot};
use crate::marks::mark;
use crate::mutants::mutated;
use crate::record::Mark;
use crate::time::Instant;

/// Where the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// A link is up.
    Live,
    /// A link is up, and what has to be on record before the welcome is not durable yet.
    Greeting,
    /// The link is to be closed; whatever still arrives on it is ignored.
    Closing,
    /// No link; everything is cached.
    Parked,
    /// No link for too long; ends when the last handler does.
    Expiring,
    /// Over.
    Ended,
}

/// The server's end of a session. See the module's documentation for the contract.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServerSession<P> {
    client: ClientId,
    incarnation: Incarnation,
    session: SessionId,
    epoch: Epoch,
    now: Instant,
    phase: Phase,
    lanes: Lanes<P>,
    actions: Actions<P>,
    /// What earlier lanes left behind.
    ledger: Ledger<P>,
    /// There were earlier lanes: the ledger is to be asked.
    has_past: bool,
    /// One more than the highest number of earlier lanes.
    called_below: CallNumber,
    /// Client or server have a durable log: requests under one number are compared.
    compares: bool,
    /// Of a session of which either end has a durable log: no frame has come on these lanes.
    is_untouched: bool,
    /// With a durable log: what waits for what.
    records: Option<Box<Records<P>>>,
    /// What waits to be sent, in order, with its size.
    backlog: VecDeque<(Body<P>, usize)>,
    backlog_bytes: usize,
    /// Goes and revocations: they pass what waits in the backlog, or they would wait behind every offer that was made meanwhile.
    urgent: VecDeque<Body<P>>,
    /// The call number of the next action that says none.
    implied_number: CallNumber,
    is_paused: bool,
    /// No message is accepted any more; control information still is.
    is_closed: bool,
    handled_broadcasts: BTreeSet<MethodId>,
    next_broadcast: BroadcastNumber,
    /// Offers on their way that were assigned elsewhere: no go when their guarantee comes.
    revoked: BTreeSet<BroadcastNumber>,
    /// Broadcasts that were told to go, until the node has guaranteed that too.
    going: BTreeMap<BroadcastNumber, Unassigned<P>>,
    client_said_goodbye: bool,
    /// Of the actions that have one of their own.
    deadlines: BTreeMap<MethodId, Duration>,
    /// What the actions took, if deadlines follow that.
    times: BTreeMap<MethodId, Box<Times>>,
    timers: Timers,
    outputs: VecDeque<ServerOutput<P>>,
    protocol_errors: u64,
}

impl<P: Payload> ServerSession<P> {
    /// Something happened outside.
    pub fn handle(&mut self, now: Instant, input: Input<P>) {
        self.now = now;
        if self.phase == Phase::Ended {
            return;
        }
        let result = match input {
            Input::Received(frame) => self.on_received(frame),
            Input::LinkDown => {
                self.on_link_down();
                Ok(())
            }
            Input::Timeout => {
                self.on_timeout();
                Ok(())
            }
            // A server's links come through `resume`.
            Input::LinkUp { .. } => Ok(()),
            Input::Persisted(mark) => {
                self.on_persisted(mark);
                Ok(())
            }
            Input::NoSpace(mark) => {
                self.on_no_space(mark);
                Ok(())
            }
        };
        if let Err(error) = result {
            self.fail_link(error);
        }
        self.begin_actions();
    }

    /// The client has the answers of all calls with lower numbers, and never asks for one of them again: whoever keeps records of them
    /// may drop them. Looks at every slot.
    #[must_use]
    pub fn retired_below(&self) -> CallKey {
        let kept = self.ledger.answers.first_key_value().map(|(number, _)| *number);
        let open = self.actions.open_from().into_iter().chain(kept);
        let number = open.fold(self.implied_number, CallNumber::min);
        CallKey { client: self.client, incarnation: self.incarnation, number }
    }

    /// The business answered an action. An answer to an action that is not executing is ignored: the session ended meanwhile, or it
    /// was answered before.
    pub fn answer(&mut self, now: Instant, action: ActionHandle, answer: Answer<P>) {
        self.now = now;
        let Some(finished) = self.actions.finish_executing(action) else { return };
        if self.phase == Phase::Ended {
            return;
        }
        // Only of actions that there are: a client may name any number.
        if let Some(rule) = self.lanes.config.adaptive_deadline
            && matches!(answer, Answer::Response(_) | Answer::Failure(_))
        {
            let times = self.times.entry(finished.method).or_insert_with(|| Box::new(Times::new(rule)));
            times.note(now.saturating_since(finished.since));
        }
        let answer = match answer {
            // It failed its server before, for all that is known: whoever runs it a third time learns nothing new.
            Answer::Refused(Refusal::HandlerPanicked) if finished.redelivered => Answer::Refused(Refusal::Poisoned),
            answer => answer,
        };
        self.conclude(action.number, &finished, answer);
        self.go_on();
    }

    fn go_on(&mut self) {
        self.begin_actions();
        if self.phase == Phase::Expiring && !self.is_working() {
            self.end(EndReason::Expired);
        }
    }

    /// Whether the session must not end yet. What is on record is run before.
    fn is_working(&self) -> bool {
        self.actions.executing() > 0 || self.records.is_some() && self.actions.queued() > 0
    }

    /// The log has it on record that an action begins, for the how manyth time: the answer to [`ServerEvent::Begin`]. With
    /// [`BEGUN_MAX`] beginnings and no answer it kills who runs it: it is parked (trap T15).
    // spec: protocol.md 9
    pub fn begun(&mut self, now: Instant, action: ActionHandle, times: u32) {
        self.now = now;
        if self.phase == Phase::Ended {
            return;
        }
        if times > 1 {
            self.note_turn(action.number);
        }
        let Some(method) = self.actions.beginning(action) else { return self.end_turn(action.number, None) };
        if times <= BEGUN_MAX {
            self.run(action, method, times > 1);
        } else if let Some(finished) = self.actions.finish(action) {
            self.conclude(action.number, &finished, Answer::Refused(Refusal::Poisoned));
            self.go_on();
        }
    }

    /// An action is over: its answer goes on record, and to the client or to where that will ask for it. The answer's record.
    fn conclude(&mut self, number: CallNumber, finished: &Finished, answer: Answer<P>) -> Option<Mark> {
        let answer = if answer.payload_bytes() > self.lanes.config.payload_bytes_max() {
            Answer::Refused(Refusal::AnswerTooLarge)
        } else {
            answer
        };
        let mark = self.record_answer(number, finished.method, finished.digest, &answer);
        self.end_turn(number, mark);
        match finished.slot {
            Some(slot) => self.log_after(mark, body_of(slot, number.check(), answer)),
            None if number < self.ledger.asked_below => self.forget(number, Some(finished.method)),
            None => {
                self.ledger.answers.insert(number, Kept { digest: finished.digest, answer });
            }
        }
        mark
    }

    /// Payload bytes that are logged for the client: not sent yet, or not guaranteed.
    #[must_use]
    pub fn logged_bytes(&self) -> usize {
        self.backlog_bytes + self.lanes.send.bytes_in_flight
    }

    fn log(&mut self, body: Body<P>) {
        let bytes = body.payload_bytes();
        self.backlog_bytes += bytes;
        self.backlog.push_back((body, bytes));
    }

    /// The business deadline of one action, in the place of the session's.
    // spec: protocol.md 9
    pub fn set_deadline(&mut self, method: MethodId, deadline: Duration) {
        self.deadlines.insert(method, deadline);
    }

    fn deadline_of(&self, method: MethodId) -> Duration {
        let default = self.lanes.config.business_deadline;
        let own = self.deadlines.get(&method).copied();
        own.unwrap_or_else(|| self.times.get(&method).map_or(default, |times| times.deadline(default)))
    }

    /// Stops handing actions to the business, or goes on. What waits can be cancelled.
    pub fn pause_business(&mut self, now: Instant, paused: bool) {
        self.now = now;
        self.is_paused = paused;
        self.begin_actions();
    }

    /// Takes no new messages from now on; what was accepted is answered. What the client still sends stays in its log, for the next
    /// server: a planned restart fails no call.
    pub fn shutdown(&mut self, now: Instant) {
        self.now = now;
        self.is_closed = true;
    }

    /// Whether nothing is executing, queued, or without a guarantee.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.actions.executing() == 0
            && self.actions.queued() == 0
            && self.urgent.is_empty()
            && self.backlog.is_empty()
            && self.records.as_ref().is_none_or(|records| records.bodies.is_empty())
            && self.lanes.send.is_all_guaranteed()
    }

    fn begin_actions(&mut self) {
        if self.phase == Phase::Ended {
            return;
        }
        let handlers_max = if mutated!(HandlersUnlimited) { u32::MAX } else { self.lanes.config.handlers_max };
        while !self.is_paused && self.actions.executing() < handlers_max {
            let Some((action, method, on_record)) = self.actions.next_in_turn() else { break };
            if on_record || self.lanes.config.begin_records {
                self.actions.begin(action);
                self.event(ServerEvent::Begin { action, key: self.key_of(action), method });
            } else {
                self.run(action, method, false);
            }
        }
        if self.actions.queued() > 0 {
            mark!(ActionWaits);
        }
    }

    fn key_of(&self, action: ActionHandle) -> CallKey {
        CallKey { client: self.client, incarnation: self.incarnation, number: action.number }
    }

    /// Hands an action to the business.
    fn run(&mut self, action: ActionHandle, method: MethodId, again: bool) {
        let deadline = self.deadline_of(method);
        let Some(begun) = self.actions.run(action, again, self.now, deadline) else { return };
        self.timers.hasten(Timer::Overdue, self.now + deadline);
        self.event(ServerEvent::Action {
            action,
            key: self.key_of(action),
            method,
            redelivered: begun.redelivered,
            // What was new since is not below that.
            must_not_run: action.number < self.ledger.expired_below,
            payload: begun.payload,
        });
    }

    /// The next frame that is to go; `take` copies it, or makes what else it likes of it.
    fn next_frame<R>(&mut self, mut take: impl FnMut(FrameRef<'_, P>) -> R) -> Option<R> {
        if let Some(taken) = self.lanes.repeat(self.now, &mut take) {
            return Some(taken);
        }
        if self.lanes.can_send() {
            if let Some(body) = self.urgent.pop_front() {
                return Some(self.lanes.send(self.now, body, 0, take));
            }
            if let Some((body, bytes)) = self.backlog.pop_front() {
                self.backlog_bytes -= bytes;
                if mutated!(ForgottenOnSend) {
                    self.forget_answered(&body);
                }
                return Some(self.lanes.send(self.now, body, bytes, take));
            }
        } else if !(self.urgent.is_empty() && self.backlog.is_empty()) {
            self.lanes.note_blocked(self.now);
        }
        self.lanes.control(self.now, take)
    }

    fn on_timeout(&mut self) {
        let now = self.now;
        if self.timers.take_due(Timer::End, now) && self.phase == Phase::Parked {
            self.phase = Phase::Expiring;
            if self.is_working() {
                mark!(ExpiryWaitsForHandler);
            } else {
                self.end(EndReason::Expired);
                return;
            }
        }
        if self.timers.take_due(Timer::Overdue, now) {
            self.report_overdue();
        }
        if self.phase == Phase::Live
            && let Some(reason) = self.lanes.on_timeout(now)
        {
            self.close_link(reason);
        }
    }

    /// Keeps in touch about slow handlers: an event once, and word to the client each time the deadline passes again.
    // spec: protocol.md 9
    fn report_overdue(&mut self) {
        let mut next: Option<Instant> = None;
        for (handle, since, deadline, told) in self.actions.executing_mut() {
            let mut due = since + deadline * (*told + 1);
            if due <= self.now {
                if *told == 0 {
                    self.outputs.push_back(Output::Event(ServerEvent::Overdue(handle)));
                }
                self.lanes.say_still_pending(handle.slot, handle.number.check());
                while due <= self.now && *told < u32::MAX {
                    *told += 1;
                    due = due + deadline.max(Duration::from_millis(1));
                }
            }
            next = Some(next.map_or(due, |next| next.min(due)));
        }
        if let Some(next) = next {
            self.timers.set(Timer::Overdue, next);
        }
    }

    fn on_link_down(&mut self) {
        if !matches!(self.phase, Phase::Live | Phase::Greeting | Phase::Closing) {
            return;
        }
        if let Some(records) = &mut self.records {
            records.greeting = None;
        }
        self.lanes.link_down();
        self.outputs.retain(|output| !matches!(output, Output::Transmit(_) | Output::CloseLink(_)));
        self.phase = Phase::Parked;
        if self.client_said_goodbye {
            self.end(EndReason::Formal); // The client closes the link when it has our goodbye.
            return;
        }
        self.timers.set(Timer::End, self.now + self.lanes.config.reconnect_timeout);
        self.event(ServerEvent::Parked);
    }

    fn event(&mut self, event: ServerEvent<P>) {
        self.outputs.push_back(Output::Event(event));
    }

    fn close_link(&mut self, reason: CloseReason) {
        if self.phase == Phase::Live {
            self.phase = Phase::Closing;
        }
        self.outputs.push_back(Output::CloseLink(reason));
    }

    fn fail_link(&mut self, error: ProtocolError) {
        self.protocol_errors += 1;
        self.event(ServerEvent::Disputed);
        let message = alloc::format!("{error}");
        self.outputs.push_back(Output::Transmit(LinkFrame::Close(Close { message })));
        self.close_link(CloseReason::Protocol(error));
    }

    /// Which client this is.
    #[must_use]
    pub fn client(&self) -> ClientId {
        self.client
    }

    /// Which session this is.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Whether a link is up.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// Whether the session is over: nothing more comes.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// The counters so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { protocol_errors: self.protocol_errors, ..self.lanes.stats }
    }

    /// Where the lanes are.
    #[must_use]
    pub fn view(&self) -> super::LanesView {
        super::LanesView::of(self.session, &self.lanes)
    }

    /// Checks what must hold after every step.
    ///
    /// # Errors
    /// Names the first invariant that does not.
    pub fn check_invariants(&self) -> Result<(), InvariantViolation> {
        self.lanes.check().map_err(InvariantViolation)?;
        let counted: usize = self.backlog.iter().map(|(_, bytes)| bytes).sum();
        if counted != self.backlog_bytes {
            return Err(InvariantViolation("no_unbounded_memory: the bytes of the backlog are miscounted"));
        }
        if self.actions.queued() > self.lanes.config.slots as usize && !self.has_past {
            return Err(InvariantViolation("no_unbounded_memory: more actions wait than there are slots"));
        }
        if self.actions.executing() != self.actions.count_executing() {
            return Err(InvariantViolation("no_unbounded_memory: the actions that execute are miscounted"));
        }
        if self.ledger.answers.keys().any(|number| self.actions.unasked(*number).is_some()) {
            return Err(InvariantViolation(
                "answer_implies_completion: an action of earlier lanes is open and answered",
            ));
        }
        self.records.as_ref().map_or(Ok(()), |records| records.check())
    }
}

fn body_of<P>(slot: Slot, check: u16, answer: Answer<P>) -> Body<P> {
    match answer {
        Answer::Response(payload) => Body::Response { slot, check, payload },
        Answer::Failure(payload) => Body::Failure { slot, check, payload },
        Answer::Refused(reason) => Body::Refusal { slot, check, reason },
    }
}
