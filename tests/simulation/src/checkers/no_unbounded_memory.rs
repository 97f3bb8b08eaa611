//! Whatever a peer or an application does, a session answers with a bounded amount of work and keeps a bounded amount of state.

use super::{Check, violated};

/// Outputs that one input may have, beyond twice the pool and what the logs hold.
const OUTPUTS_MAX: usize = 10_000;

/// After draining a session.
///
/// # Errors
/// It had more to say than its pools and logs can explain.
pub fn check_outputs(count: usize, messages: usize) -> Check {
    if count > OUTPUTS_MAX + 4 * messages {
        violated("no_unbounded_memory", format!("{count} outputs after one input, with {messages} messages open"))
    } else {
        Ok(())
    }
}

/// Handlers of one session that run.
///
/// # Errors
/// There are more than may run at once.
pub fn check_handlers(running: u32, limit: u32) -> Check {
    if running > limit {
        violated("no_unbounded_memory", format!("{running} handlers run, the limit is {limit}"))
    } else {
        Ok(())
    }
}

/// A client's open calls.
///
/// # Errors
/// There are more than its log may hold.
pub fn check_log(open: usize, limit: usize) -> Check {
    if open > limit {
        violated("no_unbounded_memory", format!("{open} calls are open, the log's limit is {limit}"))
    } else {
        Ok(())
    }
}
