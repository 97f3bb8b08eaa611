//! Where encoded messages lie: many in one block of memory, which is used again when all of them are gone.
//!
//! Knows: bytes that are written one after another. Does not know: what they say.
//!
//! A message is encoded once and kept until it is guaranteed, at most a few round trips later. An allocation for each would be a
//! large part of what a call costs; so each thread fills a block, and shares pieces of it. A piece that lives long keeps its block:
//! [`BLOCK_BYTES`] bounds what that is.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};
use rpcgen_proto::payload::{self, Encode, EncodeError, Writer};

/// Bytes of a block: some dozens of small messages.
const BLOCK_BYTES: usize = 4 * 1024;
/// A message that is larger has memory of its own.
const SHARED_BYTES_MAX: usize = 512;

struct Blocks {
    /// Where a message is written before its size is known.
    scratch: Vec<u8>,
    block: BytesMut,
}

thread_local! {
    static BLOCKS: RefCell<Blocks> =
        RefCell::new(Blocks { scratch: Vec::new(), block: BytesMut::new() });
}

/// Encodes a message.
///
/// # Errors
/// It breaks one of its limits: the peer would refuse it.
pub(crate) fn encoded<M: Encode>(message: &M) -> Result<Bytes, EncodeError> {
    BLOCKS.with_borrow_mut(|Blocks { scratch, block }| {
        let mut out = Writer::append_to(std::mem::take(scratch));
        message.encode(&mut out);
        let bytes = out.finish()?;
        if bytes.len() > SHARED_BYTES_MAX {
            return Ok(bytes.into());
        }
        if block.capacity() < bytes.len() {
            // Takes the old block again if nobody has a piece of it any more.
            block.reserve(BLOCK_BYTES);
        }
        block.extend_from_slice(&bytes);
        *scratch = bytes;
        scratch.clear();
        Ok(block.split().freeze())
    })
}

/// Whether the message keeps its limits.
///
/// # Errors
/// As [`encoded`].
pub(crate) fn check<M: Encode>(message: &M) -> Result<(), EncodeError> {
    BLOCKS.with_borrow_mut(|Blocks { scratch, .. }| {
        let mut out = Writer::checking(std::mem::take(scratch));
        message.encode(&mut out);
        let memory = out.finish()?;
        if memory.len() <= SHARED_BYTES_MAX {
            *scratch = memory;
            scratch.clear();
        }
        Ok(())
    })
}

/// Encodes a message that is to be kept for long: it has memory of its own.
///
/// # Errors
/// As [`encoded`].
pub(crate) fn encoded_alone<M: Encode>(message: &M) -> Result<Bytes, EncodeError> {
    payload::to_vec(message).map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_one_thread_share_blocks_and_keep_what_they_say() {
        let texts: Vec<String> = (0..1_000).map(|number| format!("message {number}")).collect();
        let all: Vec<Bytes> = texts.iter().map(|text| encoded(text).unwrap()).collect();
        for (text, bytes) in texts.iter().zip(&all) {
            assert_eq!(payload::from_slice::<String>(bytes).unwrap(), *text);
        }
        let is_next = |pair: &[Bytes]| pair[0].as_ptr().wrapping_add(pair[0].len()) == pair[1].as_ptr();
        assert!(all.windows(2).filter(|pair| is_next(pair)).count() > 900);
    }

    #[test]
    fn large_message_has_memory_of_its_own_and_a_broken_one_breaks_nothing() {
        let large = "x".repeat(SHARED_BYTES_MAX + 1);
        assert_eq!(payload::from_slice::<String>(&encoded(&large).unwrap()).unwrap(), large);
        assert_eq!(&encoded(&7_u8).unwrap()[..], [7]);
    }
}
