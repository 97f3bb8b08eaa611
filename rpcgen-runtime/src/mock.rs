//! A stand-in for a server, for tests of what calls it.
//!
//! Knows: what it was told to answer, what it was asked. Does not know: any service; the types of the answers are those of the stubs.
//!
//! The stand-in is a server of this process under a name of its own, so all that a client does is what it does in earnest: accepted,
//! guaranteed, answered, broadcasts to the node that caused them. Nothing is encoded, so `@max` is not checked. Generated code has the
//! door:
//!
//! ```ignore
//! let mock = bank::mock().await;
//! mock.on(|request: bank::actions::GetAddFundsKey| match request.user.as_str() {
//!     "alice" => Ok("key-1".to_owned()),
//!     _ => Err(bank::GetAddFundsKeyError::NoSuchUser),
//! });
//! mock.refuse::<bank::actions::Ping>(Refusal::Overloaded);
//!
//! let bank = mock.client().await;
//! assert_eq!(bank.get_add_funds_key(AppId(7), "alice").await?, "key-1");
//! assert_eq!(mock.requests::<bank::actions::GetAddFundsKey>()[0].user, "alice");
//! ```

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use rpcgen_proto::frame::Refusal;
use tokio::sync::watch;

use crate::carried::Carried;
use crate::client::{BroadcastHandlers, ClientBuilder};
use crate::contract::{Action, BroadcastStub, ServiceDescriptor, Stub};
use crate::driver::inbox::lock;
use crate::random;
use crate::server::{Call, Dispatch, Handler, Server, Service, handle, refuse, unknown_action};

/// A stand-in for a server of the service whose client is `S`. Dropping it ends it at once, as a crash would.
pub struct Mock<S> {
    stage: Arc<Stage>,
    server: Server,
    client: PhantomData<fn() -> S>,
}

impl<S: Stub> fmt::Debug for Mock<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mock")
            .field("service", &S::SERVICE.name)
            .field("address", &self.address())
            .finish_non_exhaustive()
    }
}

type Answer = Arc<dyn Fn(Call, Carried) -> Handler + Send + Sync>;

/// What the stand-in and its handlers share.
struct Stage {
    service: &'static ServiceDescriptor,
    /// By the number of the action.
    answers: Mutex<BTreeMap<u32, Answer>>,
    /// In the order in which they ran.
    requests: Mutex<Vec<Box<dyn Any + Send>>>,
    /// How many there are.
    count: watch::Sender<usize>,
}

impl<S: Stub> Mock<S> {
    /// For generated code; users call the `mock` function of their service.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn start() -> Self {
        let (answers, requests) = (Mutex::default(), Mutex::default());
        let stage = Arc::new(Stage { service: S::SERVICE, answers, requests, count: watch::channel(0).0 });
        let service = Service::new(S::SERVICE, Stand(Arc::clone(&stage)));
        let address = format!("thread://mock-{:016x}", random::u64());
        let listening = Server::builder().serve(service).memory_instead_of_disk().listen(&address).await;
        // One service, and a name that nobody else has.
        let server = listening.expect("a name that was drawn at random is free");
        Self { stage, server, client: PhantomData }
    }

    /// Answers an action in this way from now on; which one, the type of the closure's argument says. The closure runs where a handler
    /// runs: it must not block. If it panics, the caller gets [`Refusal::HandlerPanicked`].
    pub fn on<A, F>(&self, answer: F)
    where
        A: Action<Stub = S> + Clone,
        F: FnMut(A) -> A::Result + Send + 'static,
    {
        let (stage, answer) = (Arc::downgrade(&self.stage), Arc::new(Mutex::new(answer)));
        self.stage.tell::<A>(move |call, request| {
            let (stage, answer) = (stage.clone(), Arc::clone(&answer));
            handle(call, request, move |_, request: A| async move {
                if let Some(stage) = stage.upgrade() {
                    stage.record(request.clone());
                }
                lock(&answer)(request)
            })
        });
    }

    /// Answers an action in the place of its business from now on: `Overloaded`, `Unknown` and whatever else a caller has to be ready for.
    pub fn refuse<A: Action<Stub = S>>(&self, refusal: Refusal) {
        let stage = Arc::downgrade(&self.stage);
        self.stage.tell::<A>(move |_, request| {
            if let (Some(stage), Ok(request)) = (stage.upgrade(), request.open::<A>()) {
                stage.record(request);
            }
            refuse(refusal)
        });
    }

    /// The requests of one action that were answered or refused so far, in order.
    #[must_use]
    pub fn requests<A: Action<Stub = S> + Clone>(&self) -> Vec<A> {
        lock(&self.stage.requests).iter().filter_map(|request| request.downcast_ref::<A>().cloned()).collect()
    }

    /// The same, as soon as there are so many: for callers that run beside the test. A test that waits for what never comes does not end.
    pub async fn requests_until<A: Action<Stub = S> + Clone>(&self, count: usize) -> Vec<A> {
        let mut changes = self.stage.count.subscribe();
        loop {
            let requests = self.requests::<A>();
            // The stage keeps the sender as long as there is a stand-in.
            if requests.len() >= count || changes.changed().await.is_err() {
                return requests;
            }
        }
    }

    /// A client of the stand-in.
    pub async fn client(&self) -> S {
        self.client_with(BroadcastHandlers::default()).await
    }

    /// A client that handles broadcasts: `mock.client_with(bank::Handlers::new().pending_amount(..))`.
    pub async fn client_with(&self, handlers: impl Into<BroadcastHandlers>) -> S {
        let builder = ClientBuilder::new().broadcasts(handlers).memory_instead_of_disk();
        // A hello that is too long is said at `connect` in earnest too; a stand-in refuses nobody and is there.
        builder.connect(&self.address()).await.expect("a stand-in takes every client")
    }

    /// Where code connects that makes its own client: `bank::Client::connect(&mock.address())`.
    #[must_use]
    pub fn address(&self) -> String {
        self.server.local_address()
    }

    /// Sends the service's broadcasts: `mock.broadcasts::<bank::Broadcasts>()`.
    #[must_use]
    pub fn broadcasts<B: BroadcastStub>(&self) -> B {
        self.server.broadcasts()
    }

    /// The server itself: [`Server::pause_business`] keeps calls between guaranteed and answered, [`Server::set_faults`] loses frames.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }
}

impl Stage {
    fn tell<A: Action>(&self, answer: impl Fn(Call, Carried) -> Handler + Send + Sync + 'static) {
        lock(&self.answers).insert(A::METHOD, Arc::new(answer));
    }

    fn record<A: Action>(&self, request: A) {
        lock(&self.requests).push(Box::new(request));
        self.count.send_modify(|count| *count += 1);
    }
}

struct Stand(Arc<Stage>);

impl Dispatch for Stand {
    fn dispatch(&self, method: u32, call: Call, request: Carried) -> Handler {
        // Not held while the answer is made: it may change what is answered next.
        let answer = lock(&self.0.answers).get(&method).cloned();
        answer.map_or_else(
            || {
                let service = self.0.service;
                let action =
                    service.actions.get(method as usize).map_or("an action of another version", |action| action.name);
                eprintln!(
                    "the mock of {} was not told how to answer `{action}`: `mock.on(..)` or `mock.refuse(..)` do",
                    service.name
                );
                unknown_action()
            },
            |answer| answer(call, request),
        )
    }
}
