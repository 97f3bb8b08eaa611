//! The client's end of a session: calls go up, answers and broadcasts come down.
//!
//! Knows: calls, the handshake, the drain. Does not know: sockets, clocks, what a payload says.
//!
//! Contract: after each [`ClientSession::handle`] and each command, call [`ClientSession::poll_output`] until it returns
//! [`Output::Timeout`].

mod calls;
mod drain;
mod greet;
mod outputs;
mod receive;
mod records;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use self::calls::{CallState, Calls, CancelState};
use self::records::Records;
use super::InvariantViolation;
use super::lanes::Lanes;
use super::output::{Answer, CallHandle, ClientEvent, ClientOutput, CloseReason, Input, Output, Payload};
use super::stats::Stats;
use super::timers::{Timer, Timers};
use crate::config::Config;
use crate::error::{ProtocolError, SendError};
use crate::frame::{Body, CancelOutcome, Close, FrameRef, LinkFrame, Refusal};
use crate::ids::{BroadcastNumber, CallNumber, ClientId, Incarnation, LinkNumber, MethodId};
use crate::marks::mark;
use crate::mutants::mutated;
use crate::record::{Established, Life};
use crate::rng::SplitMix64;
use crate::time::Instant;

/// Slots that a server may grant: what a client keeps a table for.
const SLOTS_MAX: u32 = 1 << 20;

/// Who a client is and what it wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientIdentity {
    /// Who.
    pub client: ClientId,
    /// In which life, at random, if it has no durable log; 0 if it has one.
    pub incarnation: Incarnation,
    /// In which life of its durable log; 0 if it has none.
    pub life: Life,
    /// The service, as `package.Service`.
    pub service: String,
    /// Fingerprint of its schema.
    pub fingerprint: u64,
    /// What the fingerprint is of ([`crate::shape`]), to be compared with a server's of another version. `None`: messages are handed
    /// over as they are, which needs one version at both ends.
    pub shape: Option<&'static str>,
    /// The broadcasts that the client has handlers for.
    pub broadcasts: Vec<MethodId>,
}

/// Where the link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// No link.
    Away,
    /// A link; hello is said once the secret of the present lanes is on record.
    Waiting { reliable_ordered: bool },
    /// Hello said, welcome awaited.
    Greeting { reliable_ordered: bool, since: Instant },
    /// Welcome.
    Live,
    /// The link is to be closed; whatever still arrives on it is ignored.
    Closing,
    /// The session is over.
    Ended,
}

/// What waits to be sent, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Outgoing {
    Call(CallHandle),
    Cancel(CallHandle),
    Goodbye,
}

/// Where a formal disconnect is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Drain {
    /// Not asked for.
    No,
    /// Waiting until everything is answered and guaranteed.
    Waiting,
    /// Goodbye is said, or about to be.
    Goodbye,
}

/// An offered broadcast that waits for its go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Offer<P> {
    method: MethodId,
    redelivered: bool,
    payload: P,
    bytes: usize,
}

/// The client's end of a session. See the module's documentation for the contract.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientSession<P> {
    config: Config,
    identity: ClientIdentity,
    /// Of the schema that the hello asks for: its own, or that of the last server with another version that fits.
    fingerprint: u64,
    generator: SplitMix64,
    now: Instant,
    phase: Phase,
    established: Option<Established>,
    /// Said in every hello until a new session begins: so a server knows a repeated first hello.
    nonce: u64,
    link: LinkNumber,
    lanes: Option<Lanes<P>>,
    calls: Calls<P>,
    backlog: VecDeque<Outgoing>,
    /// No call with this number or a higher one was sent on any lanes.
    sent_below: CallNumber,
    /// The call number that the next action of this lane has if it says none.
    implied_number: CallNumber,
    /// The same of the next action whose bit comes.
    implied_guaranteed: CallNumber,
    offers: BTreeMap<BroadcastNumber, Offer<P>>,
    offers_bytes: usize,
    /// Broadcasts that were handed out and whose handlers wait for their turn: messages and bytes.
    held: (usize, usize),
    drain: Drain,
    /// With a durable log: what waits for what.
    records: Option<Box<Records>>,
    /// Answers of calls that are not on record yet: nobody may know of a call that the next life would not know of.
    early: BTreeMap<CallHandle, Answer<P>>,
    timers: Timers,
    outputs: VecDeque<ClientOutput<P>>,
    stats: Stats,
}

