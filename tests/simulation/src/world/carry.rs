//! Carrying: frames from an end into its pipe, through the faults, as bytes or handed over, and out at the other end.
//!
//! Knows: links, faults, the codec. Does not know: what frames mean.

use std::time::Duration;

use rpcgen_proto::faults::{FaultPlan, Verdict, is_offer};
use rpcgen_proto::frame::{DecodeError, FrameCodec, LinkFrame, WireId};
use rpcgen_proto::ids::ClientId;

use super::brief::{brief, is_sign_of_life};
use super::link::{End, Link, Packet};
use super::{Event, World};
use crate::checkers::{Check, no_corrupt_delivery, pool_growth_converges};
use crate::load::Load;
use crate::rules::name_of_reject;

impl World {
    /// Makes a link for a client.
    pub(super) fn open_link(&mut self, client: u32) -> u32 {
        let link = u32::try_from(self.links.len()).unwrap_or(u32::MAX);
        let plan = |plan: FaultPlan| {
            let only = &self.options.only_faulty_links;
            if self.is_healed || only.as_ref().is_some_and(|only| !only.contains(&link)) {
                FaultPlan::default()
            } else {
                FaultPlan { seed: plan.seed ^ u64::from(link).wrapping_mul(0x9e37_79b9), ..plan }
            }
        };
        let (up, down) = (plan(self.options.up_faults), plan(self.options.down_faults));
        let made = Link::new(client, up, down, self.now, self.options.is_link_reliable());
        self.links.push(Some(Box::new(made)));
        link
    }

    pub(super) fn link(&mut self, link: u32) -> Option<&mut Link> {
        self.links.get_mut(link as usize)?.as_deref_mut()
    }

    /// An end sends a frame.
    pub(super) fn transmit(&mut self, link: u32, from: End, frame: LinkFrame<Load>) -> Check {
        self.sent_frames += u64::from(!self.is_guest_link(link));
        let (now, is_healed) = (self.now, self.is_healed);
        let Some(known) = self.link(link) else { return Ok(()) };
        if !known.end(from).is_open {
            return Ok(());
        }
        let LinkFrame::Frame(frame) = frame else {
            if let LinkFrame::Reject(reject) = &frame {
                self.tally.rule(name_of_reject(reject.reason));
            }
            if matches!(frame, LinkFrame::Welcome(_)) && self.loses_welcome() {
                self.cut(link);
            } else {
                self.put_frame(link, from, frame, false); // The handshake and last words are exempt from faults.
            }
            return Ok(());
        };
        if let Some(range) = frame.riders.as_ref().and_then(|riders| riders.range.as_ref()) {
            pool_growth_converges::check(range, self.first_pool, self.largest_pool)?;
        }
        let id = frame.message.as_ref().map(|message| message.id);
        let Some(known) = self.link(link) else { return Ok(()) };
        let is_healthy = is_healed && !known.is_cut && known.client_end.is_open && known.server_end.is_open;
        let end = known.end(from);
        if let (Some(WireId::Full(id)), Some(pacing)) = (id, &mut end.pipe.pacing) {
            pacing.see(now, id.0, is_healthy)?;
        }
        let (has_message, is_offer) = (id.is_some(), is_offer(&frame));
        end.pipe.faults.push(now, frame, is_offer);
        self.sent_messages += u64::from(has_message);
        self.release_faults(link, from)
    }

