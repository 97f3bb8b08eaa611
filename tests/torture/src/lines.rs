//! What the processes of a run say on their standard output, a line each.
//!
//! A pipe keeps what was written when its writer is killed: what was said was said.

use serde::{Deserialize, Serialize};

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Line {
    /// The server listens here, as this owner of the database.
    Listening { address: String, epoch: u64 },
    /// The process cannot go on; its next life can.
    Stopped(String),
    /// The process may not begin, by its log or by the server.
    Refused(String),
    /// The client is linked, and goes on; its ID.
    Linked(String),
    /// A call of an earlier life: it was accepted, whether that life could say so or not.
    Found(u64),
    /// Step 1 of a transfer: it will be answered.
    Accepted { number: u64, reference: u64 },
    /// Step 3 of the call with this number.
    Answered { number: u64, outcome: Outcome },
    /// The client has sent all it was to send, and has all answers.
    Done,
}

/// How a transfer ended, as its client was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// Done; the payer has so much left.
    Moved(u64),
    /// Not done: the payer has so much only.
    TooLittle(u64),
    /// Not done: it was running each of three times that the server was killed, and is not run once more.
    Poisoned,
    /// Nobody can know.
    Unknown,
    /// Anything else, which should not be.
    Other(String),
}

/// Says a line at once. Nobody listens any more only when the run was given up.
pub(crate) fn say(line: &Line) {
    use std::io::Write as _;
    if let Ok(mut text) = serde_json::to_string(line) {
        text.push('\n');
        // In one write: a reader never sees half of a line but of a process that was killed there.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }
}
