//! What came of a soak, and what of it must be nought.

use serde::Serialize;

/// What came of a soak.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Browser sessions.
    pub sessions: u32,
    /// Of whom did what when.
    pub seed: u64,
    /// How long it took in all.
    pub seconds: f64,
    /// Times that the bank was killed.
    pub kills_of_bank: u64,
    /// Times that a front node was killed.
    pub kills_of_fronts: u64,
    /// Frames that front nodes sent to the bank, as far as a life told before it was ended.
    pub frames_of_fronts: u64,
    /// How many of them were dropped on purpose.
    pub dropped_of_fronts: u64,
    /// Frames that the bank sent.
    pub frames_of_bank: u64,
    /// How many of them were dropped on purpose.
    pub dropped_of_bank: u64,
    /// Wishes that a node said it has accepted.
    pub accepted: usize,
    /// Wishes that a node said it has not accepted.
    pub turned_away: u64,
    /// Wishes of which no node said a word: it was dead, or died. Nothing was promised of them.
    pub unheard: usize,
    /// How many of those came true, without an answer in a timeline.
    pub done_unheard: usize,
    /// Coins on the network.
    pub coins: usize,
    /// Payments.
    pub payments: usize,
    /// Entries of all timelines.
    pub documents: usize,
    /// Entries that open tabs were shown as they came.
    pub shown: u64,
    /// Times that a tab's stream began again.
    pub reconnects: u64,
    /// Whether all was answered and shown when it had become calm.
    pub settled: bool,
    /// How long that took.
    pub settled_after_s: f64,
    /// What the promise forbids.
    #[serde(flatten)]
    pub wrong: Wrong,
    /// What all users own together.
    pub sum_of_accounts: i64,
    /// What all bookings add up to.
    pub sum_of_bookings: i64,
    /// What all confirmed coins add up to.
    pub sum_of_coins: i64,
    /// The promise held.
    pub good: bool,
}

/// What the promise forbids: each ought to be 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Wrong {
    /// Accepted wishes without an answer in a timeline.
    pub unanswered: usize,
    /// Accepted wishes that nobody knows the end of.
    pub unknown: usize,
    /// Accepted wishes whose answer is on another user's timeline, or is none that the bank gives to such a wish.
    pub answers_wrong: usize,
    /// Entries that were written a second time, with another content: a wish with two different ends.
    pub answered_twice: usize,
    /// Coins that are not on their owner's timeline as seen and as confirmed, each with their amount; or there without being the bank's.
    pub coins_missing: usize,
    /// Coins that the bank has and nobody's wish, or a wish's and not the bank's: done twice, or lost.
    pub coins_unasked: usize,
    /// Payments that one of the two timelines does not tell of with their amount, or tells of without there being one.
    pub payments_wrong: usize,
    /// Users whose page shows another balance than the books.
    pub balances_wrong: usize,
    /// Entries that an open tab of their user was never shown.
    pub not_shown: usize,
    /// Entries that came to a tab twice, or out of order.
    pub out_of_order: u64,
}

impl Report {
    /// As one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether the promise held, and something was done to hold it against.
    pub(super) fn is_good(&self, drop: f64) -> bool {
        let sums = [self.sum_of_accounts, self.sum_of_bookings];
        let was_dropped = drop == 0.0 || (self.dropped_of_fronts > 0 && self.dropped_of_bank > 0);
        self.settled
            && self.accepted > 0
            && was_dropped
            && self.wrong == Wrong::default()
            && sums.iter().all(|sum| *sum == self.sum_of_coins)
    }
}
