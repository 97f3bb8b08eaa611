//! What is left of sessions that expired, until their clients come back or the time is over.
//!
//! Knows: ages, sizes. Does not know: why a session ended, who may have it.
//!
//! One that ended formally leaves nothing but the number of its newest link: a hello of an older one, which was on its way for longer,
//! begins no session.
//!
//! A tombstone says up to which number actions may have run; its records are the answers that were not taken. A record that its
//! client has not retired is never evicted for room (trap T6): the registry refuses newcomers instead. A tombstone without records
//! may go when there are too many: what was sent before then ends in `Unknown`, which is true.

use alloc::collections::BTreeMap;

use crate::config::RECORD_OVERHEAD;
use crate::ids::{ClientId, Incarnation, LinkNumber};
use crate::record::Life;
use crate::server::RegistryConfig;
use crate::server::standing::Standing;
use crate::session::{Past, Payload};
use crate::time::Instant;

type Key = (ClientId, Incarnation);
/// A link, and the life of the client's log that counted it.
type Newest = (Life, LinkNumber);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Tombstone<P> {
    /// `None`: it ended formally, and nothing is left.
    past: Option<Past<P>>,
    /// Of a session that is on record: whose it is.
    standing: Option<Standing>,
    /// The newest link that the session had.
    newest: Newest,
    /// Of its records.
    bytes: usize,
    made: Instant,
    /// The how manyth.
    number: u64,
}

/// All tombstones. Each is in exactly one of the two orders of age.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Tombstones<P> {
    of: BTreeMap<Key, Tombstone<P>>,
    with_records: BTreeMap<u64, Key>,
    without_records: BTreeMap<u64, Key>,
    record_bytes: usize,
    made: u64,
}

impl<P> Default for Tombstones<P> {
    fn default() -> Self {
        Self {
            of: BTreeMap::new(),
            with_records: BTreeMap::new(),
            without_records: BTreeMap::new(),
            record_bytes: 0,
            made: 0,
        }
    }
}

impl<P: Payload> Tombstones<P> {
    /// A session is over. `past`: what is left of one that expired. `standing`: of one that is on record.
    pub(super) fn add(
        &mut self,
        now: Instant,
        key: Key,
        newest: Newest,
        past: Option<Past<P>>,
        standing: Option<Standing>,
        config: &RegistryConfig,
    ) {
        self.take(key);
        let bytes = past.as_ref().map_or(0, bytes_of);
        let number = self.made;
        self.made += 1;
        self.record_bytes += bytes;
        let has_records = past.as_ref().is_some_and(|past| !past.answers.is_empty());
        let order = if has_records { &mut self.with_records } else { &mut self.without_records };
        order.insert(number, key);
        self.of.insert(key, Tombstone { past, standing, newest, bytes, made: now, number });
        while self.of.len() > config.tombstones_max
            && let Some((_, oldest)) = self.without_records.pop_first()
        {
            self.of.remove(&oldest);
        }
    }

    /// What is left of a client's session.
    pub(super) fn get(&self, key: Key) -> Option<&Past<P>> {
        self.of.get(&key)?.past.as_ref()
    }

    /// Whose a session is that goes on under its name, should its client come back.
    pub(super) fn standing(&self, key: Key) -> Option<&Standing> {
        self.of.get(&key)?.standing.as_ref()
    }

    /// The newest link of a client's session: an older one comes from the past.
    pub(super) fn newest_link(&self, key: Key) -> Option<Newest> {
        self.of.get(&key).map(|tombstone| tombstone.newest)
    }

    /// Takes what is left of a client's session.
    pub(super) fn take(&mut self, key: Key) -> Option<Past<P>> {
        let tombstone = self.of.remove(&key)?;
        self.record_bytes -= tombstone.bytes;
        self.with_records.remove(&tombstone.number);
        self.without_records.remove(&tombstone.number);
        tombstone.past
    }

    /// Whether a client that has none may begin a session, which may leave one.
    pub(super) fn has_room(&self, config: &RegistryConfig) -> bool {
        self.with_records.len() < config.tombstones_max && self.record_bytes < config.record_bytes_max
    }

