//! Which rules of the protocol were at work, and which errors, refusals and ends were seen: what never happened was not tested.
//!
//! Knows: their names. Does not know: why they happen.

use std::collections::BTreeMap;

use rpcgen_proto::error::ProtocolError;
use rpcgen_proto::frame::RejectReason;
use rpcgen_proto::marks::Mark;
use rpcgen_proto::session::CloseReason;

/// A name for each way in which a peer can break the protocol, and for each reason to close a link.
#[must_use]
pub fn name_of_close(reason: &CloseReason) -> &'static str {
    match reason {
        CloseReason::Protocol(error) => name_of_error(error),
        CloseReason::Silent => "close: silent",
        CloseReason::HandshakeTimeout => "close: no welcome",
        CloseReason::Refused(_) => "close: refused",
        CloseReason::Done => "close: done",
        CloseReason::Superseded => "close: superseded",
        CloseReason::LogStopped(_) => "close: log stopped",
    }
}

fn name_of_error(error: &ProtocolError) -> &'static str {
    match error {
        ProtocolError::PoolOrderDisputed { .. } => "error: pool order disputed",
        ProtocolError::AgreementOutOfTurn { .. } => "error: agreement out of turn",
        ProtocolError::BadRange { .. } => "error: impossible range",
        ProtocolError::UnknownId { .. } => "error: unknown id",
        ProtocolError::GapOnReliableLink { .. } => "error: gap on a reliable link",
        ProtocolError::BitsOutOfPlace { .. } => "error: bits out of place",
        ProtocolError::BitsForUnsent { .. } => "error: bits for what was not sent",
        ProtocolError::BadWhereIs { .. } => "error: where-is of what was not sent",
        ProtocolError::WrongSlot { what, .. } => {
            WRONG_SLOT.iter().find(|(word, _)| word == what).map_or(OTHER, |(_, name)| name)
        }
        ProtocolError::NotAllowed { what, when } => {
            NOT_ALLOWED.iter().find(|(a, b, _)| a == what && b == when).map_or(OTHER, |(_, _, name)| name)
        }
        ProtocolError::LimitExceeded { .. } => "error: limit exceeded",
        _ => OTHER,
    }
}

/// What the list below does not name.
const OTHER: &str = "error: another";

const WRONG_SLOT: [(&str, &str); 4] = [
    ("an action", "error: action in a slot in use"),
    ("a cancel", "error: cancel of nothing"),
    ("an answer", "error: answer to nothing"),
    ("the outcome of a cancel", "error: outcome of no cancel"),
];

const NOT_ALLOWED: [(&str, &str, &str); 16] = [
    ("the position to resume from", "outside of what the stream log holds", "error: position outside of the log"),
    ("an accepted range", "at a client", "error: accepted range at a client"),
    ("a range", "from a client: the server decides", "error: range from a client"),
    ("a welcome", "twice on a link", "error: second welcome"),
    ("a reliable link", "when the client did not say so", "error: reliable against the client's word"),
    ("a resumed session", "that was not asked for", "error: resumed unasked"),
    ("a welcome", "with its lanes exchanged", "error: lanes exchanged"),
    ("a frame", "before the welcome", "error: frame before the welcome"),
    ("a hello", "from a server", "error: hello from a server"),
    ("a go", "for a broadcast that was not offered", "error: go without offer"),
    ("an action or a cancel", "from a server", "error: action from a server"),
    ("a goodbye", "that was not asked for", "error: goodbye unasked"),
    ("a handshake frame", "after the handshake", "error: handshake frame after the handshake"),
    ("still pending", "from a client", "error: still-pending from a client"),
    ("a call number", "below one that was used", "error: used call number"),
    ("an answer or a broadcast", "from a client", "error: answer from a client"),
];

/// The session's other errors, each with a name of its own.
const ERRORS: [&str; 13] = [
    "error: pool order disputed",
    "error: agreement out of turn",
    "error: impossible range",
    "error: unknown id",
    "error: gap on a reliable link",
    "error: bits out of place",
    "error: bits for what was not sent",
    "error: where-is of what was not sent",
    "error: limit exceeded",
    "close: silent",
    "close: no welcome",
    "close: refused",
    "close: done",
];

/// A name for each reason to refuse a client.
#[must_use]
pub fn name_of_reject(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::Version => "reject: version",
        RejectReason::UnknownService => "reject: unknown service",
        RejectReason::SchemaMismatch => "reject: schema",
        RejectReason::BadProof => "reject: bad proof",
        RejectReason::Superseded => "reject: superseded",
        RejectReason::ResumeGone => "reject: resume gone",
        RejectReason::ShuttingDown => "reject: shutting down",
        RejectReason::Overloaded => "reject: overloaded",
        _ => "reject: another",
    }
}

const REJECTS: [&str; 8] = [
    "reject: version",
    "reject: unknown service",
    "reject: schema",
    "reject: bad proof",
    "reject: superseded",
    "reject: resume gone",
    "reject: shutting down",
    "reject: overloaded",
];

/// Rules of durable logs. The sessions of these worlds have theirs in memory: that such a rule is never at work is no gap.
const OF_DURABLE_LOGS: [&str; 3] = ["ActionAskedAgain", "CallKeyReused", "LanesBeginAfresh"];

/// Everything that happened by name, out of what the runs saw and of the marks of this process; what never happened has 0.
#[must_use]
pub fn fired(seen: &BTreeMap<&'static str, u64>) -> BTreeMap<&'static str, u64> {
    let names = ERRORS.iter().chain(&REJECTS).copied();
    let names =
        names.chain(WRONG_SLOT.iter().map(|(_, name)| *name)).chain(NOT_ALLOWED.iter().map(|(_, _, name)| *name));
    let mut fired: BTreeMap<_, _> = names.map(|name| (name, 0)).collect();
    fired.extend(seen.iter().map(|(name, count)| (*name, *count)));
    let marks = Mark::ALL.iter().map(|mark| (mark.name(), mark.count()));
    fired.extend(marks.filter(|(name, count)| *count > 0 || !OF_DURABLE_LOGS.contains(name)));
    fired
}
