//! What a server's session has to say, one output after another.
//!
//! Knows: the order of outputs. Does not know: what is in them.

use super::{Phase, ServerSession};
use crate::frame::{FrameRef, LinkFrame};
use crate::session::output::{Output, Payload, ServerOutput};
use crate::time::Instant;

impl<P: Payload> ServerSession<P> {
    /// The next output. [`Output::Timeout`] means drained.
    pub fn poll_output(&mut self) -> ServerOutput<P> {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        if self.phase == Phase::Live
            && let Some(frame) = self.next_frame(|frame| frame.to_frame())
        {
            return Output::Transmit(LinkFrame::Frame(frame));
        }
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        Output::Timeout(self.next_timeout())
    }

    /// The next output that is no frame of a message: those are lent one after another, and need not be copied. Otherwise as
    /// [`Self::poll_output`].
    pub fn poll_output_lending(&mut self, mut lend: impl FnMut(FrameRef<'_, P>)) -> ServerOutput<P> {
        loop {
            if let Some(output) = self.outputs.pop_front() {
                return output;
            }
            if self.phase != Phase::Live || self.next_frame(&mut lend).is_none() {
                return self.outputs.pop_front().unwrap_or_else(|| Output::Timeout(self.next_timeout()));
            }
        }
    }

    fn next_timeout(&mut self) -> Option<Instant> {
        self.lanes.arm_repair_timers(self.now);
        match (self.timers.next(), self.lanes.timers.next()) {
            (Some(own), Some(lanes)) => Some(own.min(lanes)),
            (own, lanes) => own.or(lanes),
        }
    }
}
