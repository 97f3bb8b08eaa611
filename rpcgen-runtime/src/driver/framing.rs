//! Frames to bytes and back, for byte-stream transports: one bounded read buffer, one write buffer.
//!
//! Knows: the wire codec, and that it changes with the welcome. Does not know: sockets, sessions. Bytes may arrive one at a time or
//! a thousand frames at once.

use bytes::BytesMut;
use rpcgen_proto::frame::{DecodeError, FrameCodec, FrameRef, LinkFrame, Welcome};

use crate::carried::Carried;

/// Room made for each read of a busy link: enough for hundreds of small frames.
const READ_BYTES: usize = 64 * 1024;
/// Room made for each read of a link that brings little at a time, and for the first one after a rest: ten thousand links that make a
/// call, or hear a sign of life, now and then take no more each.
const FIRST_READ_BYTES: usize = 4 * 1024;
/// A read that filled its room makes that of the next ones so many times larger.
const GROWTH: usize = 4;
/// Below so much free room, more is made before a read.
const READ_BYTES_MIN: usize = 1024;
/// A write buffer that grew beyond this is given back when it is empty.
const WRITE_BUFFER_KEPT_BYTES: usize = 256 * 1024;

/// Both buffers of one link.
#[derive(Debug)]
pub(crate) struct Framing {
    codec: FrameCodec,
    is_greeted: bool,
    input: BytesMut,
    /// Room made for the next reads.
    read_bytes: usize,
    output: Vec<u8>,
    written: usize,
    written_in_all: u64,
}

impl Framing {
    /// `codec`: for what the other end says first.
    pub(crate) fn new(codec: FrameCodec) -> Self {
        Self {
            codec,
            is_greeted: false,
            input: BytesMut::new(),
            read_bytes: FIRST_READ_BYTES,
            output: Vec::new(),
            written: 0,
            written_in_all: 0,
        }
    }

    /// Where to read to: always has room.
    pub(crate) fn read_buffer(&mut self) -> &mut BytesMut {
        if self.input.capacity() - self.input.len() < READ_BYTES_MIN {
            // A frame larger than the buffer makes it double, so that it is not copied for each read.
            self.input.reserve(self.read_bytes.max(self.input.len()));
        }
        &mut self.input
    }

    /// A read took all the room there was: more was waiting, or is on its way.
    pub(crate) fn read_was_full(&mut self) {
        self.read_bytes = (self.read_bytes * GROWTH).min(READ_BYTES);
    }

    /// How many bytes were read that are no frames yet.
    pub(crate) fn unread(&self) -> usize {
        self.input.len()
    }

    /// The next frame; `None` when it is not complete yet. On a link that may corrupt, a corrupt frame is a lost one.
    pub(crate) fn next_frame(&mut self) -> Result<Option<LinkFrame<Carried>>, DecodeError> {
        loop {
            match self.codec.decode(&mut self.input) {
                Err(DecodeError::Corrupt { .. }) if self.is_greeted && !self.codec.reliable_ordered => {}
                Ok(Some(LinkFrame::Welcome(welcome))) => {
                    self.agree(&welcome);
                    return Ok(Some(LinkFrame::Welcome(welcome)));
                }
                other => return other,
            }
        }
    }

    /// Appends a frame to what is to be written.
    pub(crate) fn push(&mut self, frame: &LinkFrame<Carried>) {
        self.codec.encode(frame, &mut self.output);
        if let LinkFrame::Welcome(welcome) = frame {
            self.agree(welcome);
        }
    }

    /// The same of a frame that is lent.
    pub(crate) fn push_frame(&mut self, frame: FrameRef<'_, Carried>) {
        self.codec.encode_frame(frame, &mut self.output);
    }

    /// The same, and lets the encoded frame be changed. For faults on purpose.
    pub(crate) fn push_corrupted(&mut self, frame: &LinkFrame<Carried>, corrupt: impl FnOnce(&mut [u8])) {
        let start = self.output.len();
        self.codec.encode(frame, &mut self.output);
        corrupt(self.output.get_mut(start..).unwrap_or_default());
    }

    /// What is to be written.
    pub(crate) fn unwritten(&self) -> &[u8] {
        self.output.get(self.written..).unwrap_or_default()
    }

    /// So many bytes of it were written.
    pub(crate) fn advance(&mut self, written: usize) {
        self.written += written;
        self.written_in_all += written as u64;
        if self.written >= self.output.len() {
            self.output.clear();
            self.written = 0;
            self.output.shrink_to(WRITE_BUFFER_KEPT_BYTES);
        } else if self.written > self.output.len() / 2 {
            // A link that is never idle is never all written: what was, must go all the same.
            self.output.drain(..self.written);
            self.written = 0;
        }
    }

    /// Nothing has happened for a while: what is empty takes no memory.
    pub(crate) fn rest(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
            self.read_bytes = FIRST_READ_BYTES;
        }
        if self.output.is_empty() {
            self.output = Vec::new();
        }
    }

    /// How many bytes were written since the link is up.
    pub(crate) fn written_in_all(&self) -> u64 {
        self.written_in_all
    }

    /// From the welcome on, both ends use what it says.
    fn agree(&mut self, welcome: &Welcome) {
        self.codec = FrameCodec::after(welcome);
        self.is_greeted = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(framing: &mut Framing) -> usize {
        let buffer = framing.read_buffer();
        buffer.capacity() - buffer.len()
    }

    #[test]
    fn room_for_reads_grows_with_what_comes_and_is_given_back_at_rest() {
        let mut framing = Framing::new(FrameCodec::handshake());
        for expected in [4, 16, 64, 64].map(|kibibytes| kibibytes * 1_024) {
            framing.input = BytesMut::new();
            assert_eq!(room(&mut framing), expected);
            framing.read_was_full();
        }
        framing.rest();
        assert_eq!(room(&mut framing), 4 * 1_024);
    }

    #[test]
    fn large_frame_doubles_its_buffer_each_time() {
        let mut framing = Framing::new(FrameCodec::handshake());
        for _ in 0..12 {
            let all = room(&mut framing);
            framing.input.extend_from_slice(&vec![0; all]);
        }
        assert!(room(&mut framing) >= framing.input.len(), "{}", framing.input.len());
        assert!(framing.input.len() > 4 * 1_024 * 1_024, "{}", framing.input.len());
    }
}
