//! The payload codec: what stands inside of frames and records.
//!
//! Knows: values and their bytes, limits. Does not know: frames, sessions, which message is which.
//!
//! Layout: that of bincode 2's `standard()` configuration (see [`crate::varint`] for integers; strings, byte strings, lists and maps
//! are a length and their content, optionals one byte and their content, arrays and tuples only their content, an enum the index of
//! its variant as an integer and that variant's fields), plus one rule of our own: a struct that may evolve and the fields of a
//! data-carrying variant come after their length in bytes. An older peer skips what it does not know, a newer one fills in what is
//! absent. Golden vectors in the tests compare it with bincode itself.
//!
//! Limits are checked before memory is taken: lengths against the bytes that remain and against `@max`, nesting against
//! [`DEPTH_MAX`], counts against the bytes that remain (a list element takes at least one byte).

mod collections;
mod error;
mod evolve;
mod reader;
mod scalar;
#[cfg(test)]
mod tests;
mod timestamp;
mod writer;

use alloc::vec::Vec;

pub use error::{DecodeError, DecodeProblem, EncodeError};
pub use evolve::Outside;
pub use reader::Reader;
pub use timestamp::Timestamp;
pub use writer::Writer;

/// How deep structs and data-carrying variants may be nested. Both ends refuse what is deeper, so that no value exhausts a stack.
pub const DEPTH_MAX: u8 = 32;

/// The limit of what has none of its own: the frame's limit holds.
pub const UNLIMITED: u64 = u64::MAX;

/// A value that can be written.
pub trait Encode {
    /// Whether some value of it breaks a limit, `@max` or [`DEPTH_MAX`]. Generated code says it of messages; their parts are not asked.
    const HAS_LIMITS: bool = false;

    /// Appends the value. A broken limit is kept in the writer and said by [`Writer::finish`].
    fn encode(&self, out: &mut Writer);

    /// Appends values one after another. Bytes are copied at once.
    #[doc(hidden)]
    #[inline]
    fn encode_all(values: &[Self], out: &mut Writer)
    where
        Self: Sized,
    {
        for value in values {
            value.encode(out);
        }
    }
}

/// A value that can be read.
pub trait Decode: Sized {
    /// Reads a value.
    ///
    /// # Errors
    /// The bytes are not such a value, or break a limit.
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Reads `count` values; the count has been checked against the bytes that remain. Bytes are copied at once.
    #[doc(hidden)]
    #[inline]
    fn decode_list(count: usize, input: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        collections::decode_each(count, input, Self::decode)
    }

    /// Reads an array. Bytes are copied at once.
    #[doc(hidden)]
    #[inline]
    fn decode_array<const N: usize>(input: &mut Reader<'_>) -> Result<[Self; N], DecodeError> {
        collections::decode_array_each(input, Self::decode)
    }
}

/// Encodes one value.
///
/// # Errors
/// The value breaks one of its limits: the peer would refuse it.
#[inline]
pub fn to_vec<T: Encode + ?Sized>(value: &T) -> Result<Vec<u8>, EncodeError> {
    let mut out = Writer::with_capacity(128);
    value.encode(&mut out);
    out.finish()
}

/// Decodes one value from the beginning of `bytes`. What follows it is ignored: a newer peer's fields may stand there.
///
/// # Errors
/// The bytes are not such a value, or break a limit.
#[inline]
pub fn from_slice<T: Decode>(bytes: &[u8]) -> Result<T, DecodeError> {
    T::decode(&mut Reader::new(bytes))
}
