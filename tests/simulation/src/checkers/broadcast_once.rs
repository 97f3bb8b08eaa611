//! A broadcast runs once, on one node; every other run is said to be one more.
//!
//! The run that nobody marks may be the later one: a node that was told to go and then stood still runs what it was told when it goes
//! on, and its session may have ended meanwhile.

use rpcgen_proto::time::Instant;

use super::{Check, Checker, entry, violated};
use crate::seen::Seen;

/// The checker.
#[derive(Debug, Default)]
pub(super) struct BroadcastOnce {
    has_run_unmarked: Vec<bool>,
}

impl Checker for BroadcastOnce {
    fn see(&mut self, _: Instant, seen: &Seen) -> Check {
        if let Seen::BroadcastRun { broadcast, redelivered: false, .. } = *seen
            && std::mem::replace(entry(&mut self.has_run_unmarked, broadcast), true)
        {
            return violated("broadcast_once", format!("broadcast {broadcast} ran again and it was not said"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rpcgen_proto::ids::{BroadcastNumber, SessionId};

    use super::*;

    fn watch(marks: &[bool]) -> Check {
        let mut checker = BroadcastOnce::default();
        marks.iter().try_for_each(|redelivered| {
            let (session, number) = (SessionId(1), BroadcastNumber(0));
            checker
                .see(Instant::START, &Seen::BroadcastRun { broadcast: 1, session, number, redelivered: *redelivered })
        })
    }

    #[test]
    fn of_all_runs_of_a_broadcast_one_at_most_is_unmarked_whichever_it_is() {
        assert_eq!(watch(&[false, true, true]), Ok(()));
        assert_eq!(watch(&[true, false, true]), Ok(()));
        for twice in [[false, false], [true, false]] {
            let [first, second] = twice;
            assert!(watch(&[first, true, second, false]).is_err());
        }
    }
}
