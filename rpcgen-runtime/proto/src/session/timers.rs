//! The timers of a session: one instant for each, all armed and read here.
//!
//! Knows: when. Does not know: what is to be done then.

use crate::time::Instant;

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Timer {
    /// Guarantee bits have waited long enough for something to ride on.
    Flush,
    /// The oldest message without a guarantee may be lost (links that may lose).
    Tail,
    /// Missing messages are to be asked for again (links that may lose).
    WhereIs,
    /// Being out of agreed IDs is to be said again (links that may lose).
    Blocked,
    /// A re-send that was not paid for may go (links that may lose).
    FreeResend,
    /// A sign of life is due, or missing.
    Heartbeat,
    /// Client: the welcome is due.
    Handshake,
    /// Client: the drain of a formal disconnect ends. Server: a session without a link ends.
    End,
    /// The earliest call or handler may be overdue.
    Overdue,
    /// Server: the up lane's pool grew, and has been idle since.
    UpIdle,
    /// Server: the same of the down lane's.
    DownIdle,
}

const COUNT: usize = 11;

/// When each timer fires.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Timers {
    at: [Option<Instant>; COUNT],
}

impl Timers {
    #[inline]
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        self.at[timer as usize] = Some(at);
    }

    /// Arms the timer, or moves it to this instant if that is earlier.
    #[inline]
    pub(super) fn hasten(&mut self, timer: Timer, at: Instant) {
        let armed = &mut self.at[timer as usize];
        *armed = Some(armed.map_or(at, |armed| armed.min(at)));
    }

    /// Arms the timer unless it is armed.
    #[inline]
    pub(super) fn arm(&mut self, timer: Timer, at: Instant) {
        self.at[timer as usize].get_or_insert(at);
    }

    #[inline]
    pub(super) fn is_armed(&self, timer: Timer) -> bool {
        self.at[timer as usize].is_some()
    }

    #[inline]
    pub(super) fn stop(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
    }

    #[inline]
    pub(super) fn at(&self, timer: Timer) -> Option<Instant> {
        self.at[timer as usize]
    }

    /// Whether the timer has come; it is stopped if so.
    pub(super) fn take_due(&mut self, timer: Timer, now: Instant) -> bool {
        let due = self.at[timer as usize].is_some_and(|at| at <= now);
        if due {
            self.at[timer as usize] = None;
        }
        due
    }

    /// The earliest instant at which one fires.
    #[inline]
    pub(super) fn next(&self) -> Option<Instant> {
        self.at.iter().flatten().min().copied()
    }
}
