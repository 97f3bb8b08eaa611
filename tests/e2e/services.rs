//! What must be so of several services and several apps on one server, over every transport.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rpcgen_runtime::{AppId, Call, CallError, ConnectError, ListenError, Refusal, Server};

use super::address;
use crate::support::{APP, Business, config, connect, serve};
use crate::{desk, till};

const OTHER_APP: AppId = AppId(8);

/// A till with a drawer of its own.
struct Drawer(u64);

impl till::Till for Drawer {
    async fn open(&self, _call: &Call, _app_id: AppId) -> u64 {
        self.0
    }
}

#[tokio::test]
async fn each_app_id_has_its_own_business_and_all_others_share_one() {
    let (usual, special) = (Business::default(), Business::default());
    let builder = Server::builder().config(config()).serve(desk::server(usual.clone()));
    let builder = builder.serve(desk::server(special.clone()).for_app(OTHER_APP));
    let server = builder.listen(&address("apps")).await.unwrap();
    let client = connect(&server.local_address()).await;
    for app_id in [APP, OTHER_APP, OTHER_APP, AppId(u64::MAX)] {
        assert_eq!(client.echo(app_id, "hello").await.unwrap(), "hello");
    }
    assert_eq!((usual.runs(), special.runs()), (2, 2));
}

#[tokio::test]
async fn action_of_an_app_id_that_nobody_serves_is_refused_by_name_and_does_not_run() {
    let business = Business::default();
    let builder = Server::builder().config(config()).serve(desk::server(business.clone()).for_app(APP));
    let server = builder.listen(&address("no-app")).await.unwrap();
    let client = connect(&server.local_address()).await;
    let error = client.echo(OTHER_APP, "nobody").await.unwrap_err();
    assert_eq!(error, CallError::Refused(Refusal::UnknownApp));
    assert!(error.to_string().contains("nobody serves this app id"), "{error}");
    assert_eq!(client.echo(APP, "hello").await.unwrap(), "hello");
    assert_eq!(business.runs(), 1);
}

#[tokio::test]
async fn one_server_serves_several_services() {
    let builder = Server::builder().config(config()).serve(desk::server(Business::default()));
    let builder = builder.serve(till::server(Drawer(1)).for_app(APP)).serve(till::server(Drawer(2)).for_app(OTHER_APP));
    let server = builder.listen(&address("services")).await.unwrap();
    let (desk, till) =
        (connect(&server.local_address()).await, till::Client::connect(&server.local_address()).await.unwrap());
    assert_eq!(desk.echo(APP, "hello").await.unwrap(), "hello");
    assert_eq!((till.open(APP).await, till.open(OTHER_APP).await), (Ok(1), Ok(2)));
    assert_eq!(till.open(AppId(9)).await, Err(CallError::Refused(Refusal::UnknownApp)));
    assert_eq!(server.stats().session_count, 2);
}

/// A till that counts. It is not `Clone`, and needs no wrapper that is.
#[derive(Default)]
struct Counter(AtomicU64);

impl till::Till for Counter {
    async fn open(&self, _call: &Call, _app_id: AppId) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[tokio::test]
async fn one_implementation_is_shared_by_two_servers_and_whoever_else_holds_it() {
    let counter = Arc::new(Counter::default());
    let serve = async |name| {
        let till = till::server_shared(Arc::clone(&counter));
        Server::builder().serve(till).listen(&address(name)).await.unwrap()
    };
    let (first, second) = (serve("shared-1").await, serve("shared-2").await);
    let (one, other) = (
        till::Client::connect(&first.local_address()).await.unwrap(),
        till::Client::connect(&second.local_address()).await.unwrap(),
    );
    assert_eq!((one.open(APP).await, other.open(APP).await), (Ok(1), Ok(2)));
    assert_eq!(counter.0.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn client_of_a_service_that_is_not_served_hears_which_are() {
    let (server, _) = serve(&address("no-service")).await;
    let error = till::Client::connect(&server.local_address()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Rejected { .. }), "{error}");
    assert!(error.to_string().contains("no service `till.Till` here; there is: desk.Desk"), "{error}");
}

#[tokio::test]
async fn service_with_two_implementations_for_one_app_id_is_not_served() {
    let builder = Server::builder().serve(till::server(Drawer(1)).for_app(APP));
    let error = builder.serve(till::server(Drawer(2)).for_app(APP)).listen(&address("twice")).await.unwrap_err();
    assert!(matches!(error, ListenError::Services(_)), "{error}");
}
