//! From an action to a handler: decoding, the call's context, encoding of what came of it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rpcgen_proto::frame::Refusal;
use rpcgen_proto::ids::{CallKey, ClientId};
use rpcgen_proto::session::Answer;

use super::Shared;
use super::broadcasts::BroadcastSender;
use crate::carried::{Carried, OpenError};
use crate::contract::{Action, BroadcastStub, OriginKeys, ServiceDescriptor};

/// The context of an action at its handler.
#[derive(Clone)]
pub struct Call {
    pub(super) key: CallKey,
    pub(super) redelivered: bool,
    pub(super) cancel_requested: Arc<AtomicBool>,
    pub(super) server: Arc<Shared>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("key", &self.key).field("redelivered", &self.redelivered).finish_non_exhaustive()
    }
}

impl Call {
    /// The identity of the action for ever: equal only for the same call, run again.
    #[must_use]
    pub fn key(&self) -> CallKey {
        self.key
    }

    /// Which client called.
    #[must_use]
    pub fn client(&self) -> ClientId {
        self.key.client
    }

    /// Whether the action may have run before: a server that lost its memory was asked again.
    #[must_use]
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }

    /// Whether the caller wants it cancelled. It has begun, so it will be answered; a long one may answer early.
    #[must_use]
    pub fn is_cancel_requested(&self) -> bool {
        self.cancel_requested.load(Ordering::Relaxed)
    }

    /// Sends broadcasts of a service that this server serves.
    #[must_use]
    pub fn broadcasts<S: BroadcastStub>(&self) -> S {
        S::from_sender(BroadcastSender::new(Arc::clone(&self.server), S::SERVICE))
    }
}

/// What came of a handler.
pub struct Outcome {
    pub(super) answer: Answer<Carried>,
    /// By which broadcasts will find the caller: method, key.
    pub(super) origins: Vec<(u32, Vec<u8>)>,
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome").finish_non_exhaustive()
    }
}

impl Outcome {
    fn refused(reason: Refusal) -> Self {
        Self { answer: Answer::Refused(reason), origins: Vec::new() }
    }
}

/// A running handler.
pub type Handler = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Calls the right handler of a service. Implemented by generated code.
pub trait Dispatch: Send + Sync + 'static {
    /// Begins the handler of an action.
    fn dispatch(&self, method: u32, call: Call, request: Carried) -> Handler;
}

/// A service with its business implementation.
pub struct Service {
    pub(super) descriptor: &'static ServiceDescriptor,
    pub(super) dispatch: Box<dyn Dispatch>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.descriptor.name).finish_non_exhaustive()
    }
}

impl Service {
    /// Puts the two together.
    pub fn new(descriptor: &'static ServiceDescriptor, dispatch: impl Dispatch) -> Self {
        Self { descriptor, dispatch: Box::new(dispatch) }
    }
}

/// Runs one handler: takes the request out, calls, and wraps what it says in the form that the request came in.
pub fn handle<A, H, F>(call: Call, request: Carried, handler: H) -> Handler
where
    A: Action,
    H: FnOnce(Call, A) -> F + Send + 'static,
    F: Future<Output = A::Result> + Send + 'static,
{
    Box::pin(async move {
        let in_process = request.is_typed();
        let message = match request.open::<A>() {
            Ok(message) => message,
            // An earlier run of the handler took it, and its server is gone: it may have run.
            Err(OpenError::Taken) => return Outcome::refused(Refusal::Unknown),
            Err(error) => {
                tracing::warn!(key = %call.key, method = A::METHOD, %error, "undecodable request");
                return Outcome::refused(Refusal::Undecodable);
            }
        };
        let captured = message.capture();
        match A::into_result(handler(call, message).await) {
            Ok(response) => {
                let mut keys = OriginKeys::default();
                A::origin_keys(&captured, &response, &mut keys);
                let answer = answer(response, in_process, Answer::Response);
                Outcome { answer, origins: keys.into_keys() }
            }
            Err(error) => Outcome { answer: answer(error, in_process, Answer::Failure), origins: Vec::new() },
        }
    })
}

fn answer<M: crate::carried::Message>(
    message: M,
    in_process: bool,
    wrap: fn(Carried) -> Answer<Carried>,
) -> Answer<Carried> {
    match Carried::new(message, in_process) {
        Ok(payload) => wrap(payload),
        Err(error) => {
            tracing::error!(%error, "an answer cannot be encoded");
            Answer::Refused(Refusal::HandlerDropped)
        }
    }
}

/// For numbers that the service does not have.
#[must_use]
pub fn unknown_action() -> Handler {
    Box::pin(async { Outcome::refused(Refusal::UnknownAction) })
}
