//! The numbers that stand for kinds, flags and reasons on the wire.
//!
//! Knows: each number and what it stands for. Does not know: where it stands. Numbers are never given a second meaning.

use super::{CancelOutcome, FreshReason, Refusal, RejectReason};

/// Kinds: the low four bits of the head.
pub(super) mod kind {
    pub(in crate::frame) const CONTROL: u8 = 0;
    pub(in crate::frame) const ACTION: u8 = 1;
    pub(in crate::frame) const ACTION_NUMBERED: u8 = 2;
    pub(in crate::frame) const CANCEL: u8 = 3;
    pub(in crate::frame) const RESPONSE: u8 = 4;
    pub(in crate::frame) const FAILURE: u8 = 5;
    pub(in crate::frame) const REFUSAL: u8 = 6;
    pub(in crate::frame) const CANCEL_RESULT: u8 = 7;
    pub(in crate::frame) const OFFER: u8 = 8;
    pub(in crate::frame) const GO: u8 = 9;
    pub(in crate::frame) const REVOKE: u8 = 10;
    pub(in crate::frame) const GOODBYE: u8 = 11;
    pub(in crate::frame) const HELLO: u8 = 12;
    pub(in crate::frame) const WELCOME: u8 = 13;
    pub(in crate::frame) const REJECT: u8 = 14;
    pub(in crate::frame) const CLOSE: u8 = 15;
    pub(in crate::frame) const MASK: u8 = 0x0f;
}

/// Flags: the high four bits of the head.
pub(super) mod flag {
    /// Guarantee bits follow.
    pub(in crate::frame) const BITS: u8 = 0x10;
    /// Riders follow.
    pub(in crate::frame) const RIDERS: u8 = 0x20;
    /// An action that may have been sent before; a broadcast that may have run before.
    pub(in crate::frame) const AGAIN: u8 = 0x40;
}

/// Riders: one bit each.
pub(super) mod rider {
    pub(in crate::frame) const QUARTER: u8 = 0x01;
    pub(in crate::frame) const RANGE: u8 = 0x02;
    pub(in crate::frame) const RANGE_ACCEPTED: u8 = 0x04;
    pub(in crate::frame) const BLOCKED: u8 = 0x08;
    pub(in crate::frame) const WHERE_IS: u8 = 0x10;
    pub(in crate::frame) const STILL_PENDING: u8 = 0x20;
    /// A sign of life.
    pub(in crate::frame) const ALIVE: u8 = 0x40;
    /// A sign of life that asks for one in return.
    pub(in crate::frame) const ALIVE_ASKS: u8 = 0x80;
}

/// Flags of a hello.
pub(super) mod hello {
    pub(in crate::frame) const RELIABLE_ORDERED: u8 = 0x01;
    pub(in crate::frame) const RESUME: u8 = 0x02;
    /// The client has a durable log.
    pub(in crate::frame) const LIFE: u8 = 0x04;
    pub(in crate::frame) const KNOWN: u8 = RELIABLE_ORDERED | RESUME | LIFE;
}

/// Flags of a welcome.
pub(super) mod welcome {
    pub(in crate::frame) const RELIABLE_ORDERED: u8 = 0x01;
    pub(in crate::frame) const RESUMED: u8 = 0x02;
    pub(in crate::frame) const KNOWN: u8 = RELIABLE_ORDERED | RESUMED;
}

/// Whether a frame of this kind has a checksum on every link: the handshake and last words.
pub(super) const fn is_always_checked(kind: u8) -> bool {
    kind >= kind::HELLO
}

/// Gives a plain enum its numbers: one table, read in both directions.
macro_rules! numbers {
    ($type:ident, $number:ident, $from:ident: $($code:literal => $variant:ident,)+) => {
        pub(super) const fn $number(value: $type) -> u8 {
            match value {
                $($type::$variant => $code,)+
            }
        }

        pub(super) const fn $from(number: u8) -> Option<$type> {
            match number {
                $($code => Some($type::$variant),)+
                _ => None,
            }
        }
    };
}

numbers! { Refusal, refusal_number, refusal_from:
    0 => Cancelled,
    1 => HandlerPanicked,
    2 => HandlerDropped,
    3 => UnknownAction,
    4 => Undecodable,
    5 => Overloaded,
    // 6 was never sent: a server that shuts down takes no message, so that the client keeps it for the next.
    7 => Unknown,
    8 => CallKeyReused,
    9 => AnswerTooLarge,
    10 => RequestTooLarge,
    11 => Poisoned,
    12 => UnknownApp,
    13 => NoSpace,
}

impl Refusal {
    /// Its number, in frames and in logs.
    #[must_use]
    pub const fn number(self) -> u8 {
        refusal_number(self)
    }

    /// The refusal of a number; `None`: there is none of that number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        refusal_from(number)
    }
}

numbers! { CancelOutcome, outcome_number, outcome_from:
    0 => Cancelled,
    1 => Executing,
    2 => Answered,
    3 => MaybeExecuted,
}

numbers! { FreshReason, fresh_number, fresh_from:
    0 => Asked,
    1 => NewEpoch,
    2 => Expired,
    3 => Restarted,
}

numbers! { RejectReason, reject_number, reject_from:
    0 => Version,
    1 => UnknownService,
    2 => SchemaMismatch,
    3 => BadProof,
    4 => Superseded,
    5 => ResumeGone,
    6 => Overloaded,
    7 => ShuttingDown,
    8 => Malformed,
    9 => TooManyErrors,
    10 => OlderCopy,
    11 => ServerRestored,
}
