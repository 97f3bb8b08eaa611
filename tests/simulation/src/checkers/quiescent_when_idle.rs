//! With nothing to do nothing is sent, signs of life apart.

use super::{Check, violated};

/// After a while without anything to do: frames and messages that were sent, links that were
/// opened, and how many signs of life there may have been.
///
/// # Errors
/// There was more than signs of life.
pub fn check(frames: u64, messages: u64, links: u64, signs_of_life_max: u64) -> Check {
    if links > 0 {
        return violated("quiescent_when_idle", format!("{links} links were opened with nothing to do"));
    }
    if messages > 0 {
        return violated("quiescent_when_idle", format!("{messages} messages were sent with nothing to do"));
    }
    if frames > signs_of_life_max {
        let message = format!("{frames} frames were sent with nothing to do, at most {signs_of_life_max} are needed");
        return violated("quiescent_when_idle", message);
    }
    Ok(())
}
