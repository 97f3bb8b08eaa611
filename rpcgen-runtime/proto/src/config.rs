//! The limits and times of the protocol, each with its unit, its reason, and what too low and too high do. All of them are
//! here, but for the bounds of single fields of a frame ([`crate::frame::limits`]).
//!
//! Knows: numbers. Does not know: who uses them.

use alloc::collections::BTreeSet;
use core::time::Duration;

use crate::frame::limits::FRAME_BYTES_LIMIT;
use crate::ids::MethodId;

// ---- pools and lanes -----------------------------------------------------------------------------------------------------------

/// IDs in a lane's first pool. Half of them may be in use at once: enough for a client that is not in a hurry, and small when idle.
pub const POOL_SIZE: u32 = 100;
/// Smallest pool: one ID per quarter.
pub const POOL_SIZE_MIN: u32 = 4;
/// Largest pool. Half of it may be in use at once, and the base check of the guarantee bits tells 32,768 positions apart.
pub const POOL_SIZE_MAX: u32 = 65_536;
/// How long a grown pool is idle before it is halved: longer than the pauses of a load that comes and goes.
pub const POOL_IDLE: Duration = Duration::from_secs(60);
/// Payload bytes of a lane that are sent and not guaranteed: half of the largest pool at the largest frame would be 32 GiB.
pub const BYTES_IN_FLIGHT_MAX: usize = 8 << 20;
/// Payload bytes of messages that came before their turn: as much as an honest peer has in flight.
pub const EARLY_BYTES_MAX: usize = 8 << 20;
/// Messages logged for a peer that is away or slow; then callers wait or are told.
pub const LOG_MESSAGES_MAX: usize = 100_000;
/// Payload bytes logged for a peer that is away or slow; then callers wait or are told.
pub const LOG_BYTES_MAX: usize = 64 << 20;
/// How long guarantees wait for something to ride on.
pub const FLUSH_AFTER: Duration = Duration::from_secs(1);
/// Least estimate of a round trip: asking again within less would be noise.
pub const ROUND_TRIP_MIN: Duration = Duration::from_millis(20);
/// Re-sends of one message are at least this far apart (trap T21), whatever the round trip is taken for.
pub const RESEND_INTERVAL_MIN: Duration = Duration::from_millis(4);
/// What is sent again and again without a guarantee is so at least this often: its link may have a moment.
pub const RESEND_INTERVAL_MAX: Duration = Duration::from_secs(1);
/// While so few messages came early, each question names all that is missing: one that is lost is made good by the next.
pub const ASK_FOR_ALL_MAX: usize = 64;
/// While a message is missing, its sender hears of so many that came behind it at the latest: less would be noise, more and its window
/// stands still.
pub const NEWS_EVERY: u64 = 8;
/// What may be on its way on a link that loses, beyond what was measured: small links, and the first round trips.
pub const WINDOW_MIN: u64 = 32;
/// While so few messages are in flight, what a blocked sender waits for goes twice.
pub const TWICE_WITHIN: u64 = 64;
/// Re-sends that may be saved up, beyond half of the pool (trap T21).
pub const RESEND_STOCK: u32 = 64;
/// Re-sends that one new guarantee pays for (trap T21): with half of all frames lost, each message is sent three times or so.
pub const RESENDS_PER_GUARANTEE: u32 = 2;

// ---- frames --------------------------------------------------------------------------------------------------------------------

/// Bytes of one frame: what a peer can make us hold before its checksum is known.
pub const FRAME_BYTES_MAX: u32 = 1 << 20;
/// Largest hello or welcome, in bytes: what a peer can make us read before it has said who it is.
pub const HANDSHAKE_BYTES_MAX: usize = 4 * 1024;
/// Bytes kept free in a frame beyond its payload: a generous bound.
pub(crate) const FRAME_OVERHEAD_MAX: usize = 512;

// ---- links ---------------------------------------------------------------------------------------------------------------------

/// Silence after which a sign of life is asked for.
pub const HEARTBEAT_AFTER: Duration = Duration::from_secs(5);
/// Silence after which a link counts as dead: two heartbeats may be lost (trap T25).
pub const DEAD_AFTER: Duration = Duration::from_secs(15);
/// From link up to welcome.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);
/// How long a session without a link is kept: a reboot of the client's machine.
pub const RECONNECT_TIMEOUT: Duration = Duration::from_secs(300);
/// So many links of one client closed by protocol errors within [`DISPUTES_WITHIN`] refuse it (trap T24).
pub const DISPUTES_MAX: u32 = 5;
/// See [`DISPUTES_MAX`].
pub const DISPUTES_WITHIN: Duration = Duration::from_secs(60);
/// For how long a client is refused that broke the protocol too often: two ends that disagree do not reconnect for ever.
pub const DISPUTE_REFUSAL: Duration = Duration::from_secs(60);

// ---- the business --------------------------------------------------------------------------------------------------------------

/// Actions of one session that are in flight, from sent to answer taken.
pub const SLOTS: u32 = 1_024;
/// Handlers of one session that run at once; one whose action was cancelled counts until it ends.
pub const HANDLERS_MAX: u32 = 256;
/// A handler that runs longer is reported, and its client told that it is alive.
pub const BUSINESS_DEADLINE: Duration = Duration::from_secs(30);
/// A call that is unanswered for longer is reported at the client: twice the server's, which is to speak first.
pub const CLIENT_DEADLINE: Duration = Duration::from_secs(60);
/// An action that has begun so often without an answer is parked: it kills who runs it (trap T15).
pub const BEGUN_MAX: u32 = 3;

