//! Over TCP: the cases of every transport, and what only bytes can show.

use std::time::Duration;

use rpcgen_runtime::{AcceptLimits, ListenError, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::desk;
use crate::support::{APP, Business, config, connect, is_alive, serve, serve_at};

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

/// Passes on what comes from the client; what comes from the server only from the second connection on.
async fn deaf_proxy(to: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(&to).await.unwrap();
            let ((mut near_read, mut near_write), (mut far_read, mut far_write)) =
                (near.into_split(), far.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut near_read, &mut far_write).await });
            if held.is_empty() {
                // The welcome and no more.
                let mut welcome = vec![0; 4096];
                let length = far_read.read(&mut welcome).await.unwrap();
                near_write.write_all(&welcome[..length]).await.unwrap();
                held.push((near_write, far_read));
            } else {
                tokio::spawn(async move { tokio::io::copy(&mut far_read, &mut near_write).await });
            }
        }
    });
    address
}

#[tokio::test(start_paused = true)]
async fn client_that_asks_and_does_not_read_loses_its_link_and_nothing_else() {
    let (server, business) = serve(&address("deaf")).await;
    let client = connect(&deaf_proxy(authority(&server)).await).await;
    let text = "x".repeat(900_000);
    let mut calls = Vec::new();
    for _ in 0..12 {
        calls.push(client.echo(APP, text.clone()).send().await.unwrap());
    }
    business.started(1).await;
    let began = tokio::time::Instant::now();
    let mut clock = tokio::time::interval(Duration::from_millis(100));
    while server.stats().linked_count > 0 {
        clock.tick().await;
    }
    // Not because the client found out by itself, which takes 15 s.
    assert!(began.elapsed() < Duration::from_secs(14), "{:?}", began.elapsed());
    for call in calls {
        assert_eq!(call.await.unwrap().len(), text.len());
    }
    assert_eq!((business.runs(), business.repeated()), (12, 0));
}

#[tokio::test(start_paused = true)]
async fn stranger_who_says_no_hello_is_turned_away_in_time() {
    let (server, _) = serve(&address("mute")).await;
    let began = tokio::time::Instant::now();
    let mut stranger = TcpStream::connect(authority(&server)).await.unwrap();
    let mut answer = Vec::new();
    stranger.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.is_empty(), "it is told why");
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
    assert_eq!(server.stats().links_refused, 1);
}

#[tokio::test(start_paused = true)]
async fn stranger_who_dribbles_its_hello_is_turned_away_in_time() {
    let (server, _) = serve(&address("dribble")).await;
    let began = tokio::time::Instant::now();
    let mut stranger = TcpStream::connect(authority(&server)).await.unwrap();
    // A frame of a hundred bytes, one each second.
    let mut clock = tokio::time::interval(Duration::from_secs(1));
    while stranger.write_all(&[100]).await.is_ok() && began.elapsed() < Duration::from_secs(60) {
        clock.tick().await;
    }
    let patience = began.elapsed();
    assert!(Duration::from_secs(4) < patience && patience < Duration::from_secs(10), "{patience:?}");
}

#[tokio::test]
async fn half_open_links_are_bounded() {
    let limits = AcceptLimits { half_open_max: 2, ..AcceptLimits::default() };
    let builder = Server::builder().serve(desk::server(Business::default())).accept_limits(limits);
    let server = builder.listen(&address("half-open")).await.unwrap();
    let mute =
        (TcpStream::connect(authority(&server)).await.unwrap(), TcpStream::connect(authority(&server)).await.unwrap());
    let mut third = TcpStream::connect(authority(&server)).await.unwrap();
    assert!(matches!(third.read(&mut [0; 16]).await, Ok(0) | Err(_)), "closed without a word");
    drop(mute);
    // There is room again as soon as the server has seen that they are gone.
    let client = connect(&server.local_address()).await;
    assert!(is_alive(&client).await);
}
