//! The proof that a hello comes from the client that the session was made with.
//!
//! HMAC-SHA-256 (RFC 2104, FIPS 180-4) over the hello, keyed with the session's secret. A replayed one has an old link number.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::frame::Hello;

fn mac(hello: &Hello, secret: &[u8; 32]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(&hello.proof_input());
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
