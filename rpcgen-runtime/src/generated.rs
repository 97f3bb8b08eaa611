//! The only door for generated code. Not for people: it changes with the generator, and `assert_abi` makes the two agree.

pub use std::future::Future;

pub use rpcgen_proto::ids::AppId;
pub use rpcgen_proto::payload::{Decode, DecodeError, Encode, Reader, Timestamp, UNLIMITED, Writer};
pub use uuid::Uuid;

pub use crate::carried::{Carried, Message};
pub use crate::client::{BroadcastHandlers, Client, ClientBuilder, Request};
pub use crate::contract::{
    Action, ActionDescriptor, Broadcast, BroadcastDescriptor, BroadcastStub, OriginKeys, Persist, ServiceDescriptor,
    Stub,
};
pub use crate::error::{BroadcastError, ConnectError, DisconnectReport};
pub use crate::server::{BroadcastSender, Call as ServerCall, Dispatch, Handler, Service, handle, unknown_action};

/// The version of this door.
const ABI: u32 = 1;

/// Compiles only if the generator and the runtime are of one version.
pub const fn assert_abi<const GENERATED_FOR: u32>() {
    assert!(
        GENERATED_FOR == ABI,
        "generated for another version of rpcgen-runtime: generate again with the rpcgen of this version"
    );
}
