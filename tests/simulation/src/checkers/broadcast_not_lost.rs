//! A broadcast that a server logged runs, as long as the server keeps its memory.

use rpcgen_proto::time::Instant;

use super::{Check, Checker, entry, violated};
use crate::seen::Seen;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    #[default]
    Never,
    Logged,
    /// It ran, or what was logged in memory is gone and nobody can know.
    Over,
}

/// The checker.
#[derive(Debug, Default)]
pub(super) struct BroadcastNotLost {
    states: Vec<State>,
}

impl Checker for BroadcastNotLost {
    fn see(&mut self, _: Instant, seen: &Seen) -> Check {
        match *seen {
            Seen::BroadcastLogged { broadcast } => *entry(&mut self.states, broadcast) = State::Logged,
            Seen::BroadcastRun { broadcast, .. } => {
                if *entry(&mut self.states, broadcast) == State::Never {
                    return violated("no_phantom", format!("broadcast {broadcast} runs, and nobody logged it"));
                }
                *entry(&mut self.states, broadcast) = State::Over;
            }
            Seen::NewEpoch => self.states.iter_mut().for_each(|state| *state = State::Over),
            _ => {}
        }
        Ok(())
    }

    fn end(&self) -> Check {
        match self.states.iter().position(|state| *state == State::Logged) {
            Some(broadcast) => violated("broadcast_not_lost", format!("broadcast {broadcast} never ran")),
            None => Ok(()),
        }
    }
}