impl<P: Payload> ClientSession<P> {
    /// A client without a session and without a link. `seed` makes its nonces; it must differ from client to client.
    #[must_use]
    pub fn new(config: Config, identity: ClientIdentity, seed: u64) -> Self {
        let mut generator = SplitMix64::new(seed);
        let nonce = generator.next_u64();
        let records = config.durable.as_ref().map(|durable| Box::new(Records::new(durable)));
        let life = identity.life;
        Self {
            calls: Calls::numbered_from(records::first_number(life)),
            records,
            config: config.normalized(),
            fingerprint: identity.fingerprint,
            identity,
            generator,
            now: Instant::START,
            phase: Phase::Away,
            established: None,
            nonce,
            link: LinkNumber(0),
            lanes: None,
            backlog: VecDeque::new(),
            sent_below: records::first_number(life),
            implied_number: CallNumber(0),
            implied_guaranteed: CallNumber(0),
            offers: BTreeMap::new(),
            offers_bytes: 0,
            held: (0, 0),
            drain: Drain::No,
            early: BTreeMap::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            stats: Stats::default(),
        }
    }

    /// Something happened outside.
    pub fn handle(&mut self, now: Instant, input: Input<P>) {
        self.now = now;
        if self.phase == Phase::Ended {
            return;
        }
        let result = match input {
            Input::LinkUp { reliable_ordered } => {
                self.on_link_up(reliable_ordered);
                Ok(())
            }
            Input::LinkDown => {
                self.on_link_down();
                Ok(())
            }
            Input::Received(frame) => self.on_received(frame),
            Input::Timeout => {
                self.on_timeout();
                Ok(())
            }
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
    }

    /// Accepts a call: it is in the log, and will be delivered and answered as long as this client lives. Works without a link. With a
    /// durable log it is accepted for good once [`ClientEvent::Accepted`] says so.
    ///
    /// # Errors
    /// Nothing of the call remains; the error says why.
    pub fn send(&mut self, now: Instant, method: MethodId, payload: P) -> Result<CallHandle, SendError> {
        self.now = now;
        if self.drain != Drain::No || self.phase == Phase::Ended {
            return Err(self.why_not());
        }
        let bytes = payload.size_bytes();
        let limit = self.config.payload_bytes_max();
        if bytes > limit {
            return Err(SendError::TooLarge { bytes, limit });
        }
        if !self.has_room() {
            return Err(SendError::LogFull { messages: self.calls.open(), bytes: self.calls.bytes() });
        }
        let record = self.records.as_ref().filter(|records| records.journal.keeps(method)).map(|_| payload.clone());
        let call = self.calls.accept(now, method, payload, bytes);
        if let Some(payload) = record {
            self.record_call(call, method, payload);
        }
        self.backlog.push_back(Outgoing::Call(call));
        if !self.timers.is_armed(Timer::Overdue) {
            self.timers.set(Timer::Overdue, now + self.config.client_deadline);
        }
        Ok(call)
    }

    /// Forgets entries of calls that were cancelled before they were sent, once they are the larger part.
    fn trim_backlog(&mut self) {
        if self.backlog.len() > 64 + 2 * self.calls.open() {
            let calls = &self.calls;
            self.backlog.retain(|outgoing| !matches!(outgoing, Outgoing::Call(handle) if calls.get(*handle).is_none()));
        }
    }

    /// Whether a call would be accepted, by the limits of the log.
    #[must_use]
    pub fn has_room(&self) -> bool {
        (self.calls.open() < self.config.log_messages_max || mutated!(LogLimitIgnored))
            && self.calls.bytes() < self.config.log_bytes_max
    }

    /// Asks that a call does not begin. `false`: it is not open any more, or was asked before. What became of it comes as
    /// [`ClientEvent::CancelResult`].
    // spec: protocol.md 1
    pub fn cancel(&mut self, now: Instant, handle: CallHandle) -> bool {
        self.now = now;
        let Some(call) = self.calls.get_mut(handle) else {
            return false;
        };
        if call.cancel != CancelState::None {
            return false;
        }
        if call.state == CallState::Waiting && (!call.maybe_sent || mutated!(CancelOfSentIsLocal)) {
            mark!(CancelBeforeSent);
            if self.end_on_record(handle, Refusal::Cancelled) {
                return true;
            }
            self.calls.remove(handle);
            self.trim_backlog();
            self.event(ClientEvent::CancelResult(handle, CancelOutcome::Cancelled));
            self.event(ClientEvent::Answered(handle, Answer::Refused(Refusal::Cancelled)));
            self.check_drained();
            return true;
        }
        call.cancel = CancelState::Waiting;
        self.backlog.push_back(Outgoing::Cancel(handle));
        true
    }

    /// The next frame that is to go; `take` copies it, or makes what else it likes of it.
    fn next_frame<R>(&mut self, mut take: impl FnMut(FrameRef<'_, P>) -> R) -> Option<R> {
        if self.is_quiet() {
            return None;
        }
        let lanes = self.lanes.as_mut()?;
        if let Some(taken) = lanes.repeat(self.now, &mut take) {
            return Some(taken);
        }
        if lanes.can_send()
            && let Some((body, bytes)) = self.next_body()
        {
            let lanes = self.lanes.as_mut()?;
            return Some(lanes.send(self.now, body, bytes, take));
        }
        let is_waiting_for_ids = self.has_sendable();
        let lanes = self.lanes.as_mut()?;
        if is_waiting_for_ids {
            lanes.note_blocked(self.now);
        }
        lanes.control(self.now, take)
    }

    /// Whether the backlog's first entry waits for nothing but the lane.
    fn has_sendable(&self) -> bool {
        match self.backlog.front() {
            None => false,
            Some(Outgoing::Call(_)) => self.calls.has_free_slot(),
            Some(_) => true,
        }
    }

    fn next_body(&mut self) -> Option<(Body<P>, usize)> {
        loop {
            match *self.backlog.front()? {
                Outgoing::Call(handle) => {
                    if self.calls.get(handle).is_none_or(|call| call.state == CallState::Ending) {
                        self.backlog.pop_front(); // Cancelled before it was sent.
                        continue;
                    }
                    let bytes = self.calls.get(handle).map_or(0, |call| call.bytes);
                    if bytes > self.config.payload_bytes_max() {
                        mark!(SmallerFrames);
                        // This server's frames are smaller than those of the one that it was accepted for.
                        let may_have_run = self.calls.get(handle).is_some_and(|call| call.maybe_sent);
                        let refusal = if may_have_run { Refusal::Unknown } else { Refusal::RequestTooLarge };
                        self.backlog.pop_front();
                        self.end_call(handle, refusal);
                        self.check_drained();
                        continue;
                    }
                    let slot = self.calls.take_slot(handle)?;
                    self.backlog.pop_front();
                    let call = self.calls.get_mut(handle)?;
                    call.state = CallState::Sent(slot);
                    let number = (call.number != self.implied_number).then_some(call.number);
                    let maybe_sent = core::mem::replace(&mut call.maybe_sent, !mutated!(MaybeSentNotMarked));
                    self.implied_number = CallNumber(call.number.0 + 1);
                    self.sent_below = self.sent_below.max(self.implied_number);
                    let (method, payload) = (call.method, call.payload.clone());
                    return Some((Body::Action { slot, number, method, maybe_sent, payload }, call.bytes));
                }
                Outgoing::Cancel(handle) => {
                    self.backlog.pop_front();
                    // An answer that came first has settled it.
                    let Some(call) = self.calls.get_mut(handle) else {
                        mark!(CancelOvertaken);
                        continue;
                    };
                    let CallState::Sent(slot) = call.state else { continue };
                    call.cancel = CancelState::Open;
                    return Some((Body::Cancel { slot, check: call.number.check() }, 0));
                }
                Outgoing::Goodbye => {
                    self.backlog.pop_front();
                    return Some((Body::Goodbye, 0));
                }
            }
        }
    }

    fn on_timeout(&mut self) {
        let now = self.now;
        if self.timers.take_due(Timer::Handshake, now) && matches!(self.phase, Phase::Greeting { .. }) {
            self.close_link(CloseReason::HandshakeTimeout);
        }
        if self.timers.take_due(Timer::Overdue, now) {
            self.report_overdue();
        }
        if self.timers.take_due(Timer::End, now) {
            self.give_up();
            return;
        }
        if self.phase == Phase::Live
            && let Some(lanes) = &mut self.lanes
            && let Some(reason) = lanes.on_timeout(now)
        {
            self.close_link(reason);
        }
    }

    fn report_overdue(&mut self) {
        let mut next: Option<Instant> = None;
        for handle in self.calls.in_order() {
            let Some(call) = self.calls.get_mut(handle) else {
                continue;
            };
            let due = call.accepted_at + self.config.client_deadline;
            if call.overdue_told {
                continue;
            }
            if due <= self.now {
                call.overdue_told = true;
                self.outputs.push_back(Output::Event(ClientEvent::Overdue(handle)));
            } else {
                next = Some(next.map_or(due, |next| next.min(due)));
            }
        }
        if let Some(next) = next {
            self.timers.set(Timer::Overdue, next);
        }
    }

    fn on_link_down(&mut self) {
        self.timers.stop(Timer::Handshake);
        let was_live = self.phase == Phase::Live || self.lanes.as_ref().is_some_and(|lanes| lanes.link.is_live);
        if let Some(lanes) = &mut self.lanes {
            lanes.link_down();
        }
        // What was meant for that link is moot.
        self.outputs.retain(|output| !matches!(output, Output::Transmit(_) | Output::CloseLink(_)));
        if self.phase != Phase::Ended {
            self.phase = Phase::Away;
        }
        if was_live {
            self.event(ClientEvent::LinkLost);
        }
    }

    fn event(&mut self, event: ClientEvent<P>) {
        self.outputs.push_back(Output::Event(event));
    }

    fn close_link(&mut self, reason: CloseReason) {
        if self.phase != Phase::Ended {
            self.phase = Phase::Closing;
        }
        self.timers.stop(Timer::Handshake);
        self.outputs.push_back(Output::CloseLink(reason));
    }

    /// The peer broke the protocol: last words, then the link is closed. The session goes on with the next link.
    fn fail_link(&mut self, error: ProtocolError) {
        self.stats.protocol_errors += 1;
        let message = alloc::format!("{error}");
        self.outputs.push_back(Output::Transmit(LinkFrame::Close(Close { message })));
        self.close_link(CloseReason::Protocol(error));
    }

    /// The counters so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.lanes
            .as_ref()
            .map_or(self.stats, |lanes| Stats { protocol_errors: self.stats.protocol_errors, ..lanes.stats })
    }

    #[cfg(test)]
    pub(super) fn backlog_len(&self) -> usize {
        self.backlog.len()
    }

    /// Calls that are accepted and not answered.
    #[must_use]
    pub fn open_calls(&self) -> usize {
        self.calls.open()
    }

    /// Whether the session has ended: nothing more comes.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    /// Where the lanes are; `None` before the first welcome and after the end.
    #[must_use]
    pub fn view(&self) -> Option<super::LanesView> {
        let (known, lanes) = (self.established.as_ref()?, self.lanes.as_ref()?);
        Some(super::LanesView::of(known.session, lanes))
    }

    /// Checks what must hold after every step.
    ///
    /// # Errors
    /// Names the first invariant that does not.
    pub fn check_invariants(&self) -> Result<(), InvariantViolation> {
        if let Some(lanes) = &self.lanes {
            lanes.check().map_err(InvariantViolation)?;
        }
        let counted: usize = self.calls.iter().map(|(_, call)| call.bytes).sum();
        if counted != self.calls.bytes() {
            return Err(InvariantViolation("no_unbounded_memory: the bytes of the calls are miscounted"));
        }
        Ok(())
    }
}
