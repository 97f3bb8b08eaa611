//! A live link: one transport among those that exist.
//!
//! Knows: how to connect to an address, and to each transport's end. Does not know: sessions.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use rpcgen_proto::frame::{Close, DecodeError, FrameRef, LinkFrame};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use super::address::Address;
use super::tcp::TcpLink;
use super::threads::{self, ThreadLink};
use super::watch::TooSlow;
use crate::carried::Carried;

/// Why a link is gone.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// The other end closed it.
    #[error("the other end closed the link")]
    Closed,
    /// The transport failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The other end does not read.
    #[error(transparent)]
    TooSlow(#[from] TooSlow),
    /// The other end sent what is no frame.
    #[error("malformed bytes: {0}")]
    Malformed(#[from] DecodeError),
}

/// One live transport connection.
#[derive(Debug)]
pub(crate) struct Link {
    transport: Transport,
    peer: String,
    /// Counts against the server's limit of live links.
    permit: Option<OwnedSemaphorePermit>,
}

#[derive(Debug)]
enum Transport {
    Tcp(TcpLink),
    Threads(ThreadLink),
}

impl Link {
    pub(crate) async fn connect(address: &Address) -> io::Result<Self> {
        let (transport, peer) = match address {
            Address::Tcp { authority } => {
                let (link, peer) = TcpLink::connect(authority).await?;
                (Transport::Tcp(link), peer.to_string())
            }
            Address::Thread { name } => (Transport::Threads(threads::connect(name)?), address.to_string()),
        };
        Ok(Self { transport, peer, permit: None })
    }

    pub(crate) fn from_tcp(stream: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit) -> io::Result<Self> {
        Ok(Self { transport: Transport::Tcp(TcpLink::accepted(stream)?), peer: peer.to_string(), permit: Some(permit) })
    }

    pub(crate) fn from_threads(link: ThreadLink, permit: OwnedSemaphorePermit) -> Self {
        Self { transport: Transport::Threads(link), peer: "this process".to_owned(), permit: Some(permit) }
    }

    /// For people: who is at the other end.
    pub(crate) fn peer(&self) -> &str {
        &self.peer
    }

    /// Whether messages are handed over as they are.
    pub(crate) fn is_in_process(&self) -> bool {
        matches!(self.transport, Transport::Threads(_))
    }

    pub(crate) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<LinkFrame<Carried>, LinkError>> {
        match &mut self.transport {
            Transport::Tcp(link) => link.poll_receive(cx),
            Transport::Threads(link) => link.poll_receive(cx),
        }
    }

    /// How much has come and was not received yet: bytes, or between threads frames.
    pub(crate) fn unread(&self) -> usize {
        match &self.transport {
            Transport::Tcp(link) => link.unread(),
            Transport::Threads(link) => link.unread(),
        }
    }

    /// Gives memory back that an idle link does not need.
    pub(crate) fn rest(&mut self) {
        match &mut self.transport {
            Transport::Tcp(link) => link.rest(),
            Transport::Threads(_) => {}
        }
    }

    /// Appends to the batch that the next flush sends.
    pub(crate) fn transmit(&mut self, frame: LinkFrame<Carried>) {
        match &mut self.transport {
            Transport::Tcp(link) => link.transmit(&frame),
            Transport::Threads(link) => link.transmit(frame),
        }
    }

    /// The same of a frame that is lent.
    pub(crate) fn transmit_frame(&mut self, frame: FrameRef<'_, Carried>) {
        match &mut self.transport {
            Transport::Tcp(link) => link.transmit_frame(frame),
            Transport::Threads(link) => link.transmit(LinkFrame::Frame(frame.to_frame())),
        }
    }

    /// The same, corrupted. Between threads nothing is encoded: there a corrupt frame is a lost one, as it is behind a checksum.
    pub(crate) fn transmit_corrupted(&mut self, frame: &LinkFrame<Carried>, corrupt: impl FnOnce(&mut [u8])) {
        match &mut self.transport {
            Transport::Tcp(link) => link.transmit_corrupted(frame, corrupt),
            Transport::Threads(_) => {}
        }
    }

    /// Sends the batch. `Ready`: all of it left.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), LinkError>> {
        match &mut self.transport {
            Transport::Tcp(link) => link.poll_flush(cx),
            Transport::Threads(link) => Poll::Ready(link.flush()),
        }
    }

    /// How many bytes have left in all, and how many wait. Between threads frames are handed over, and nothing waits.
    pub(crate) fn written(&self) -> (u64, usize) {
        match &self.transport {
            Transport::Tcp(link) => link.written(),
            Transport::Threads(_) => (0, 0),
        }
    }

    /// Closes after what was transmitted, without waiting for it.
    pub(crate) fn close(self, cx: &mut Context<'_>) {
        let Self { mut transport, permit, .. } = self;
        match &mut transport {
            // Between threads the batch is handed over at once, and stays readable after this end is gone.
            Transport::Threads(link) => drop(link.flush()),
            // Mostly everything leaves here and now, so that it is not lost should the process end.
            Transport::Tcp(link) => drop(link.poll_flush(cx)),
        }
        if let Transport::Tcp(link) = transport {
            tokio::spawn(async move {
                link.linger().await;
                drop(permit);
            });
        }
    }

    /// Closes after what was transmitted, and waits for it.
    pub(crate) async fn close_slowly(self) {
        match self.transport {
            Transport::Threads(mut link) => drop(link.flush()),
            Transport::Tcp(link) => link.linger().await,
        }
    }

    /// The same as [`Self::close`] with a last word that says why.
    pub(crate) fn close_with(mut self, cx: &mut Context<'_>, message: &str) {
        self.transmit(LinkFrame::Close(Close { message: message.to_owned() }));
        self.close(cx);
    }
}
