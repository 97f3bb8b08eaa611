//! The small worlds that are looked through: who is there, what they want, and what may go wrong.
//!
//! Knows: numbers. Does not know: how a world moves.

use std::time::Duration;

use rpcgen_proto::config::Config;

/// Beyond everything that the model fires.
const NEVER: Duration = Duration::from_secs(3600);

/// How many faults of each kind may still happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    /// All together.
    pub total: u8,
    /// A frame is lost.
    pub lose: u8,
    /// A frame arrives, and once more after all that is on its way.
    pub duplicate: u8,
    /// A frame is overtaken by all that is on its way.
    pub reorder: u8,
    /// A timer fires although frames are on their way: the link is slow, or the clock is fast.
    pub early: u8,
    /// A link is cut. One end notices at once, the other at any time later, or when it is taken over.
    pub cut: u8,
    /// The server's process dies with its memory.
    pub crash_server: u8,
    /// A client's process dies with its memory; another begins in its place.
    pub crash_client: u8,
    /// The reconnect timeout of a session without a link is over.
    pub expire: u8,
    /// The server takes back what broadcasts a session without a link has not been told to run.
    pub take_back: u8,
}

/// What may happen at most once in each run, and has to happen in some: a check that never sees it proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    /// A call ended in its response.
    Answered,
    /// A call was guaranteed before it was answered.
    GuaranteedFirst,
    /// An action ran again and was told.
    Redelivered,
    /// A cancel ended in `Cancelled`.
    Cancelled,
    /// A cancel ended in `Executing`.
    CancelExecuting,
    /// A cancel ended in `Answered`.
    CancelAnswered,
    /// A cancel ended in `MaybeExecuted`.
    CancelMaybe,
    /// A call ended in `Unknown`.
    Unknown,
    /// A message was sent again and came through.
    Resent,
    /// A frame with a message came twice and was dropped.
    DuplicateDropped,
    /// A message came before its turn.
    Early,
    /// A session was resumed.
    Resumed,
    /// A session was taken over from a link that the server took for alive.
    TakenOver,
    /// A session began in a new epoch.
    NewEpoch,
    /// A session expired and its client came back.
    Expired,
    /// A sender was out of IDs.
    Blocked,
    /// A pool was doubled.
    Grown,
    /// A broadcast ran.
    BroadcastRan,
    /// A broadcast ran on a second node and was told that it may have run.
    BroadcastRedelivered,
    /// A session ended formally.
    Disconnected,
    /// The number of a message ID wrapped.
    Wrapped,
}

/// All outcomes, with the words for them.
pub const OUTCOMES: [(Outcome, &str); 21] = [
    (Outcome::Answered, "answered"),
    (Outcome::GuaranteedFirst, "guaranteed first"),
    (Outcome::Redelivered, "redelivered"),
    (Outcome::Cancelled, "cancelled"),
    (Outcome::CancelExecuting, "cancel: executing"),
    (Outcome::CancelAnswered, "cancel: answered"),
    (Outcome::CancelMaybe, "cancel: maybe executed"),
    (Outcome::Unknown, "unknown"),
    (Outcome::Resent, "sent again"),
    (Outcome::DuplicateDropped, "duplicate dropped"),
    (Outcome::Early, "early"),
    (Outcome::Resumed, "resumed"),
    (Outcome::TakenOver, "taken over"),
    (Outcome::NewEpoch, "new epoch"),
    (Outcome::Expired, "expired"),
    (Outcome::Blocked, "blocked"),
    (Outcome::Grown, "pool grown"),
    (Outcome::BroadcastRan, "broadcast ran"),
    (Outcome::BroadcastRedelivered, "broadcast redelivered"),
    (Outcome::Disconnected, "disconnected"),
    (Outcome::Wrapped, "id wrapped"),
];

/// When the business answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Business {
    /// At once.
    AtOnce,
    /// At any time later, in any order.
    Later,
}

/// One small world.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Its letter.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// How many clients.
    pub clients: u8,
    /// How many calls, all clients together.
    pub calls: u8,
    /// How many of them are asked to be cancelled: the first ones.
    pub cancels: u8,
    /// How many broadcasts, for whatever node handles them, the first one preferred.
    pub broadcasts: u8,
    /// Whether a client disconnects in the end.
    pub disconnects: bool,
    /// Whether all that is to be sent is sent before the first frame is delivered.
    pub head_start: bool,
    /// Whether links are lossless and ordered: then they can only be cut.
    pub reliable: bool,
    /// When the business answers.
    pub business: Business,
    /// IDs of the pools at first.
    pub pool_size: u32,
    /// And at most.
    pub pool_size_max: u32,
    /// Handlers that run at once.
    pub handlers_max: u32,
    /// Seed of the clients' nonces.
    pub seed: u64,
    /// What may go wrong.
    pub faults: Faults,
    /// What has to be seen.
    pub expected: Vec<Outcome>,
}

impl Configuration {
    /// Limits and times of its sessions. The times say in which order timers fire, and nothing more.
    #[must_use]
    pub fn config(&self) -> Config {
        Config {
            flush_after: Duration::from_millis(100),
            heartbeat_after: NEVER,
            dead_after: NEVER * 3,
            handshake_within: NEVER,
            pool_size: self.pool_size,
            pool_size_max: self.pool_size_max,
            pool_idle: NEVER,
            handlers_max: self.handlers_max,
            slots: 8,
            reconnect_timeout: Duration::from_secs(10),
            business_deadline: NEVER,
            client_deadline: NEVER,
            ..Config::default()
        }
    }
}
