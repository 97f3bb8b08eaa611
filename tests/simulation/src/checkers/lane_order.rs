//! Lane order is delivery order: actions begin in the order of their calls, broadcasts run in the order of their numbers.

use std::collections::BTreeMap;

use rpcgen_proto::ids::{BroadcastNumber, CallNumber, SessionId};
use rpcgen_proto::time::Instant;

use super::{Check, Checker, violated};
use crate::seen::Seen;

/// The checker.
#[derive(Debug, Default)]
pub(super) struct LaneOrder {
    actions: BTreeMap<SessionId, CallNumber>,
    broadcasts: BTreeMap<SessionId, BroadcastNumber>,
}

impl Checker for LaneOrder {
    fn see(&mut self, _: Instant, seen: &Seen) -> Check {
        match *seen {
            Seen::Executed { key, session, .. } => match self.actions.insert(session, key.number) {
                Some(last) if last >= key.number => {
                    violated("lane_order", format!("{session}: {} began after {last}", key.number))
                }
                _ => Ok(()),
            },
            Seen::BroadcastRun { session, number, .. } => match self.broadcasts.insert(session, number) {
                Some(last) if last >= number => violated("lane_order", format!("{session}: {number} ran after {last}")),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}
