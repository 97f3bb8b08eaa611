//! Who guaranteed an action runs or answers it, whether or not its client is there, as long as the server keeps its memory.

use rpcgen_proto::time::Instant;

use super::{Check, Checker, entry, violated};
use crate::seen::Seen;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    #[default]
    Open,
    Guaranteed,
    Settled,
}

/// The checker.
#[derive(Debug, Default)]
pub(super) struct GuaranteeImpliesLogged {
    calls: Vec<State>,
    owners: Vec<u32>,
}

impl Checker for GuaranteeImpliesLogged {
    fn see(&mut self, _: Instant, seen: &Seen) -> Check {
        match *seen {
            Seen::Accepted { call, node } => *entry(&mut self.owners, call) = node,
            Seen::Guaranteed { call } => {
                let state = entry(&mut self.calls, call);
                if *state == State::Open {
                    *state = State::Guaranteed;
                }
            }
            // Whether a cancel took effect is known only if its client lived to hear it.
            Seen::Executed { call, .. } | Seen::Answered { call, .. } | Seen::CancelAsked { call } => {
                *entry(&mut self.calls, call) = State::Settled;
            }
            // What was in memory is gone: the promise of a memory log ends here.
            Seen::NewEpoch => {
                for state in self.calls.iter_mut().filter(|state| **state == State::Guaranteed) {
                    *state = State::Open;
                }
            }
            // A session that was given up may drop what had not begun.
            Seen::Expired { node } => {
                for (state, owner) in self.calls.iter_mut().zip(&self.owners) {
                    if *owner == node && *state == State::Guaranteed {
                        *state = State::Settled;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&self) -> Check {
        match self.calls.iter().position(|state| *state == State::Guaranteed) {
            Some(call) => violated("guarantee_implies_logged", format!("call {call} is guaranteed and never ran")),
            None => Ok(()),
        }
    }
}
