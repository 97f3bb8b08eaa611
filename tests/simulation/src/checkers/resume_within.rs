//! With the faults over, a session is back within a second and a round trip of its link.

use std::time::Duration;

use rpcgen_proto::time::Instant;

use super::{Check, violated};

const WITHIN: Duration = Duration::from_secs(1);

/// A link that was opened at `opened` is greeted now.
///
/// # Errors
/// That took too long.
pub fn check(opened: Instant, now: Instant, round_trip: Duration) -> Check {
    let took = now.saturating_since(opened);
    if took > WITHIN + round_trip {
        return violated("resume_within", format!("a session is back {took:?} after its link"));
    }
    Ok(())
}
