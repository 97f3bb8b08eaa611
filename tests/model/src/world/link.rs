//! A link: frames on their way in both directions.
//!
//! Knows: order, and who is still there. Does not know: sessions.

use std::collections::VecDeque;
use std::fmt;

use rpcgen_proto::frame::{Body, Frame, LinkFrame, WireId};
use rpcgen_proto::ids::{LaneKind, SessionId};

use super::word::Word;

/// What travels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Item {
    /// A frame.
    Frame(LinkFrame<Word>),
    /// The other end has gone.
    End,
}

/// A link between a client and the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Link {
    /// The client, and which life of it.
    pub(super) client: u8,
    pub(super) life: u8,
    pub(super) client_is_here: bool,
    pub(super) server_is_here: bool,
    /// The session that the server gave the link to.
    pub(super) session: Option<SessionId>,
    pub(super) up: VecDeque<Item>,
    pub(super) down: VecDeque<Item>,
}

impl Link {
    pub(super) fn new(client: u8, life: u8) -> Self {
        let (up, down) = (VecDeque::new(), VecDeque::new());
        Self { client, life, client_is_here: true, server_is_here: true, session: None, up, down }
    }

    pub(super) fn queue(&self, lane: LaneKind) -> &VecDeque<Item> {
        match lane {
            LaneKind::Up => &self.up,
            LaneKind::Down => &self.down,
        }
    }

    pub(super) fn queue_mut(&mut self, lane: LaneKind) -> &mut VecDeque<Item> {
        match lane {
            LaneKind::Up => &mut self.up,
            LaneKind::Down => &mut self.down,
        }
    }

    /// Puts a frame on its way, unless the other end has gone. On a reliable link only the low bits of numbers travel.
    pub(super) fn push(&mut self, lane: LaneKind, mut frame: LinkFrame<Word>, reliable: bool) {
        let other_is_here = if lane == LaneKind::Up { self.server_is_here } else { self.client_is_here };
        if !other_is_here {
            return;
        }
        if reliable && let LinkFrame::Frame(frame) = &mut frame {
            shorten(frame);
        }
        self.queue_mut(lane).push_back(Item::Frame(frame));
    }

    /// The client has gone; what it sent before still arrives.
    pub(super) fn client_leaves(&mut self) {
        self.client_is_here = false;
        self.down.clear();
        if self.server_is_here {
            self.up.push_back(Item::End);
        }
    }

    /// The server has gone; what it sent before still arrives.
    pub(super) fn server_leaves(&mut self) {
        self.server_is_here = false;
        self.up.clear();
        if self.client_is_here {
            self.down.push_back(Item::End);
        }
    }

    /// Whether anything is on its way.
    pub(super) fn is_busy(&self) -> bool {
        !self.up.is_empty() || !self.down.is_empty()
    }

    /// Whether the first item is a frame that faults may happen to: handshakes are exempt.
    pub(super) fn is_faulty(&self, lane: LaneKind) -> bool {
        matches!(self.queue(lane).front(), Some(Item::Frame(LinkFrame::Frame(_))))
    }
}

fn shorten(frame: &mut Frame<Word>) {
    if let Some(message) = &mut frame.message
        && let WireId::Full(id) = message.id
    {
        message.id = WireId::Short(id.0.to_le_bytes()[0]);
    }
    if let Some(bits) = &mut frame.bits {
        bits.base &= 0xffff;
    }
}

/// A frame in a line.
pub(super) struct Brief<'a>(pub(super) &'a Item);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frame = match self.0 {
            Item::End => return f.write_str("end of the link"),
            Item::Frame(LinkFrame::Frame(frame)) => frame,
            Item::Frame(LinkFrame::Hello(hello)) => {
                return write!(f, "hello, {}, resumes {:?}", hello.link, hello.resume.as_ref().map(|r| r.session.0));
            }
            Item::Frame(LinkFrame::Welcome(welcome)) => return write!(f, "welcome to {}", welcome.session),
            Item::Frame(other) => return write!(f, "{other:?}"),
        };
        match &frame.message {
            None => f.write_str("control")?,
            Some(message) => match &message.body {
                Body::Action { slot, number, maybe_sent, payload, .. } => {
                    write!(f, "{payload:?} ({slot}, number {number:?}, maybe sent {maybe_sent})")?;
                }
                body => write!(f, "{body:?}")?,
            },
        }
        if let Some(message) = &frame.message {
            write!(f, " as {:?}", message.id)?;
        }
        if let Some(bits) = &frame.bits {
            write!(f, ", {:?} from {}", bits.bits, bits.base)?;
        }
        let Some(riders) = &frame.riders else { return Ok(()) };
        if let Some(quarter) = &riders.quarter {
            write!(f, ", agrees to quarter {} of cycle {}", quarter.quarter, quarter.cycle)?;
        }
        if let Some(range) = &riders.range {
            write!(f, ", {} has {} ids from {}", range.lane, range.size, range.from)?;
        }
        if riders.range_accepted.is_some() {
            f.write_str(", accepts the range")?;
        }
        if riders.blocked {
            f.write_str(", blocked")?;
        }
        if !riders.where_is.is_empty() {
            write!(f, ", where is {:?}", riders.where_is)?;
        }
        if let Some(asks) = riders.heartbeat {
            write!(f, ", sign of life{}", if asks { "?" } else { "" })?;
        }
        Ok(())
    }
}
