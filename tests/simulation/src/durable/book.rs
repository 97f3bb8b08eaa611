//! What is true of each call and each broadcast, and what must never be.
//!
//! Knows: the promise of durable logs. Does not know: sessions, disks.

use std::collections::{BTreeMap, BTreeSet};

use rpcgen_proto::config::BEGUN_MAX;
use rpcgen_proto::frame::{CancelOutcome, Refusal};
use rpcgen_proto::ids::{CallNumber, ClientId};
use rpcgen_proto::session::{Answer, CallHandle};
use rpcgen_proto::time::Instant;

use crate::checkers::{Check, violated};
use crate::load::{Load, LoadKind};

/// Message numbers of the run.
pub(super) type Tag = u32;

/// One call.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) client: usize,
    /// Its identity for ever.
    pub(super) key: Option<(ClientId, CallNumber)>,
    /// When the secret came of the lanes that there were when it was accepted.
    pub(super) secret: Option<Instant>,
    pub(super) is_volatile: bool,
    pub(super) is_poison: bool,
    pub(super) is_accepted: bool,
    pub(super) is_guaranteed: bool,
    /// Its end was told to an application, in this life of the client or an earlier one.
    pub(super) ended: bool,
    /// The application has taken its answer off the record.
    pub(super) claimed: bool,
    /// Runs that were not said to be redelivered, and all runs.
    unsaid_runs: u32,
    pub(super) runs: u32,
    /// How often it may be on record that it begins.
    pub(super) begins: u32,
    completed: bool,
    /// A client has its answer: so that is on record, or was guaranteed.
    pub(super) is_answered: bool,
    /// Somebody asked for it to be cancelled.
    pub(super) cancel_asked: bool,
    cancelled: bool,
}

/// One broadcast.
#[derive(Debug, Default)]
struct Sent {
    /// It was on record when a node was looked for.
    is_logged: bool,
    /// Runs that were not said to be redelivered, and all runs.
    unsaid_runs: u32,
    runs: u32,
    /// The node that had it lost its memory, or its log.
    is_excused: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) calls: BTreeMap<Tag, Record>,
    broadcasts: BTreeMap<Tag, Sent>,
    /// The server's log was restored: "unknown" may be the truth of any call.
    pub(super) may_not_know: bool,
    /// A server's log was restored: what it promised before may be forgotten.
    pub(super) server_restored: bool,
    /// Its database was: effects may be gone that were answered.
    pub(super) database_restored: bool,
    /// Clients of whose log an older state was put back, or a copy started: the same of their calls.
    rivals: BTreeSet<usize>,
    /// Those of whose log there was a copy.
    copied: BTreeSet<usize>,
    /// Those whose session had expired, or whose log stopped: nothing is known of calls without records.
    volatile_unknown: BTreeSet<usize>,
    /// Those that leave, and have no log: what is open at their limit is given up.
    leaving: BTreeSet<usize>,
}

impl Book {
    pub(super) fn call(&mut self, tag: Tag) -> &mut Record {
        self.calls.entry(tag).or_default()
    }

    pub(super) fn run(&mut self, tag: Tag, redelivered: bool) -> Check {
        let (copied, is_forgiven) = (self.copied.clone(), self.server_restored);
        let call = self.call(tag);
        call.runs += 1;
        call.unsaid_runs += u32::from(!redelivered);
        // Of two copies that a server with another log cannot tell apart, one has not sent what the other one has.
        let is_unsaid = call.unsaid_runs > 1 || call.runs > 1 && !redelivered;
        if is_unsaid && !(is_forgiven && copied.contains(&call.client)) {
            return violated("at_most_one_execution_per_call_key", format!("call {tag} runs again and it is not said"));
        }
        if call.is_answered && !call.is_volatile && !is_forgiven {
            return violated(
                "at_most_one_execution_per_call_key",
                format!("call {tag} runs after its answer was told"),
            );
        }
        // A client that lost the word asks a server that has forgotten it.
        if call.cancelled && !copied.contains(&call.client) && !is_forgiven {
            return violated("cancel_xor_execute", format!("call {tag} runs after it was cancelled"));
        }
        Ok(())
    }

    /// An older state of a client's log is back: what was settled since then without the server is open again there.
    pub(super) fn client_restored(&mut self, client: usize) {
        self.rivals.insert(client);
        self.calls.values_mut().filter(|call| call.client == client).for_each(|call| call.cancelled = false);
    }

    /// There are two of a client: what one of them settles without the server is open at the other.
    pub(super) fn client_copied(&mut self, client: usize, copy: usize) {
        self.rivals.extend([client, copy]);
        self.copied.extend([client, copy]);
    }

    pub(super) fn note_volatile_unknown(&mut self, client: usize) {
        self.volatile_unknown.insert(client);
    }

    /// A client leaves formally.
    pub(super) fn note_leaving(&mut self, client: usize, has_log: bool) {
        self.volatile_unknown.insert(client);
        if !has_log {
            self.leaving.insert(client);
        }
    }

