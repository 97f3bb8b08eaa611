//! What is done with the items of a link, and what is seen of it.
//!
//! Knows: who is at each end. Does not know: when a fault happens.

use rpcgen_proto::frame::{LinkFrame, WireId};
use rpcgen_proto::ids::LaneKind;
use rpcgen_proto::session::{Input, Stats};

use super::Step;
use super::ledger::Check;
use super::link::Item;
use super::word::Word;
use crate::configuration::Outcome;

/// Message IDs below this come after a wrap of their number: the worlds' pools begin elsewhere.
const WRAPPED_BELOW: u32 = 256;

impl Step<'_> {
    /// The first item of a queue arrives.
    pub(super) fn deliver(&mut self, link: usize, lane: LaneKind) -> Check {
        let Some(item) = self.world.links[link].queue_mut(lane).pop_front() else { return Ok(()) };
        let (client, session) = (self.world.links[link].client, self.world.links[link].session);
        match (lane, item) {
            (LaneKind::Up, Item::Frame(frame)) => self.arrive_up(link, frame),
            (LaneKind::Down, Item::Frame(frame)) => self.client_hears(client, Input::Received(frame)),
            (LaneKind::Up, Item::End) => {
                self.world.links[link].server_leaves();
                session.map_or(Ok(()), |session| self.server_hears(session, Input::LinkDown))
            }
            (LaneKind::Down, Item::End) => {
                self.world.links[link].client_leaves();
                self.client_hears(client, Input::LinkDown)
            }
        }
    }

    pub(super) fn see_frame(&mut self, frame: &LinkFrame<Word>) {
        let LinkFrame::Frame(frame) = frame else { return };
        if frame.riders.as_deref().is_some_and(|riders| riders.blocked) {
            self.see(Outcome::Blocked);
        }
        if let Some(message) = &frame.message
            && let WireId::Full(id) = message.id
            && id.0 < WRAPPED_BELOW
        {
            self.see(Outcome::Wrapped);
        }
    }

    pub(super) fn see_repairs(&mut self, before: &Stats, after: &Stats) {
        let grew = [
            (after.resent > before.resent, Outcome::Resent),
            (after.duplicates > before.duplicates, Outcome::DuplicateDropped),
            (after.early > before.early, Outcome::Early),
            (after.pools_grown > before.pools_grown, Outcome::Grown),
        ];
        for (_, outcome) in grew.into_iter().filter(|(grew, _)| *grew) {
            self.see(outcome);
        }
    }
}
