//! Whether the other end reads what is written.
//!
//! Knows: how much is written and how much waits. Does not know: sockets, sessions. A frame that is dribbled in needs no watch: it is no
//! sign of life, and a link without one dies.

use std::time::Duration;

use rpcgen_proto::config::Config;
use rpcgen_proto::time::Instant;

/// No byte left for so long: the link is given up. The session keeps what was sent and goes on with the next link.
pub(crate) const STALL_MAX: Duration = Duration::from_secs(10);
/// What may wait beyond the messages in flight: control information for a peer that asks and does not read.
const UNWRITTEN_BYTES_MAX: usize = 4 << 20;

/// The end of one that does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooSlow {
    /// Nothing left for [`STALL_MAX`].
    #[error("the other end has read nothing for {within:?}")]
    Stalled { within: Duration },
    /// Too much waits.
    #[error("the other end does not keep up: {bytes} bytes wait, at most {limit} may")]
    Behind { bytes: usize, limit: usize },
}

/// Watches one link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    limit: usize,
    /// Since when something waits and nothing has left.
    stalled_since: Option<Instant>,
    /// How much had left then.
    written: u64,
}

impl Watch {
    pub(crate) fn new(config: &Config) -> Self {
        // A lane's bytes in flight may all wait, and the message that exceeds them.
        let limit = config.bytes_in_flight_max.saturating_add(config.frame_bytes_max as usize);
        Self { limit: limit.saturating_add(UNWRITTEN_BYTES_MAX), stalled_since: None, written: 0 }
    }

    /// Everything has left, or there is a new link.
    pub(crate) fn reset(&mut self) {
        (self.stalled_since, self.written) = (None, 0);
    }

    /// After a write that left something: how much has left in all, and how much waits.
    ///
    /// # Errors
    /// More waits than may.
    pub(crate) fn note(&mut self, now: Instant, written: u64, unwritten: usize) -> Result<(), TooSlow> {
        if self.stalled_since.is_none() || written != self.written {
            self.stalled_since = Some(now);
        }
        self.written = written;
        if unwritten > self.limit { Err(TooSlow::Behind { bytes: unwritten, limit: self.limit }) } else { Ok(()) }
    }

    /// When the link is to be given up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.stalled_since.map(|since| since + STALL_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Instant = Instant::START;

    fn watch() -> Watch {
        Watch::new(&Config { bytes_in_flight_max: 100, frame_bytes_max: 10, ..Config::default() })
    }

    #[test]
    fn link_that_moves_is_never_given_up() {
        let mut watch = watch();
        assert_eq!(watch.deadline(), None);
        for second in 0..100 {
            watch.note(START + Duration::from_secs(second), second, 1_000).unwrap();
            assert_eq!(watch.deadline(), Some(START + Duration::from_secs(second) + STALL_MAX));
        }
        watch.reset();
        assert_eq!(watch.deadline(), None);
    }

    #[test]
    fn stall_counts_from_the_last_byte_that_left() {
        let mut watch = watch();
        for second in 0..9 {
            watch.note(START + Duration::from_secs(second), 5, 1_000).unwrap();
        }
        assert_eq!(watch.deadline(), Some(START + STALL_MAX));
    }

    #[test]
    fn more_than_may_be_in_flight_and_some_control_information_is_too_much() {
        let mut watch = watch();
        let limit = 110 + UNWRITTEN_BYTES_MAX;
        assert_eq!(watch.note(START, 0, limit), Ok(()));
        assert_eq!(watch.note(START, 0, limit + 1), Err(TooSlow::Behind { bytes: limit + 1, limit }));
    }
}
