//! What answers and broadcasts may say, as far as a node can know it: an answer that came once can still be another call's.
//!
//! Knows: what was asked for and what came of it. Does not know: calls, networks. A bank that is killed has forgotten its books: then
//! nobody asks this.

use std::collections::{BTreeMap, BTreeSet};

/// How far coins have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    Seen,
    Confirmed,
}

/// What a broadcast speaks of; no two of a run are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Amount {
    pub(crate) stage: Stage,
    pub(crate) key: String,
    pub(crate) amount: u64,
}

/// The coins of one user that were confirmed.
#[derive(Clone, Copy, Debug, Default)]
struct Coins {
    /// By calls that were answered.
    surely: u64,
    /// By calls that were begun: those too.
    perhaps: u64,
}

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    coins: BTreeMap<String, Coins>,
    amounts: BTreeSet<Amount>,
    keys: BTreeSet<String>,
}

/// What a user owned at least when a call began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AtLeast(u64);

impl Expected {
    /// Whether no user was given this key before.
    pub(crate) fn is_new_key(&mut self, key: &str) -> bool {
        self.keys.insert(key.to_owned())
    }

    /// A call that brings about a broadcast begins.
    pub(crate) fn ask_for(&mut self, amount: Amount) {
        self.amounts.insert(amount);
    }

    /// Whether somebody asked for what a broadcast says.
    pub(crate) fn was_asked_for(&self, amount: &Amount) -> bool {
        self.amounts.contains(amount)
    }

    /// A call begins whose answer says what the user owns; it adds so much itself.
    pub(crate) fn begin(&mut self, user: &str, added: u64) -> AtLeast {
        let coins = self.coins.entry(user.to_owned()).or_default();
        coins.perhaps += added;
        AtLeast(coins.surely + added)
    }

    /// Such a call was answered with a balance: whether that can be.
    pub(crate) fn end(&mut self, user: &str, at_least: AtLeast, added: u64, balance: u64) -> bool {
        let coins = self.coins.entry(user.to_owned()).or_default();
        coins.surely += added;
        (at_least.0..=coins.perhaps).contains(&balance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_is_between_what_was_confirmed_before_the_call_and_what_may_be_by_its_end() {
        let mut expected = Expected::default();
        let pays = expected.begin("alice", 5);
        let looks = expected.begin("alice", 0);
        assert!(expected.end("alice", looks, 0, 0) && expected.end("alice", looks, 0, 5), "the coins are there or not");
        assert!(!expected.end("alice", looks, 0, 6), "nobody paid that in");
        assert!(expected.end("alice", pays, 5, 5));
        assert!(!expected.end("alice", pays, 0, 4), "its own coins are there");
        let after = expected.begin("alice", 0);
        assert!(expected.end("alice", after, 0, 5));
        assert!(!expected.end("alice", after, 0, 0), "they were there before it began");
        assert!(!expected.end("bob", after, 0, 5), "another user's");
    }

    #[test]
    fn a_key_is_given_once_and_a_broadcast_says_what_was_asked_for() {
        let mut expected = Expected::default();
        assert!(expected.is_new_key("k") && !expected.is_new_key("k"));
        let amount = Amount { stage: Stage::Seen, key: "k".to_owned(), amount: 3 };
        expected.ask_for(amount.clone());
        assert!(expected.was_asked_for(&amount));
        assert!(!expected.was_asked_for(&Amount { stage: Stage::Confirmed, ..amount }));
    }
}
