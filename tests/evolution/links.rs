//! Both versions over a real link: whether they connect, and whether calls go through then.
//!
//! Knows: services by the number of their actions, messages as bytes. Does not know: what a case is about.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rpcgen::breaking::{self, Level, Party};
use rpcgen::model::Model;
use rpcgen_runtime::generated::{
    Action, Carried, Client, ClientBuilder, ConnectError, Dispatch, Handler, ServerCall, Service, ServiceDescriptor,
    Stub, handle, unknown_action,
};
use rpcgen_runtime::{RejectReason, Server};

use super::values::{Random, messages};
use super::{Case, Message, generated, model};

type Soon<T> = Pin<Box<dyn Future<Output = T>>>;

/// A service of a version.
pub(crate) struct Served {
    descriptor: &'static ServiceDescriptor,
    connect: fn(String) -> Soon<Result<Client, ConnectError>>,
    methods: Vec<Method>,
}

/// An action of it.
#[derive(Clone)]
pub(crate) struct Method {
    /// Answers with this response.
    handle: Arc<dyn Fn(ServerCall, Carried, Vec<u8>) -> Handler + Send + Sync>,
    /// Calls with this request.
    call: fn(Client, Vec<u8>) -> Soon<Result<(), String>>,
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
    fn name(&self) -> &'static str {
        self.descriptor.name.rsplit('.').next().unwrap()
    }
}

impl Method {
    /// `result`: what a handler returns that succeeds.
    pub(crate) fn of<A: Action>(result: fn(A::Output) -> A::Result) -> Self {
        let handle = move |call, request, response: Vec<u8>| {
            handle::<A, _, _>(call, request, async move |_, _| {
                let response: A::Response = rpcgen_proto::payload::from_slice(&response).unwrap();
                result(A::into_output(response))
            })
        };
        let call = |client: Client, request: Vec<u8>| -> Soon<_> {
            Box::pin(async move {
                let request: A = rpcgen_proto::payload::from_slice(&request).unwrap();
                client.request(request).await.map(drop).map_err(|error| format!("{error:?}"))
            })
        };
        Self { handle: Arc::new(handle), call }
    }
}

/// A business that has one answer for each action.
struct Answers {
    methods: Vec<(Method, Vec<u8>)>,
    runs: Arc<AtomicUsize>,
}

impl Dispatch for Answers {
    fn dispatch(&self, method: u32, call: ServerCall, request: Carried) -> Handler {
        let Some((method, response)) = self.methods.get(method as usize) else { return unknown_action() };
        self.runs.fetch_add(1, Ordering::Relaxed);
        (method.handle)(call, request, response.clone())
    }
}

/// One version of a case.
struct Version {
    name: &'static str,
    model: Model,
    services: Vec<Served>,
    messages: Vec<Message>,
}

impl Version {
    fn both(case: &Case) -> [Self; 2] {
        let of = |name, services, messages| Self { name, model: model(case.name, name), services, messages };
        [of("old", (case.old_services)(), (case.old)()), of("new", (case.new_services)(), (case.new)())]
    }

    /// A message of this version that `reader` can read; if it does not know it, any.
    fn message(&self, service: &str, name: &str, reader: &Self) -> Vec<u8> {
        let service = self.model.services.iter().find(|other| other.name == service).unwrap();
        let reads = reader.messages.iter().find(|(known, _)| *known == name).map(|(_, recode)| *recode);
        let values = (0..300).flat_map(|seed| messages(&self.model, service, &mut Random(seed)));
        let mut values = values.filter(|(known, _)| known == name).map(|(_, bytes)| bytes);
        values.find(|bytes| reads.is_none_or(|reads| reads(bytes).is_ok())).expect("one that both know")
    }

    /// The model of one service.
    fn alone(&self, service: &str) -> Option<Model> {
        let mut model = self.model.clone();
        model.services.retain(|other| other.name == service);
        (!model.services.is_empty()).then_some(model)
    }
}

fn breaks(old: &Model, new: &Model, party: Party) -> bool {
    breaking::compare(old, new)
        .iter()
        .any(|finding| finding.rule.level == Level::Breaking && finding.breaks.contains(&party))
}

/// What two ends that meet can know: which is older is not said. They connect if in one of the two orders nothing breaks.
fn should_connect(client: &Model, server: &Model) -> bool {
    !breaks(client, server, Party::OldClient) || !breaks(server, client, Party::OldServer)
}

/// Serves one service, for a client of the other version.
async fn serve(server: &Version, served: &Served, client: &Version, runs: &Arc<AtomicUsize>) -> Server {
    let name = served.name();
    let answers = served.methods.iter().enumerate().map(|(number, method)| {
        (method.clone(), server.message(name, &format!("{name} action {number} response"), client))
    });
    let answers = Answers { methods: answers.collect(), runs: Arc::clone(runs) };
    let builder = Server::builder().memory_instead_of_disk().serve(Service::new(served.descriptor, answers));
    builder.listen("tcp://127.0.0.1:0").await.unwrap()
}

