//! Across threads: the cases of every transport, and what only messages that are handed over can show.

use rpcgen_runtime::CallError;

use crate::support::{APP, config, connect, serve, serve_at};

#[path = "broadcasts.rs"]
mod broadcasts;
#[path = "calls.rs"]
mod calls;
#[path = "cases.rs"]
mod cases;
#[path = "durable.rs"]
mod durable;
#[path = "services.rs"]
mod services;
#[path = "together.rs"]
mod together;

/// Where a server of a test listens.
fn address(name: &str) -> String {
    format!("thread://e2e-{name}")
}

#[tokio::test]
async fn action_that_had_begun_took_its_message_with_it_when_its_server_is_dropped() {
    let (server, business) = serve(&address("again")).await;
    let client = connect(&address("again")).await;
    let call = client.wait(APP).send().await.unwrap();
    business.started(1).await;
    drop(server);
    let (_server, _) = serve_at(&address("again"), config()).await;
    assert!(matches!(call.await, Err(CallError::Unknown)));
}

#[tokio::test]
async fn client_and_server_may_live_in_runtimes_of_their_own() {
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (ready, is_ready) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (_server, _) = serve(&address("runtimes")).await;
            ready.send(()).unwrap();
            let _ = stopped.await;
        });
    });
    is_ready.await.unwrap();
    let client = connect(&address("runtimes")).await;
    assert_eq!(client.echo(APP, "across").await.unwrap(), "across");
    stop.send(()).unwrap();
    thread.join().unwrap();
}
