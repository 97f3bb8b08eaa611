//! TCP: one stream, batches in both directions.
//!
//! Knows: a socket and its framing. Does not know: what the frames mean.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rpcgen_proto::frame::{FrameCodec, FrameRef, LinkFrame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::framing::Framing;
use super::link::LinkError;
use crate::carried::Carried;

/// How long a closed link may take to get its last words out, and so long again for each of these many bytes of them.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 64 * 1_024;

/// A connected stream.
#[derive(Debug)]
pub(crate) struct TcpLink {
    stream: TcpStream,
    framing: Framing,
}

impl TcpLink {
    /// The server's end of a connection.
    pub(crate) fn accepted(stream: TcpStream) -> io::Result<Self> {
        Self::new(stream, FrameCodec::handshake())
    }

    pub(crate) async fn connect(authority: &str) -> io::Result<(Self, SocketAddr)> {
        let stream = TcpStream::connect(authority).await?;
        let peer = stream.peer_addr()?;
        Ok((Self::new(stream, FrameCodec::answer_to_hello())?, peer))
    }

    /// Small frames leave at once: batches are made here, not by the kernel's waiting.
    fn new(stream: TcpStream, codec: FrameCodec) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, framing: Framing::new(codec) })
    }

    pub(crate) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<LinkFrame<Carried>, LinkError>> {
        loop {
            if let Some(frame) = self.framing.next_frame()? {
                return Poll::Ready(Ok(frame));
            }
            // Not `try_read_buf`: this one knows that a buffer that is not filled was all there is, and asks the kernel once, not twice.
            let buffer = self.framing.read_buffer();
            let room = buffer.capacity() - buffer.len();
            let read = pin!(self.stream.read_buf(buffer));
            match ready!(read.poll(cx))? {
                0 => return Poll::Ready(Err(LinkError::Closed)),
                read if read == room => self.framing.read_was_full(),
                _ => {}
            }
        }
    }

    /// How many bytes were read that are no frames yet.
    pub(crate) fn unread(&self) -> usize {
        self.framing.unread()
    }

    /// See [`Framing::rest`].
    pub(crate) fn rest(&mut self) {
        self.framing.rest();
    }

    pub(crate) fn transmit(&mut self, frame: &LinkFrame<Carried>) {
        self.framing.push(frame);
    }

    pub(crate) fn transmit_frame(&mut self, frame: FrameRef<'_, Carried>) {
        self.framing.push_frame(frame);
    }

    pub(crate) fn transmit_corrupted(&mut self, frame: &LinkFrame<Carried>, corrupt: impl FnOnce(&mut [u8])) {
        self.framing.push_corrupted(frame, corrupt);
    }

    /// Writes as much as the socket takes. `Ready`: everything.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        while !self.framing.unwritten().is_empty() {
            match self.stream.try_write(self.framing.unwritten()) {
                Ok(0) => return Poll::Ready(Err(LinkError::Closed)),
                Ok(written) => self.framing.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(self.stream.poll_write_ready(cx))?,
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// How many bytes have left in all, and how many wait.
    pub(crate) fn written(&self) -> (u64, usize) {
        (self.framing.written_in_all(), self.framing.unwritten().len())
    }

    /// Gets the last words out, then closes. What the peer still sends is read and dropped meanwhile: a socket that is closed with
    /// unread input resets the connection, and the peer would never read why.
    pub(crate) async fn linger(mut self) {
        let rounds = u32::try_from(self.framing.unwritten().len() / LINGER_BYTES).unwrap_or(u32::MAX);
        let limit = LINGER.saturating_mul(rounds.saturating_add(1));
        let last_words = async {
            std::future::poll_fn(|cx| self.poll_flush(cx)).await?;
            self.stream.shutdown().await?;
            let mut unread = [0; 4096];
            loop {
                self.stream.readable().await?;
                match self.stream.try_read(&mut unread) {
                    Ok(0) => return Ok::<_, LinkError>(()),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
        };
        // Late or broken: the peer learns the same from the closed socket.
        let _ = tokio::time::timeout(limit, last_words).await;
    }
}
