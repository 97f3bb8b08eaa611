//! What a log must hold, by what was done to it.
//!
//! Knows: the owner's view: records and releases, and which of them were reported as durable. Does not know: disks.

use std::collections::BTreeMap;
use std::fmt;

use crate::{Disk, Found, Log, Sequence, StreamId};

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant, by its name.
    pub invariant: &'static str,
    /// What was found.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant, self.text)
    }
}

pub(crate) fn violated<T>(invariant: &'static str, text: impl Into<String>) -> Result<T, Violation> {
    Err(Violation { invariant, text: text.into() })
}

/// Records that live, by stream and sequence.
pub(crate) type Content = BTreeMap<(StreamId, Sequence), Vec<u8>>;

#[derive(Clone, Debug)]
enum Event {
    Append(StreamId, Sequence, Vec<u8>),
    Release(StreamId, Sequence, Sequence),
}

fn apply(content: &mut Content, event: &Event) {
    match event {
        Event::Append(stream, sequence, payload) => {
            content.insert((*stream, *sequence), payload.clone());
        }
        Event::Release(stream, first, last) => {
            content.retain(|&(of, sequence), _| of != *stream || sequence < *first || sequence > *last);
        }
    }
}

/// What was done to a log.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    durable: Content,
    /// Not known to be durable, each with the sequence that the log had reached after it.
    pending: Vec<(Sequence, Event)>,
    /// The highest incarnation that was seen.
    pub(crate) incarnation: u64,
}

impl Model {
    pub(crate) fn appended(&mut self, next: Sequence, stream: StreamId, sequence: Sequence, payload: Vec<u8>) {
        self.pending.push((next, Event::Append(stream, sequence, payload)));
    }

    pub(crate) fn released(&mut self, next: Sequence, stream: StreamId, first: Sequence, last: Sequence) {
        self.pending.push((next, Event::Release(stream, first, last)));
    }

    /// The log says that all before this is durable.
    pub(crate) fn durable(&mut self, below: Sequence) {
        let known = self.pending.iter().take_while(|(next, _)| *next <= below).count();
        self.pending.drain(..known).for_each(|(_, event)| apply(&mut self.durable, &event));
    }

    /// What lives now, from the owner's view.
    pub(crate) fn now(&self) -> Content {
        let mut content = self.durable.clone();
        self.pending.iter().for_each(|(_, event)| apply(&mut content, event));
        content
    }

    /// Whether a log may hold this after a crash: what is durable, and some of the rest from the first on.
    pub(crate) fn check(&self, found: &Content) -> Result<(), Violation> {
        let mut content = self.durable.clone();
        if &content == found {
            return Ok(());
        }
        for (_, event) in &self.pending {
            apply(&mut content, event);
            if &content == found {
                return Ok(());
            }
        }
        let lost = self.durable.iter().find(|(key, payload)| {
            let released = self.pending.iter().any(|(_, event)| {
                matches!(event, Event::Release(stream, first, last) if *stream == key.0 && (*first..=*last).contains(&key.1))
            });
            !released && found.get(key) != Some(*payload)
        });
        match lost {
            Some(((stream, sequence), _)) => {
                violated("guarantee_implies_durable", format!("record {sequence} of stream {} is gone", stream.0))
            }
            None => violated("recovery_is_prefix", "what lives is not what lived at any instant after the last commit"),
        }
    }

    /// From now on this is what is durable.
    pub(crate) fn settle(&mut self, found: Content) {
        self.durable = found;
        self.pending.clear();
    }
}

/// Collects what an opening tells.
pub(crate) fn told(content: &mut Content) -> impl FnMut(Found<'_>) {
    |found| match found {
        Found::Record { stream, sequence, payload } => {
            content.insert((stream, sequence), payload.to_vec());
        }
        Found::Released { stream, first, last } => apply(content, &Event::Release(stream, first, last)),
    }
}

/// What a log says that it holds.
pub(crate) fn read_all<D: Disk>(log: &mut Log<D>) -> Result<Content, Violation> {
    let all: Vec<_> = log.all_live().collect();
    let mut content = Content::new();
    for (stream, sequence) in all {
        match log.read(stream, sequence) {
            Ok(Some(payload)) => content.insert((stream, sequence), payload),
            other => return violated("reads_go_on", format!("record {sequence} of stream {}: {other:?}", stream.0)),
        };
    }
    Ok(content)
}
