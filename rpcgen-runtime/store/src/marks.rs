//! From "the log is durable up to here" to "the session's records are durable up to there".
//!
//! Knows: pairs of both, in order. Does not know: what is on record.

use std::collections::VecDeque;

use rpcgen_log::Sequence;
use rpcgen_proto::record::Mark;

/// Records of one session that are on their way to the disk.
#[derive(Clone, Debug, Default)]
pub struct Marks {
    waiting: VecDeque<(Mark, Sequence)>,
}

impl Marks {
    /// This record has this place. Both only grow.
    pub fn push(&mut self, mark: Mark, sequence: Sequence) {
        debug_assert!(self.waiting.back().is_none_or(|last| last.0 < mark && last.1 < sequence), "{mark:?}");
        self.waiting.push_back((mark, sequence));
    }

    /// All records of the log before `below` are durable: the newest mark that is, if there is news.
    pub fn durable(&mut self, below: Sequence) -> Option<Mark> {
        let count = self.waiting.partition_point(|(_, sequence)| *sequence < below);
        self.waiting.drain(..count).next_back().map(|(mark, _)| mark)
    }

    /// Whether nothing is on its way.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_mark_that_is_durable_is_told_once() {
        let mut marks = Marks::default();
        marks.push(Mark(1), Sequence(10));
        marks.push(Mark(2), Sequence(15));
        marks.push(Mark(3), Sequence(20));
        assert_eq!(marks.durable(Sequence(10)), None);
        assert_eq!(marks.durable(Sequence(16)), Some(Mark(2)));
        assert_eq!(marks.durable(Sequence(16)), None);
        assert!(!marks.is_empty());
        assert_eq!(marks.durable(Sequence(21)), Some(Mark(3)));
        assert!(marks.is_empty());
    }
}
