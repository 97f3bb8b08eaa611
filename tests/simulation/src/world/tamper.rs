//! Well-formed frames at the wrong time, and with the wrong content.
//!
//! Knows: what a frame may say. Does not know: what is right.

use rpcgen_proto::bits::{BitArray, Bits};
use rpcgen_proto::frame::{
    Begin, Body, CancelOutcome, Close, Frame, Hello, LinkFrame, MissingRange, QuarterAgree, RangeAccepted, RangeAgree,
    Refusal, Riders, Sequenced, Welcome, WireId,
};
use rpcgen_proto::ids::{
    BroadcastNumber, CallNumber, Epoch, LaneKind, LinkNumber, MessageId, Position, SessionId, Slot,
};

use super::World;
use super::client::METHOD;
use super::guests::HISTORY_MAX;
use super::link::End;
use crate::load::{Load, LoadKind};

impl World {
    /// A frame for one end of a guest's link, changed: nothing, another one, or several.
    pub(super) fn tamper(&mut self, link: u32, at: End, frame: LinkFrame<Load>) -> Vec<LinkFrame<Load>> {
        match frame {
            LinkFrame::Hello(hello) => vec![LinkFrame::Hello(Box::new(self.tamper_hello(*hello)))],
            LinkFrame::Welcome(welcome) if self.random.chance(0.3) => {
                vec![LinkFrame::Welcome(welcome.clone()), LinkFrame::Welcome(welcome)]
            }
            LinkFrame::Welcome(welcome) => vec![LinkFrame::Welcome(Box::new(self.tamper_welcome(*welcome)))],
            LinkFrame::Frame(frame) => self.tamper_frame(link, at, frame),
            other => vec![other],
        }
    }

    fn tamper_frame(&mut self, link: u32, at: End, mut frame: Frame<Load>) -> Vec<LinkFrame<Load>> {
        self.keep(link, at, &frame);
        match self.random.below(12) {
            0 => return Vec::new(),
            1 => {
                let Some(old) = self.recall(link, at) else { return vec![LinkFrame::Frame(frame)] };
                return vec![LinkFrame::Frame(frame), LinkFrame::Frame(old)];
            }
            2 => {
                let extra = self.any_frame(at);
                return vec![LinkFrame::Frame(frame), extra];
            }
            3 => return vec![LinkFrame::Frame(frame.clone()), LinkFrame::Frame(frame)],
            4 => frame.bits = Some(self.any_bits(frame.bits.as_ref().map_or(0, |bits| bits.base))),
            5 => frame.bits = None,
            6 => self.tamper_riders(frame.riders.get_or_insert_default()),
            7 => {
                if let Some(message) = &mut frame.message {
                    message.id = match message.id {
                        WireId::Full(id) => WireId::Full(MessageId(id.0 ^ 1 << self.random.below(8))),
                        WireId::Short(id) => WireId::Short(id ^ 1),
                    };
                }
            }
            8 => self.tamper_slot(&mut frame),
            9 => {
                let wrong_way = if self.random.chance(0.2) { at.other() } else { at };
                let body = self.any_body(wrong_way);
                if let Some(message) = &mut frame.message {
                    message.body = body;
                }
            }
            10 => frame.message = None,
            _ => frame.riders = None,
        }
        vec![LinkFrame::Frame(frame)]
    }

    fn tamper_slot(&mut self, frame: &mut Frame<Load>) {
        let (other_slot, other_check) = (Slot(self.random.below(12)), self.random.below(8));
        let by_slot = self.random.chance(0.5);
        let Some(message) = &mut frame.message else { return };
        match &mut message.body {
            Body::Action { slot, number, maybe_sent, .. } => {
                if by_slot {
                    *slot = other_slot;
                } else {
                    *number = Some(CallNumber(u64::from(other_check)));
                    *maybe_sent = !*maybe_sent;
                }
            }
            Body::Cancel { slot, check }
            | Body::Response { slot, check, .. }
            | Body::Failure { slot, check, .. }
            | Body::Refusal { slot, check, .. }
            | Body::CancelResult { slot, check, .. } => {
                if by_slot {
                    *slot = other_slot;
                } else {
                    *check ^= 1;
                }
            }
            Body::Offer { number, .. } | Body::Go { number } | Body::Revoke { number } => number.0 ^= 1,
            Body::Goodbye => {}
        }
    }

    fn tamper_riders(&mut self, riders: &mut Riders) {
        let some = self.random.below(40);
        match self.random.below(8) {
            0 => riders.blocked = true,
            1 => riders.heartbeat = Some(self.random.chance(0.5)),
            2 => {
                let count = self.random.below(30);
                riders.where_is.push(MissingRange { first: Position(u64::from(some)), count });
            }
            3 => riders.still_pending.push((Slot(some), 0)),
            4 => {
                let quarter = self.random.below(6).to_le_bytes()[0];
                riders.quarter = Some(QuarterAgree { cycle: self.random.below(6), quarter, crc: some });
            }
            5 => {
                let lane = if self.random.chance(0.5) { LaneKind::Up } else { LaneKind::Down };
                let (cycle, size) = (self.random.below(6), 4 * self.random.below(6));
                let from = Position(u64::from(some));
                riders.range = Some(RangeAgree { lane, cycle, from, start: MessageId(some), size, crc: some });
            }
            6 => riders.range_accepted = Some(RangeAccepted { cycle: self.random.below(6), crc: some }),
            _ => {
                if let Some(range) = &mut riders.range {
                    range.crc ^= 1;
                }
                if let Some(accepted) = &mut riders.range_accepted {
                    accepted.crc ^= 1;
                }
            }
        }
    }

