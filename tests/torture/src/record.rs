//! What the clients said, as the harness keeps it: it is never killed, so this is the truth.
//!
//! Knows: which transfers were accepted, and how each ended. Does not know: what is in the database.

use std::collections::HashMap;

use crate::lines::Outcome;

/// A call: the client's index, and the number that the call has in all lives of that client.
pub(crate) type CallId = (u32, u64);

/// The first reference of a life of a client: no two lives use the same one.
pub(crate) const fn first_reference(client: u32, life: u64) -> u64 {
    ((client as u64) << 44) | (life << 24)
}

/// What is known of a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// `None`: the life that sent it was killed before it could say.
    pub(crate) reference: Option<u64>,
    /// How it ended, and in which life of its client.
    answer: Option<(u64, Outcome)>,
}

impl Known {
    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.answer.as_ref().map(|(_, outcome)| outcome)
    }
}

/// What is known of the transfers.
#[derive(Debug, Default)]
pub(crate) struct Record {
    calls: HashMap<CallId, Known>,
    /// The clients' IDs, by index.
    pub(crate) ids: HashMap<u32, String>,
    /// How many calls are answered.
    pub(crate) answered: u64,
    /// Answers that a later life found again, the same: the earlier one was killed right after it had taken them.
    pub(crate) found_again: u64,
    /// All others that came a second time.
    pub(crate) answered_twice: Vec<CallId>,
}

impl Record {
    pub(crate) fn accepted(&mut self, call: CallId, reference: u64) {
        self.calls.entry(call).or_default().reference = Some(reference);
    }

    pub(crate) fn found(&mut self, call: CallId) {
        self.calls.entry(call).or_default();
    }

    pub(crate) fn answered(&mut self, call: CallId, life: u64, outcome: Outcome) {
        let known = self.calls.entry(call).or_default();
        match &known.answer {
            None => self.answered += 1,
            Some((earlier, same)) if *earlier != life && *same == outcome => self.found_again += 1,
            Some(_) => self.answered_twice.push(call),
        }
        known.answer = Some((life, outcome));
    }

    /// The accepted transfers in the order of their numbers.
    pub(crate) fn calls(&self) -> Vec<(CallId, &Known)> {
        let mut calls: Vec<_> = self.calls.iter().map(|(call, known)| (*call, known)).collect();
        calls.sort_unstable_by_key(|(call, _)| *call);
        calls
    }

    /// How many are accepted, and not answered yet.
    pub(crate) fn open(&self) -> usize {
        self.calls.values().filter(|known| known.answer.is_none()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_answer_in_another_life_was_found_again_and_everything_else_is_one_too_many() {
        let mut record = Record::default();
        record.accepted((0, 1), 7);
        assert_eq!(record.open(), 1);
        record.answered((0, 1), 0, Outcome::Moved(5));
        record.answered((0, 1), 1, Outcome::Moved(5));
        assert_eq!((record.answered, record.found_again, record.answered_twice.len()), (1, 1, 0));
        record.answered((0, 1), 1, Outcome::Moved(5));
        record.answered((0, 1), 2, Outcome::Moved(6));
        assert_eq!((record.answered, record.found_again, record.answered_twice.len()), (1, 1, 2));
    }
}
