//! What clients have retired, until a store has deleted it.
//!
//! Knows: how far each life of a client has all answers. Does not know: records, whether a deletion is committed, until it is told.

use std::collections::BTreeMap;

use rpcgen_proto::ids::{CallKey, CallNumber, ClientId, Incarnation};

/// Lives of clients at most whose records wait to be deleted: a database that is away for long bounds nothing else.
const LIVES_MAX: usize = 100_000;

/// What clients have retired: one number for each life of a client, however often it is told. For stores.
///
/// Beyond 100,000 lives of clients a further one is not noted: its records stay until it is told of again.
#[derive(Debug, Default)]
pub struct RetiredCalls {
    below: BTreeMap<(ClientId, Incarnation), CallNumber>,
}

impl RetiredCalls {
    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.below.is_empty()
    }

    /// Calls of that life with lower numbers are retired.
    pub fn add(&mut self, key: CallKey) {
        let life = (key.client, key.incarnation);
        if self.below.len() >= LIVES_MAX && !self.below.contains_key(&life) {
            tracing::warn!(client = %key.client, "too many retired records wait to be deleted: those of this client stay for now");
            return;
        }
        let below = self.below.entry(life).or_default();
        *below = (*below).max(key.number);
    }

    /// Where to go on.
    #[must_use]
    pub fn first(&self) -> Option<CallKey> {
        let (&(client, incarnation), &number) = self.below.first_key_value()?;
        Some(CallKey { client, incarnation, number })
    }

    /// All records below that number are deleted, durably. What was added meanwhile stays.
    pub fn done(&mut self, key: CallKey) {
        let life = (key.client, key.incarnation);
        if self.below.get(&life) == Some(&key.number) {
            self.below.remove(&life);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(client: u128, number: u64) -> CallKey {
        CallKey { client: ClientId(client), incarnation: Incarnation(0), number: CallNumber(number) }
    }

    #[test]
    fn a_life_is_one_number_and_what_was_added_meanwhile_stays() {
        let mut retired = RetiredCalls::default();
        for number in [5, 9, 7] {
            retired.add(key(1, number));
        }
        assert_eq!(retired.first(), Some(key(1, 9)));
        retired.add(key(1, 10));
        retired.done(key(1, 9));
        assert_eq!(retired.first(), Some(key(1, 10)));
        retired.done(key(1, 10));
        assert!(retired.is_empty());
    }

    #[test]
    fn lives_are_bounded_and_those_that_wait_go_on() {
        let mut retired = RetiredCalls::default();
        (0..=LIVES_MAX as u128).for_each(|client| retired.add(key(client, 1)));
        assert_eq!(retired.below.len(), LIVES_MAX);
        retired.add(key(0, 2));
        assert_eq!(retired.first(), Some(key(0, 2)));
    }
}
