//! From a request as it came to the business, and back.
//!
//! Knows: requests, responses, business errors, the keys that broadcasts will find a caller by. Does not know: sessions, and on which
//! task a handler runs.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use rpcgen_proto::frame::Refusal;
use rpcgen_proto::ids::AppId;
use rpcgen_proto::session::Answer;

use super::business::Call;
use crate::carried::{Carried, Message, OpenError};
use crate::completion::{self, Found};
use crate::contract::{Action, OriginKeys, ServiceDescriptor};
use crate::run::BoxFuture;

/// Calls the business: implemented by generated code.
pub trait Dispatch: Send + Sync + 'static {
    /// The handler of one action. Nothing has run yet.
    fn dispatch(&self, method: u32, call: Call, request: Carried) -> Handler;
}

/// A service together with a business implementation of it.
#[derive(Clone)]
pub struct Service {
    pub(super) descriptor: &'static ServiceDescriptor,
    pub(super) dispatch: Arc<dyn Dispatch>,
    /// Empty: every app id that has no implementation of its own.
    pub(super) apps: Vec<AppId>,
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
        Self { descriptor, dispatch: Arc::new(dispatch), apps: Vec::new() }
    }

    /// This implementation is for that app id alone; called again, for that one too. A server may have an implementation for each of
    /// several app ids and one for all others:
    ///
    /// ```ignore
    /// Server::builder().serve(bank::server(Usual)).serve(bank::server(Special).for_app(AppId(7)))
    /// ```
    ///
    /// Without one for all others, an action of any other app id is answered with
    /// [`Refusal::UnknownApp`](crate::Refusal::UnknownApp), and has not run.
    #[must_use]
    pub fn for_app(mut self, app_id: AppId) -> Self {
        self.apps.push(app_id);
        self
    }

    /// What it is.
    #[must_use]
    pub fn descriptor(&self) -> &'static ServiceDescriptor {
        self.descriptor
    }
}

/// A handler that has not run yet, or what there is to say without one.
pub struct Handler(pub(super) HandlerKind);

impl Handler {
    /// Where a call must not run, that there is no such action here, say, is no word of what became of it.
    pub(super) fn or(self, instead: Option<Refusal>) -> Self {
        match (self.0, instead) {
            (HandlerKind::Refuses(_), Some(instead)) => refuse(instead),
            (kind, _) => Self(kind),
        }
    }
}

pub(super) enum HandlerKind {
    Refuses(Refusal),
    Runs(BoxFuture<Answer<Carried>>),
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").finish_non_exhaustive()
    }
}

/// The runtime's own answer, in the place of a handler.
pub(crate) fn refuse(refusal: Refusal) -> Handler {
    Handler(HandlerKind::Refuses(refusal))
}

/// The service has no action of that number.
#[must_use]
pub fn unknown_action() -> Handler {
    refuse(Refusal::UnknownAction)
}

/// The handler of one action: reads the request, runs the business, writes the answer in the form that the request came in.
pub fn handle<A, F, R>(call: Call, request: Carried, business: F) -> Handler
where
    A: Action,
    F: FnOnce(Call, A) -> R + Send + 'static,
    R: Future<Output = A::Result> + Send + 'static,
{
    let in_process = request.is_typed();
    let call = call.identified::<A>(&request);
    let request = match request.open::<A>() {
        Ok(request) => request,
        // An earlier run of the handler took it with it, and its server was dropped: what became of it is not known.
        Err(OpenError::Taken) => return refuse(Refusal::Unknown),
        Err(error @ (OpenError::OtherType | OpenError::Malformed(_))) => {
            tracing::warn!(key = %call.key(), action = A::METHOD, %error, "a request cannot be read");
            return refuse(Refusal::Undecodable);
        }
    };
    let context = Arc::clone(&call.context);
    Handler(HandlerKind::Runs(Box::pin(async move {
        let captured = request.capture();
        let result = match completed::<A>(&call).await {
            Ok(Some(result)) => result,
            Ok(None) => match call.instead {
                Some(refusal) => return Answer::Refused(refusal),
                None => A::into_result(business(call, request).await),
            },
            Err(refusal) => return Answer::Refused(refusal),
        };
        match result {
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

/// What a completion record says of a call that may have run before. A record of another request is never its answer (trap T8).
async fn completed<A: Action>(call: &Call) -> Result<Option<Result<A::Response, A::Error>>, Refusal> {
    let Some(store) = call.context.shared.completions.as_ref().filter(|_| call.redelivered()) else { return Ok(None) };
    let completion = match completion::ask(store, call.key()).await {
        Found::Nothing => return Ok(None),
        Found::Completed(completion) => completion,
        Found::Retired => {
            completion::sql::say_retired(call.key());
            return Err(Refusal::Unknown);
        }
    };
    if completion.digest != call.digest {
        tracing::error!(key = %call.key(), action = A::METHOD, "a call's key was used for another request before");
        return Err(Refusal::CallKeyReused);
    }
    completion::read::<A>(&completion.answer).map(Some).map_err(|error| {
        tracing::error!(key = %call.key(), action = A::METHOD, %error, "a completion record cannot be read");
        Refusal::Unknown
    })
}

/// An answer that breaks a limit of its own type is none that the caller could read.
fn write<M: Message>(message: M, in_process: bool) -> Result<Carried, Refusal> {
    Carried::new(message, in_process).map_err(|error| {
        tracing::error!(%error, "a handler's answer breaks a limit of its type");
        Refusal::HandlerDropped
    })
}
