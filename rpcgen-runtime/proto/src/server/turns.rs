//! Whose turn it is, of the actions that were running when the server crashed: one at a time, the fewest beginnings first.
//!
//! Knows: sessions, actions, how often each had begun. Does not know: what they do. One of them may be what killed the server (trap T15):
//! so it is alone when it does so again, and those that began less often are over by then.

use alloc::collections::BTreeSet;

use crate::ids::{CallNumber, SessionId};
use crate::mutants::mutated;
use crate::session::ActionHandle;

/// The order of turns, of all sessions of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Turns {
    waiting: BTreeSet<(u32, SessionId, ActionHandle)>,
    running: Option<(SessionId, CallNumber)>,
}

impl Turns {
    /// It waits for its turn ([`crate::session::ServerEvent::Begin`]). `begun`: how often it was on record that it begins.
    // spec: protocol.md 9
    pub fn enter(&mut self, begun: u32, session: SessionId, action: ActionHandle) {
        self.waiting.insert((begun, session, action));
    }

    /// Whose turn it is now, if it is somebody's who did not have it yet: with how often it had begun.
    #[must_use]
    pub fn give(&mut self) -> Option<(u32, SessionId, ActionHandle)> {
        if self.running.is_some() {
            return None;
        }
        let next = self.waiting.pop_first()?;
        self.running = Some((next.1, next.2.number));
        Some(next)
    }

    /// It is over ([`crate::session::ServerEvent::TurnOver`]).
    pub fn over(&mut self, session: SessionId, number: CallNumber) {
        self.running.take_if(|running| *running == (session, number));
    }

    /// The session is over ([`crate::session::ServerEvent::Ended`]), with all that was in it: also what ran, or was about to. A client may
    /// leave with actions that it does not know of, or gave up.
    // spec: protocol.md 9
    pub fn session_over(&mut self, session: SessionId) {
        if mutated!(TurnOfEndedKept) {
            return;
        }
        self.running.take_if(|running| running.0 == session);
        self.waiting.retain(|(_, waiting, _)| *waiting != session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Slot;

    fn suspect(session: u64, number: u64) -> (SessionId, ActionHandle) {
        (SessionId(session), ActionHandle { number: CallNumber(number), slot: Slot(0) })
    }

    fn next(turns: &mut Turns) -> Option<(u32, u64, u64)> {
        turns.give().map(|(begun, session, action)| (begun, session.0, action.number.0))
    }

    #[test]
    fn suspects_have_their_turns_one_at_a_time_the_fewest_beginnings_first() {
        let mut turns = Turns::default();
        for (begun, (session, action)) in [(2, suspect(1, 1)), (1, suspect(1, 2)), (1, suspect(2, 7))] {
            turns.enter(begun, session, action);
        }
        assert_eq!(next(&mut turns), Some((1, 1, 2)));
        assert_eq!(next(&mut turns), None);
        turns.over(SessionId(2), CallNumber(9));
        assert_eq!(next(&mut turns), None);
        turns.over(SessionId(1), CallNumber(2));
        assert_eq!(next(&mut turns), Some((1, 2, 7)));
        turns.session_over(SessionId(2));
        assert_eq!(next(&mut turns), Some((2, 1, 1)));
        turns.session_over(SessionId(1));
        assert_eq!(next(&mut turns), None);
    }
}
