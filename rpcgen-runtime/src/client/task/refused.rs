//! A hello that was refused: whether there is another, and when.
//!
//! Knows: the reject, and that a version of the schema fits. Does not know: why it fits; that is the session's.

use std::time::Duration;

use rpcgen_proto::frame::Reject;

use super::ClientSide;
use crate::driver::inbox::lock;

/// Whatever a server says, nobody waits longer than this before the next attempt.
const TOLD_TO_WAIT_MAX: Duration = Duration::from_secs(300);

impl ClientSide {
    /// The server has another version of the schema, and it fits. Where servers of two versions take turns, the next one may say the
    /// same of the other: once is at once, from then on with pauses.
    pub(super) fn on_schema_fits(&mut self, fingerprint: u64) {
        tracing::info!(service = self.service.name, "the server has another version, {fingerprint:016x}, which fits");
        self.is_expected = !std::mem::replace(&mut self.has_adapted, true);
    }

    pub(super) fn on_rejected(&mut self, reject: Reject) {
        *lock(&self.shared.last_error) = reject.message.clone();
        if !reject.is_final() {
            self.told_to_wait = reject.pause.min(TOLD_TO_WAIT_MAX);
            return;
        }
        tracing::error!(service = self.service.name, reason = ?reject.reason, "the server refused for good: {}", reject.message);
        self.is_refused = true;
        if let Some(greeted) = self.greeted.take() {
            let _ = greeted.send(Err(reject));
        }
    }
}
