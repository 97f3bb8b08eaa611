//! What a client has to show to have its session.
//!
//! Knows: lives, link numbers, secrets. Does not know: what becomes of the session then.

use alloc::boxed::Box;

use crate::frame::{Hello, RejectReason};
use crate::ids::{Epoch, Incarnation, LinkNumber, SessionId};
use crate::mutants::mutated;
use crate::record::{Life, RecordedSession};
use crate::session::proof_holds;

/// Whose a session is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Standing {
    pub(super) session: SessionId,
    pub(super) incarnation: Incarnation,
    pub(super) life: Life,
    /// The newest of that life.
    pub(super) link: LinkNumber,
    pub(super) secret: [u8; 32],
    /// Of the lanes before, until a frame has come on the present ones: a client that crashes before it has the new one on its record
    /// has only this.
    pub(super) last_secret: Option<Box<[u8; 32]>>,
    /// A frame has come, on these lanes or earlier ones.
    pub(super) is_used: bool,
    /// The nonce of the hello that the lanes were made for: a client that never saw the welcome says it again.
    pub(super) client_nonce: Option<u64>,
}

/// What a hello has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// The secret of the present lanes.
    Secret,
    /// That of the lanes before: it never got the present one.
    LastSecret,
    /// It is the one that the lanes were made for, and it never saw the welcome.
    Nonce,
    /// Nothing; but nobody ever used the session.
    Unused,
}

impl Standing {
    pub(super) fn of(recorded: &RecordedSession) -> Self {
        Self {
            session: recorded.session,
            incarnation: recorded.incarnation,
            life: recorded.life,
            link: recorded.link,
            secret: recorded.secret,
            last_secret: recorded.last_secret.map(Box::new),
            is_used: recorded.is_used,
            client_nonce: None,
        }
    }

    /// Whether a hello shows anything that only the session's own client has.
    fn is_shown_by(&self, hello: &Hello) -> bool {
        let mut secrets = [Some(&self.secret), self.last_secret.as_deref()].into_iter().flatten();
        secrets.any(|secret| proof_holds(hello, secret)) || Some(hello.nonce) == self.client_nonce
    }

    /// Whether a hello may have the session. `own`: the epoch of this server.
    ///
    /// # Errors
    /// Why not.
    // spec: protocol.md 8
    pub(super) fn judge(&self, hello: &Hello, own: Epoch) -> Result<Shown, (RejectReason, &'static str)> {
        if self.incarnation != hello.incarnation {
            return Err((RejectReason::BadProof, "this client id has a session of another incarnation"));
        }
        if hello.life < self.life && !mutated!(LowerLifeAccepted) {
            return Err((
                RejectReason::OlderCopy,
                "a later life of this client's log was here: this one is an older copy",
            ));
        }
        let is_older = hello.life == self.life && hello.link <= self.link && !mutated!(OldLinkAccepted);
        // A copy of a client's log counts its links anew: what it is shows in its proof.
        if is_older && (hello.life == Life(0) || self.is_shown_by(hello)) {
            return Err((RejectReason::Superseded, "a newer link of this client is here"));
        }
        let has_log = hello.life > Life(0) || own.log_life().is_some();
        let resume = hello.resume.as_ref().filter(|resume| resume.session == self.session);
        if let Some(resume) = resume.filter(|resume| has_log || resume.epoch == own) {
            if proof_holds(hello, &self.secret) || mutated!(ProofUnchecked) {
                return Ok(Shown::Secret);
            }
            if self.last_secret.as_deref().is_some_and(|last| proof_holds(hello, last)) {
                return Ok(Shown::LastSecret);
            }
            if has_log && !self.is_used {
                return Ok(Shown::Unused);
            }
            if is_later(resume.epoch, own) {
                let message = "this server's log is older than what the client has seen of it: it was restored";
                return Err((RejectReason::ServerRestored, message));
            }
        } else if Some(hello.nonce) == self.client_nonce && !(has_log && self.is_used) {
            return Ok(Shown::Nonce);
        } else if has_log && !self.is_used {
            // Its welcome was lost with one of the two processes.
            return Ok(Shown::Unused);
        }
        Err((
            RejectReason::BadProof,
            if hello.life > Life(0) {
                "the proof of this client's session is of older lanes: its log was copied or restored, and another copy was here first"
            } else {
                "this client id has a session, and the proof of it is missing or wrong"
            },
        ))
    }
}

/// Whether an epoch is of a later life of the log than this server's own, or of another opening of the same life.
fn is_later(seen: Epoch, own: Epoch) -> bool {
    seen != own && own.log_life().is_some() && seen.log_life() >= own.log_life()
}
