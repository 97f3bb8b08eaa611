//! On a link that neither loses nor stalls, a guarantee comes within the flush time.

use std::time::Duration;

use rpcgen_proto::time::Instant;

use super::{Check, violated};

/// For what is due at one instant and is done one after the other.
const SLACK: Duration = Duration::from_millis(2);

/// A call that arrived at `arrived` is guaranteed now, on the same link.
///
/// # Errors
/// That took longer than the flush time and the way back.
pub fn check(arrived: Instant, now: Instant, flush_after: Duration, latency: Duration) -> Check {
    let took = now.saturating_since(arrived);
    if took > flush_after + latency + SLACK {
        return violated("guarantee_within", format!("a guarantee came {took:?} after its call arrived"));
    }
    Ok(())
}
