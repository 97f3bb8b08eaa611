//! Counters of a session.

use core::hash::{Hash, Hasher};

/// What a session did so far. Counters survive links and, at a client, sessions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Links that were greeted.
    pub links: u64,
    /// Frames sent, re-sends included.
    pub frames_sent: u64,
    /// Frames received.
    pub frames_received: u64,
    /// Messages sent for the first time.
    pub sent: u64,
    /// Messages sent again.
    pub resent: u64,
    /// Of them, those sent again because a new link began.
    pub replayed: u64,
    /// Frames that carried control information alone.
    pub control_frames: u64,
    /// Messages that came twice and were dropped.
    pub duplicates: u64,
    /// Messages that came before their turn.
    pub early: u64,
    /// Requests for missing messages.
    pub where_is_sent: u64,
    /// Times that this side was out of agreed IDs.
    pub pool_blocked: u64,
    /// Times that the peer said so.
    pub peer_blocked: u64,
    /// The server's: pools that were doubled.
    pub pools_grown: u64,
    /// The server's: pools that were halved after a long idle time.
    pub pools_halved: u64,
    /// Links closed because of the peer's frames.
    pub protocol_errors: u64,
}

impl Stats {
    /// Adds another's counters.
    pub fn add(&mut self, other: &Self) {
        self.links += other.links;
        self.frames_sent += other.frames_sent;
        self.frames_received += other.frames_received;
        self.sent += other.sent;
        self.resent += other.resent;
        self.replayed += other.replayed;
        self.control_frames += other.control_frames;
        self.duplicates += other.duplicates;
        self.early += other.early;
        self.where_is_sent += other.where_is_sent;
        self.pool_blocked += other.pool_blocked;
        self.peer_blocked += other.peer_blocked;
        self.pools_grown += other.pools_grown;
        self.pools_halved += other.pools_halved;
        self.protocol_errors += other.protocol_errors;
    }
}

/// Counters are not state: two sessions that differ only in them are the same session.
impl PartialEq for Stats {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Stats {}

impl Hash for Stats {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
