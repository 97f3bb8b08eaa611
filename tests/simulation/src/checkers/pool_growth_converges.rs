//! A pool only grows by doubling, up to the configured maximum.

use rpcgen_proto::frame::RangeAgree;

use super::{Check, violated};

/// A server states or proposes a range.
///
/// # Errors
/// It is larger than it may be.
pub fn check(range: &RangeAgree, first: u32, max: u32) -> Check {
    let is_doubled = range.size.is_multiple_of(first) && (range.size / first).is_power_of_two();
    if range.size > max || !(is_doubled || range.size == max) {
        let message = format!("a range of {} ids, the first had {first}, the largest may have {max}", range.size);
        return violated("pool_growth_converges", message);
    }
    Ok(())
}
