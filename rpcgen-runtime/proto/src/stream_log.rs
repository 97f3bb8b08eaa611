//! The stream log of one lane, in memory: what was sent and is not yet released, by position.
//!
//! Knows: positions, order. Does not know: what an entry is, IDs, bits, frames.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use crate::ids::Position;
use crate::mutants::mutated;

/// Consecutive entries, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StreamLog<T> {
    first: Position,
    entries: VecDeque<T>,
}

impl<T> Default for StreamLog<T> {
    fn default() -> Self {
        Self { first: Position(0), entries: VecDeque::new() }
    }
}

impl<T> StreamLog<T> {
    /// The log that begins at `first` with these entries.
    pub(crate) fn new(first: Position, entries: Box<[T]>) -> Self {
        Self { first, entries: entries.into_vec().into() }
    }

    /// Its entries and nothing else.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = T> {
        self.entries.into_iter()
    }

    /// The position of the oldest entry; the next position if there is none.
    pub(crate) fn first(&self) -> Position {
        self.first
    }

    /// The position after the newest entry.
    pub(crate) fn end(&self) -> Position {
        Position(self.first.0 + self.entries.len() as u64)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn oldest(&self) -> Option<&T> {
        self.entries.front()
    }

    pub(crate) fn newest(&self) -> Option<&T> {
        self.entries.back()
    }

    /// Appends; the entry's position was [`Self::end`].
    pub(crate) fn append(&mut self, entry: T) {
        self.entries.push_back(entry);
    }

    pub(crate) fn get(&self, position: Position) -> Option<&T> {
        self.entries.get(usize::try_from(position.0.checked_sub(self.first.0)?).ok()?)
    }

    pub(crate) fn get_mut(&mut self, position: Position) -> Option<&mut T> {
        self.entries.get_mut(usize::try_from(position.0.checked_sub(self.first.0)?).ok()?)
    }

    /// Takes the oldest entry out: it is guaranteed.
    pub(crate) fn release(&mut self) -> Option<T> {
        let entry = self.entries.pop_front()?;
        self.first.0 += 1 + u64::from(mutated!(ReleaseTwoAtOnce) && self.entries.pop_front().is_some());
        Some(entry)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_go_on_after_a_release() {
        let mut log = StreamLog::default();
        log.append('a');
        log.append('b');
        assert_eq!(log.release(), Some('a'));
        assert_eq!((log.first(), log.end()), (Position(1), Position(2)));
        assert_eq!(log.get(Position(0)), None);
        assert_eq!(log.get(Position(1)), Some(&'b'));
        assert_eq!(log.get(Position(2)), None);
    }
}
