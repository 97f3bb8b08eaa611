//! The timers of the lanes, and what is done when they fire.

use core::mem;

use super::Lanes;
use crate::ids::Position;
use crate::session::output::{CloseReason, Payload};
use crate::session::timers::Timer;
use crate::time::Instant;

impl<P: Payload> Lanes<P> {
    /// Arms the timer that watches the oldest message on links that may lose. Called when drained.
    pub(in crate::session) fn arm_repair_timers(&mut self, now: Instant) {
        if !self.link.is_live || self.link.reliable_ordered {
            return;
        }
        if let Some(oldest) = self.send.log.oldest() {
            let wait = self.config.flush_after + self.round_trip.estimate() * 2;
            // Backed off, but not so far that the link would count as dead meanwhile.
            let backed_off = wait * (1 << self.send.tail_backoff.min(6));
            self.timers.arm(Timer::Tail, oldest.sent_at + backed_off.min(self.config.heartbeat_after).max(wait));
        }
        if self.send.has_unpaid_resend() {
            self.timers.arm(Timer::FreeResend, self.send.free_resend_at.max(now));
        }
    }

    /// Timers that are the same at both ends. A link that must be closed is told.
    pub(in crate::session) fn on_timeout(&mut self, now: Instant) -> Option<CloseReason> {
        if !self.link.is_live {
            return None;
        }
        if self.timers.take_due(Timer::Flush, now) {
            self.due.control = true;
        }
        if self.timers.take_due(Timer::Tail, now) {
            let oldest = self.send.log.first();
            self.send.want_again(now, oldest, &self.round_trip);
            self.send.tail_backoff += 1;
        }
        if self.timers.take_due(Timer::WhereIs, now) && self.receive.has_gap() {
            self.due.where_is_from = Some(Position(0));
            self.due.control = true;
        }
        if self.timers.take_due(Timer::Blocked, now) {
            self.blocked_at = None;
        }
        self.timers.take_due(Timer::FreeResend, now);
        if self.timers.take_due(Timer::Heartbeat, now) {
            return self.on_heartbeat(now);
        }
        None
    }

    // spec: protocol.md 7
    fn on_heartbeat(&mut self, now: Instant) -> Option<CloseReason> {
        let silent_for = now.saturating_since(self.link.last_received);
        if silent_for >= self.config.dead_after {
            return Some(CloseReason::Silent);
        }
        if silent_for >= self.config.heartbeat_after {
            if !mem::replace(&mut self.link.asked_for_life, true) || !self.link.reliable_ordered {
                self.due.heartbeat = Some(true);
                self.due.control = true;
            }
            let again = self.config.heartbeat_after.min(self.config.dead_after - silent_for);
            self.timers.set(Timer::Heartbeat, now + again);
        } else {
            self.timers.set(Timer::Heartbeat, self.link.last_received + self.config.heartbeat_after);
        }
        None
    }
}
