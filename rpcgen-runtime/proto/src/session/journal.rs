//! What a session asked to be put on record, and how far that is durable.
//!
//! Knows: marks. Does not know: records, logs, who waits for what.

use alloc::collections::BTreeSet;

use crate::config::Durable;
use crate::ids::MethodId;
use crate::mutants::mutated;
use crate::record::Mark;

/// The bit of a message, and the record that has to be durable before the peer may have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bit {
    pub(super) is_one: bool,
    /// 0: none.
    pub(super) after: Mark,
}

impl Bit {
    /// The message is guaranteed, and nothing has to be on record for it.
    pub(super) const ONE: Self = Self { is_one: true, after: Mark(0) };
    /// The message is refused.
    pub(super) const ZERO: Self = Self { is_one: false, after: Mark(0) };
}

/// The marks of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Journal {
    volatile: BTreeSet<MethodId>,
    asked: Mark,
    durable: Mark,
}

impl Journal {
    pub(super) fn new(durable: &Durable) -> Self {
        Self { volatile: durable.volatile.clone(), asked: Mark(0), durable: Mark(0) }
    }

    /// Whether calls of this action are put on record.
    pub(super) fn keeps(&self, method: MethodId) -> bool {
        !self.volatile.contains(&method)
    }

    /// The mark of the record that is asked for now.
    pub(super) fn ask(&mut self) -> Mark {
        self.asked.0 += 1;
        self.asked
    }

    /// The mark of the last record that was asked for.
    pub(super) fn asked(&self) -> Mark {
        self.asked
    }

    /// What is asked for and not durable: whoever speaks of something that may be on its way to the disk waits for this.
    pub(super) fn unsettled(&self) -> Option<Mark> {
        Some(self.asked).filter(|asked| !self.is_durable(*asked))
    }

    pub(super) fn is_durable(&self, mark: Mark) -> bool {
        mark <= self.durable || mutated!(DurableWhenAsked)
    }

    /// All up to this mark are durable. A mark that was never asked for says nothing.
    pub(super) fn note_durable(&mut self, mark: Mark) {
        self.durable = self.durable.max(mark.min(self.asked));
    }
}
