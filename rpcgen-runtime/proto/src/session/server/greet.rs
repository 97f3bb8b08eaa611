//! The server's handshake, after the registry has admitted the client.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use core::time::Duration;

use super::actions::Actions;
use super::ledger::{Ledger, Past};
use super::records::Records;
use super::{Phase, ServerSession};
use crate::config::Config;
use crate::error::ProtocolError;
use crate::frame::{Begin, FreshReason, Hello, LinkFrame, RangeAgree, Reject, RejectReason, Welcome};
use crate::ids::{BroadcastNumber, CallNumber, Epoch, LaneKind, MessageId, MethodId, Position, SessionId};
use crate::mutants::mutated;
use crate::pool::{ReceivePool, SendPool, first_range, lane_seed};
use crate::record::{Life, RecordedSession, ServerRecord};
use crate::session::lanes::Lanes;
use crate::session::output::{CloseReason, Output, Payload, ServerEvent};
use crate::session::receive_lane::ReceiveLane;
use crate::session::send_lane::SendLane;
use crate::session::stats::Stats;
use crate::session::timers::Timers;
use crate::time::Instant;

/// What the registry decided about a new session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Opening<P> {
    /// The server group's epoch.
    pub epoch: Epoch,
    /// The new session.
    pub session: SessionId,
    /// Key of its resume proofs.
    pub secret: [u8; 32],
    /// Key of the proofs of the lanes before, which is good until a frame has come on the new ones.
    pub last_secret: Option<[u8; 32]>,
    /// A frame had come on the lanes before, or on earlier ones.
    pub is_used: bool,
    /// Server's nonce: half of the seed of the pool orders.
    pub nonce: u64,
    /// Why it is new.
    pub reason: FreshReason,
    /// What the client said.
    pub hello: Hello,
    /// What is left of an earlier session of the same client and incarnation.
    pub past: Option<Past<P>>,
    /// A session of the same client that the client never learned of: end it.
    pub replaces: Option<SessionId>,
}

/// A welcome that is about to be said.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Greeting {
    begin: Begin,
    /// The next position that the client expects of us.
    down_expected: Position,
    /// Whether both ends take the link for that.
    reliable_ordered: bool,
    broadcasts: BTreeSet<MethodId>,
}

impl<P: Payload> ServerSession<P> {
    /// A new session on a link whose hello was admitted. `reliable_ordered`: whether the server's end takes the link for that.
    #[must_use]
    pub fn open(now: Instant, config: Config, opening: Opening<P>, reliable_ordered: bool) -> Self {
        let expired_below = if opening.reason == FreshReason::Expired { below_of(&opening) } else { CallNumber(0) };
        let recorded = recorded_of(&opening, expired_below);
        let durable = config.durable.clone();
        let mut opened = Self::without_lanes(now, config, opening.epoch, &recorded);
        opened.records = durable.map(|durable| Box::new(Records::new(&durable, recorded)));
        if opening.reason == FreshReason::Expired {
            opened.take_past(expired_below, opening.past.clone());
        }
        opened.begin_lanes(&opening, reliable_ordered);
        opened
    }

    /// A session before its first lanes.
    pub(super) fn without_lanes(now: Instant, config: Config, epoch: Epoch, session: &RecordedSession) -> Self {
        let compares = config.durable.is_some() || session.life > Life(0);
        let (lanes, _, _) = new_lanes(config.normalized(), 0, 0, Stats::default());
        Self {
            client: session.client,
            incarnation: session.incarnation,
            session: session.session,
            epoch,
            now,
            phase: Phase::Parked,
            lanes,
            actions: Actions::default(),
            ledger: Ledger::default(),
            has_past: false,
            called_below: CallNumber(0),
            compares,
            is_untouched: compares,
            records: None,
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            urgent: VecDeque::new(),
            implied_number: CallNumber(0),
            is_paused: false,
            is_closed: false,
            handled_broadcasts: BTreeSet::new(),
            next_broadcast: BroadcastNumber(0),
            revoked: BTreeSet::new(),
            going: BTreeMap::new(),
            client_said_goodbye: false,
            deadlines: BTreeMap::new(),
            times: BTreeMap::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            protocol_errors: 0,
        }
    }

    /// Begins the lanes of this session afresh, on a new link: its client or this server was restarted. What is open stays open; what was
    /// answered and not guaranteed waits for the client to ask again.
    // spec: protocol.md 8
    pub fn restart(&mut self, now: Instant, opening: Opening<P>, reliable_ordered: bool) {
        self.now = now;
        if self.phase == Phase::Ended {
            return;
        }
        self.on_link_down();
        if self.is_ended() {
            return;
        }
        self.ledger.answers = if mutated!(LedgerDropsAnswers) { BTreeMap::new() } else { self.untaken_answers() };
        self.called_below = self.called_below();
        self.ledger.called_below = self.called_below;
        self.ledger.asked_below = CallNumber(0);
        self.has_past = true;
        self.implied_number = CallNumber(0);
        self.actions.restart();
        self.offer_again();
        self.epoch = opening.epoch;
        self.is_untouched = true;
        if let Some(records) = &mut self.records {
            records.session = recorded_of(&opening, self.ledger.expired_below);
            records.bodies.clear();
        }
        self.begin_lanes(&opening, reliable_ordered);
        self.begin_actions();
    }

