//! Where the lanes of a session are, for whoever holds both ends and compares them: a simulator, a model checker.
//!
//! Knows: positions. Does not know: what is right; the comparison says that.

use super::lanes::Lanes;
use super::output::Payload;
use crate::ids::{Position, SessionId};

/// One end's view of both lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LanesView {
    /// The session that the lanes belong to.
    pub session: SessionId,
    /// Own lane: one past the last position that was sent.
    pub sent: Position,
    /// Own lane: the first position without a guarantee.
    pub guaranteed: Position,
    /// Own lane: the first position whose ID the peer has not agreed to.
    pub may_send: Position,
    /// The peer's lane: the position that is accepted next.
    pub accepted: Position,
    /// The peer's lane: the first position whose ID this end has not agreed to.
    pub agreed: Position,
}

impl LanesView {
    pub(super) fn of<P: Payload>(session: SessionId, lanes: &Lanes<P>) -> Self {
        Self {
            session,
            sent: lanes.send.log.end(),
            guaranteed: lanes.send.guaranteed(),
            may_send: lanes.send.pool.agreed_end(),
            accepted: lanes.receive.pool.expected(),
            agreed: lanes.receive.pool.agreed_end(),
        }
    }
}