// ---- the registry of a server --------------------------------------------------------------------------------------------------

/// Sessions of one server at once: the newcomer is refused, a session that is there is never evicted.
pub const SESSIONS_MAX: usize = 100_000;
/// Tombstones of expired sessions: as many as there may be sessions.
pub const TOMBSTONES_MAX: usize = 100_000;
/// How long a tombstone is kept. A client that is away for longer gets `Unknown` for what may have run.
pub const TOMBSTONES_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Bytes of the answers in all tombstones: what a server may spend on clients that may never come back.
pub const RECORD_BYTES_MAX: usize = 1 << 30;
/// How long the answers in a tombstone are kept: a long week-end and then some.
pub const RECORDS_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
/// What a record takes beside its payload, in bytes: a generous bound.
pub(crate) const RECORD_OVERHEAD: usize = 64;
/// Clients that a server lets in per second (trap T26): about what two cores can greet beside their work.
pub const ADMISSIONS_PER_SECOND: u32 = 500;
/// Clients that a server lets in at once after a quiet time (trap T26).
pub const ADMISSIONS_BURST: u32 = 1_000;
/// The shortest wait that a client is told: less would be a second attempt of the same stampede.
pub const ADMISSION_PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest wait that a client is told: the longest of its own back-off.
pub const ADMISSION_PAUSE_MAX: Duration = Duration::from_secs(30);
/// What a newcomer is told to wait when the server is full: room comes when sessions end, so that haste is of no use.
pub(crate) const FULL_PAUSE: Duration = Duration::from_secs(5);

/// How a deadline adapts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AdaptiveDeadline {
    /// Which of a hundred times is taken for the slowest that is still usual: 1 to 100. 99: the ninety-ninth.
    pub percentile: u8,
    /// The deadline is so many times that.
    pub multiple: u32,
    /// And never less than this, nor before enough is known.
    pub floor: Duration,
}

/// That a session's owner has a durable log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Durable {
    /// The actions that have the promise of memory logs all the same: `@persist(memory)`.
    pub volatile: BTreeSet<MethodId>,
}

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
    /// The server's: a lane's pool that grew and saw no message for so long is halved, down to `pool_size`. Default 60 s. Lower: a load
    /// that comes and goes waits a round trip each time; higher: what a peak needed is kept longer.
    pub pool_idle: Duration,
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
    /// The server's: handlers of one session that run at once; a further action waits its turn, and can be cancelled. Default 256.
    pub handlers_max: u32,
    /// The server's: a log keeps on record which actions have begun. Then [`crate::session::ServerEvent::Begin`] comes before an action
    /// is handed over, and the action waits for the record. Default: no, as a log in memory dies with its handlers.
    pub begin_records: bool,
    /// This end has a durable log: calls, answers and broadcasts are put on record, and nothing is promised before its record is durable.
    /// Default: no.
    pub durable: Option<Durable>,
    /// The server's: its business has a completion store. Then [`crate::session::ServerEvent::Action`] comes also for what may have run
    /// in a session of which too little is left, and only that store can answer it; else it ends in `Unknown` at once. Default: no.
    pub has_completions: bool,
    /// Bytes of one frame. Default 1 MiB, at most 16 MiB.
    pub frame_bytes_max: u32,
    /// The server's: how long a session without a link is kept. Default 5 min.
    pub reconnect_timeout: Duration,
    /// The server's: a handler that runs longer raises an event, and the client is told that it is still pending. Default 30 s.
    pub business_deadline: Duration,
    /// The server's: the business deadline of an action that has none of its own follows the times that it takes in this session.
    /// 200 bytes per action and session. Default: no.
    pub adaptive_deadline: Option<AdaptiveDeadline>,
    /// The client's: a call that is unanswered so long raises an event. It stays logged and may still be answered. Default 60 s.
    pub client_deadline: Duration,
    /// Least estimate of the round trip on links that may lose. Default 20 ms.
    pub round_trip_min: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            flush_after: FLUSH_AFTER,
            heartbeat_after: HEARTBEAT_AFTER,
            dead_after: DEAD_AFTER,
            handshake_within: HANDSHAKE_WITHIN,
            pool_size: POOL_SIZE,
            pool_size_max: POOL_SIZE_MAX,
            pool_idle: POOL_IDLE,
            bytes_in_flight_max: BYTES_IN_FLIGHT_MAX,
            early_bytes_max: EARLY_BYTES_MAX,
            log_messages_max: LOG_MESSAGES_MAX,
            log_bytes_max: LOG_BYTES_MAX,
            slots: SLOTS,
            handlers_max: HANDLERS_MAX,
            begin_records: false,
            durable: None,
            has_completions: false,
            frame_bytes_max: FRAME_BYTES_MAX,
            reconnect_timeout: RECONNECT_TIMEOUT,
            business_deadline: BUSINESS_DEADLINE,
            adaptive_deadline: None,
            client_deadline: CLIENT_DEADLINE,
            round_trip_min: ROUND_TRIP_MIN,
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
        self.frame_bytes_max = self.frame_bytes_max.clamp(8 * 1024, FRAME_BYTES_LIMIT);
        self.bytes_in_flight_max = self.bytes_in_flight_max.max(1);
        self
    }
}
