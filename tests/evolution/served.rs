//! Services of one version: served and called by number, with messages as bytes.
//!
//! Knows: how generated code is driven without its types. Does not know: cases, which version it is.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use rpcgen_runtime::generated::{
    Action, Carried, Client, ClientBuilder, ConnectError, Dispatch, Encode, Handler, ServerCall, ServiceDescriptor,
    Stub, handle, unknown_action,
};

type Soon<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Hears the number of each action that runs, and what it was asked, as this version reads it.
pub(crate) type Heard = Arc<dyn Fn(u32, Vec<u8>) + Send + Sync>;

/// Answers with this response.
type Handle = Arc<dyn Fn(ServerCall, Carried, Vec<u8>, Heard) -> Handler + Send + Sync>;

/// Calls with this request; what comes back is the answer as this version reads it.
type Caller = Arc<dyn Fn(Client, Vec<u8>) -> Soon<Result<Vec<u8>, String>> + Send + Sync>;

/// A service of a version.
pub(crate) struct Served {
    pub(crate) descriptor: &'static ServiceDescriptor,
    pub(crate) connect: fn(String) -> Soon<Result<Client, ConnectError>>,
    pub(crate) methods: Vec<Method>,
}

/// An action of it.
#[derive(Clone)]
pub(crate) struct Method {
    handle: Handle,
    pub(crate) call: Caller,
}

impl Served {
    pub(crate) fn of<S: Stub + 'static>(methods: Vec<Method>) -> Self {
        let connect = |address: String| -> Soon<_> {
            Box::pin(async move {
                let stub = ClientBuilder::<S>::new().memory_instead_of_disk().connect(&address).await?;
                Ok(stub.as_client().clone())
            })
        };
        Self { descriptor: S::SERVICE, connect, methods }
    }

    /// As models name it.
    pub(crate) fn name(&self) -> &'static str {
        self.descriptor.name.rsplit('.').next().unwrap_or_default()
    }
}

fn bytes(message: &impl Encode) -> Vec<u8> {
    rpcgen_proto::payload::to_vec(message).expect("what was read can be written")
}

impl Method {
    /// `result`: what a handler returns that succeeds.
    pub(crate) fn of<A: Action>(result: fn(A::Output) -> A::Result) -> Self {
        let handle = move |call, request, response: Vec<u8>, heard: Heard| {
            handle::<A, _, _>(call, request, async move |_, request: A| {
                heard(A::METHOD, bytes(&request));
                let response: A::Response = rpcgen_proto::payload::from_slice(&response).expect("a response");
                result(A::into_output(response))
            })
        };
        let call = move |client: Client, request: Vec<u8>| -> Soon<_> {
            Box::pin(async move {
                let request: A = rpcgen_proto::payload::from_slice(&request).expect("a request");
                let output = client.request(request).await.map_err(|error| format!("{error:?}"))?;
                let response = A::into_result(result(output)).map_err(|error| error.to_string())?;
                Ok(bytes(&response))
            })
        };
        Self { handle: Arc::new(handle), call: Arc::new(call) }
    }
}

/// A business that has one answer for each action.
pub(crate) struct Answers {
    pub(crate) methods: Vec<(Method, Vec<u8>)>,
    pub(crate) heard: Heard,
}

impl Dispatch for Answers {
    fn dispatch(&self, method: u32, call: ServerCall, request: Carried) -> Handler {
        let Some((method, response)) = self.methods.get(method as usize) else { return unknown_action() };
        (method.handle)(call, request, response.clone(), Arc::clone(&self.heard))
    }
}
