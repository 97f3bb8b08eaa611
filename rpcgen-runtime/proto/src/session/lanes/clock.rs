//! The timers of the lanes, and what is done when they fire.

use core::mem;

use super::Lanes;
use crate::ids::Position;
use crate::marks::mark;
use crate::mutants::mutated;
use crate::session::output::{CloseReason, Payload};
use crate::session::timers::Timer;
use crate::time::Instant;

impl<P: Payload> Lanes<P> {
    /// Arms the timer that watches the oldest message on links that may lose. Called when drained.
    pub(in crate::session) fn arm_repair_timers(&mut self, now: Instant) {
        if !self.link.is_live || self.link.reliable_ordered {
            return;
        }
        // Marked already, it waits to be paid for: that has a timer of its own.
        if let Some(oldest) = self.send.log.oldest()
            && !self.send.is_oldest_wanted_again()
            && !mutated!(TailTimerMissing)
        {
            let wait = self.config.flush_after + self.round_trip.estimate() * 2;
            // Backed off, but not so far that the link would count as dead meanwhile; and not before it may be sent again.
            let backed_off = wait * (1 << self.send.tail_backoff.min(6));
            let wait = backed_off.min(self.config.heartbeat_after).max(wait).max(self.send.pause(
                self.send.log.first(),
                oldest,
                &self.round_trip,
            ));
            self.timers.arm(Timer::Tail, oldest.sent_at + wait);
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
            mark!(FlushAlone);
            self.due.control = true;
        }
        if self.timers.take_due(Timer::Tail, now) {
            mark!(TailLate);
            let oldest = self.send.log.first();
            self.send.want_again(now, oldest, &self.round_trip);
            self.send.tail_backoff += 1;
        }
        if self.timers.take_due(Timer::WhereIs, now) && self.receive.has_gap() {
            mark!(WhereIsAgain);
            self.due.where_is_from = Some(Position(0));
            self.due.control = true;
        }
        if self.timers.take_due(Timer::Blocked, now) {
            mark!(BlockedAgain);
            self.blocked_at = None;
            if self.send.is_blocked_by_window() {
                self.due.heartbeat = Some(true);
                self.due.control = true;
            }
        }
        self.timers.take_due(Timer::FreeResend, now);
        if self.timers.take_due(Timer::UpIdle, now) {
            self.halve_up();
        }
        if self.timers.take_due(Timer::DownIdle, now) {
            self.halve_down();
        }
        if self.timers.take_due(Timer::Heartbeat, now) && !mutated!(SilenceIsNotDeath) {
            return self.on_heartbeat(now);
        }
        None
    }

    /// The up lane's pool was idle: half of it will do, from the end of what is agreed. The client that has not heard of it when it
    /// comes there says that it is blocked, and is told again.
    // spec: protocol.md 5
    fn halve_up(&mut self) {
        let size = self.receive.pool.size();
        if self.open_up_range.is_some() || size <= self.config.pool_size {
            return;
        }
        self.open_up_range = self.receive.pool.state_range(self.half_of(size));
        let Some(range) = self.open_up_range else { return };
        self.up_range_from = range.from;
        self.due.up_range = true;
        self.due.control = true;
        self.stats.pools_halved += 1;
    }

    /// The same of the down lane's.
    fn halve_down(&mut self) {
        let size = self.send.pool.size();
        if self.send.pool.has_range_ahead() || size <= self.config.pool_size {
            return;
        }
        if self.send.pool.propose(self.half_of(size)).is_some() {
            self.due.down_range = true;
            self.due.control = true;
            self.stats.pools_halved += 1;
        }
    }

    fn half_of(&self, size: u32) -> u32 {
        ((size / 2) & !3).max(self.config.pool_size)
    }

    // spec: protocol.md 7
    fn on_heartbeat(&mut self, now: Instant) -> Option<CloseReason> {
        let silent_for = now.saturating_since(self.link.last_received);
        if silent_for >= self.config.dead_after {
            mark!(LinkSilent);
            return Some(CloseReason::Silent);
        }
        if silent_for >= self.config.heartbeat_after {
            if !mem::replace(&mut self.link.asked_for_life, true) || !self.link.reliable_ordered {
                mark!(SignOfLifeAsked);
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
