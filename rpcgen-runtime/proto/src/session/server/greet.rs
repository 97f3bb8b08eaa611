//! The server's handshake, after the registry has admitted the client.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use super::actions::Actions;
use super::{Phase, ServerSession};
use crate::config::Config;
use crate::error::ProtocolError;
use crate::frame::{Begin, FreshReason, Hello, LinkFrame, Reject, RejectReason, Welcome};
use crate::ids::{BroadcastNumber, CallNumber, Epoch, LaneKind, MessageId, Position, SessionId};
use crate::pool::{ReceivePool, SendPool, first_range, lane_seed};
use crate::session::lanes::Lanes;
use crate::session::output::{Answer, CloseReason, Output, Payload, ServerEvent};
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

/// What is left of a session that ended without the client: its tombstone and its completion records.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Past<P> {
    /// Call numbers below this may have run.
    pub called_below: CallNumber,
    /// Answers that the client had not taken.
    pub answers: BTreeMap<CallNumber, Answer<P>>,
}

impl<P: Payload> ServerSession<P> {
    /// A new session on a link whose hello was admitted. `reliable_ordered`: whether the server's end takes the link for that.
    #[must_use]
    pub fn open(now: Instant, config: Config, opening: Opening<P>, reliable_ordered: bool) -> Self {
        let config = config.normalized();
        let Opening { epoch, session, secret, nonce, reason, hello, past, .. } = opening;
        let lane = |kind| {
            let seed = lane_seed(hello.nonce, nonce, kind);
            #[expect(clippy::cast_possible_truncation, reason = "any 32 bits of the seed serve as the first id")]
            let start = MessageId(seed as u32);
            (seed, first_range(kind, seed, start, config.pool_size))
        };
        let ((up_seed, up), (down_seed, down)) = (lane(LaneKind::Up), lane(LaneKind::Down));
        let send = SendPool::new(down_seed, &down).expect("our own range agrees with us");
        let receive = ReceivePool::new(up_seed, &up).expect("our own range agrees with us");
        let lanes = Lanes::new(
            config,
            SendLane::new(LaneKind::Down, send),
            ReceiveLane::new(LaneKind::Up, receive),
            Stats::default(),
        );
        let mut opened = Self {
            client: hello.client,
            incarnation: hello.incarnation,
            session,
            epoch,
            fresh: reason,
            past,
            now,
            phase: Phase::Parked,
            lanes,
            actions: Actions::default(),
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            implied_number: CallNumber(0),
            is_paused: false,
            is_closed: false,
            handled_broadcasts: BTreeSet::new(),
            next_broadcast: BroadcastNumber(0),
            revoked: BTreeSet::new(),
            going: BTreeMap::new(),
            client_said_goodbye: false,
            deadlines: BTreeMap::new(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            protocol_errors: 0,
        };
        let begin = Begin::Fresh { reason, nonce, secret, up, down };
        opened.welcome(&hello, Position(0), begin, reliable_ordered).expect("a new lane resumes from its beginning");
        opened
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
        let up_expected = self.lanes.receive.pool.expected();
        if let Err(error) = self.welcome(hello, resume.down_expected, Begin::Resumed { up_expected }, reliable_ordered)
        {
            // One of the two ends was rolled back (trap T11): never skip, never clamp.
            self.protocol_errors += 1;
            let reject = Reject { reason: RejectReason::ResumeGone, message: alloc::format!("{error}") };
            self.outputs.push_back(Output::Transmit(LinkFrame::Reject(reject)));
            self.phase = Phase::Closing;
            self.outputs.push_back(Output::CloseLink(CloseReason::Protocol(error)));
        }
        self.begin_actions();
    }

    fn welcome(
        &mut self,
        hello: &Hello,
        down_expected: Position,
        begin: Begin,
        reliable_ordered: bool,
    ) -> Result<(), ProtocolError> {
        let reliable_ordered = reliable_ordered && hello.reliable_ordered;
        let fresh = matches!(begin, Begin::Fresh { .. });
        self.lanes.link_up(self.now, reliable_ordered, down_expected)?;
        self.timers.stop(super::Timer::End);
        self.phase = Phase::Live;
        self.handled_broadcasts = hello.broadcasts.iter().copied().collect();
        let welcome = Welcome {
            epoch: self.epoch,
            session: self.session,
            reliable_ordered,
            begin,
            slots: self.lanes.config.slots,
            frame_bytes_max: self.lanes.config.frame_bytes_max,
        };
        self.outputs.push_back(Output::Transmit(LinkFrame::Welcome(welcome)));
        self.event(ServerEvent::Linked { fresh });
        Ok(())
    }
}