    /// Takes what the faults of an end let go.
    pub(super) fn release_faults(&mut self, link: u32, from: End) -> Check {
        let now = self.now;
        loop {
            let Some(known) = self.link(link) else { return Ok(()) };
            let pipe = &mut known.end(from).pipe;
            if pipe.faults_due.is_some_and(|due| due <= now) {
                pipe.faults_due = None;
            }
            match pipe.faults.poll(now) {
                Some(Verdict::Send(frame)) => self.put_frame(link, from, LinkFrame::Frame(frame), false),
                Some(Verdict::Corrupt(frame)) => self.put_frame(link, from, LinkFrame::Frame(frame), true),
                Some(Verdict::Cut) => self.cut(link),
                None => {
                    if let Some(due) = pipe.faults.deadline()
                        && pipe.faults_due.is_none_or(|promised| due < promised)
                    {
                        pipe.faults_due = Some(due);
                        self.agenda.add(due, Event::FaultsDue { link, from });
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Puts a frame on its way, as bytes or as it is.
    fn put_frame(&mut self, link: u32, from: End, frame: LinkFrame<Load>, is_corrupt: bool) {
        if !is_sign_of_life(&frame) {
            self.trace.say(self.now, || {
                let what = if is_corrupt { " corrupt" } else { "" };
                format!("  link {link} {from:?} sends{what} {}", brief(&frame))
            });
        }
        let way = self.way(link, from);
        if way.loses && way.closed_until > self.now && self.options.may_lose_packets() {
            self.tally.trouble("lost_in_partitions");
            return;
        }
        if !self.options.through_bytes {
            if !is_corrupt {
                self.put_packet(link, from, Packet::Frame(Box::new(frame)));
            }
            return;
        }
        let mut bytes = self.spare.pop().unwrap_or_default();
        let Some(known) = self.link(link) else { return };
        let end = known.end(from);
        end.codec.encode(&frame, &mut bytes);
        if is_corrupt {
            end.pipe.faults.flip_bit(&mut bytes);
        }
        if let LinkFrame::Welcome(welcome) = &frame {
            end.codec = FrameCodec::after(welcome);
        }
        let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        if self.options.in_pieces && count > 1 && self.random.chance(0.3) {
            let rest = bytes.split_off(1 + self.random.below(count - 1) as usize);
            self.put_packet(link, from, Packet::Bytes(bytes));
            self.put_packet(link, from, Packet::Bytes(rest));
        } else {
            self.put_packet(link, from, Packet::Bytes(bytes));
        }
    }

    fn put_packet(&mut self, link: u32, from: End, packet: Packet) {
        let arrives = (self.now + self.latency(from)).max(self.way(link, from).closed_until);
        let Some(known) = self.link(link) else { return };
        if known.is_cut {
            return;
        }
        let pipe = &mut known.end(from).pipe;
        let arrives = arrives.max(pipe.last_arrives);
        pipe.last_arrives = arrives;
        pipe.packets.push_back(packet);
        self.agenda.add(arrives, Event::Arrive { link, at: from.other() });
    }

    /// From this end to the other.
    pub(super) fn latency(&self, from: End) -> Duration {
        match from {
            End::Client => self.options.latency_up,
            End::Server => self.options.latency_down,
        }
    }

    /// The oldest packet on its way to an end is there.
    pub(super) fn arrive(&mut self, link: u32, at: End) -> Check {
        let Some(known) = self.link(link) else { return Ok(()) };
        let packet = known.end(at.other()).pipe.packets.pop_front();
        if !known.end(at).is_open {
            return Ok(());
        }
        match packet {
            None => Ok(()), // It was lost with the link.
            Some(Packet::End) => self.lose_link(link, at),
            Some(Packet::Frame(frame)) => self.deliver(link, at, *frame),
            Some(Packet::Bytes(mut bytes)) => {
                known.end(at).input.extend_from_slice(&bytes);
                bytes.clear();
                self.spare.push(bytes);
                self.decode(link, at)
            }
        }
    }

    fn decode(&mut self, link: u32, at: End) -> Check {
        loop {
            let Some(known) = self.link(link) else { return Ok(()) };
            let end = known.end(at);
            if !end.is_open {
                return Ok(());
            }
            match end.codec.decode::<Load>(&mut end.input) {
                Ok(None) => return Ok(()),
                Ok(Some(frame)) => {
                    if let LinkFrame::Welcome(welcome) = &frame {
                        end.codec = FrameCodec::after(welcome);
                    }
                    self.deliver(link, at, frame)?;
                }
                Err(DecodeError::Corrupt { .. }) if !end.codec.reliable_ordered => self.tally.corrupt_noticed += 1,
                Err(error) => return no_corrupt_delivery::check_decode(error),
            }
        }
    }

    fn deliver(&mut self, link: u32, at: End, frame: LinkFrame<Load>) -> Check {
        self.tally.frames += 1;
        self.trace.mix(self.now, u64::from(link) << 1 | u64::from(at == End::Server), self.tally.frames);
        if self.is_guest_link(link) {
            self.deliver_to_guest(link, at, frame)
        } else {
            self.deliver_as_it_is(link, at, frame)
        }
    }

    pub(super) fn deliver_as_it_is(&mut self, link: u32, at: End, frame: LinkFrame<Load>) -> Check {
        match at {
            End::Server => self.arrive_at_server(link, frame),
            End::Client => self.arrive_at_client(link, frame),
        }
    }

    fn loses_welcome(&mut self) -> bool {
        let is_lost = !self.is_healed && self.random.chance(self.options.chaos.lose_welcome);
        if is_lost {
            self.tally.trouble("welcomes_lost");
        }
        is_lost
    }

    /// An end closes its link: what it sent still arrives, then the other end learns of it.
    pub(super) fn close_end(&mut self, link: u32, end: End) {
        let Some(known) = self.link(link) else { return };
        let own = known.end(end);
        if !own.is_open {
            return;
        }
        own.is_open = false;
        own.pipe.faults.link_down();
        self.put_packet(link, end, Packet::End);
        self.forget_if_over(link);
    }

    /// The link breaks: what is on its way is lost. Each end learns of it by itself, or not at all.
    pub(super) fn cut(&mut self, link: u32) {
        self.trace.say(self.now, || format!("link {link} is cut"));
        match self.link(link) {
            Some(known) if !known.is_cut => known.is_cut = true,
            _ => return,
        }
        self.tally.trouble("links_cut");
        for end in [End::Client, End::Server] {
            let is_silent = self.random.chance(self.options.chaos.silent);
            let notices = self.now + self.latency(end);
            let Some(known) = self.link(link) else { return };
            let own = known.end(end);
            own.pipe.faults.link_down();
            own.pipe.packets.clear();
            if is_silent {
                self.tally.trouble("cuts_unnoticed");
            } else {
                self.agenda.add(notices, Event::LinkLost { link, at: end });
            }
        }
    }

    /// An end learns that its link is gone.
    pub(super) fn lose_link(&mut self, link: u32, at: End) -> Check {
        let Some(known) = self.link(link) else { return Ok(()) };
        if !std::mem::take(&mut known.end(at).is_open) {
            return Ok(());
        }
        known.end(at).pipe.faults.link_down();
        let (client, seat) = (known.client, known.seat);
        self.forget_if_over(link);
        match (at, seat) {
            (End::Client, _) => self.client_link_down(client, link),
            (End::Server, Some(seat)) => self.seat_link_down(seat, link),
            (End::Server, None) => Ok(()),
        }
    }

    pub(super) fn forget_if_over(&mut self, link: u32) {
        let Some(place) = self.links.get_mut(link as usize) else { return };
        if place.as_ref().is_some_and(|known| known.is_over())
            && let Some(over) = place.take()
        {
            self.tally.faults.add(&over.client_end.pipe.faults.counters());
            self.tally.faults.add(&over.server_end.pipe.faults.counters());
        }
    }

    /// The client id of a node: the same number.
    pub(super) fn client_id(node: u32) -> ClientId {
        ClientId(u128::from(node))
    }
}
