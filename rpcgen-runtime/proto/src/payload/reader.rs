//! Where values are read from.
//!
//! Knows: the bytes that are left, how deep we are, in whose body. Does not know: what the bytes mean.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::arithmetic_side_effects)]

use super::{DEPTH_MAX, DecodeError, DecodeProblem};
use crate::varint;

/// Reads values from the beginning of a slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    pub(super) rest: &'a [u8],
    pub(super) depth: u8,
    /// Whose fields are read: for errors.
    pub(super) owner: &'static str,
}

impl<'a> Reader<'a> {
    /// Reads from `bytes`.
    #[inline]
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, depth: 0, owner: "" }
    }

    /// The bytes that are left.
    #[inline]
    #[must_use]
    pub const fn remaining(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether none are left: in an evolving body, whether the peer sent no more fields.
    #[inline]
    #[must_use]
    pub const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// So many are not left.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.unexpected_end(count as u64)),
        }
    }

    /// The next `N` bytes.
    #[inline]
    pub(super) fn take_array<const N: usize>(&mut self) -> Result<&'a [u8; N], DecodeError> {
        match self.rest.split_first_chunk() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.unexpected_end(N as u64)),
        }
    }

    /// The next byte.
    #[inline]
    pub(super) fn take_byte(&mut self) -> Result<u8, DecodeError> {
        match self.rest.split_first() {
            Some((&byte, rest)) => {
                self.rest = rest;
                Ok(byte)
            }
            None => Err(self.unexpected_end(1)),
        }
    }

    /// A length in bytes, within `limit` and within what is left.
    #[inline]
    pub(super) fn length(&mut self, limit: u64) -> Result<usize, DecodeError> {
        let length = varint::read_u64(&mut self.rest)?;
        if length > limit {
            return Err(too_long("bytes", length, limit));
        }
        match usize::try_from(length) {
            Ok(length) if length <= self.rest.len() => Ok(length),
            _ => Err(self.unexpected_end(length)),
        }
    }

    /// A count of things that take at least one byte each, within `limit` and within what is left.
    #[inline]
    pub(super) fn count(&mut self, what: &'static str, limit: u64) -> Result<usize, DecodeError> {
        let count = varint::read_u64(&mut self.rest)?;
        if count > limit {
            return Err(too_long(what, count, limit));
        }
        match usize::try_from(count) {
            Ok(count) if count <= self.rest.len() => Ok(count),
            _ => Err(DecodeProblem::CountExceedsInput { count, remaining: self.rest.len() as u64 }.into()),
        }
    }

    /// One level deeper.
    #[inline]
    pub(super) fn deeper(&self) -> Result<u8, DecodeError> {
        match self.depth.checked_add(1) {
            Some(depth) if depth <= DEPTH_MAX => Ok(depth),
            _ => Err(DecodeProblem::TooDeep { limit: DEPTH_MAX }.into()),
        }
    }

    #[cold]
    fn unexpected_end(&self, needed: u64) -> DecodeError {
        DecodeProblem::UnexpectedEnd { needed, remaining: self.rest.len() as u64 }.into()
    }
}

#[cold]
fn too_long(what: &'static str, length: u64, limit: u64) -> DecodeError {
    DecodeProblem::TooLong { what, length, limit }.into()
}
