//! The formal disconnect: no new calls, everything answered and guaranteed, goodbye; or the limit, and a list of what was dropped.

use alloc::vec::Vec;
use core::time::Duration;

use super::{ClientSession, Drain, Outgoing, Phase};
use crate::error::ProtocolError;
use crate::frame::{Body, LinkFrame, Refusal};
use crate::marks::mark;
use crate::mutants::mutated;
use crate::session::output::{CallHandle, ClientEvent, CloseReason, Output, Payload};
use crate::session::timers::Timer;
use crate::time::Instant;

impl<P: Payload> ClientSession<P> {
    /// Ends the session formally: [`ClientEvent::Disconnected`] comes when everything is answered and guaranteed, or at the limit.
    // spec: protocol.md 8
    pub fn disconnect(&mut self, now: Instant, limit: Duration) {
        self.now = now;
        if self.drain != Drain::No || self.phase == Phase::Ended {
            return;
        }
        self.drain = Drain::Waiting;
        if !mutated!(DrainNeverEnds) {
            self.timers.set(Timer::End, now + limit);
        }
        if self.established.is_none() && self.calls.open() == 0 && self.phase == Phase::Away {
            self.finish(Vec::new()); // There is nothing to say goodbye to.
            return;
        }
        self.check_drained();
    }

    /// Says goodbye once nothing is open in either direction.
    pub(super) fn check_drained(&mut self) {
        if self.drain != Drain::Waiting
            || self.phase != Phase::Live
            || self.calls.open() > 0 && !mutated!(DrainEndsEarly)
        {
            return;
        }
        let Some(lanes) = self.lanes.as_mut() else { return };
        lanes.flush_bits();
        if lanes.send.is_all_guaranteed() && !lanes.receive.has_gap() && lanes.receive.held_count() == 0 {
            self.backlog.clear();
            self.backlog.push_back(Outgoing::Goodbye);
            self.drain = Drain::Goodbye;
        }
    }

    /// The server's goodbye: it has freed the session.
    pub(super) fn on_goodbye(&mut self) -> Result<(), ProtocolError> {
        if self.drain != Drain::Goodbye {
            return Err(ProtocolError::NotAllowed { what: "a goodbye", when: "that was not asked for" });
        }
        self.finish(Vec::new());
        Ok(())
    }

    /// The limit has come: what is open is dropped, and listed.
    pub(super) fn give_up(&mut self) {
        let (dropped, is_any_kept) = self.drop_open();
        self.backlog.clear();
        if self.drain != Drain::Goodbye
            && self.phase == Phase::Live
            && !is_any_kept
            && !self.is_quiet()
            && let Some(lanes) = self.lanes.as_mut()
            && lanes.can_send()
            // Of what is not on record here yet the server is asked again, should this process end now.
            && lanes.receive.held_count() == 0
        {
            mark!(GoodbyeAtLimit);
            // So that the server need not keep what nobody will ask for.
            let frame = lanes.send(self.now, Body::Goodbye, 0, |frame| frame.to_frame());
            self.outputs.push_back(Output::Transmit(LinkFrame::Frame(frame)));
        }
        self.finish(dropped);
    }

    /// Ends what is open, but for what is on record: the next life of the log goes on with that. All of it, and whether any is.
    pub(super) fn drop_open(&mut self) -> (Vec<CallHandle>, bool) {
        let (mut dropped, mut is_any_kept) = (Vec::new(), false);
        self.release_held();
        // Their answers are not told, as it is not known whether these calls are on record.
        for handle in core::mem::take(&mut self.early).into_keys() {
            dropped.push(handle);
            is_any_kept = true;
        }
        for handle in self.calls.in_order() {
            let Some(call) = self.calls.get(handle) else { continue };
            let may_have_run = call.maybe_sent && !mutated!(GiveUpSaysCancelled);
            let refusal = if may_have_run { Refusal::Unknown } else { Refusal::Cancelled };
            mark!(DroppedAtLimit);
            dropped.push(handle);
            if self.keeps(call.method) {
                is_any_kept = true;
            } else if !mutated!(GiveUpListsNothing) {
                self.tell_end(handle, refusal);
            }
        }
        dropped.sort_unstable();
        (dropped, is_any_kept)
    }

    pub(super) fn finish(&mut self, dropped: Vec<CallHandle>) {
        let is_quiet = self.is_quiet();
        self.phase = Phase::Ended;
        self.timers = crate::session::timers::Timers::default();
        if let Some(mut lanes) = self.lanes.take() {
            // The last guarantees: without them the server would take broadcasts that were just delivered for lost.
            lanes.flush_bits();
            if lanes.link.is_live
                && !is_quiet
                && let Some(frame) = lanes.control(self.now, |frame| frame.to_frame())
            {
                self.outputs.push_back(Output::Transmit(LinkFrame::Frame(frame)));
            }
            self.stats = lanes.stats;
        }
        self.event(ClientEvent::Disconnected { dropped });
        self.outputs.push_back(Output::CloseLink(CloseReason::Done));
    }

    /// Whether a formal disconnect was asked for, and until when it may take.
    #[must_use]
    pub fn disconnecting_until(&self) -> Option<Instant> {
        (self.drain != Drain::No).then(|| self.timers.at(Timer::End)).flatten()
    }
}
