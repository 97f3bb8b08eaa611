//! The proof that a hello comes from the client that the session was made with.
//!
//! HMAC-SHA-256 (RFC 2104, FIPS 180-4) over the hello, keyed with the session's secret. A replayed one has an old link number.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::frame::Hello;

/// Everything that a hello says but the proof itself, in a fixed order and with fixed widths, so that no two hellos share it.
fn mac(hello: &Hello, secret: &[u8; 32]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(b"rpcgen resume 1");
    mac.update(&hello.version.to_le_bytes());
    mac.update(&(hello.service.len() as u64).to_le_bytes());
    mac.update(hello.service.as_bytes());
    mac.update(&hello.fingerprint.to_le_bytes());
    mac.update(&hello.client.0.to_le_bytes());
    mac.update(&hello.incarnation.0.to_le_bytes());
    mac.update(&hello.life.0.to_le_bytes());
    mac.update(&hello.link.0.to_le_bytes());
    mac.update(&[u8::from(hello.reliable_ordered)]);
    mac.update(&hello.nonce.to_le_bytes());
    mac.update(&hello.retired_below.0.to_le_bytes());
    if let Some(resume) = &hello.resume {
        mac.update(&resume.session.0.to_le_bytes());
        mac.update(&resume.epoch.0.to_le_bytes());
        mac.update(&resume.down_expected.0.to_le_bytes());
        mac.update(&resume.sent_below.0.to_le_bytes());
    }
    for method in &hello.broadcasts {
        mac.update(&method.0.to_le_bytes());
    }
    mac
}

/// The proof that belongs into the hello.
pub(crate) fn of(hello: &Hello, secret: &[u8; 32]) -> [u8; 32] {
    mac(hello, secret).finalize().into_bytes().into()
}

/// Whether the hello's proof is right; compares in constant time.
pub(crate) fn holds(hello: &Hello, secret: &[u8; 32]) -> bool {
    hello.resume.as_ref().is_some_and(|resume| mac(hello, secret).verify_slice(&resume.proof).is_ok())
}
