//! What happened in all runs together, counted, and as JSON.
//!
//! Knows: sums. Does not know: worlds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use rpcgen_proto::faults::FaultCounters;

/// What happened, counted.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Frames that arrived.
    pub frames: u64,
    /// How long it took in virtual time.
    pub virtual_time: Duration,
    /// What links did to frames.
    pub faults: FaultCounters,
    /// Corrupted frames that were noticed and dropped.
    pub corrupt_noticed: u64,
    /// What else went wrong on purpose, by name.
    pub troubles: BTreeMap<&'static str, u64>,
    /// How calls ended, by name.
    pub answers: BTreeMap<&'static str, u64>,
    /// Actions that ran.
    pub executed: u64,
    /// Of them, those that were said to may have run before.
    pub redelivered: u64,
    /// Broadcasts that ran.
    pub broadcasts: u64,
    /// Messages sent again.
    pub resent: u64,
    /// Errors, refusals and ends of links, by name: see [`crate::rules`].
    pub rules: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// One more of a named trouble.
    pub fn trouble(&mut self, name: &'static str) {
        *self.troubles.entry(name).or_default() += 1;
    }

    /// One more of a rule.
    pub fn rule(&mut self, name: &'static str) {
        *self.rules.entry(name).or_default() += 1;
    }

    /// One more answer of a name.
    pub fn answer(&mut self, name: &'static str) {
        *self.answers.entry(name).or_default() += 1;
    }

    /// Adds another run's.
    pub fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.virtual_time += other.virtual_time;
        self.faults.add(&other.faults);
        self.corrupt_noticed += other.corrupt_noticed;
        for (name, count) in &other.troubles {
            *self.troubles.entry(name).or_default() += count;
        }
        for (name, count) in &other.answers {
            *self.answers.entry(name).or_default() += count;
        }
        self.executed += other.executed;
        self.redelivered += other.redelivered;
        self.broadcasts += other.broadcasts;
        self.resent += other.resent;
        for (name, count) in &other.rules {
            *self.rules.entry(name).or_default() += count;
        }
    }

    /// Everything by name, without the braces around it.
    #[must_use]
    pub fn json_fields(&self) -> String {
        let faults = [
            ("frames", self.faults.frames),
            ("dropped", self.faults.dropped),
            ("dropped_broadcasts", self.faults.dropped_broadcasts),
            ("duplicated", self.faults.duplicated),
            ("reordered", self.faults.reordered),
            ("delayed", self.faults.delayed),
            ("corrupted", self.faults.corrupted),
            ("corrupt_noticed", self.corrupt_noticed),
            ("cuts", self.faults.cuts),
        ];
        format!(
            "\"frame_events\":{},\"virtual_seconds\":{},\"executed\":{},\"redelivered\":{},\"broadcasts_run\":{},\"resent\":{},\
             \"faults\":{},\"troubles\":{},\"answers\":{}",
            self.frames,
            self.virtual_time.as_secs(),
            self.executed,
            self.redelivered,
            self.broadcasts,
            self.resent,
            json_object(faults),
            json_object(self.troubles.iter().map(|(name, count)| (*name, *count))),
            json_object(self.answers.iter().map(|(name, count)| (*name, *count))),
        )
    }
}

/// Names and counts as a JSON object. Names are our own: nothing in them needs escaping.
#[must_use]
pub fn json_object<'a>(entries: impl IntoIterator<Item = (&'a str, u64)>) -> String {
    let mut text = String::from("{");
    for (index, (name, count)) in entries.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(text, "{comma}\"{name}\":{count}");
    }
    text.push('}');
    text
}
