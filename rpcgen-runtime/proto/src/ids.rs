//! A newtype for each number with a meaning. None of them does arithmetic by accident.

use core::fmt;

/// Which direction of a session: each has a stream log at its sending side, a position at its receiving side, and one ID pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LaneKind {
    /// Client to server.
    Up,
    /// Server to client.
    Down,
}

impl fmt::Display for LaneKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up lane",
            Self::Down => "down lane",
        })
    }
}

macro_rules! number {
    ($(#[$meta:meta])* $name:ident($inner:ty) $label:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($label, " {}"), self.0)
            }
        }
    };
}

number! {
    /// A place in a lane's stream log, from 0. Never reused in a session.
    Position(u64) "position"
}
number! {
    /// The number that travels with a sequenced message: drawn from the lane's ID pool, reused cycle after cycle.
    MessageId(u32) "message id"
}
number! {
    /// The small number of an action in flight (RFC 8881 calls the same thing a slot); reused once its answer has been taken.
    Slot(u32) "slot"
}
number! {
    /// Counts the actions that one incarnation of a client accepted, from 0. Never reused.
    CallNumber(u64) "call"
}
number! {
    /// Counts the broadcasts that a server logged for one session, from 0. Never reused in a session.
    BroadcastNumber(u64) "broadcast"
}
number! {
    /// One life of a client's log: random for a memory log, counted for a durable one.
    Incarnation(u64) "incarnation"
}
number! {
    /// One life of a server group's logs; a server that lost its memory has a new one.
    Epoch(u64) "epoch"
}
number! {
    /// The association of one client with one server group. It outlives links.
    SessionId(u64) "session"
}
number! {
    /// Counts the links that a client opened for a session. Only grows; the lower one of two is the dead one.
    LinkNumber(u64) "link"
}
number! {
    /// An action or a broadcast within its service: its index in the declaration order of its kind.
    MethodId(u32) "method"
}
number! {
    /// The tenant that an action or a broadcast belongs to: the mandatory first field of every message body, never of a frame header.
    AppId(u64) "app"
}

impl Epoch {
    const IN_MEMORY: u64 = 1 << 63;
    /// How many low bits are random, how many above them are of the log's identity, and how many above those count its lives.
    const RANDOM_BITS: u32 = 16;
    const LOG_BITS: u32 = 24;
    const LIFE_BITS: u32 = 23;

    /// The most lives that a log may have: 8,388,607.
    pub const LIFE_MAX: u32 = (1 << Self::LIFE_BITS) - 1;

    /// Of a server whose logs are in memory, made of 64 random bits.
    #[must_use]
    pub const fn in_memory(random: u64) -> Self {
        Self(random | Self::IN_MEMORY)
    }

    /// Of one life, from 1 to [`Self::LIFE_MAX`], of the durable log whose random identity begins with these bytes. `random`: two copies
    /// of a log that are opened are told apart.
    #[must_use]
    pub const fn of_log(life: u32, log: [u8; 3], random: u16) -> Self {
        let log = u32::from_be_bytes([0, log[0], log[1], log[2]]);
        let life = (life & Self::LIFE_MAX) as u64;
        Self((life << Self::LOG_BITS | log as u64) << Self::RANDOM_BITS | random as u64)
    }

    /// The life of the durable log; `None`: there is none.
    #[must_use]
    pub const fn log_life(self) -> Option<u32> {
        let life = (self.0 >> (Self::LOG_BITS + Self::RANDOM_BITS)) as u32;
        if self.0 & Self::IN_MEMORY == 0 && life > 0 { Some(life) } else { None }
    }

    /// Whether it is of an earlier life of the log that `later` is a life of. Of two logs, one pair in 16.8 million is taken for one.
    #[must_use]
    pub fn is_earlier_life_of(self, later: Self) -> bool {
        let log_of = |epoch: Self| epoch.0 >> Self::RANDOM_BITS & ((1 << Self::LOG_BITS) - 1);
        self.log_life().is_some() && self.log_life() < later.log_life() && log_of(self) == log_of(later)
    }
}

impl CallNumber {
    /// The low 16 bits: what an answer repeats, so that a late one can never be taken for a newer call's in the same slot.
    #[must_use]
    pub const fn check(self) -> u16 {
        (self.0 & 0xffff) as u16
    }
}

/// A client, for as long as its log lives: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u128);

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientId({:032x})", self.0)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {:032x}", self.0)
    }
}

/// The identity of an action for ever; survives session resets. Completion records are keyed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallKey {
    /// Who called.
    pub client: ClientId,
    /// In which life of its log.
    pub incarnation: Incarnation,
    /// The how manyth call of that life.
    pub number: CallNumber,
}

impl fmt::Display for CallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}/{}/{}", self.client.0, self.incarnation.0, self.number.0)
    }
}
