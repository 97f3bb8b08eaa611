//! From a request as it came to the business, and back.
//!
//! Knows: requests, responses, business errors, the keys that broadcasts will find a caller by. Does not know: sessions, and on which
//! task a handler runs.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use rpcgen_proto::frame::Refusal;
use rpcgen_proto::session::Answer;

use super::business::Call;
use crate::carried::{Carried, Message, OpenError};
use crate::contract::{Action, OriginKeys, ServiceDescriptor};
use crate::run::BoxFuture;

/// Calls the business: implemented by generated code.
pub trait Dispatch: Send + Sync + 'static {
    /// The handler of one action. Nothing has run yet.
    fn dispatch(&self, method: u32, call: Call, request: Carried) -> Handler;
}

/// A service together with its business.
#[derive(Clone)]
pub struct Service {
    pub(super) descriptor: &'static ServiceDescriptor,
    pub(super) dispatch: Arc<dyn Dispatch>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Service").field(&self.descriptor.name).finish()
    }
}

impl Service {
    /// For generated code; users call the `server` function of their service.
    #[must_use]
    pub fn new(descriptor: &'static ServiceDescriptor, dispatch: impl Dispatch) -> Self {
        Self { descriptor, dispatch: Arc::new(dispatch) }
    }

    /// What it is.
    #[must_use]
    pub fn descriptor(&self) -> &'static ServiceDescriptor {
        self.descriptor
    }
}

/// A handler that has not run yet, or what there is to say without one.
pub struct Handler(pub(super) HandlerKind);

pub(super) enum HandlerKind {
    Refuses(Refusal),
    Runs(BoxFuture<Answer<Carried>>),
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").finish_non_exhaustive()
    }
}

/// The service has no action of that number.
#[must_use]
pub fn unknown_action() -> Handler {
    Handler(HandlerKind::Refuses(Refusal::UnknownAction))
}

/// The handler of one action: reads the request, runs the business, writes the answer in the form that the request came in.
pub fn handle<A, F, R>(call: Call, request: Carried, business: F) -> Handler
where
    A: Action,
    F: FnOnce(Call, A) -> R + Send + 'static,
    R: Future<Output = A::Result> + Send + 'static,
{
    let in_process = request.is_typed();
    let request = match request.open::<A>() {
        Ok(request) => request,
        // An earlier run of the handler took it with it, and its server was dropped: what became of it is not known.
        Err(OpenError::Taken) => return Handler(HandlerKind::Refuses(Refusal::Unknown)),
        Err(error @ (OpenError::OtherType | OpenError::Malformed(_))) => {
            tracing::warn!(key = %call.key(), action = A::METHOD, %error, "a request cannot be read");
            return Handler(HandlerKind::Refuses(Refusal::Undecodable));
        }
    };
    let context = Arc::clone(&call.context);
    Handler(HandlerKind::Runs(Box::pin(async move {
        let captured = request.capture();
        match A::into_result(business(call, request).await) {
            Ok(response) => {
                let mut keys = OriginKeys::default();
                A::origin_keys(&captured, &response, &mut keys);
                // Before the answer is sent: whoever acts on the answer finds the route there.
                context.record_origins(keys.into_keys());
                write(response, in_process).map_or_else(Answer::Refused, Answer::Response)
            }
            Err(error) => write(error, in_process).map_or_else(Answer::Refused, Answer::Failure),
        }
    })))
}

/// An answer that breaks a limit of its own type is none that the caller could read.
fn write<M: Message>(message: M, in_process: bool) -> Result<Carried, Refusal> {
    Carried::new(message, in_process).map_err(|error| {
        tracing::error!(%error, "a handler's answer breaks a limit of its type");
        Refusal::HandlerDropped
    })
}
