//! What a server serves, and whether a hello asks for that: the service, the version of its schema.
//!
//! Knows: names, fingerprints, shapes. Does not know: what a shape says; the client judges whether it fits.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::frame::limits::SHAPE_BYTES_MAX;
use crate::frame::{Hello, PROTOCOL_VERSION, Reject, RejectReason, ServerSchema};

/// A service, as the handshake knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Schema {
    /// Its name, as `package.Service`.
    pub service: String,
    /// Of its schema.
    pub fingerprint: u64,
    /// What the fingerprint is of ([`crate::shape`]). Empty: clients of another version are refused without it.
    pub shape: &'static str,
}

/// Why the hello is for another server, if it is.
// spec: protocol.md 8
pub(super) fn check(schemas: &[Schema], hello: &Hello) -> Option<Reject> {
    let refuse = |reason, message| Reject::new(reason, message, Duration::ZERO);
    if hello.version != PROTOCOL_VERSION {
        let message = alloc::format!(
            "this server speaks version {PROTOCOL_VERSION} of the protocol, the client {}",
            hello.version
        );
        return Some(refuse(RejectReason::Version, message));
    }
    let Some(schema) = schemas.iter().find(|schema| schema.service == hello.service) else {
        let names: Vec<&str> = schemas.iter().map(|schema| schema.service.as_str()).collect();
        let message = alloc::format!("no service `{}` here; there is: {}", hello.service, names.join(", "));
        return Some(refuse(RejectReason::UnknownService, message));
    };
    (schema.fingerprint != hello.fingerprint).then(|| {
        let Schema { service, fingerprint, shape } = schema;
        let message = alloc::format!(
            "the schema of `{service}` differs: server {fingerprint:016x}, client {:016x}",
            hello.fingerprint
        );
        let reject = refuse(RejectReason::SchemaMismatch, message);
        if shape.len() <= SHAPE_BYTES_MAX {
            let schema = Some(Box::new(ServerSchema { fingerprint: *fingerprint, shape: (*shape).into() }));
            return Reject { schema, ..reject };
        }
        let bytes = shape.len();
        let too_large = "to be compared at the handshake; build both ends from one .rpc file";
        let message = alloc::format!("{}; the server's, {bytes} bytes, is too large {too_large}", reject.message);
        Reject { message, ..reject }
    })
}
