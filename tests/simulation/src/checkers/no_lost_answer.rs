//! Every call has exactly one answer, and `Unknown` only where nobody can know.

use rpcgen_proto::frame::Refusal;
use rpcgen_proto::time::Instant;

use super::{Check, Checker, entry, violated};
use crate::seen::{Ending, Node, Seen};

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    #[default]
    Never,
    Open(Node),
    Answered,
    /// Its client died with its memory.
    Gone,
}

/// The checker.
#[derive(Debug, Default)]
pub(super) struct NoLostAnswer {
    calls: Vec<State>,
    /// Calls that somebody wanted to cancel, or that a later server may not take.
    doubtful: Vec<bool>,
    /// Nodes whose session was given up, or that give up themselves.
    may_not_know: Vec<bool>,
    epochs: u32,
}

impl NoLostAnswer {
    fn on_answer(&mut self, call: u32, ending: Ending) -> Check {
        let State::Open(node) = std::mem::replace(entry(&mut self.calls, call), State::Answered) else {
            return violated("no_lost_answer", format!("call {call} was answered twice"));
        };
        // Before it ran again in a new epoch it was cancelled or is too large now: it will not run, but it may have.
        let is_doubtful = *entry(&mut self.doubtful, call) && self.epochs > 0;
        if ending == Ending::Refused(Refusal::Unknown) && !*entry(&mut self.may_not_know, node) && !is_doubtful {
            return violated("no_lost_answer", format!("call {call} ends in `Unknown`, and it was known"));
        }
        Ok(())
    }
}

impl Checker for NoLostAnswer {
    fn see(&mut self, _: Instant, seen: &Seen) -> Check {
        match *seen {
            Seen::Accepted { call, node } => *entry(&mut self.calls, call) = State::Open(node),
            Seen::Answered { call, ending } => return self.on_answer(call, ending),
            Seen::CancelAsked { call } | Seen::Oversized { call } => *entry(&mut self.doubtful, call) = true,
            Seen::Expired { node } | Seen::DisconnectAsked { node, .. } => {
                *entry(&mut self.may_not_know, node) = true;
            }
            Seen::NewEpoch => self.epochs += 1,
            Seen::NodeGone { node } => {
                for state in self.calls.iter_mut().filter(|state| **state == State::Open(node)) {
                    *state = State::Gone;
                }
            }
            Seen::Disconnected { node, .. } => {
                if let Some(call) = self.calls.iter().position(|state| *state == State::Open(node)) {
                    return violated("no_lost_answer", format!("node {node} disconnected, call {call} has no answer"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&self) -> Check {
        match self.calls.iter().position(|state| matches!(state, State::Open(_))) {
            Some(call) => violated("no_lost_answer", format!("call {call} has no answer")),
            None => Ok(()),
        }
    }
}
