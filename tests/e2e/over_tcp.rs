//! Over TCP: the cases of every transport, and what only bytes can show.

use std::time::Duration;

use rpcgen_runtime::{AcceptLimits, ListenError, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::desk;
use crate::support::{APP, Business, config, connect, is_alive, serve, serve_at};

#[path = "cases.rs"]
mod cases;

/// Where a server of a test listens.
fn address(_name: &str) -> String {
    "tcp://127.0.0.1:0".to_owned()
}

fn authority(server: &Server) -> String {
    server.local_address().trim_start_matches("tcp://").to_owned()
}

/// Passes everything on, one byte at a time.
async fn crawl(mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        for byte in &bytes[..count] {
            if to.write_all(std::slice::from_ref(byte)).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}

async fn crawling_proxy(to: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(&to).await.unwrap();
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
            tokio::spawn(crawl(near_read, far_write));
            tokio::spawn(crawl(far_read, near_write));
        }
    });
    address
}

#[tokio::test]
async fn frames_that_arrive_byte_by_byte_are_frames() {
    let (server, _) = serve(&address("bytes")).await;
    let client = connect(&crawling_proxy(authority(&server)).await).await;
    let text = "x".repeat(3000);
    for _ in 0..3 {
        assert_eq!(client.echo(APP, text.clone()).await.unwrap(), text);
    }
    assert!(client.disconnect(Duration::from_secs(5)).await.dropped.is_empty());
}

#[tokio::test]
async fn garbage_closes_its_own_link_and_no_other() {
    let (server, _) = serve(&address("garbage")).await;
    let client = connect(&server.local_address()).await;
    let request = b"GET /accounts/alice HTTP/1.1\r\nHost: bank.example\r\nUser-Agent: stranger\r\nAccept: */*\r\n\r\n";
    for garbage in [&request[..], &[0xff; 64], &[0; 64], &[5, 1, 2, 3, 4, 5, 6]] {
        let mut stranger = TcpStream::connect(authority(&server)).await.unwrap();
        stranger.write_all(garbage).await.unwrap();
        // The server says why and closes; what it says is a frame, and not empty.
        let mut answer = Vec::new();
        stranger.read_to_end(&mut answer).await.unwrap();
        assert!(!answer.is_empty());
    }
    assert!(is_alive(&client).await);
    assert_eq!(client.runtime().stats().session.links, 1, "the client's link is the first one still");
    assert_eq!(server.stats().links_refused, 4);
}

#[tokio::test]
async fn plain_tcp_beyond_loopback_has_to_be_asked_for_in_so_many_words() {
    let builder = || Server::builder().serve(desk::server(Business::default()));
    let error = builder().listen("tcp://0.0.0.0:0").await.unwrap_err();
    assert!(matches!(error, ListenError::BeyondLoopback { .. }));
    assert!(error.to_string().contains("insecure_plain_tcp_beyond_loopback"), "{error}");
    let server = builder().insecure_plain_tcp_beyond_loopback().listen("tcp://0.0.0.0:0").await.unwrap();
    let port = server.local_address().rsplit(':').next().unwrap().to_owned();
    assert!(is_alive(&connect(&format!("tcp://127.0.0.1:{port}")).await).await);
}

#[tokio::test]
async fn action_that_had_begun_runs_again_at_a_server_without_memory_and_is_told() {
    let (server, business) = serve(&address("again")).await;
    let address = server.local_address();
    let client = connect(&address).await;
    let call = client.wait(APP).send().await.unwrap();
    business.started(1).await;
    drop(server);
    let (_server, business) = serve_at(&address, config()).await;
    business.open_gate();
    assert!(call.await.unwrap(), "the handler sees that it may have run before");
}

#[tokio::test]
async fn server_listens_on_both_transports_at_once() {
    let (server, _) = serve(&address("both")).await;
    server.listen_also("thread://listens-on-both").await.unwrap();
    let (near, far) = (connect("thread://listens-on-both").await, connect(&server.local_address()).await);
    assert!(is_alive(&near).await && is_alive(&far).await);
    assert_eq!(server.local_addresses().len(), 2);
}

#[tokio::test]
async fn newcomers_beyond_the_limit_of_links_are_turned_away() {
    let limits = AcceptLimits { links_max: 1, ..AcceptLimits::default() };
    let builder = Server::builder().serve(desk::server(Business::default())).accept_limits(limits);
    let server = builder.listen(&address("limit")).await.unwrap();
    let client = connect(&server.local_address()).await;
    let mut stranger = TcpStream::connect(authority(&server)).await.unwrap();
    assert!(matches!(stranger.read(&mut [0; 16]).await, Ok(0) | Err(_)), "closed without a word");
    assert!(is_alive(&client).await);
}
