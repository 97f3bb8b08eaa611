//! Nothing is accepted that was not sent.

use rpcgen_proto::session::LanesView;

use super::{Check, violated};

/// Both ends of one session.
///
/// # Errors
/// One accepted more than the other sent.
pub fn check(client: &LanesView, server: &LanesView) -> Check {
    for (who, accepted, sent) in
        [("the server", server.accepted, client.sent), ("the client", client.accepted, server.sent)]
    {
        if accepted > sent {
            return violated("no_phantom", format!("{who} accepted up to {accepted}, and {sent} was never reached"));
        }
    }
    Ok(())
}
