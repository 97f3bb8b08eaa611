//! A session without a link, in little memory: its client may be away for long, or for ever.
//!
//! Knows: what is state of its own, and what follows from it or begins afresh with the next link. Does not know: when a session is packed
//! (its driver does).
//!
//! Invariant: a session that was packed and unpacked does on its next link what it would have done.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::time::Duration;

use super::actions::PackedActions;
use super::adaptive::Times;
use super::ledger::Ledger;
use super::records::Records;
use super::{Phase, ServerSession, Unassigned};
use crate::config::Config;
use crate::frame::Body;
use crate::ids::{BroadcastNumber, CallNumber, ClientId, Epoch, Incarnation, MethodId, SessionId};
use crate::session::lanes::PackedLanes;
use crate::session::output::Payload;
use crate::session::receive_lane::compacted;
use crate::session::stats::Stats;
use crate::session::timers::{Timer, Timers};
use crate::time::Instant;

/// What is kept of a [`ServerSession`] without a link. About 500 bytes, and what [`Self::heap_bytes`] counts.
#[derive(Clone, Debug)]
pub struct PackedSession<P> {
    client: ClientId,
    incarnation: Incarnation,
    session: SessionId,
    epoch: Epoch,
    ends_at: Option<Instant>,
    lanes: PackedLanes<P>,
    actions: PackedActions<P>,
    backlog: Box<[(Body<P>, usize)]>,
    called_below: CallNumber,
    implied_number: CallNumber,
    next_broadcast: BroadcastNumber,
    handled_broadcasts: BTreeSet<MethodId>,
    deadlines: BTreeMap<MethodId, Duration>,
    records: Option<Box<Records<P>>>,
    seldom: Option<Box<Seldom<P>>>,
    has_past: bool,
    compares: bool,
    is_untouched: bool,
    is_paused: bool,
    is_closed: bool,
    client_said_goodbye: bool,
}

/// What few sessions have.
#[derive(Clone, Debug)]
struct Seldom<P> {
    ledger: Ledger<P>,
    urgent: VecDeque<Body<P>>,
    revoked: BTreeSet<BroadcastNumber>,
    going: BTreeMap<BroadcastNumber, Unassigned<P>>,
    times: BTreeMap<MethodId, Box<Times>>,
}

impl<P> Seldom<P> {
    fn is_empty(&self) -> bool {
        let Self { ledger, urgent, revoked, going, times } = self;
        ledger.is_empty() && urgent.is_empty() && revoked.is_empty() && going.is_empty() && times.is_empty()
    }
}

impl<P: Payload> ServerSession<P> {
    /// Whether the session can be packed: it has no link, nothing to say to its driver, and none of its handlers runs.
    #[must_use]
    pub fn is_packable(&self) -> bool {
        self.phase == Phase::Parked && self.outputs.is_empty() && self.actions.executing() == 0
    }

    /// Packs a session that [`Self::is_packable`]. The driver keeps [`Self::stats`].
    // spec: protocol.md 8
    #[must_use]
    pub fn pack(self) -> PackedSession<P> {
        debug_assert!(self.is_packable(), "only what rests is packed");
        // Each field by its name: a new one has to be thought of here.
        let Self {
            client,
            incarnation,
            session,
            epoch,
            now: _,
            phase: _,
            lanes,
            actions,
            ledger,
            has_past,
            called_below,
            compares,
            is_untouched,
            records,
            backlog,
            backlog_bytes: _,
            urgent,
            implied_number,
            is_paused,
            is_closed,
            handled_broadcasts,
            next_broadcast,
            revoked,
            going,
            client_said_goodbye,
            deadlines,
            times,
            timers,
            outputs: _,
            protocol_errors: _,
        } = self;
        let seldom = Seldom { ledger, urgent, revoked, going, times };
        PackedSession {
            client,
            incarnation,
            session,
            epoch,
            ends_at: timers.at(Timer::End),
            lanes: lanes.pack(),
            actions: actions.pack(),
            backlog: backlog.into_iter().map(|(body, bytes)| (compacted(body), bytes)).collect(),
            called_below,
            implied_number,
            next_broadcast,
            handled_broadcasts,
            deadlines,
            records,
            seldom: (!seldom.is_empty()).then(|| Box::new(seldom)),
            has_past,
            compares,
            is_untouched,
            is_paused,
            is_closed,
            client_said_goodbye,
        }
    }
}

impl<P: Payload> PackedSession<P> {
    /// When the session ends if nothing comes: [`crate::session::Input::Timeout`] is due then.
    #[must_use]
    pub fn ends_at(&self) -> Option<Instant> {
        self.ends_at
    }

    /// The session as it was. `config` and `stats` are those that it had.
    #[must_use]
    pub fn unpack(self, now: Instant, config: Config, stats: Stats) -> ServerSession<P> {
        let mut timers = Timers::default();
        if let Some(ends_at) = self.ends_at {
            timers.set(Timer::End, ends_at);
        }
        let Seldom { ledger, urgent, revoked, going, times } = self.seldom.map(|it| *it).unwrap_or_default();
        ServerSession {
            client: self.client,
            incarnation: self.incarnation,
            session: self.session,
            epoch: self.epoch,
            now,
            phase: Phase::Parked,
            lanes: self.lanes.unpack(config.normalized(), stats),
            actions: self.actions.unpack(),
            ledger,
            has_past: self.has_past,
            called_below: self.called_below,
            compares: self.compares,
            is_untouched: self.is_untouched,
            records: self.records,
            backlog_bytes: self.backlog.iter().map(|(_, bytes)| bytes).sum(),
            backlog: self.backlog.into_vec().into(),
            urgent,
            implied_number: self.implied_number,
            is_paused: self.is_paused,
            is_closed: self.is_closed,
            handled_broadcasts: self.handled_broadcasts,
            next_broadcast: self.next_broadcast,
            revoked,
            going,
            client_said_goodbye: self.client_said_goodbye,
            deadlines: self.deadlines,
            times,
            timers,
            outputs: VecDeque::new(),
            protocol_errors: stats.protocol_errors,
        }
    }

    /// Memory beside itself, in bytes: 24 for each range of IDs (two lanes, three ranges each at most), some 150 for each message that
    /// is logged, some 60 for each slot that was ever in use. Payloads are not counted, nor what only few sessions have.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.lanes.heap_bytes() + self.actions.heap_bytes() + size_of_val(&*self.backlog)
    }
}

impl<P> Default for Seldom<P> {
    fn default() -> Self {
        Self {
            ledger: Ledger::default(),
            urgent: VecDeque::new(),
            revoked: BTreeSet::new(),
            going: BTreeMap::new(),
            times: BTreeMap::new(),
        }
    }
}
