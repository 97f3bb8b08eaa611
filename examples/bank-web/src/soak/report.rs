//! What came of a soak, and what of it must be nought.

use serde::Serialize;

use super::Plan;

/// A coin that the bank has booked is on the pages within so long, where nothing is killed.
const SHOWN_WITHIN_MS: i64 = 1_000;

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
    /// Accepted wishes that were cancelled before they began.
    pub cancelled: usize,
    /// Accepted wishes that were cancelled when a bank that was killed may have run them: of these, and of no others, the end may be
    /// unknown.
    pub unknown_after_cancel: usize,
    /// Keys that coins can be sent to.
    pub keys: usize,
    /// Coins on the network.
    pub coins: usize,
    /// Payments.
    pub payments: usize,
    /// Entries of all timelines.
    pub documents: usize,
    /// Entries that open tabs were shown as they came.
    pub shown: u64,
    /// From the bank's booking of a coin to a tab of its owner, in milliseconds, through all that was killed and dropped: half of all
    /// tabs had been shown it by then.
    pub shown_after_ms_median: i64,
    /// The same of 99 in a hundred.
    pub shown_after_ms_p99: i64,
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
    /// Wishes that a node answered neither with a ticket nor with "not accepted".
    pub odd_answers: u64,
    /// Keys that the bank has and no timeline tells of, or the other way round: done twice, or lost.
    pub keys_wrong: usize,
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
    /// Entries that an open tab was shown and that are not its user's.
    pub shown_to_others: usize,
    /// Entries that came to a tab twice, or out of order.
    pub out_of_order: u64,
}

impl Report {
    /// As one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What speaks against this run: that the promise was broken, or that too little was done for it to be shown.
    pub(super) fn objections(&self, plan: &Plan) -> Vec<&'static str> {
        let (drops, kills) = (plan.drop > 0.0, plan.kill_every > 0.0);
        let objections = [
            (
                self.wrong != Wrong::default(),
                "what the promise forbids was found: the figures of the report that ought to be 0 and are not",
            ),
            (!self.settled, "not all was answered and shown when it had become calm"),
            (self.sum_of_accounts != self.sum_of_coins, "the accounts do not add up to the coins"),
            (self.sum_of_bookings != self.sum_of_coins, "the bookings do not add up to the coins"),
            (self.accepted == 0, "no wish was accepted"),
            (self.keys == 0, "nobody has a key"),
            (self.coins == 0, "no coin was sent"),
            (self.payments == 0, "nobody paid"),
            (self.cancelled == 0, "no wish was cancelled"),
            (
                self.shown_after_ms_median > SHOWN_WITHIN_MS,
                "half of the coins took longer than a second to reach the pages",
            ),
            (self.shown == 0, "no tab was shown anything as it came"),
            (drops && self.dropped_of_fronts == 0, "no frame of a front node was dropped"),
            (drops && self.dropped_of_bank == 0, "no frame of the bank was dropped"),
            (kills && self.kills_of_bank == 0, "the bank was never killed; longer, or with a smaller --kill-every?"),
            (kills && self.kills_of_fronts == 0, "no front node was killed; longer, or with a smaller --kill-every?"),
        ];
        objections.into_iter().filter_map(|(holds, text)| holds.then_some(text)).collect()
    }
}