    /// Forgets the records, and later the tombstones, whose time is over.
    pub(super) fn forget_old(&mut self, now: Instant, config: &RegistryConfig) {
        while let Some(oldest) = self.with_records.first_entry()
            && let Some(tombstone) = self.of.get_mut(oldest.get())
            && now - tombstone.made >= config.records_for
        {
            self.record_bytes -= tombstone.bytes;
            tombstone.bytes = 0;
            if let Some(past) = &mut tombstone.past {
                past.answers = BTreeMap::new();
            }
            let (number, key) = oldest.remove_entry();
            self.without_records.insert(number, key);
        }
        while let Some(oldest) = self.without_records.first_entry()
            && self.of.get(oldest.get()).is_some_and(|tombstone| now - tombstone.made >= config.tombstones_for)
        {
            self.of.remove(&oldest.remove());
        }
    }
}

fn bytes_of<P: Payload>(past: &Past<P>) -> usize {
    past.answers.values().map(|kept| kept.answer.payload_bytes() + RECORD_OVERHEAD).sum()
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::ids::CallNumber;
    use crate::session::{Answer, Kept};

    const LINK: Newest = (Life(0), LinkNumber(1));

    const CONFIG: RegistryConfig = RegistryConfig {
        sessions_max: 10,
        tombstones_max: 3,
        tombstones_for: Duration::from_secs(30),
        record_bytes_max: 3 * (RECORD_OVERHEAD + 8),
        records_for: Duration::from_secs(7),
        admissions_per_second: 1,
        admissions_burst: 1,
    };

    fn key(client: u128) -> Key {
        (ClientId(client), Incarnation(1))
    }

    fn past(answers: u64) -> Past<u64> {
        let kept = |number| Kept { digest: 0, answer: Answer::Response(number) };
        let answers = (0..answers).map(|number| (CallNumber(number), kept(number))).collect();
        Past { called_below: CallNumber(9), answers }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn the_oldest_without_records_goes_when_there_are_too_many_and_none_with_records() {
        let mut tombstones = Tombstones::default();
        tombstones.add(at(0), key(0), LINK, Some(past(1)), None, &CONFIG);
        for client in 1..6 {
            tombstones.add(at(0), key(client), LINK, Some(past(0)), None, &CONFIG);
        }
        assert!(tombstones.has_room(&CONFIG));
        assert_eq!(tombstones.of.keys().map(|key| key.0.0).collect::<alloc::vec::Vec<_>>(), [0, 4, 5]);
        assert_eq!(tombstones.take(key(0)), Some(past(1)));
    }

    #[test]
    fn newcomers_are_refused_when_the_records_are_at_their_bytes_and_no_record_is_evicted() {
        let mut tombstones = Tombstones::default();
        tombstones.add(at(0), key(1), LINK, Some(past(2)), None, &CONFIG);
        assert!(tombstones.has_room(&CONFIG));
        tombstones.add(at(1), key(2), LINK, Some(past(2)), None, &CONFIG);
        assert!(!tombstones.has_room(&CONFIG));
        assert_eq!(tombstones.take(key(1)), Some(past(2)));
        assert!(tombstones.has_room(&CONFIG));
        assert_eq!(tombstones.take(key(2)), Some(past(2)));
        assert_eq!((tombstones.record_bytes, tombstones.with_records.len()), (0, 0));
    }

    #[test]
    fn records_go_after_their_time_and_their_tombstone_later() {
        let mut tombstones = Tombstones::default();
        tombstones.add(at(0), key(1), LINK, Some(past(2)), None, &CONFIG);
        tombstones.forget_old(at(6), &CONFIG);
        assert_eq!(tombstones.of[&key(1)].past, Some(past(2)));
        tombstones.forget_old(at(7), &CONFIG);
        assert_eq!(tombstones.of[&key(1)].past, Some(past(0)));
        assert_eq!(tombstones.record_bytes, 0);
        tombstones.forget_old(at(30), &CONFIG);
        assert_eq!(tombstones.take(key(1)), None);
        assert!(tombstones.without_records.is_empty());
    }
}
