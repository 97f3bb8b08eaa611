//! The server's end of a session: actions come up, answers and broadcasts go down.
//!
//! Knows: actions, broadcasts, how a session begins and ends. Does not know: other sessions (the registry does), sockets, clocks.
//!
//! Contract: as [`super::ClientSession`].

mod actions;
mod broadcasts;
mod end;
mod greet;
mod receive;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use core::time::Duration;

use self::actions::Actions;
pub use self::broadcasts::Unassigned;
pub use self::end::{EndReason, Ended};
pub use self::greet::{Opening, Past};
use super::InvariantViolation;
use super::lanes::Lanes;
use super::output::{ActionHandle, Answer, CloseReason, Input, Output, Payload, ServerEvent};
use super::stats::Stats;
use super::timers::{Timer, Timers};
use crate::error::ProtocolError;
use crate::frame::{Body, Close, Frame, FreshReason, LinkFrame, Refusal};
use crate::ids::{BroadcastNumber, CallKey, CallNumber, ClientId, Epoch, Incarnation, MethodId, SessionId};
use crate::time::Instant;

/// Where the session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// A link is up.
    Live,
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
    /// Why the session is new: decides what may be done with an action that may have run before.
    fresh: FreshReason,
    past: Option<Past<P>>,
    now: Instant,
    phase: Phase,
    lanes: Lanes<P>,
    actions: Actions<P>,
    /// What waits to be sent, in order, with its size.
    backlog: VecDeque<(Body<P>, usize)>,
    backlog_bytes: usize,
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
    timers: Timers,
    outputs: VecDeque<Output<P, ServerEvent<P>>>,
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
            Input::LinkUp { .. } => Ok(()), // A server's links come through `resume`.
        };
        if let Err(error) = result {
            self.fail_link(error);
        }
        self.begin_actions();
    }

    /// The business answered an action. An answer to an action that is not executing is ignored: the session ended meanwhile, or it
    /// was answered before.
    pub fn answer(&mut self, now: Instant, action: ActionHandle, answer: Answer<P>) {
        self.now = now;
        if !self.actions.finish(action) || self.phase == Phase::Ended {
            return;
        }
        self.log_answer(action, answer);
        self.begin_actions();
        if self.phase == Phase::Expiring && self.actions.executing() == 0 {
            self.end(EndReason::Expired);
        }
    }

    fn log_answer(&mut self, action: ActionHandle, answer: Answer<P>) {
        let (slot, check) = (action.slot, action.number.check());
        let limit = self.lanes.config.payload_bytes_max();
        let body = match answer {
            Answer::Response(payload) | Answer::Failure(payload) if payload.size_bytes() > limit => {
                Body::Refusal { slot, check, reason: Refusal::AnswerTooLarge }
            }
            Answer::Response(payload) => Body::Response { slot, check, payload },
            Answer::Failure(payload) => Body::Failure { slot, check, payload },
            Answer::Refused(reason) => Body::Refusal { slot, check, reason },
        };
        self.log(body);
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
            && self.backlog.is_empty()
            && self.lanes.send.is_all_guaranteed()
    }

    fn begin_actions(&mut self) {
        if self.phase == Phase::Ended {
            return;
        }
        while !self.is_paused && self.actions.executing() < self.lanes.config.handlers_max {
            let (deadlines, default) = (&self.deadlines, self.lanes.config.business_deadline);
            let deadline = |method: MethodId| deadlines.get(&method).copied().unwrap_or(default);
            let Some(begun) = self.actions.begin_next(self.now, deadline) else { break };
            self.timers.hasten(Timer::Overdue, self.now + begun.deadline);
            let key = CallKey { client: self.client, incarnation: self.incarnation, number: begun.action.number };
            self.event(ServerEvent::Action {
                action: begun.action,
                key,
                method: begun.method,
                redelivered: begun.redelivered,
                payload: begun.payload,
            });
        }
    }

    /// The next output. [`Output::Timeout`] means drained.
    pub fn poll_output(&mut self) -> Output<P, ServerEvent<P>> {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        if self.phase == Phase::Live
            && let Some(frame) = self.next_frame()
        {
            return Output::Transmit(LinkFrame::Frame(frame));
        }
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        self.lanes.arm_repair_timers(self.now);
        Output::Timeout(match (self.timers.next(), self.lanes.timers.next()) {
            (Some(own), Some(lanes)) => Some(own.min(lanes)),
            (own, lanes) => own.or(lanes),
        })
    }

    fn next_frame(&mut self) -> Option<Frame<P>> {
        if let Some(frame) = self.lanes.repeat(self.now) {
            return Some(frame);
        }
        if self.lanes.can_send() {
            if let Some((body, bytes)) = self.backlog.pop_front() {
                self.backlog_bytes -= bytes;
                return Some(self.lanes.send(self.now, body, bytes));
            }
        } else if !self.backlog.is_empty() {
            self.lanes.note_blocked(self.now);
        }
        self.lanes.control(self.now)
    }

    fn on_timeout(&mut self) {
        let now = self.now;
        if self.timers.take_due(Timer::End, now) && self.phase == Phase::Parked {
            self.phase = Phase::Expiring;
            if self.actions.executing() == 0 {
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
        if !matches!(self.phase, Phase::Live | Phase::Closing) {
            return;
        }
        self.lanes.link_down();
        self.outputs.retain(|output| matches!(output, Output::Event(_)));
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
        if self.actions.queued() > self.lanes.config.slots as usize {
            return Err(InvariantViolation("no_unbounded_memory: more actions wait than there are slots"));
        }
        Ok(())
    }
}
