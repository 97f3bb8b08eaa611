//! Peers that take as much as they can get: of links, of handshakes, of answers that they do not read.

use rpcgen_proto::frame::LinkFrame;
use rpcgen_proto::fuzzing::Carried;
use rpcgen_runtime::{AcceptLimits, Server};

use super::Scene;
use super::stranger::{ECHO, Stranger};
use crate::desk;
use crate::support::{Business, config, connect, is_alive};

async fn limited(limits: AcceptLimits) -> (Server, desk::Client) {
    let builder = Server::builder().config(config()).serve(desk::server(Business::default())).accept_limits(limits);
    let server = builder.listen("tcp://127.0.0.1:0").await.unwrap();
    let victim = connect(&server.local_address()).await;
    (server, victim)
}

#[tokio::test]
async fn a_thousand_that_never_finish_their_hello_keep_256_links_and_no_more() {
    let scene = Scene::begin().await;
    let mut slow = Vec::new();
    for number in 0..1_000 {
        let mut stranger = scene.stranger().await;
        let hello = LinkFrame::Hello(Box::new(stranger.hello()));
        let bytes = stranger.encoded(&hello);
        stranger.say_bytes(&bytes[..1]).await;
        if number < 256 {
            slow.push(stranger);
        } else {
            assert!(stranger.turned_away().await, "{number}");
        }
    }
    scene.victim_goes_on().await;
    assert_eq!(scene.server.stats().links_refused, 744);
    // They are told after the time that a hello may take.
    for stranger in slow {
        assert_eq!(stranger.last_words().await, "no hello came in time");
    }
    let newcomer = connect(&scene.server.local_address()).await;
    assert!(is_alive(&newcomer).await);
    scene.victim_goes_on().await;
}

#[tokio::test]
async fn thousands_that_come_when_all_links_are_taken_are_turned_away() {
    let (server, victim) = limited(AcceptLimits { links_max: 4, ..AcceptLimits::default() }).await;
    let mut here = Vec::new();
    for _ in 0..3 {
        let mut stranger = Stranger::connect(&server).await;
        stranger.greet().await;
        here.push(stranger);
    }
    for number in 0..3_000 {
        assert!(Stranger::connect(&server).await.turned_away().await, "{number}");
    }
    assert_eq!(server.stats().links_refused, 3_000);
    assert!(is_alive(&victim).await);
    // One goes; its place is free.
    drop(here.pop());
    let newcomer = loop {
        let mut stranger = Stranger::connect(&server).await;
        let hello = stranger.hello();
        stranger.say(&LinkFrame::Hello(Box::new(hello))).await;
        if let Some(LinkFrame::Welcome(_)) = stranger.hear().await {
            break stranger;
        }
    };
    assert!(is_alive(&victim).await);
    drop(newcomer);
}

#[tokio::test]
async fn readers_that_stop_reading_hold_up_nobody() {
    let scene = Scene::begin().await;
    let mut stalled = Vec::new();
    for _ in 0..8 {
        let mut stranger = scene.greeted().await;
        // 40 requests of 200 kB each, and not one answer is read.
        for _ in 0..40 {
            let mut request = vec![7];
            rpcgen_proto::varint::write_u64(&mut request, 200_000);
            request.resize(request.len() + 200_000, b'x');
            let frame = LinkFrame::Frame(stranger.action_of(ECHO.0, Carried(request.into())));
            stranger.say(&frame).await;
        }
        stalled.push(stranger);
    }
    scene.business.started(1 + 8 * 40).await;
    for _ in 0..100 {
        scene.victim_goes_on().await;
    }
}

#[tokio::test]
async fn links_that_come_and_go_leave_nothing_behind() {
    let scene = Scene::begin().await;
    for _ in 0..500 {
        let mut stranger = scene.stranger().await;
        stranger.falls_silent().await;
        assert!(stranger.turned_away().await);
    }
    assert_eq!(scene.server.stats().session_count, 1);
    assert_eq!(scene.server.stats().linked_count, 1);
    scene.victim_goes_on().await;
}
