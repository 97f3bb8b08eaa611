//! What the sessions of the model carry.
//!
//! Knows: which call or broadcast a message belongs to. Does not know: sessions.

use rpcgen_proto::session::Payload;

/// A message that says what it is for: so an answer that reaches the wrong call is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// The request of a call.
    Request(u8),
    /// The response to a call.
    Response(u8),
    /// A broadcast.
    News(u8),
}

impl Payload for Word {
    fn size_bytes(&self) -> usize {
        1
    }

    fn digest(&self) -> u64 {
        let (kind, number) = match self {
            Self::Request(number) => (0, number),
            Self::Response(number) => (1, number),
            Self::News(number) => (2, number),
        };
        rpcgen_proto::digest::of(&[kind, *number])
    }
}