    /// New lanes, and the welcome that says so: with a durable log once they are on record, or the client would know a secret that
    /// this server forgets if it crashes now.
    fn begin_lanes(&mut self, opening: &Opening<P>, reliable_ordered: bool) {
        let (hello, config) = (&opening.hello, self.lanes.config.clone());
        let (lanes, up, down) = new_lanes(config, hello.nonce, opening.nonce, self.lanes.stats);
        self.lanes = lanes;
        self.retire(hello.retired_below);
        let greeting = Greeting {
            begin: Begin::Fresh { reason: opening.reason, nonce: opening.nonce, secret: opening.secret, up, down },
            down_expected: Position(0),
            reliable_ordered: reliable_ordered && hello.reliable_ordered,
            broadcasts: hello.broadcasts.iter().copied().collect(),
        };
        let record = self.records.as_ref().map(|records| ServerRecord::Session(records.session.clone()));
        let mark = record.and_then(|record| self.persist(record));
        match (mark, &mut self.records) {
            (Some(mark), Some(records)) if !mutated!(WelcomeBeforeRecord) => {
                records.greeting = Some((mark, greeting));
                self.phase = Phase::Greeting;
                self.timers.stop(super::Timer::End);
            }
            _ => self.welcome(&greeting).expect("a new lane resumes from its beginning"),
        }
    }

    /// The client needs no answers below this number.
    fn retire(&mut self, below: CallNumber) {
        for number in self.ledger.retire(below) {
            self.forget(number, None);
        }
    }

    /// A new link for this session, admitted by the registry. It takes the session over from the link before, if that is not closed
    /// yet: the driver sends to the new one from now on.
    // spec: protocol.md 8
    pub fn resume(&mut self, now: Instant, hello: &Hello, reliable_ordered: bool) {
        self.now = now;
        if self.phase == Phase::Ended {
            return;
        }
        self.on_link_down();
        if self.is_ended() {
            return;
        }
        let Some(resume) = &hello.resume else { return };
        self.retire(hello.retired_below);
        if let Some(records) = &mut self.records {
            records.session.link = hello.link;
        }
        let up_expected = self.lanes.receive.pool.expected();
        let greeting = Greeting {
            begin: Begin::Resumed { up_expected },
            down_expected: resume.down_expected,
            reliable_ordered: reliable_ordered && hello.reliable_ordered,
            broadcasts: hello.broadcasts.iter().copied().collect(),
        };
        if let Err(error) = self.welcome(&greeting) {
            // One of the two ends was rolled back (trap T11): never skip, never clamp.
            self.protocol_errors += 1;
            let reject = Reject::new(RejectReason::ResumeGone, alloc::format!("{error}"), Duration::ZERO);
            self.outputs.push_back(Output::Transmit(LinkFrame::Reject(reject)));
            self.phase = Phase::Closing;
            self.outputs.push_back(Output::CloseLink(CloseReason::Protocol(error)));
        }
        self.begin_actions();
    }

    pub(super) fn welcome(&mut self, greeting: &Greeting) -> Result<(), ProtocolError> {
        let Greeting { begin, down_expected, reliable_ordered, broadcasts } = greeting.clone();
        let fresh = matches!(begin, Begin::Fresh { .. });
        self.lanes.link_up(self.now, reliable_ordered, down_expected, None)?;
        self.timers.stop(super::Timer::End);
        self.phase = Phase::Live;
        self.handled_broadcasts = broadcasts;
        let welcome = Welcome {
            epoch: self.epoch,
            session: self.session,
            reliable_ordered,
            begin,
            slots: self.lanes.config.slots,
            frame_bytes_max: self.lanes.config.frame_bytes_max,
        };
        self.outputs.push_back(Output::Transmit(LinkFrame::Welcome(Box::new(welcome))));
        self.event(ServerEvent::Linked { fresh });
        Ok(())
    }
}

/// Which numbers may have run in the session that expired. Without a tombstone nothing is known any more, and nothing may run that its
/// client may have sent before.
fn below_of<P>(opening: &Opening<P>) -> CallNumber {
    match (&opening.past, &opening.hello.resume) {
        (Some(past), _) => past.called_below,
        (None, Some(resume)) => resume.sent_below,
        (None, None) => CallNumber(u64::MAX),
    }
}

fn recorded_of<P>(opening: &Opening<P>, expired_below: CallNumber) -> RecordedSession {
    RecordedSession {
        client: opening.hello.client,
        incarnation: opening.hello.incarnation,
        life: opening.hello.life,
        session: opening.session,
        service: opening.hello.service.clone(),
        secret: opening.secret,
        last_secret: opening.last_secret,
        is_used: opening.is_used,
        link: opening.hello.link,
        expired_below,
    }
}

/// Lanes from their beginning, with their first ranges.
fn new_lanes<P: Payload>(config: Config, theirs: u64, ours: u64, stats: Stats) -> (Lanes<P>, RangeAgree, RangeAgree) {
    let lane = |kind| {
        let seed = lane_seed(theirs, ours, kind);
        #[expect(clippy::cast_possible_truncation, reason = "any 32 bits of the seed serve as the first id")]
        let start = MessageId(seed as u32);
        (seed, first_range(kind, seed, start, config.pool_size))
    };
    let ((up_seed, up), (down_seed, down)) = (lane(LaneKind::Up), lane(LaneKind::Down));
    let send = SendPool::new(down_seed, &down).expect("our own range agrees with us");
    let receive = ReceivePool::new(up_seed, &up).expect("our own range agrees with us");
    let lanes = Lanes::new(config, SendLane::new(LaneKind::Down, send), ReceiveLane::new(LaneKind::Up, receive), stats);
    (lanes, up, down)
}
