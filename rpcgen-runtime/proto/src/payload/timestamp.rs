//! A moment of the calendar, as it travels.
//!
//! Knows: seconds and nanoseconds. Does not know: any clock, calendars, time zones.

use super::{Decode, DecodeError, DecodeProblem, Encode, Reader, Writer};

const NANOSECONDS_PER_SECOND: u32 = 1_000_000_000;

/// A moment: seconds since the Unix epoch, negative before it, and the nanoseconds after that second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    nanoseconds: u32,
}

impl Timestamp {
    /// 1970-01-01 00:00:00 UTC.
    pub const UNIX_EPOCH: Self = Self { seconds: 0, nanoseconds: 0 };

    /// The moment `nanoseconds` after the second `seconds`. `None`: there are 10^9 or more of them.
    #[must_use]
    pub const fn new(seconds: i64, nanoseconds: u32) -> Option<Self> {
        if nanoseconds < NANOSECONDS_PER_SECOND { Some(Self { seconds, nanoseconds }) } else { None }
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds after [`Self::seconds`], below 10^9.
    #[must_use]
    pub const fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }
}

impl Encode for Timestamp {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        self.seconds.encode(out);
        self.nanoseconds.encode(out);
    }
}

impl Decode for Timestamp {
    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let seconds = i64::decode(input)?;
        let nanoseconds = u32::decode(input)?;
        Self::new(seconds, nanoseconds).ok_or_else(|| DecodeProblem::BadTime { nanoseconds }.into())
    }
}