/// Calls every action: those that the server knows are answered, the others refused one by one.
async fn call_all(case: &str, served: &Served, connected: &Client, versions: (&Version, &Version), known: usize) {
    for (number, method) in served.methods.iter().enumerate().rev() {
        let name = format!("{} action {number} request", served.name());
        let request = versions.0.message(served.name(), &name, versions.1);
        let ended = (method.call)(connected.clone(), request).await;
        let expected = if number < known { Ok(()) } else { Err("Refused(UnknownAction)".to_owned()) };
        assert_eq!(ended, expected, "{case}: {name} of the {} client", versions.0.name);
    }
}

#[tokio::test]
async fn versions_connect_if_nothing_breaks_and_then_calls_go_through() {
    let mut either_way = BTreeSet::new();
    for case in generated::CASES {
        let [old, new] = Version::both(case);
        for (client, server) in [(&old, &new), (&new, &old)] {
            for asked in &client.services {
                let Some(served) = server.services.iter().find(|other| other.name() == asked.name()) else { continue };
                let models = [client, server].map(|version| version.alone(asked.name()).unwrap());
                let expected = should_connect(&models[0], &models[1]);
                let in_its_order = match client.name {
                    "old" => !breaks(&models[0], &models[1], Party::OldClient),
                    _ => !breaks(&models[1], &models[0], Party::OldServer),
                };
                if expected != in_its_order {
                    either_way.insert(format!("{}: {} client", case.name, client.name));
                }
                let runs = Arc::new(AtomicUsize::new(0));
                let running = if expected {
                    serve(server, served, client, &runs).await
                } else {
                    serve(server, served, server, &runs).await
                };
                match (asked.connect)(running.local_address()).await {
                    Ok(connected) => {
                        assert!(expected, "{}: the {} client should not connect", case.name, client.name);
                        let known = served.methods.len();
                        call_all(case.name, asked, &connected, (client, server), known).await;
                        assert_eq!(runs.load(Ordering::Relaxed), known.min(asked.methods.len()), "{}", case.name);
                    }
                    Err(ConnectError::Rejected { reject, .. }) => {
                        assert_eq!(reject.reason, RejectReason::SchemaMismatch, "{}", case.name);
                        assert!(!expected, "{}: the {} client: {}", case.name, client.name, reject.message);
                    }
                    Err(error) => panic!("{}: {error}", case.name),
                }
            }
        }
    }
    // Here `rpcgen breaking`, which knows the older one, finds something broken, and the link does not: seen from the other order of age
    // it is what only asks for care. The values that one end does not know are refused one by one.
    let expected: BTreeSet<String> = EITHER_WAY.iter().map(|known| (*known).to_owned()).collect();
    assert_eq!(either_way, expected);
}

/// Cases that would break in their own order of age, and connect as they would not in the other.
const EITHER_WAY: &[&str] = &[
    "integer_narrowed: new client",
    "integer_narrowed: old client",
    "max_lowered: new client",
    "max_lowered: old client",
    "variant_removed: new client",
    "variant_removed: old client",
];

#[tokio::test]
async fn versions_that_do_not_fit_are_told_what_differs() {
    let case = generated::CASES.iter().find(|case| case.name == "field_type").unwrap();
    let [old, new] = Version::both(case);
    let runs = Arc::default();
    let server = serve(&new, &new.services[0], &new, &runs).await;
    let Err(error) = (old.services[0].connect)(server.local_address()).await else { panic!("it is refused") };
    let text = error.to_string().replace(&server.local_address(), "ADDRESS");
    assert_eq!(
        text,
        "the server at ADDRESS refused: the schema of `shop.Shop` differs: server 6d3d7521ee46be9a, client 68afd09b1652923c: \
         `order.request.item.count` is `u32` here and `string` at the server; `order.request.item.state` is an optional enum here and an \
         enum at the server. Keep what is there and append what is new, or build both ends from one .rpc file; `rpcgen breaking` compares \
         two versions"
    );
}

#[tokio::test]
async fn within_a_process_both_ends_have_one_version() {
    let case = generated::CASES.iter().find(|case| case.name == "fine_message_grows").unwrap();
    let [old, new] = Version::both(case);
    let builder = Server::builder();
    let answers = Answers { methods: Vec::new(), runs: Arc::default() };
    let server =
        builder.serve(Service::new(new.services[0].descriptor, answers)).listen("thread://versions").await.unwrap();
    let Err(error) = (old.services[0].connect)(server.local_address()).await else { panic!("it is refused") };
    assert!(error.to_string().ends_with("handed over as they are here: build both ends from one .rpc file"), "{error}");
}
