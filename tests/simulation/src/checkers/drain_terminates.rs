//! A disconnect ends at its limit at the latest, once.

use std::time::Duration;

use rpcgen_proto::time::Instant;

use super::{Check, Checker, entry, violated};
use crate::seen::Seen;

/// What the reading of a clock that runs fast or slow may be off.
const CLOCK_GRAIN: Duration = Duration::from_micros(1);

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Drain {
    #[default]
    No,
    Until(Instant),
    Over,
}

/// The checker.
#[derive(Debug, Default)]
pub(super) struct DrainTerminates {
    drains: Vec<Drain>,
}

impl Checker for DrainTerminates {
    fn see(&mut self, _: Instant, seen: &Seen) -> Check {
        match *seen {
            Seen::DisconnectAsked { node, until } => *entry(&mut self.drains, node) = Drain::Until(until),
            Seen::NodeGone { node } => *entry(&mut self.drains, node) = Drain::Over,
            Seen::Thawed { node, at } => {
                if let Drain::Until(until) = entry(&mut self.drains, node) {
                    *until = (*until).max(at);
                }
            }
            Seen::Disconnected { node, at, .. } => {
                match std::mem::replace(entry(&mut self.drains, node), Drain::Over) {
                    Drain::Until(until) if at <= until + CLOCK_GRAIN => {}
                    was => {
                        return violated("drain_terminates", format!("node {node} disconnected at {at:?}: {was:?}"));
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&self) -> Check {
        match self.drains.iter().position(|drain| matches!(drain, Drain::Until(_))) {
            Some(node) => violated("drain_terminates", format!("node {node} never disconnected")),
            None => Ok(()),
        }
    }
}
