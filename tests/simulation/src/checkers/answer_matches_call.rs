//! An answer is the answer of its own call.

use rpcgen_proto::time::Instant;

use super::{Check, Checker, violated};
use crate::seen::{Ending, Seen};

/// The checker.
#[derive(Debug, Default)]
pub(super) struct AnswerMatchesCall;

impl Checker for AnswerMatchesCall {
    fn see(&mut self, _: Instant, seen: &Seen) -> Check {
        match seen {
            Seen::Answered { call, ending: Ending::Wrong } => {
                violated("answer_matches_call", format!("call {call} got somebody else's answer"))
            }
            _ => Ok(()),
        }
    }
}
