//! The fields of a frame, one after another: integers, bytes, texts, lists, each within its bound.
//!
//! Knows: what is left of one frame. Does not know: which fields a frame has.
#![deny(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used
)]

use alloc::string::String;

use super::DecodeError;
use crate::varint::{self, VarintError};

/// What is left of a frame.
pub(super) struct Fields<'a> {
    pub(super) rest: &'a [u8],
    /// How much of it was its payload.
    pub(super) payload_bytes: usize,
}

impl Fields<'_> {
    #[inline]
    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        let (first, rest) = self.rest.split_first().ok_or(DecodeError::Truncated { field })?;
        self.rest = rest;
        Ok(*first)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let (first, rest) = self.rest.split_first_chunk().ok_or(DecodeError::Truncated { field })?;
        self.rest = rest;
        Ok(*first)
    }

    #[inline]
    pub(super) fn u16_fixed(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_le_bytes)
    }

    pub(super) fn u32_fixed(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub(super) fn u64_fixed(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(u64::from_le_bytes)
    }

    #[inline]
    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        varint::read_u32(&mut self.rest).map_err(|error| in_field(error, field))
    }

    pub(super) fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        varint::read_u64(&mut self.rest).map_err(|error| in_field(error, field))
    }

    /// The length of a list or text, within its bound.
    pub(super) fn count(&mut self, field: &'static str, limit: usize) -> Result<usize, DecodeError> {
        let count = self.u64(field)?;
        let limit = limit as u64;
        usize::try_from(count).ok().filter(|_| count <= limit).ok_or(DecodeError::TooMany { field, count, limit })
    }

    pub(super) fn slice(&mut self, field: &'static str, count: usize) -> Result<&[u8], DecodeError> {
        let (first, rest) = self.rest.split_at_checked(count).ok_or(DecodeError::Truncated { field })?;
        self.rest = rest;
        Ok(first)
    }

    pub(super) fn text(&mut self, field: &'static str, limit: usize) -> Result<String, DecodeError> {
        let count = self.count(field, limit)?;
        let text = core::str::from_utf8(self.slice(field, count)?).map_err(|_| DecodeError::NotText { field })?;
        Ok(String::from(text))
    }

    /// A byte that stands for something.
    pub(super) fn number<T>(&mut self, field: &'static str, from: fn(u8) -> Option<T>) -> Result<T, DecodeError> {
        let number = self.u8(field)?;
        from(number).ok_or_else(|| DecodeError::NoSuch { field, value: u64::from(number) })
    }

    /// A byte of flags, all of them known.
    pub(super) fn flags(&mut self, field: &'static str, known: u8) -> Result<u8, DecodeError> {
        let flags = self.u8(field)?;
        if flags & !known == 0 { Ok(flags) } else { Err(DecodeError::NoSuch { field, value: u64::from(flags) }) }
    }
}

fn in_field(error: VarintError, field: &'static str) -> DecodeError {
    match error {
        VarintError::UnexpectedEnd { .. } => DecodeError::Truncated { field },
        VarintError::TooWide { .. } => DecodeError::TooWide { field },
    }
}
