//! Whether a server's log and its completion store are of the same moment: one of them may have been restored, or the log copied.
//!
//! Knows: marks, by which each knows the other (decision 0096). Does not know: how they are kept, when a new one is made.

use core::fmt;

use crate::mutants::mutated;

/// What a server puts into its log, and then into its completion store: a log without it is an older state, or a copy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LogMark(pub [u8; 16]);

impl fmt::Debug for LogMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogMark({:032x})", u128::from_be_bytes(self.0))
    }
}

/// A mark of a log, as a completion store remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownLog {
    /// The how manyth: for people.
    pub number: u64,
    /// What was put into the log. A log without it is an older state of that one, or a copy.
    pub mark: LogMark,
}

/// Log and store are of different moments: nothing of the log may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherMoment {
    /// The number of the log's last mark that a store has had; 0: there is none.
    pub log_mark: u64,
    /// The number of the store's; 0: it does not know the log.
    pub database_mark: u64,
}

impl OtherMoment {
    /// The number that accepts it, and later hardly another one: the database's mark, or the log's where the database has none.
    #[must_use]
    pub const fn number(&self) -> u64 {
        if self.database_mark > 0 { self.database_mark } else { self.log_mark }
    }
}

/// The mark that both get next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextMark {
    /// In the store, and in the log once the store has it: higher than every one before, so that what was accepted once by its number is
    /// not accepted again.
    pub number: u64,
    /// In the log before that. 0 where the store does not know the log yet: of a mark that it may never get, nobody may say later that it
    /// is missing there.
    pub first: u64,
    /// They were of different moments, and that was accepted.
    pub accepted: Option<OtherMoment>,
}

impl NextMark {
    /// Whether a log with these marks may begin beside a store that knows it like that. `accepted`: what
    /// [`OtherMoment::number`] was.
    ///
    /// # Errors
    /// It may not.
    // spec: protocol.md 8
    pub fn after(
        marks: impl Iterator<Item = (u64, LogMark)> + Clone,
        known: Option<KnownLog>,
        accepted: Option<u64>,
    ) -> Result<Self, OtherMoment> {
        let log_mark = marks.clone().map(|(number, _)| number).max().unwrap_or(0);
        let database_mark = known.map_or(0, |known| known.number);
        let is_same = match known {
            Some(known) => marks.into_iter().any(|(_, mark)| mark == known.mark),
            // A store that never saw the log is right for one that never was with a store.
            None => log_mark == 0,
        };
        let other = OtherMoment { log_mark, database_mark };
        if !is_same && accepted != Some(other.number()) && !mutated!(OtherMomentBegins) {
            return Err(other);
        }
        let number = log_mark.max(database_mark).saturating_add(1);
        let first = if known.is_none() && log_mark == 0 { 0 } else { number };
        Ok(Self { number, first, accepted: (!is_same).then_some(other) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: LogMark = LogMark([1; 16]);
    const B: LogMark = LogMark([2; 16]);

    fn known(number: u64, mark: LogMark) -> Option<KnownLog> {
        Some(KnownLog { number, mark })
    }

    fn after(marks: &[(u64, LogMark)], known: Option<KnownLog>, accepted: Option<u64>) -> Result<u64, (u64, u64)> {
        let next = NextMark::after(marks.iter().copied(), known, accepted);
        next.map(|next| next.number).map_err(|other| (other.log_mark, other.database_mark))
    }

    #[test]
    fn a_log_that_has_the_mark_of_the_store_begins_wherever_the_last_opening_was_cut_short() {
        assert_eq!(after(&[], None, None), Ok(1));
        // The first mark is in the log, and not in the store, or not known to be there.
        assert_eq!(after(&[(0, A)], None, None), Ok(1));
        assert_eq!(after(&[(0, A)], known(1, A), None), Ok(2));
        // A later one.
        assert_eq!(after(&[(1, A), (2, B)], known(1, A), None), Ok(3));
        assert_eq!(after(&[(1, A), (2, B)], known(2, B), None), Ok(3));
    }

    #[test]
    fn an_older_log_an_older_store_and_one_that_never_saw_the_log_are_refused_unless_accepted_by_number() {
        assert_eq!(after(&[(1, A)], known(2, B), None), Err((1, 2)));
        assert_eq!(after(&[(2, B)], known(1, A), None), Err((2, 1)));
        assert_eq!(after(&[(2, B)], None, None), Err((2, 0)));
        assert_eq!(after(&[(2, B)], known(1, A), Some(2)), Err((2, 1)));
        assert_eq!(after(&[(2, B)], known(1, A), Some(1)), Ok(3));
        assert_eq!(after(&[(2, B)], None, Some(0)), Err((2, 0)));
        assert_eq!(after(&[(2, B)], None, Some(2)), Ok(3));
    }
}
