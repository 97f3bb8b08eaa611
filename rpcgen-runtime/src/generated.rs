//! The only door for generated code. Users never name it; what changes here changes [`ABI`].
//!
//! Knows: names. Does not know: how they are used; that is the generator's (docs/generated.md).

pub use std::future::Future;

pub use rpcgen_proto::ids::AppId;
pub use rpcgen_proto::payload::{Decode, DecodeError, Encode, Reader, Timestamp, UNLIMITED, Writer};
pub use uuid::Uuid;

pub use crate::carried::{Carried, Message};
pub use crate::client::{BroadcastHandlers, Call, Client, ClientBuilder, Delivery, RecoveredCall, Request};
pub use crate::contract::{
    Action, ActionDescriptor, Broadcast, BroadcastDescriptor, BroadcastStub, OriginKeys, Persist, ServiceDescriptor,
    Stub,
};
pub use crate::error::{BroadcastError, CallError, ConnectError, DisconnectReport};
pub use crate::mock::Mock;
pub use crate::server::{BroadcastSender, Call as ServerCall, Dispatch, Handler, Service, handle, unknown_action};

/// The version of this door.
pub const ABI: u32 = 6;

/// The calls of earlier runs, each with the type of its action. What is a call of none of them stays in the log: an earlier version of the
/// service had that action.
pub fn typed<R>(client: &Client, of: impl Fn(RecoveredCall) -> Option<R>) -> Vec<R> {
    client.recovered().into_iter().filter_map(of).collect()
}

/// Generated code calls it in a constant: code of another version than the runtime's does not compile.
pub const fn assert_abi<const VERSION: u32>() {
    assert!(VERSION == ABI, "the generated code was made for another version of rpcgen-runtime: generate it again");
}
