//! A sender uses no ID that its receiver has not agreed to, and takes no agreement for further than it goes.

use rpcgen_proto::session::LanesView;

use super::{Check, violated};

/// Both ends of one session.
///
/// # Errors
/// A sender is ahead of its receiver's agreement.
pub fn check(client: &LanesView, server: &LanesView) -> Check {
    for (who, sender, agreed) in [("the client", client, server.agreed), ("the server", server, client.agreed)] {
        if sender.sent > agreed || sender.may_send > agreed {
            let message =
                format!("{who} sent up to {}, may up to {}; {agreed} is agreed", sender.sent, sender.may_send);
            return violated("credit_respected", message);
        }
    }
    Ok(())
}
