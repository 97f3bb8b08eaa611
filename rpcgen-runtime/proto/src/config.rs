//! The limits and times of a session, each with its default, its unit, and what too low and too high do.
//!
//! Knows: numbers. Does not know: who uses them.

use core::time::Duration;

/// Smallest pool: one ID per quarter.
pub const POOL_SIZE_MIN: u32 = 4;
/// Largest pool. Half of it may be in use at once, and the base check of the guarantee bits tells 32,768 positions apart.
pub const POOL_SIZE_MAX: u32 = 65_536;
/// Largest hello or welcome, in bytes: what a peer can make us read before it has said who it is.
pub const HANDSHAKE_BYTES_MAX: usize = 4 * 1024;

/// Bytes kept free in a frame beyond its payload: a generous bound.
pub(crate) const FRAME_OVERHEAD_MAX: usize = 512;

/// Limits and times of one session. Both ends have one; where they must agree, the server's is sent in its welcome.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    /// How long guarantee bits wait for traffic that goes back anyway. Default 1 s. Lower: more frames that carry bits alone;
    /// higher: `guaranteed()` of a slow action is reported later, and the tail of a burst is repeated later on a lossy link.
    pub flush_after: Duration,
    /// Silence after which a sign of life is asked for. Default 5 s.
    pub heartbeat_after: Duration,
    /// Silence after which the link counts as dead. Default 15 s. Lower than two heartbeats: healthy links are cut.
    pub dead_after: Duration,
    /// For the client: from link up to welcome. Default 5 s.
    pub handshake_within: Duration,
    /// IDs in a lane's first pool. A multiple of 4, default 100. Half of them may be in use at once.
    pub pool_size: u32,
    /// Up to where the server lets a pool grow. Default 65,536.
    pub pool_size_max: u32,
    /// Payload bytes sent and not yet guaranteed, per lane. Default 8 MiB. Lower: a fat pipe idles.
    pub bytes_in_flight_max: usize,
    /// Payload bytes kept of messages that came before their turn, per lane. Default 8 MiB.
    pub early_bytes_max: usize,
    /// Messages logged for an away or slow peer, per lane. Default 100,000. At the bound `send` says so.
    pub log_messages_max: usize,
    /// Payload bytes logged for an away or slow peer, per lane. Default 64 MiB.
    pub log_bytes_max: usize,
    /// The server's: actions of one session that are in flight. Default 1,024.
    pub slots: u32,
    /// The server's: handlers of one session that run at once; a further action waits its turn, and can be cancelled. Default 1,024.
    pub handlers_max: u32,
    /// Bytes of one frame. Default 1 MiB, at most 16 MiB.
    pub frame_bytes_max: u32,
    /// The server's: how long a session without a link is kept. Default 5 min.
    pub reconnect_timeout: Duration,
    /// The server's: a handler that runs longer raises an event, and the client is told that it is still pending. Default 30 s.
    pub business_deadline: Duration,
    /// The client's: a call that is unanswered so long raises an event. It stays logged and may still be answered. Default 60 s.
    pub client_deadline: Duration,
    /// First and least estimate of the round trip on links that may lose. Default 20 ms.
    pub round_trip_min: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            flush_after: Duration::from_secs(1),
            heartbeat_after: Duration::from_secs(5),
            dead_after: Duration::from_secs(15),
            handshake_within: Duration::from_secs(5),
            pool_size: 100,
            pool_size_max: POOL_SIZE_MAX,
            bytes_in_flight_max: 8 << 20,
            early_bytes_max: 8 << 20,
            log_messages_max: 100_000,
            log_bytes_max: 64 << 20,
            slots: 1_024,
            handlers_max: 1_024,
            frame_bytes_max: 1 << 20,
            reconnect_timeout: Duration::from_secs(300),
            business_deadline: Duration::from_secs(30),
            client_deadline: Duration::from_secs(60),
            round_trip_min: Duration::from_millis(20),
        }
    }
}

impl Config {
    /// The largest payload that is accepted for a frame, in bytes.
    pub(crate) fn payload_bytes_max(&self) -> usize {
        (self.frame_bytes_max as usize).saturating_sub(FRAME_OVERHEAD_MAX)
    }

    /// The same with every value that makes no sense moved to the nearest that does.
    #[must_use]
    pub fn normalized(mut self) -> Self {
        self.pool_size_max = self.pool_size_max.clamp(POOL_SIZE_MIN, POOL_SIZE_MAX) & !3;
        self.pool_size = self.pool_size.clamp(POOL_SIZE_MIN, self.pool_size_max) & !3;
        self.slots = self.slots.max(1);
        self.handlers_max = self.handlers_max.max(1);
        self.log_messages_max = self.log_messages_max.max(1);
        self.frame_bytes_max = self.frame_bytes_max.clamp(8 * 1024, 16 << 20);
        self.bytes_in_flight_max = self.bytes_in_flight_max.max(1);
        self
    }
}
