//! A guarantee is given for what has arrived, by the end that has it.

use rpcgen_proto::session::LanesView;
use rpcgen_proto::time::Instant;

use super::{Check, Checker, entry, violated};
use crate::seen::Seen;

/// Both ends of one session.
///
/// # Errors
/// One was given a guarantee for what the other does not have.
pub fn check(client: &LanesView, server: &LanesView) -> Check {
    for (who, guaranteed, accepted) in
        [("the client", client.guaranteed, server.accepted), ("the server", server.guaranteed, client.accepted)]
    {
        if guaranteed > accepted {
            let message = format!("{who} has guarantees up to {guaranteed}, accepted is up to {accepted}");
            return violated("no_false_guarantee", message);
        }
    }
    Ok(())
}

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
