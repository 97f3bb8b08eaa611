//! What happened, as a hash for comparing and as text for reading.
//!
//! Knows: numbers and lines. Does not know: what they mean.

use std::collections::VecDeque;

use rpcgen_proto::time::Instant;

/// Lines that are kept.
const LINES_MAX: usize = 400;

/// What happened.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    lines: Option<VecDeque<String>>,
}

impl Trace {
    /// An empty one. `keep`: lines too, not only the hash.
    #[must_use]
    pub fn new(keep: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: keep.then(VecDeque::new) }
    }

    /// Something happened: `what` and two numbers of it.
    pub fn mix(&mut self, now: Instant, what: u64, number: u64) {
        for value in [now.as_nanos(), what, number] {
            self.hash = (self.hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
        }
    }

    /// A line for people. The text is made only if lines are kept.
    pub fn say(&mut self, now: Instant, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            if lines.len() == LINES_MAX {
                lines.pop_front();
            }
            let microseconds = now.as_nanos() / 1_000;
            lines.push_back(format!("{:>6}.{:06}  {}", microseconds / 1_000_000, microseconds % 1_000_000, text()));
        }
    }

    /// The same for equal runs.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The lines that were kept.
    #[must_use]
    pub fn into_lines(self) -> Vec<String> {
        self.lines.into_iter().flatten().collect()
    }
}
