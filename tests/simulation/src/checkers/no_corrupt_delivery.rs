//! What corrupts is noticed by its checksum: no application sees a message that nobody made.

use rpcgen_proto::frame::DecodeError;

use super::{Check, violated};
use crate::load::{Load, LoadKind};

/// Bytes that are no frame, and whose checksum is right.
///
/// # Errors
/// Always: no honest end makes them.
pub fn check_decode(error: DecodeError) -> Check {
    violated("no_corrupt_delivery", format!("bytes that are no frame: {error}"))
}

/// A message reached an application.
///
/// # Errors
/// It is none that the simulation made.
pub fn check_load(load: &Load) -> Check {
    if load.kind() == LoadKind::Broken {
        return violated("no_corrupt_delivery", "a message that nobody made was delivered".to_owned());
    }
    Ok(())
}
