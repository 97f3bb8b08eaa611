//! A frame that is lent: what a driver encodes need not be copied for it.
//!
//! Knows: where the parts of a frame lie. Does not know: whose they are.

use alloc::boxed::Box;

use super::{Body, Frame, Riders, Sequenced, WireId};
use crate::bits::BitArray;

/// A frame that is lent: its message stays where it is logged. What a driver encodes need not be copied for it.
#[derive(Debug)]
pub struct FrameRef<'a, P> {
    /// As [`Frame::bits`].
    pub bits: Option<&'a BitArray>,
    /// As [`Frame::riders`].
    pub riders: Option<&'a Riders>,
    /// As [`Frame::message`].
    pub message: Option<(WireId, &'a Body<P>)>,
}

impl<P> Clone for FrameRef<'_, P> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P> Copy for FrameRef<'_, P> {}

impl<P> Frame<P> {
    /// Lends the frame.
    pub fn lend(&self) -> FrameRef<'_, P> {
        let message = self.message.as_ref().map(|message| (message.id, &message.body));
        FrameRef { bits: self.bits.as_ref(), riders: self.riders.as_deref(), message }
    }
}

impl<P: Clone> FrameRef<'_, P> {
    /// A frame of one's own.
    #[must_use]
    pub fn to_frame(self) -> Frame<P> {
        let message = self.message.map(|(id, body)| Sequenced { id, body: body.clone() });
        Frame { bits: self.bits.cloned(), riders: self.riders.cloned().map(Box::new), message }
    }
}
