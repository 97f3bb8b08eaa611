//! What was cancelled never ran and never will; and so it is with every refusal that says "it did not run".

use rpcgen_proto::frame::{CancelOutcome, Refusal};
use rpcgen_proto::time::Instant;

use super::{Check, Checker, entry, violated};
use crate::seen::{Call, Ending, Seen};

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    is_executed: bool,
    did_not_run: Option<Refusal>,
    cancel_is_open: bool,
    outcome: Option<CancelOutcome>,
    is_gone: bool,
}

/// The checker.
#[derive(Debug, Default)]
pub(super) struct CancelXorExecute {
    known: Vec<Known>,
    owners: Vec<u32>,
}

/// Whether the answer says that the action did not run.
fn says_did_not_run(refusal: Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Cancelled
            | Refusal::UnknownAction
            | Refusal::UnknownApp
            | Refusal::Undecodable
            | Refusal::Overloaded
            | Refusal::RequestTooLarge
    )
}

fn check(call: Call, known: &Known) -> Check {
    let name = "cancel_xor_execute";
    if let Some(refusal) = known.did_not_run
        && known.is_executed
    {
        return violated(name, format!("call {call} ran, and its answer is {refusal:?}"));
    }
    if known.outcome == Some(CancelOutcome::Answered) && known.did_not_run == Some(Refusal::Cancelled) {
        return violated(name, format!("call {call} was cancelled, and its cancel says that it was answered"));
    }
    match known.outcome {
        Some(CancelOutcome::Cancelled) if known.is_executed => {
            violated(name, format!("call {call} ran, and its cancel says that it did not"))
        }
        Some(CancelOutcome::Executing) if !known.is_executed => {
            violated(name, format!("call {call} did not run, and its cancel says that it executes"))
        }
        _ => Ok(()),
    }
}

impl CancelXorExecute {
    /// Whether every cancel has its outcome, of one node or of all that live.
    fn all_settled(&self, of: Option<u32>) -> Check {
        let mut known = self.known.iter().zip(&self.owners);
        let is_open = |(known, owner): (&Known, &u32)| {
            known.cancel_is_open && !known.is_gone && of.is_none_or(|node| node == *owner)
        };
        match known.position(is_open) {
            Some(call) => violated("cancel_xor_execute", format!("the cancel of call {call} has no outcome")),
            None => Ok(()),
        }
    }
}

impl Checker for CancelXorExecute {
    fn see(&mut self, _: Instant, seen: &Seen) -> Check {
        let call = match *seen {
            Seen::Accepted { call, node } => {
                *entry(&mut self.owners, call) = node;
                call
            }
            Seen::Executed { call, .. } => {
                entry(&mut self.known, call).is_executed = true;
                call
            }
            Seen::Answered { call, ending: Ending::Refused(refusal) } if says_did_not_run(refusal) => {
                entry(&mut self.known, call).did_not_run = Some(refusal);
                call
            }
            Seen::CancelAsked { call } => {
                entry(&mut self.known, call).cancel_is_open = true;
                call
            }
            Seen::CancelSettled { call, outcome } => {
                let known = entry(&mut self.known, call);
                if !std::mem::take(&mut known.cancel_is_open) {
                    return violated("cancel_xor_execute", format!("call {call}: a second outcome of its cancel"));
                }
                known.outcome = Some(outcome);
                call
            }
            Seen::NodeGone { node: gone } => {
                let owned = self.known.iter_mut().zip(&self.owners).filter(|(_, owner)| **owner == gone);
                owned.for_each(|(known, _)| known.is_gone = true);
                return Ok(());
            }
            Seen::Disconnected { node, .. } => return self.all_settled(Some(node)),
            _ => return Ok(()),
        };
        let known = *entry(&mut self.known, call);
        check(call, &known)
    }

    fn end(&self) -> Check {
        self.all_settled(None)
    }
}
