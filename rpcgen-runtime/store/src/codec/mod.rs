//! The bytes of records. The formats are in docs/records.md; golden vectors hold them still.
//!
//! Knows: fields and their order. Does not know: streams, logs, what a record means to a session.
//!
//! A record is a version, a kind, fields of variable length, and a payload that takes what is left: so a payload needs no length, and
//! is a slice of what the log told.

#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::arithmetic_side_effects)]

mod client;
mod owner;
mod server;

use bytes::Bytes;
use rpcgen_proto::frame::Refusal;
use rpcgen_proto::session::Answer;
use rpcgen_proto::varint;

pub use client::{decode_client, encode_client};
pub use owner::{Owner, Role};
pub use server::{BroadcastEntry, LogTime, ServerEntry};

/// The version of all formats of records.
pub const RECORD_VERSION: u8 = 1;

/// Bytes that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// It was written by a later version of this library.
    #[error("a record of version {0}; this program reads version {RECORD_VERSION}")]
    Version(u8),
    /// There is no such kind of record in this place.
    #[error("a record of an unknown kind, {0}")]
    Kind(u8),
    /// It ends early, or a field has a value that it cannot have.
    #[error("the field `{0}` is not as it should be")]
    Field(&'static str),
    /// More follows after its last field.
    #[error("{0} bytes too many")]
    TooLong(usize),
}

/// What is left to read of a record.
struct Reader {
    bytes: Bytes,
}

impl Reader {
    /// Reads the version and the kind.
    fn begin(bytes: Bytes) -> Result<(u8, Self), DecodeError> {
        let mut reader = Self { bytes };
        let version = reader.byte("version")?;
        if version != RECORD_VERSION {
            return Err(DecodeError::Version(version));
        }
        let kind = reader.byte("kind")?;
        Ok((kind, reader))
    }

    fn byte(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        let byte = *self.bytes.first().ok_or(DecodeError::Field(field))?;
        let _ = self.bytes.split_to(1);
        Ok(byte)
    }

    fn flag(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        match self.byte(field)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Field(field)),
        }
    }

    fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let mut rest = &self.bytes[..];
        let value = varint::read_u64(&mut rest).map_err(|_| DecodeError::Field(field))?;
        let read = self.bytes.len().saturating_sub(rest.len());
        let _ = self.bytes.split_to(read);
        Ok(value)
    }

    fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        u32::try_from(self.u64(field)?).map_err(|_| DecodeError::Field(field))
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let array = *self.bytes.first_chunk().ok_or(DecodeError::Field(field))?;
        let _ = self.bytes.split_to(N);
        Ok(array)
    }

    fn bytes(&mut self, field: &'static str) -> Result<Bytes, DecodeError> {
        let length = usize::try_from(self.u64(field)?).map_err(|_| DecodeError::Field(field))?;
        if length > self.bytes.len() {
            return Err(DecodeError::Field(field));
        }
        Ok(self.bytes.split_to(length))
    }

    fn text(&mut self, field: &'static str) -> Result<String, DecodeError> {
        let bytes = self.bytes(field)?;
        String::from_utf8(bytes.to_vec()).map_err(|_| DecodeError::Field(field))
    }

    fn is_at_end(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is left is the payload.
    fn payload<P: From<Bytes>>(self) -> P {
        P::from(self.bytes)
    }

    /// Nothing may be left.
    fn end<T>(self, record: T) -> Result<T, DecodeError> {
        if self.bytes.is_empty() { Ok(record) } else { Err(DecodeError::TooLong(self.bytes.len())) }
    }

    fn answer<P: From<Bytes>>(mut self) -> Result<Answer<P>, DecodeError> {
        match self.byte("answer")? {
            0 => Ok(Answer::Response(self.payload())),
            1 => Ok(Answer::Failure(self.payload())),
            2 => {
                let refusal = Refusal::from_number(self.byte("refusal")?).ok_or(DecodeError::Field("refusal"))?;
                self.end(Answer::Refused(refusal))
            }
            _ => Err(DecodeError::Field("answer")),
        }
    }
}

fn put_answer<P: AsRef<[u8]>>(out: &mut Vec<u8>, answer: &Answer<P>) {
    match answer {
        Answer::Response(payload) => {
            out.push(0);
            out.extend_from_slice(payload.as_ref());
        }
        Answer::Failure(payload) => {
            out.push(1);
            out.extend_from_slice(payload.as_ref());
        }
        Answer::Refused(refusal) => out.extend_from_slice(&[2, refusal.number()]),
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    varint::write_u64(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// What a fuzzer calls: bytes that are any record are read back as the same one.
#[cfg(any(test, feature = "fuzzing"))]
pub fn fuzz_decode(input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    let mut again = Vec::new();
    if let Ok(record) = decode_client::<Bytes>(bytes.clone()) {
        encode_client(&record, &mut again);
        assert_eq!(decode_client::<Bytes>(Bytes::from(again.clone())), Ok(record));
    }
    again.clear();
    if let Ok(entry) = ServerEntry::<Bytes>::decode(bytes.clone()) {
        entry.encode(&mut again);
        assert_eq!(ServerEntry::decode(Bytes::from(again.clone())), Ok(entry));
    }
    again.clear();
    if let Ok(owner) = Owner::decode(bytes) {
        owner.encode(&mut again);
        assert_eq!(Owner::decode(Bytes::from(again)), Ok(owner));
    }
}

#[cfg(test)]
#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::arithmetic_side_effects,
    reason = "tests may panic"
)]
mod tests;
