//! Two honest ends never find fault with each other, whatever the link does: `pool_verifiers_agree`, `bits_match_positions`,
//! `id_never_ambiguous`, `one_writer_per_session`, seen from outside.

use rpcgen_proto::error::ProtocolError;
use rpcgen_proto::frame::Reject;

use super::{Check, violated};

/// An end closed a link because of the other's frames.
///
/// # Errors
/// Always: both are honest.
pub fn check_close(who: &str, error: &ProtocolError) -> Check {
    let invariant = match error {
        ProtocolError::PoolOrderDisputed { .. }
        | ProtocolError::AgreementOutOfTurn { .. }
        | ProtocolError::BadRange { .. } => "pool_verifiers_agree",
        ProtocolError::BitsOutOfPlace { .. } | ProtocolError::BitsForUnsent { .. } => "bits_match_positions",
        ProtocolError::UnknownId { .. } | ProtocolError::GapOnReliableLink { .. } => "id_never_ambiguous",
        _ => "well_behaved",
    };
    violated(invariant, format!("{who} closes: {error}"))
}

/// A client was refused.
///
/// # Errors
/// For good: nobody in this world deserves that.
pub fn check_reject(node: u32, reject: &Reject) -> Check {
    if reject.is_final() {
        violated("one_writer_per_session", format!("node {node} is refused for good: {:?}", reject.reason))
    } else {
        Ok(())
    }
}

/// What a session says of itself, as `name: how`.
///
/// # Errors
/// Always.
pub fn check_inside(who: &str, message: &str) -> Check {
    const NAMES: [&str; 6] = [
        "no_unbounded_memory",
        "credit_respected",
        "no_false_guarantee",
        "bits_match_positions",
        "id_never_ambiguous",
        "pool_verifiers_agree",
    ];
    let invariant = NAMES.into_iter().find(|name| message.starts_with(name)).unwrap_or("inside");
    violated(invariant, format!("{who}: {message}"))
}
