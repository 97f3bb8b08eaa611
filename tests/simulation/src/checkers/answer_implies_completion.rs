//! An answer of the business means that its handler completed, exactly once in that epoch; and what completed while the server lives is
//! never answered with `Unknown`: the answer is its completion record.

use rpcgen_proto::frame::Refusal;
use rpcgen_proto::time::Instant;

use super::{Check, Checker, entry, violated};
use crate::seen::{Ending, Seen};

/// The checker.
#[derive(Debug, Default)]
pub(super) struct AnswerImpliesCompletion {
    /// One more than now; 0 is never.
    epoch: u32,
    completed: Vec<u32>,
    owners: Vec<u32>,
    is_leaving: Vec<bool>,
}

impl Checker for AnswerImpliesCompletion {
    fn see(&mut self, _: Instant, seen: &Seen) -> Check {
        let name = "answer_implies_completion";
        match *seen {
            Seen::NewEpoch => self.epoch += 1,
            Seen::Accepted { call, node } => *entry(&mut self.owners, call) = node,
            Seen::DisconnectAsked { node, .. } => *entry(&mut self.is_leaving, node) = true,
            Seen::Completed { call } => *entry(&mut self.completed, call) = self.epoch + 1,
            Seen::Answered { call, ending: Ending::Right } if *entry(&mut self.completed, call) == 0 => {
                return violated(name, format!("call {call} is answered, and its handler never completed"));
            }
            Seen::Answered { call, ending: Ending::Refused(Refusal::Unknown) } => {
                let owner = *entry(&mut self.owners, call);
                if *entry(&mut self.completed, call) == self.epoch + 1 && !*entry(&mut self.is_leaving, owner) {
                    return violated(name, format!("call {call} completed, and is answered with `Unknown`"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