    fn any_bits(&mut self, near: u32) -> BitArray {
        let base = near.wrapping_add(self.random.below(5)).wrapping_sub(2);
        let count = 1 + self.random.below(12);
        let bits = if self.random.chance(0.5) {
            Bits::Ones(count)
        } else {
            let mut bytes = vec![0x55_u8; count.div_ceil(8) as usize];
            if !count.is_multiple_of(8)
                && let Some(last) = bytes.last_mut()
            {
                *last &= 0xff >> (8 - count % 8);
            }
            Bits::Mixed { count, bytes: bytes.into() }
        };
        BitArray { base, bits }
    }

    /// What an end gets, or never gets.
    fn any_body(&mut self, at: End) -> Body<Load> {
        let (slot, check) = (Slot(self.random.below(6)), self.random.below(8).to_le_bytes()[0].into());
        let number = BroadcastNumber(u64::from(self.random.below(8)));
        match (at, self.random.below(7)) {
            (End::Server, 0..=2) => {
                let number = self.random.chance(0.5).then_some(CallNumber(u64::from(self.random.below(50))));
                let (payload, maybe_sent) = (self.guest_load(LoadKind::Request), self.random.chance(0.5));
                Body::Action { slot, number, method: METHOD, maybe_sent, payload }
            }
            (End::Server, 3..=5) => Body::Cancel { slot, check },
            (End::Server, _) | (End::Client, 6) => Body::Goodbye,
            (End::Client, 0) => Body::Response { slot, check, payload: self.guest_load(LoadKind::Response) },
            (End::Client, 1) => Body::Refusal { slot, check, reason: Refusal::Overloaded },
            (End::Client, 2) => Body::CancelResult { slot, check, outcome: CancelOutcome::Executing },
            (End::Client, 3) => {
                let payload = self.guest_load(LoadKind::Broadcast);
                Body::Offer { number, method: METHOD, redelivered: false, payload }
            }
            (End::Client, 4) => Body::Go { number },
            (End::Client, _) => Body::Revoke { number },
        }
    }

    fn any_frame(&mut self, at: End) -> LinkFrame<Load> {
        match self.random.below(8) {
            0 => LinkFrame::Close(Close { message: "a guest leaves".to_owned() }),
            1 => {
                let mut hello = super::client::Client::hello_of(1);
                hello.link = LinkNumber(1);
                LinkFrame::Hello(Box::new(hello))
            }
            _ => {
                let mut riders = Riders::default();
                self.tamper_riders(&mut riders);
                let id = WireId::Full(MessageId(self.random.below(u32::MAX)));
                let body = self.any_body(at);
                let message = self.random.chance(0.5).then_some(Sequenced { id, body });
                let near = self.random.below(20);
                let bits = self.random.chance(0.3).then(|| self.any_bits(near));
                LinkFrame::Frame(Frame { bits, riders: Some(Box::new(riders)), message })
            }
        }
    }

    fn tamper_hello(&mut self, mut hello: Hello) -> Hello {
        match self.random.below(8) {
            0 => hello.version ^= 1,
            1 => hello.service.push('x'),
            2 => hello.fingerprint ^= 1,
            3 => hello.link = LinkNumber(0),
            4 => hello.incarnation.0 ^= 1,
            5 => hello.nonce ^= 1,
            6 => hello.resume = None,
            _ => {
                if let Some(resume) = &mut hello.resume {
                    match self.random.below(4) {
                        0 => resume.proof[3] ^= 1,
                        1 => resume.session = SessionId(resume.session.0 ^ 1),
                        2 if resume.sent_below.0.is_multiple_of(2) => resume.sent_below.0 ^= 1,
                        2 => resume.epoch = Epoch(resume.epoch.0 ^ 1),
                        _ => resume.down_expected.0 ^= 1,
                    }
                }
            }
        }
        hello
    }

    fn tamper_welcome(&mut self, mut welcome: Welcome) -> Welcome {
        match (self.random.below(4), &mut welcome.begin) {
            (0, _) => welcome.session = SessionId(welcome.session.0 ^ 1),
            (1, _) => welcome.slots = self.random.below(3),
            (2, _) => welcome.reliable_ordered = true,
            (_, Begin::Resumed { up_expected }) => up_expected.0 ^= 1,
            (_, Begin::Fresh { up, down, .. }) => std::mem::swap(up, down),
        }
        welcome
    }

    /// A welcome to a new session with a wrong verifier in one of its ranges.
    pub(super) fn dispute_ranges(mut welcome: Welcome) -> Option<Welcome> {
        let Begin::Fresh { up, down, .. } = &mut welcome.begin else { return None };
        let range = if welcome.session.0 & 1 == 0 { up } else { down };
        range.crc ^= 0x10;
        Some(welcome)
    }

    fn keep(&mut self, link: u32, at: End, frame: &Frame<Load>) {
        let place = self.random.below(u32::try_from(HISTORY_MAX).unwrap_or(1)) as usize;
        let Some(client) = self.link(link).map(|known| known.client) else { return };
        let Some(known) = self.clients.get_mut(client as usize) else { return };
        match known.history.get_mut(place) {
            Some(old) => *old = (at, frame.clone()),
            None => known.history.push((at, frame.clone())),
        }
    }

    fn recall(&mut self, link: u32, at: End) -> Option<Frame<Load>> {
        let client = self.link(link)?.client;
        let history = &self.clients.get(client as usize)?.history;
        history.iter().find(|(end, _)| *end == at).map(|(_, frame)| frame.clone())
    }
}
