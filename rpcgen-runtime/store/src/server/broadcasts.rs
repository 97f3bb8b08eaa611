//! The records of a broadcast, from the word of its sender to the guarantee of a node.
//!
//! Knows: one broadcast, to which nodes it was assigned. Does not know: nodes.

use bytes::Bytes;
use rpcgen_log::{LogError, Sequence};

use super::ServerStore;
use crate::codec::{BroadcastEntry, ServerEntry};
use crate::log::{RecordLog, Room};
use crate::stream::BROADCASTS;

/// A broadcast that is on record: goes along with it, from one node to the next if need be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroadcastHandle {
    pub(super) record: Sequence,
    pub(super) assigned: Vec<Sequence>,
}

impl ServerStore {
    /// Puts a broadcast into the log. It is durable when the log has passed [`BroadcastHandle::sequence`].
    ///
    /// # Errors
    /// The log says no; nothing happened.
    pub fn broadcast<P: AsRef<[u8]>>(
        log: &mut impl RecordLog,
        broadcast: BroadcastEntry<P>,
    ) -> Result<BroadcastHandle, LogError> {
        let mut bytes = Vec::new();
        ServerEntry::Broadcast(broadcast).encode(&mut bytes);
        let record = log.append(BROADCASTS, &bytes, Room::Ordinary)?;
        Ok(BroadcastHandle { record, assigned: Vec::new() })
    }
}

impl BroadcastHandle {
    /// The place of its record in the log.
    #[must_use]
    pub const fn sequence(&self) -> Sequence {
        self.record
    }

    /// Whether a node was told, or was about to be: another one is to be told that it may have run.
    #[must_use]
    pub const fn is_assigned(&self) -> bool {
        !self.assigned.is_empty()
    }

    pub(super) fn assign(&mut self, log: &mut impl RecordLog) -> Result<Sequence, LogError> {
        let mut bytes = Vec::new();
        ServerEntry::<Bytes>::Assigned { broadcast: self.record }.encode(&mut bytes);
        let sequence = log.append(BROADCASTS, &bytes, Room::Reserved)?;
        self.assigned.push(sequence);
        Ok(sequence)
    }

    /// A node has guaranteed that it runs the handler, or the broadcast is given up: its records are needed no more.
    ///
    /// # Errors
    /// The log says no. Then it is found again after a restart, and goes to a node once more, as redelivered.
    pub fn release(self, log: &mut impl RecordLog) -> Result<(), LogError> {
        // The broadcast first: an assignment without one means nothing.
        log.release(BROADCASTS, self.record, self.record)?;
        self.assigned.into_iter().try_for_each(|sequence| log.release(BROADCASTS, sequence, sequence))
    }
}