    /// A client has left and `dropped` these: all that it has not heard the end of.
    pub(super) fn left(&self, client: usize, dropped: &[CallHandle]) -> Check {
        let mut open = self.calls.iter().filter(|(_, call)| call.client == client && call.is_accepted && !call.ended);
        let is_listed =
            |call: &Record| call.key.is_some_and(|(_, number)| dropped.iter().any(|dropped| dropped.number == number));
        match open.find(|(_, call)| !is_listed(call)) {
            Some((tag, call)) => {
                violated("no_lost_answer", format!("call {tag} is open and was not dropped: {call:?}"))
            }
            None => Ok(()),
        }
    }

    pub(super) fn has_rivals(&self, client: usize) -> bool {
        self.rivals.contains(&client)
    }

    pub(super) fn complete(&mut self, tag: Tag) {
        self.call(tag).completed = true;
    }

    pub(super) fn cancel_outcome(&mut self, tag: Tag, outcome: CancelOutcome) -> Check {
        let copied = self.copied.clone();
        let call = self.call(tag);
        if outcome == CancelOutcome::Cancelled {
            call.cancelled = true;
            if call.runs > 0 && !copied.contains(&call.client) {
                return violated("cancel_xor_execute", format!("call {tag} was cancelled, and had run"));
            }
        }
        Ok(())
    }

    pub(super) fn answer(&mut self, tag: Tag, answer: &Answer<Load>) -> Check {
        let client = self.call(tag).client;
        let (may_not_know, is_copied) =
            (self.may_not_know || self.rivals.contains(&client), self.copied.contains(&client));
        let volatile_unknown = self.volatile_unknown.contains(&client);
        let is_given_up = self.leaving.contains(&client);
        let call = self.call(tag);
        call.ended = true;
        match answer {
            Answer::Response(load) | Answer::Failure(load) => {
                if load.kind() != LoadKind::Response || load.tag() != tag {
                    let invariant =
                        if load.kind() == LoadKind::Response { "no_foreign_data" } else { "answer_matches_call" };
                    return violated(invariant, format!("call {tag} is answered with {load:?}"));
                }
                if !call.completed {
                    return violated("answer_implies_completion", format!("call {tag} is answered before it ended"));
                }
                call.is_answered = true;
            }
            Answer::Refused(Refusal::Cancelled | Refusal::NoSpace) => {
                if call.runs > 0 && !is_copied {
                    return violated("cancel_xor_execute", format!("call {tag} ran, and {answer:?} is said"));
                }
                call.cancelled = true;
            }
            // Whoever was running at three ends of the server may have caused them.
            Answer::Refused(Refusal::Poisoned) if call.is_poison || call.begins >= BEGUN_MAX => {}
            // It had been sent before, and waited when the word came that it need not run.
            Answer::Refused(Refusal::Unknown) if call.cancel_asked => {}
            Answer::Refused(Refusal::Unknown | Refusal::CallKeyReused) if may_not_know => {}
            Answer::Refused(Refusal::Unknown) if call.is_volatile && volatile_unknown => {}
            Answer::Refused(Refusal::Unknown) if is_given_up => {}
            Answer::Refused(refusal) => {
                return violated("no_lost_answer", format!("call {tag} ends in {refusal:?} without a cause"));
            }
        }
        Ok(())
    }

    pub(super) fn broadcast_logged(&mut self, tag: Tag) {
        self.broadcasts.entry(tag).or_default().is_logged = true;
    }

    /// The node that had it to run is no more.
    pub(super) fn excuse_broadcasts(&mut self, tags: impl IntoIterator<Item = Tag>) {
        tags.into_iter().for_each(|tag| self.broadcasts.entry(tag).or_default().is_excused = true);
    }

    pub(super) fn run_broadcast(&mut self, tag: Tag, redelivered: bool) -> Check {
        let sent = self.broadcasts.entry(tag).or_default();
        sent.unsaid_runs += u32::from(!redelivered);
        sent.runs += 1;
        if sent.unsaid_runs > 1 && !self.server_restored {
            return violated("broadcast_once", format!("broadcast {tag} runs twice and it is not said"));
        }
        Ok(())
    }

    /// Everything is healed.
    pub(super) fn end(&self, abandoned: &[bool]) -> Check {
        let is_open = |call: &Record| call.is_accepted && !call.ended && !abandoned[call.client];
        // A restored server takes the older one of two copies, and the other waits until that one's session has expired.
        let may_wait = |call: &Record| self.server_restored && self.copied.contains(&call.client);
        if let Some((tag, call)) = self.calls.iter().find(|(_, call)| is_open(call) && !may_wait(call)) {
            return violated("no_lost_answer", format!("call {tag} was accepted and is never answered: {call:?}"));
        }
        let lost = self.broadcasts.iter().find(|(_, sent)| sent.is_logged && sent.runs == 0 && !sent.is_excused);
        match lost.filter(|_| !self.server_restored) {
            Some((tag, sent)) => violated("broadcast_not_lost", format!("broadcast {tag} never runs: {sent:?}")),
            None => Ok(()),
        }
    }
}
