//! What earlier lanes of a session left behind, by call number: answers that the client has not guaranteed, and how far it can be known
//! what ran (decision 0026).
//!
//! Knows: answers, numbers. Does not know: lanes, slots; what is still open is in `actions`. Empty in normal operation.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::ids::CallNumber;
use crate::mutants::mutated;
use crate::record::{RecoveredSession, RecoveredState};
use crate::session::output::Answer;

/// An answer that its client may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kept<P> {
    /// Of the method and the request; 0: not known, and nothing is compared.
    pub digest: u64,
    /// What was answered.
    pub answer: Answer<P>,
}

/// What is left of a session that ended without the client: its tombstone and its completion records.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Past<P> {
    /// Call numbers below this may have run.
    pub called_below: CallNumber,
    /// Answers that the client had not taken.
    pub answers: BTreeMap<CallNumber, Kept<P>>,
}

impl<P: Clone> Past<P> {
    /// What a log says of a session that had expired.
    pub(crate) fn of(recovered: &RecoveredSession<P>) -> Self {
        let answered = recovered.actions.iter().filter_map(|action| match &action.state {
            RecoveredState::Answered(answer) => {
                Some((action.number, Kept { digest: action.digest, answer: answer.clone() }))
            }
            RecoveredState::Open { .. } => None,
        });
        let called_below = recovered.called_below.max(recovered.session.expired_below);
        Self { called_below, answers: answered.collect() }
    }
}

/// What earlier lanes left behind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ledger<P> {
    pub(super) answers: BTreeMap<CallNumber, Kept<P>>,
    /// The session had expired: what was sent before, has a lower number and is not here may have run, and must not run now (trap T7).
    pub(super) expired_below: CallNumber,
    /// Lanes began afresh: what was sent before, has a lower number and is not here was answered, and the client guaranteed the answer. It
    /// was rolled back.
    pub(super) called_below: CallNumber,
    /// On these lanes the client has asked for something with the number before this: it has the answers of lower ones for which it did
    /// not ask.
    pub(super) asked_below: CallNumber,
}

impl<P> Default for Ledger<P> {
    fn default() -> Self {
        let zero = CallNumber(0);
        Self { answers: BTreeMap::new(), expired_below: zero, called_below: zero, asked_below: zero }
    }
}

impl<P> Ledger<P> {
    /// Whether there is nothing of earlier lanes.
    pub(super) fn is_empty(&self) -> bool {
        let Self { answers, expired_below, called_below, asked_below } = self;
        answers.is_empty() && [expired_below, called_below, asked_below].into_iter().all(|below| below.0 == 0)
    }

    /// The client has asked for this number: the answers below it that are still here are not needed. Which.
    pub(super) fn note_asked(&mut self, number: CallNumber) -> Vec<CallNumber> {
        self.asked_below = CallNumber(number.0 + 1);
        self.retire(number)
    }

    /// The client needs no answers below this. Which those were.
    pub(super) fn retire(&mut self, below: CallNumber) -> Vec<CallNumber> {
        if self.answers.first_key_value().is_none_or(|(first, _)| *first >= below) {
            return Vec::new();
        }
        let needed = self.answers.split_off(&below);
        core::mem::replace(&mut self.answers, needed).into_keys().collect()
    }

    /// Whether what was sent before and is not here must not run.
    pub(super) fn knows_of(&self, number: CallNumber, is_kept: bool) -> bool {
        let is_rolled_back = number < self.called_below && !mutated!(RolledBackRuns);
        number < self.expired_below && !mutated!(ExpiredRunsAgain)
            || is_rolled_back && (is_kept || mutated!(VolatileTakenForRolledBack))
    }
}
