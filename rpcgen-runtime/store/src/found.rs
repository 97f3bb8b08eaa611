//! What a log tells when it is opened, gathered by stream.
//!
//! Knows: streams, sequences, bytes. Does not know: what they say. A record that compaction moved is told after younger ones, so
//! nothing can be made of records before all were told.

use std::collections::BTreeMap;

use bytes::Bytes;
use rpcgen_log::{Found, Sequence, StreamId};

use crate::codec::{DecodeError, Owner};
use crate::error::StoreError;
use crate::log::{RecordLog, Room};
use crate::stream::OWNER;

/// The records that live in a log. In memory all at once: that is what its owner will keep anyway.
#[derive(Clone, Debug, Default)]
pub struct FoundRecords {
    records: BTreeMap<(StreamId, Sequence), Bytes>,
    bytes: u64,
}

impl FoundRecords {
    /// Takes in what [`rpcgen_log::Log::open`] tells.
    pub fn tell(&mut self, found: Found<'_>) {
        match found {
            Found::Record { stream, sequence, payload } => {
                self.bytes += payload.len() as u64;
                self.records.insert((stream, sequence), Bytes::copy_from_slice(payload));
            }
            Found::Released { stream, first, last } => {
                let gone = self.records.extract_if((stream, first)..=(stream, last), |_, _| true);
                gone.for_each(drop);
            }
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Payload bytes that were told, released ones included: how far the reading of a log is.
    #[must_use]
    pub fn bytes_told(&self) -> u64 {
        self.bytes
    }

    /// Whose log it is. `None`: that is not on record.
    #[must_use]
    pub fn owner(&self) -> Option<Result<Owner, StoreError>> {
        let ((_, sequence), bytes) = self.records.range((OWNER, Sequence(0))..=(OWNER, Sequence(u64::MAX))).next()?;
        Some(Owner::decode(bytes.clone()).map_err(unreadable(OWNER, *sequence)))
    }

    /// Takes out all records, by stream and sequence.
    pub(crate) fn into_records(self) -> impl Iterator<Item = (StreamId, Sequence, Bytes)> {
        self.records.into_iter().map(|((stream, sequence), bytes)| (stream, sequence, bytes))
    }

    /// Sees to it that the log is this owner's: a new one is made so, one of somebody else is refused.
    pub(crate) fn claim(&mut self, log: &mut impl RecordLog, wanted: &Owner) -> Result<(), StoreError> {
        let all = (OWNER, Sequence(0))..=(OWNER, Sequence(u64::MAX));
        let Some(((_, sequence), bytes)) = self.records.extract_if(all, |_, _| true).next() else {
            if !self.is_empty() {
                return Err(other("something else", wanted));
            }
            let mut bytes = Vec::new();
            wanted.encode(&mut bytes);
            log.append(OWNER, &bytes, Room::Ordinary)?;
            return Ok(());
        };
        let found = Owner::decode(bytes).map_err(unreadable(OWNER, sequence))?;
        if found == *wanted { Ok(()) } else { Err(other(&describe(&found), wanted)) }
    }
}

/// Names the record that cannot be read.
pub(crate) fn unreadable(stream: StreamId, sequence: Sequence) -> impl FnOnce(DecodeError) -> StoreError {
    move |source| StoreError::Record { stream, sequence, source }
}

fn other(found: &str, wanted: &Owner) -> StoreError {
    StoreError::OtherOwner { found: found.to_owned(), wanted: describe(wanted) }
}

fn describe(owner: &Owner) -> String {
    match owner.role {
        crate::codec::Role::Client => format!("a client of `{}`", owner.service),
        crate::codec::Role::Server => "a server".to_owned(),
    }
}
