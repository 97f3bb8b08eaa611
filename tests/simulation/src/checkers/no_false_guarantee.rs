//! A guarantee is given for what has arrived, by the server that has it.

use rpcgen_proto::time::Instant;

use super::{Check, Checker, entry, violated};
use crate::seen::Seen;

/// The checker.
#[derive(Debug, Default)]
pub(super) struct NoFalseGuarantee {
    /// One more than now; 0 is never.
    epoch: u32,
    arrived: Vec<u32>,
}

impl Checker for NoFalseGuarantee {
    fn see(&mut self, _: Instant, seen: &Seen) -> Check {
        match *seen {
            Seen::NewEpoch => self.epoch += 1,
            Seen::Arrived { call } => *entry(&mut self.arrived, call) = self.epoch + 1,
            Seen::Guaranteed { call } if *entry(&mut self.arrived, call) != self.epoch + 1 => {
                return violated("no_false_guarantee", format!("call {call} is guaranteed and never arrived"));
            }
            _ => {}
        }
        Ok(())
    }
}
