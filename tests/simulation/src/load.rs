//! What the sessions carry: which message it is, so that every checker can tell it again.
//!
//! Knows: tags. Does not know: who sent what.

use bytes::Bytes;
use rpcgen_proto::session::Payload;

/// Set in the tag of a message that a guest made, or that was made for one.
pub const GUEST: u32 = 1 << 30;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoadKind {
    /// An action's request.
    Request,
    /// Its response.
    Response,
    /// Its business error.
    Failure,
    /// A broadcast.
    Broadcast,
    /// Bytes that were none of ours.
    Broken,
}

/// A message: sixteen bytes on the wire, and as large as it says in the accounts of the sessions.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Load {
    bytes: [u8; 16],
}

impl Load {
    /// A message that can be told from all others of the run.
    #[must_use]
    pub fn new(kind: LoadKind, tag: u32, size: u32) -> Self {
        let number = match kind {
            LoadKind::Request => 1,
            LoadKind::Response => 2,
            LoadKind::Failure => 3,
            LoadKind::Broadcast => 4,
            LoadKind::Broken => 0,
        };
        let mut bytes = [number; 16];
        bytes[4..8].copy_from_slice(&tag.to_le_bytes());
        bytes[8..12].copy_from_slice(&size.to_le_bytes());
        Self { bytes }
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> LoadKind {
        match self.bytes[0] {
            1 => LoadKind::Request,
            2 => LoadKind::Response,
            3 => LoadKind::Failure,
            4 => LoadKind::Broadcast,
            _ => LoadKind::Broken,
        }
    }

    /// Which one.
    #[must_use]
    pub fn tag(&self) -> u32 {
        self.word(4)
    }

    /// Whether a guest made it, or it was made for one.
    #[must_use]
    pub fn is_guests(&self) -> bool {
        self.tag() & GUEST != 0
    }

    fn word(&self, at: usize) -> u32 {
        let mut word = [0; 4];
        word.copy_from_slice(&self.bytes[at..at + 4]);
        u32::from_le_bytes(word)
    }
}

impl std::fmt::Debug for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}#{}", self.kind(), self.tag())
    }
}

impl Payload for Load {
    fn size_bytes(&self) -> usize {
        self.word(8) as usize
    }

    fn digest(&self) -> u64 {
        rpcgen_proto::digest::of(&self.bytes)
    }
}

impl AsRef<[u8]> for Load {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Bytes> for Load {
    fn from(bytes: Bytes) -> Self {
        Self { bytes: (*bytes).try_into().unwrap_or([0; 16]) }
    }
}
