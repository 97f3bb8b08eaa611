//! A link: two pipes between a client and the server, with what is on its way in each.
//!
//! Knows: packets and their order. Does not know: sessions, when things arrive.

use std::collections::VecDeque;

use bytes::BytesMut;
use rpcgen_proto::faults::{FaultPlan, Faults};
use rpcgen_proto::frame::{Frame, FrameCodec, LinkFrame};
use rpcgen_proto::time::Instant;

use crate::checkers::amplification_bounded::Pacing;
use crate::load::Load;

/// Which end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum End {
    Client,
    Server,
}

impl End {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What travels.
#[derive(Debug)]
pub(super) enum Packet {
    /// A frame, handed over.
    Frame(Box<LinkFrame<Load>>),
    /// A piece of the stream of bytes.
    Bytes(Vec<u8>),
    /// The link's end.
    End,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) faults: Faults<Frame<Load>>,
    /// When the faults were promised to be asked again.
    pub(super) faults_due: Option<Instant>,
    pub(super) packets: VecDeque<Packet>,
    /// When the last of them arrives: none overtakes another.
    pub(super) last_arrives: Instant,
    /// On links that may lose: how often what is sent again.
    pub(super) pacing: Option<Pacing>,
}

/// One end.
#[derive(Debug)]
pub(super) struct LinkEnd {
    pub(super) is_open: bool,
    pub(super) codec: FrameCodec,
    /// Bytes that arrived and are no whole frame yet.
    pub(super) input: BytesMut,
    /// What this end sends.
    pub(super) pipe: Pipe,
}

/// A link.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) client: u32,
    /// When the client opened it.
    pub(super) opened: Instant,
    /// Nothing gets through any more.
    pub(super) is_cut: bool,
    /// The server's session on it.
    pub(super) seat: Option<u32>,
    pub(super) client_end: LinkEnd,
    pub(super) server_end: LinkEnd,
}

impl Link {
    pub(super) fn new(client: u32, up: FaultPlan, down: FaultPlan, opened: Instant, is_reliable: bool) -> Self {
        let end = |plan| LinkEnd {
            is_open: true,
            codec: FrameCodec::handshake(),
            input: BytesMut::new(),
            pipe: Pipe {
                faults: Faults::new(plan),
                faults_due: None,
                packets: VecDeque::new(),
                last_arrives: Instant::START,
                pacing: (!is_reliable).then(Pacing::default),
            },
        };
        Self { client, opened, is_cut: false, seat: None, client_end: end(up), server_end: end(down) }
    }

    pub(super) fn end(&mut self, end: End) -> &mut LinkEnd {
        match end {
            End::Client => &mut self.client_end,
            End::Server => &mut self.server_end,
        }
    }

    /// Both ends are closed: what it holds can go.
    pub(super) fn is_over(&self) -> bool {
        !self.client_end.is_open && !self.server_end.is_open
    }
}
