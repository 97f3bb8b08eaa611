//! Where values are appended.
//!
//! Knows: bytes, the first limit that was broken. Does not know: what the bytes mean.

use alloc::vec::Vec;

use super::{DEPTH_MAX, EncodeError};

/// Appends encoded values to a buffer.
///
/// Writing never fails half-way: the first broken limit is remembered, and [`Self::finish`] says it.
#[derive(Debug, Default)]
pub struct Writer {
    pub(super) bytes: Vec<u8>,
    pub(super) depth: u8,
    broken: Option<EncodeError>,
    /// Texts and byte strings are not copied: only the limits are of interest.
    is_checking: bool,
}

impl Writer {
    /// Begins with an empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), depth: 0, broken: None, is_checking: false }
    }

    /// Begins with an empty buffer that has room for so many bytes.
    #[inline]
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), depth: 0, broken: None, is_checking: false }
    }

    /// Appends to a buffer that is there already; [`Self::finish`] gives it back.
    #[inline]
    #[must_use]
    pub const fn append_to(bytes: Vec<u8>) -> Self {
        Self { bytes, depth: 0, broken: None, is_checking: false }
    }

    /// Only checks limits: texts and byte strings are measured, not copied. What [`Self::finish`] gives back is no value, and is of use as
    /// memory for the next.
    #[must_use]
    pub const fn checking(memory: Vec<u8>) -> Self {
        Self { bytes: memory, depth: 0, broken: None, is_checking: true }
    }

    /// Appends bytes as they are.
    #[inline]
    pub(super) fn copy(&mut self, bytes: &[u8]) {
        if !self.is_checking {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// What was written.
    ///
    /// # Errors
    /// A value broke one of its limits; nothing of the buffer is of use.
    #[inline]
    pub fn finish(self) -> Result<Vec<u8>, EncodeError> {
        match self.broken {
            None => Ok(self.bytes),
            Some(broken) => Err(broken),
        }
    }

    /// Checks a length against `@max` of a field; `what` is `bytes`, `elements` or `entries`.
    #[inline]
    pub fn at_most(&mut self, field: &'static str, what: &'static str, length: usize, limit: u64) {
        let length = length as u64;
        if length > limit {
            self.note(EncodeError::TooLong { field, what, length, limit });
        }
    }

    /// One level deeper; whether that is allowed. Who was let in leaves with [`Self::leave`].
    #[inline]
    pub(super) fn enter(&mut self) -> bool {
        if self.depth >= DEPTH_MAX {
            self.note(EncodeError::TooDeep { limit: DEPTH_MAX });
            return false;
        }
        self.depth += 1;
        true
    }

    /// One level up again.
    #[inline]
    pub(super) const fn leave(&mut self) {
        self.depth -= 1;
    }

    #[cold]
    fn note(&mut self, error: EncodeError) {
        self.broken.get_or_insert(error);
    }
}
