//! A verifier that is wrong is noticed, and nothing goes on with a disputed order. (That two honest ends never dispute one is
//! `well_behaved`.)

use rpcgen_proto::ids::Position;

use super::{Check, violated};

/// A quarter with a wrong verifier reached a sender: how far it might send before and after that.
///
/// # Errors
/// It took the agreement.
pub fn check_quarter(before: Position, after: Position) -> Check {
    if before == after {
        Ok(())
    } else {
        violated("pool_verifiers_agree", format!("a wrong verifier was taken: ids up to {after} instead of {before}"))
    }
}

/// A welcome whose ranges have a wrong verifier reached a client.
///
/// # Errors
/// The client took it.
pub fn check_welcome(is_taken: bool) -> Check {
    if is_taken {
        violated("pool_verifiers_agree", "a first range with a wrong verifier was taken".to_owned())
    } else {
        Ok(())
    }
}
