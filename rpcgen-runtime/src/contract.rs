//! What generated code says of a service: descriptors and traits.
//!
//! Knows: the shape of services, actions and broadcasts. Does not know: how they are sent and run.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use rpcgen_proto::ids::{AppId, MethodId};
use rpcgen_proto::payload::Writer;
use rpcgen_proto::server::Schema;

use crate::carried::Message;
use crate::client::Client;
use crate::server::BroadcastSender;

/// A service, as its stubs know it.
#[derive(Debug)]
pub struct ServiceDescriptor {
    /// `package.Service`.
    pub name: &'static str,
    /// Fingerprint of its schema: FNV-1a of the shape.
    pub fingerprint: u64,
    /// All that decides the wire, a line each ([`rpcgen_proto::shape`]): two ends of different versions compare it at the handshake.
    pub shape: &'static str,
    /// Its actions; the index is the number that travels.
    pub actions: &'static [ActionDescriptor],
    /// Its broadcasts; the index is the number that travels.
    pub broadcasts: &'static [BroadcastDescriptor],
}

impl ServiceDescriptor {
    /// What a server says of it at the handshake.
    pub(crate) fn schema(&self) -> Schema {
        Schema { service: self.name.to_owned(), fingerprint: self.fingerprint, shape: self.shape }
    }

    /// The first action that asks for a log on disk.
    pub(crate) fn first_on_disk(&self) -> Option<String> {
        let action = self.actions.iter().find(|action| action.persist == Persist::Disk)?;
        Some(format!("{}.{}", self.name, action.name))
    }
}

impl ServiceDescriptor {
    /// The actions that have the promise of memory logs although there is a log on disk.
    pub(crate) fn volatile(&self) -> BTreeSet<MethodId> {
        let numbered = (0_u32..).zip(self.actions);
        numbered.filter(|(_, action)| action.persist == Persist::Memory).map(|(number, _)| MethodId(number)).collect()
    }
}

/// An action, as its stubs know it.
#[derive(Debug)]
pub struct ActionDescriptor {
    /// Its name.
    pub name: &'static str,
    /// How long its handler may take before it counts as stuck; `None`: the session's default.
    pub deadline: Option<Duration>,
    /// Where its call is logged.
    pub persist: Persist,
}

/// Where a call is logged before it counts as accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persist {
    /// It does not say: on disk if its end has a log there, else in memory.
    Default,
    /// In memory, also if there is a log on disk: survives links and the other end, not this process.
    Memory,
    /// On disk. Without a log there a client does not connect, and a server does not listen.
    Disk,
}

/// A broadcast, as its stubs know it.
#[derive(Debug)]
pub struct BroadcastDescriptor {
    /// Its name.
    pub name: &'static str,
    /// Whether it goes to the node whose action created what it speaks of.
    pub to_origin: bool,
}

/// An action: implemented by its request.
pub trait Action: Message {
    /// Its number in its service.
    const METHOD: u32;
    /// The client of its service.
    type Stub: Stub;
    /// The response as it travels.
    type Response: Message;
    /// What a caller gets and a handler returns.
    type Output: Send + 'static;
    /// Its business error; [`Infallible`](std::convert::Infallible) without `fails`.
    type Error: Message + std::error::Error;
    /// What a handler returns: `Result<Output, Error>`, or `Output` without `fails`.
    type Result: HandlerResult<Self::Output, Self::Error>;
    /// Whose it is.
    fn app_id(&self) -> AppId;
    /// What the handler returned, as it travels.
    ///
    /// # Errors
    /// The business error, if that is what it returned.
    fn into_result(result: Self::Result) -> Result<Self::Response, Self::Error>;
    /// The response as the caller gets it.
    fn into_output(response: Self::Response) -> Self::Output;
    /// The request's fields that broadcasts are tied by; `()` if none are.
    type Captured: Send + 'static;
    /// Keeps those fields: the handler takes the request.
    fn capture(&self) -> Self::Captured;
    /// Adds the keys by which broadcasts will find the caller.
    fn origin_keys(captured: &Self::Captured, response: &Self::Response, keys: &mut OriginKeys);
}

/// What a handler returns, made of its parts: `Result<O, E>` of an action that can fail, `O` of one that cannot.
pub trait HandlerResult<O, E>: Sized + Send + 'static {
    /// The handler's answer.
    fn from_result(result: Result<O, E>) -> Self;
}

impl<O: Send + 'static, E: Send + 'static> HandlerResult<O, E> for Result<O, E> {
    fn from_result(result: Self) -> Self {
        result
    }
}

impl<O: Send + 'static> HandlerResult<O, Infallible> for O {
    fn from_result(result: Result<O, Infallible>) -> Self {
        match result {
            Ok(output) => output,
            Err(never) => match never {},
        }
    }
}

/// A broadcast: implemented by its message.
pub trait Broadcast: Message + Clone {
    /// Its number in its service.
    const METHOD: u32;
    /// The key of the node that it is for: the same bytes that [`Action::origin_keys`] added. `None`: any node that handles it.
    fn origin_key(&self) -> Option<Vec<u8>>;
}

/// The client stub of a service.
pub trait Stub: Sized {
    /// The service.
    const SERVICE: &'static ServiceDescriptor;
    /// The stub over a connected client.
    fn from_client(client: Client) -> Self;
    /// The client under the stub.
    fn as_client(&self) -> &Client;
}

/// The stub that sends a service's broadcasts.
pub trait BroadcastStub: Sized {
    /// The service.
    const SERVICE: &'static ServiceDescriptor;
    /// The stub over a sender.
    fn from_sender(sender: BroadcastSender) -> Self;
}

/// The keys by which later broadcasts find the caller of an action.
#[derive(Debug, Default)]
pub struct OriginKeys {
    keys: Vec<(u32, Vec<u8>)>,
}

impl OriginKeys {
    /// Adds the key for one broadcast: the encodings of the fields of its `by`, in their order.
    pub fn add(&mut self, broadcast: u32, write: impl FnOnce(&mut Writer)) {
        let mut out = Writer::new();
        write(&mut out);
        // A key beyond a limit is nobody's: the broadcast that would have it cannot be encoded either.
        if let Ok(key) = out.finish() {
            self.keys.push((broadcast, key));
        }
    }

    pub(crate) fn into_keys(self) -> Vec<(u32, Vec<u8>)> {
        self.keys
    }
}
