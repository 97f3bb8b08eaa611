//! What can be wrong with a payload: who, what, both values.

use core::fmt;

use crate::varint::VarintError;

/// Bytes that are not the value they should be. A matter of one message: never of the link that brought it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The innermost struct, variant or message; empty if none is known.
    pub owner: &'static str,
    /// The innermost field of the owner; empty if none is known.
    pub field: &'static str,
    /// What is wrong.
    pub problem: DecodeProblem,
}

/// What is wrong with a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeProblem {
    /// The bytes end within a value.
    #[error("{needed} bytes are needed, {remaining} are left")]
    UnexpectedEnd {
        /// Bytes that the value takes.
        needed: u64,
        /// Bytes that are left.
        remaining: u64,
    },
    /// A field that is neither optional nor has a default is not there.
    #[error("the field is absent, and it is neither optional nor has a default")]
    Missing,
    /// Longer than `@max`.
    #[error("{length} {what}, at most {limit} are allowed")]
    TooLong {
        /// `bytes`, `elements` or `entries`.
        what: &'static str,
        /// How many there are.
        length: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// A count that the bytes which are left cannot hold: an element takes at least one.
    #[error("a count of {count}, but only {remaining} bytes are left")]
    CountExceedsInput {
        /// The count.
        count: u64,
        /// Bytes that are left.
        remaining: u64,
    },
    /// An integer that is wider than its type.
    #[error("an integer begins with {marker}, which is too wide for {bits} bits")]
    IntegerTooWide {
        /// Its first byte.
        marker: u8,
        /// Bits of the type.
        bits: u8,
    },
    /// Neither 0 nor 1.
    #[error("{value} where {what} needs 0 or 1")]
    BadTag {
        /// `a bool` or `an optional`.
        what: &'static str,
        /// The byte.
        value: u8,
    },
    /// A variant that this end does not know: the peer is newer.
    #[error("variant {index} is not known here")]
    UnknownVariant {
        /// Its index.
        index: u32,
    },
    /// A string that is not UTF-8.
    #[error("not UTF-8 after {valid_up_to} bytes")]
    BadUtf8 {
        /// Bytes that are.
        valid_up_to: u64,
    },
    /// Nested deeper than [`DEPTH_MAX`](super::DEPTH_MAX).
    #[error("nested deeper than {limit}")]
    TooDeep {
        /// The limit.
        limit: u8,
    },
    /// Seconds and nanoseconds that are no time.
    #[error("{nanoseconds} nanoseconds make no time")]
    BadTime {
        /// The nanoseconds.
        nanoseconds: u32,
    },
    /// A value of a type that has none.
    #[error("there is no value of this type")]
    Uninhabited,
}

impl DecodeError {
    /// An enum's variant that this end does not know.
    #[cold]
    #[must_use]
    pub const fn unknown_variant(owner: &'static str, index: u32) -> Self {
        Self { owner, field: "", problem: DecodeProblem::UnknownVariant { index } }
    }

    /// The same, in this field of this owner unless something further inside is known already.
    #[cold]
    pub(super) const fn in_field(mut self, owner: &'static str, field: &'static str) -> Self {
        if self.owner.is_empty() && self.field.is_empty() {
            self.owner = owner;
            self.field = field;
        }
        self
    }

    /// The same, in this struct, variant or message unless one is known already.
    #[cold]
    pub(super) const fn in_owner(mut self, owner: &'static str) -> Self {
        if self.owner.is_empty() {
            self.owner = owner;
        }
        self
    }
}

impl From<DecodeProblem> for DecodeError {
    #[cold]
    fn from(problem: DecodeProblem) -> Self {
        Self { owner: "", field: "", problem }
    }
}

impl From<VarintError> for DecodeError {
    #[cold]
    fn from(error: VarintError) -> Self {
        Self::from(match error {
            VarintError::UnexpectedEnd { needed, remaining } => {
                DecodeProblem::UnexpectedEnd { needed: needed as u64, remaining: remaining as u64 }
            }
            VarintError::TooWide { marker, bits } => DecodeProblem::IntegerTooWide { marker, bits },
        })
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.owner, self.field) {
            ("", "") => write!(f, "{}", self.problem),
            (one, "") | ("", one) => write!(f, "{one}: {}", self.problem),
            (owner, field) => write!(f, "{owner}.{field}: {}", self.problem),
        }
    }
}

impl core::error::Error for DecodeError {}

/// A value that breaks its own limits. Said before anything is sent: the peer would refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// Longer than `@max`.
    #[error("{field}: {length} {what}, at most {limit} are allowed")]
    TooLong {
        /// The field.
        field: &'static str,
        /// `bytes`, `elements` or `entries`.
        what: &'static str,
        /// How many there are.
        length: u64,
        /// How many are allowed.
        limit: u64,
    },
    /// Nested deeper than [`DEPTH_MAX`](super::DEPTH_MAX).
    #[error("nested deeper than {limit}")]
    TooDeep {
        /// The limit.
        limit: u8,
    },
}
