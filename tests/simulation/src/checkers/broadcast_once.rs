//! A broadcast runs once, on one node; a second run is said to be one. None is lost while the server lives.

use rpcgen_proto::time::Instant;

use super::{Check, Checker, entry, violated};
use crate::seen::Seen;

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    is_logged: bool,
    runs: u32,
}

/// The checker.
#[derive(Debug, Default)]
pub(super) struct BroadcastOnce {
    known: Vec<Known>,
}

impl Checker for BroadcastOnce {
    fn see(&mut self, _: Instant, seen: &Seen) -> Check {
        match *seen {
            Seen::BroadcastLogged { broadcast } => entry(&mut self.known, broadcast).is_logged = true,
            Seen::BroadcastRun { broadcast, redelivered, .. } => {
                let known = entry(&mut self.known, broadcast);
                known.runs += 1;
                if known.runs > 1 && !redelivered {
                    return violated("broadcast_once", format!("broadcast {broadcast} ran again and it was not said"));
                }
            }
            // What was logged in memory is gone, and nobody can know.
            Seen::NewEpoch => self.known.iter_mut().for_each(|known| known.is_logged = false),
            _ => {}
        }
        Ok(())
    }

    fn end(&self) -> Check {
        match self.known.iter().position(|known| known.is_logged && known.runs == 0) {
            Some(broadcast) => violated("broadcast_once", format!("broadcast {broadcast} never ran")),
            None => Ok(()),
        }
    }
}
