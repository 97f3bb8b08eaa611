//! Finds the seeds whose pools begin shortly before the numbers of message IDs wrap.
//!
//! Knows: how the first ID follows from the nonces (docs/protocol.md, section 5). Does not know: what is done with the seeds.

use rpcgen_proto::frame::{Hello, PROTOCOL_VERSION};
use rpcgen_proto::ids::{CallNumber, LaneKind, LinkNumber};
use rpcgen_proto::rng::SplitMix64;
use rpcgen_proto::server::Admission;

use crate::world::{first_client, first_registry};

/// The first seed from 0 on whose first range in this lane wraps within its first half.
#[must_use]
pub fn first_seed(lane: LaneKind) -> Option<u64> {
    let server_nonce = server_nonce()?;
    let word = if lane == LaneKind::Up { 0x7570 } else { 0x646f_776e };
    (0..1 << 36).find(|seed| {
        let client_nonce = SplitMix64::new(*seed).next_u64();
        let first = SplitMix64::new(client_nonce).next_u64();
        let second = SplitMix64::new(first ^ server_nonce).next_u64();
        let start = SplitMix64::new(second ^ word).next_u64() & u64::from(u32::MAX);
        start == u64::from(u32::MAX - 1)
    })
}

/// What the server of every world says first.
fn server_nonce() -> Option<u64> {
    let identity = first_client();
    let hello = Hello {
        version: PROTOCOL_VERSION,
        service: identity.service,
        fingerprint: identity.fingerprint,
        client: identity.client,
        incarnation: identity.incarnation,
        life: identity.life,
        link: LinkNumber(1),
        reliable_ordered: false,
        nonce: 0,
        resume: None,
        retired_below: CallNumber(0),
        broadcasts: Vec::new(),
    };
    match first_registry().admit(rpcgen_proto::time::Instant::START, hello) {
        Admission::Open(opening) => Some(opening.nonce),
        Admission::Resume(..) | Admission::Restart(_) | Admission::Reject(_) => None,
    }
}
