//! What the functions that a fuzzer calls have in common: bytes read as decisions, and frames that pass their checksum.
//!
//! Knows: bytes. Does not know: which fuzzer calls. Each `fuzz_*` function stands beside what it fuzzes, takes any bytes, and panics
//! when a promise is broken.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::session::Payload;
use crate::varint;

/// A payload that is nothing but bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Carried(pub Bytes);

impl Payload for Carried {
    fn size_bytes(&self) -> usize {
        self.0.len()
    }

    fn digest(&self) -> u64 {
        crate::digest::of(&self.0)
    }
}

impl From<Bytes> for Carried {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Carried {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Bytes as a list of decisions. Once they are used up every decision is 0, so that any input ends.
#[derive(Debug)]
pub(crate) struct Choices<'a> {
    rest: &'a [u8],
}

impl<'a> Choices<'a> {
    pub(crate) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(crate) const fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// A number below `bound`; 0 for a bound of 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let drawn = usize::from(self.byte());
        let drawn = if bound > 256 { drawn << 8 | usize::from(self.byte()) } else { drawn };
        drawn.checked_rem(bound).unwrap_or(0)
    }

    pub(crate) fn is(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub(crate) fn of<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        choices[self.below(N)]
    }

    /// So many bytes as the next one says, or what is left.
    pub(crate) fn piece(&mut self) -> &'a [u8] {
        let count = usize::from(self.byte()).min(self.rest.len());
        let (piece, rest) = self.rest.split_at(count);
        self.rest = rest;
        piece
    }
}

/// A frame of these bytes with the length and the checksum that belong to it: no fuzzer guesses a checksum.
pub(crate) fn sealed(body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    varint::write_u64(&mut frame, body.len() as u64 + 4);
    frame.extend_from_slice(body);
    frame.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
    frame
}
