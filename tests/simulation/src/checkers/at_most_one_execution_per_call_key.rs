//! An action runs once; again only in a new epoch of a server without a durable log, and then it is said.

use std::collections::BTreeMap;

use rpcgen_proto::ids::CallKey;
use rpcgen_proto::time::Instant;

use super::{Check, Checker, violated};
use crate::seen::{Call, Seen};

/// The checker.
#[derive(Debug, Default)]
pub(super) struct AtMostOneExecution {
    epoch: u32,
    ran: BTreeMap<CallKey, (Call, u32)>,
}

impl Checker for AtMostOneExecution {
    fn see(&mut self, _: Instant, seen: &Seen) -> Check {
        let (call, key, redelivered) = match *seen {
            Seen::NewEpoch => {
                self.epoch += 1;
                return Ok(());
            }
            Seen::Executed { call, key, redelivered, .. } => (call, key, redelivered),
            _ => return Ok(()),
        };
        let name = "at_most_one_execution_per_call_key";
        match self.ran.insert(key, (call, self.epoch)) {
            Some((other, _)) if other != call => violated(name, format!("calls {other} and {call} have one key")),
            Some((_, epoch)) if epoch == self.epoch => violated(name, format!("call {call} ran twice in one epoch")),
            Some(_) if !redelivered => violated(name, format!("call {call} ran again and it was not said")),
            _ => Ok(()),
        }
    }
}
