//! A disconnect drops something only at its limit.

use rpcgen_proto::time::Instant;

use super::{Check, Checker, entry, violated};
use crate::seen::Seen;

/// The checker.
#[derive(Debug, Default)]
pub(super) struct DrainDropsNothing {
    limits: Vec<Option<Instant>>,
}

impl Checker for DrainDropsNothing {
    fn see(&mut self, _: Instant, seen: &Seen) -> Check {
        match *seen {
            Seen::DisconnectAsked { node, until } => *entry(&mut self.limits, node) = Some(until),
            Seen::Disconnected { node, dropped, at }
                if dropped > 0 && entry(&mut self.limits, node).is_none_or(|until| at < until) =>
            {
                let message = format!("node {node} dropped {dropped} calls before its limit");
                return violated("drain_drops_nothing", message);
            }
            _ => {}
        }
        Ok(())
    }
}
