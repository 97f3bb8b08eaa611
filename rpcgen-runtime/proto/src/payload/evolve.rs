//! The length rule: bodies that may gain fields.
//!
//! Knows: lengths, absent fields, who to name in an error. Does not know: which fields there are; generated code says that.
//!
//! A peer that is older than us ends a body early: [`Reader::required`] and [`Reader::or_default`] say what an absent field means. A
//! peer that is newer writes more than we read: what a body's reader leaves is skipped.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::arithmetic_side_effects)]

use alloc::vec::Vec;

use super::{DecodeError, DecodeProblem, Reader, UNLIMITED, Writer};
use crate::varint;

/// What surrounds a `@fixed` struct while it is read.
#[derive(Debug)]
pub struct Outside {
    depth: u8,
    owner: &'static str,
}

impl Writer {
    /// A struct that may evolve, or the fields of a data-carrying variant: what `body` writes, after its length.
    #[inline]
    pub fn sized(&mut self, body: impl FnOnce(&mut Self)) {
        if self.enter() {
            let start = self.bytes.len();
            self.bytes.push(0);
            body(self);
            put_length(&mut self.bytes, start);
            self.leave();
        }
    }

    /// A `@fixed` struct: what `body` writes, without a length.
    #[inline]
    pub fn fixed(&mut self, body: impl FnOnce(&mut Self)) {
        if self.enter() {
            body(self);
            self.leave();
        }
    }

    /// The index of an enum's variant.
    #[inline]
    pub fn variant(&mut self, index: u32) {
        varint::write_u64(&mut self.bytes, index.into());
    }
}

/// Writes the length of what follows `start` there, where one byte was left for it. Bodies of more than 250 bytes are moved on.
#[inline]
fn put_length(bytes: &mut Vec<u8>, start: usize) {
    let length = bytes.len().saturating_sub(start).saturating_sub(1);
    match (u8::try_from(length), bytes.get_mut(start)) {
        (Ok(single @ 0..=250), Some(place)) => *place = single,
        _ => put_long_length(bytes, start, length),
    }
}

#[cold]
fn put_long_length(bytes: &mut Vec<u8>, start: usize, length: usize) {
    let mut prefix = Vec::with_capacity(varint::U64_BYTES_MAX);
    varint::write_u64(&mut prefix, length as u64);
    bytes.splice(start..=start, prefix);
}

impl<'a> Reader<'a> {
    /// The body of a message `owner`: its length is the frame's. Errors will name the owner.
    #[inline]
    pub fn message(&mut self, owner: &'static str) -> &mut Self {
        self.owner = owner;
        self
    }

    /// The body of a struct or variant `owner`, after its length. Nothing beyond it can be read from it, and what is left in it is
    /// skipped. Errors will name the owner.
    ///
    /// # Errors
    /// The length is more than there is, or the nesting too deep.
    #[inline]
    pub fn sized(&mut self, owner: &'static str) -> Result<Self, DecodeError> {
        self.confined(owner).map_err(|error| error.in_owner(owner))
    }

    #[inline]
    fn confined(&mut self, owner: &'static str) -> Result<Self, DecodeError> {
        let length = self.length(UNLIMITED)?;
        let depth = self.deeper()?;
        let rest = self.take(length)?;
        Ok(Self { rest, depth, owner })
    }

    /// Begins a `@fixed` struct `owner`: no length, every field is there. Errors will name the owner until [`Self::leave`].
    ///
    /// # Errors
    /// The nesting is too deep.
    #[inline]
    pub fn enter(&mut self, owner: &'static str) -> Result<Outside, DecodeError> {
        let outside = Outside { depth: self.depth, owner: self.owner };
        self.depth = self.deeper().map_err(|error| error.in_owner(owner))?;
        self.owner = owner;
        Ok(outside)
    }

    /// Ends a `@fixed` struct.
    #[inline]
    pub const fn leave(&mut self, outside: Outside) {
        self.depth = outside.depth;
        self.owner = outside.owner;
    }

    /// The index of an enum's variant.
    ///
    /// # Errors
    /// It is no integer of 32 bits.
    #[inline]
    pub fn variant(&mut self) -> Result<u32, DecodeError> {
        Ok(varint::read_u32(&mut self.rest)?)
    }

    /// A field that must be there.
    ///
    /// # Errors
    /// It is absent or wrong; the error has its name.
    #[inline]
    pub fn required<T>(
        &mut self,
        field: &'static str,
        decode: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        // The body's end is looked at only when decoding fails: a value may take no bytes at all.
        let absent = self.is_at_end();
        decode(self).map_err(|error| match error.problem {
            DecodeProblem::UnexpectedEnd { .. } if absent => {
                DecodeError { owner: self.owner, field, problem: DecodeProblem::Missing }
            }
            _ => error.in_field(self.owner, field),
        })
    }

    /// A field that is `default` where the body ends before it.
    ///
    /// # Errors
    /// It is wrong; the error has its name.
    #[inline]
    pub fn or_default<T>(
        &mut self,
        field: &'static str,
        decode: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
        default: impl FnOnce() -> T,
    ) -> Result<T, DecodeError> {
        if self.is_at_end() {
            return Ok(default());
        }
        decode(self).map_err(|error| error.in_field(self.owner, field))
    }
}
