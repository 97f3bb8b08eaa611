//! What comes in the place of a hello, and hellos that are not right.

use rpcgen_proto::frame::{Close, Frame, LinkFrame, Riders};
use rpcgen_proto::ids::{ClientId, Incarnation, SessionId};

use super::Scene;
use super::stranger::Stranger;

fn control() -> LinkFrame<rpcgen_proto::fuzzing::Carried> {
    let riders = Riders { heartbeat: Some(true), ..Riders::default() };
    LinkFrame::Frame(Frame { bits: None, riders: Some(Box::new(riders)), message: None })
}

#[tokio::test]
async fn frame_before_the_hello() {
    let scene = Scene::begin().await;
    let mut stranger = scene.stranger().await;
    stranger.say(&control()).await;
    scene.ends(stranger, "a link begins with a hello").await;
}

#[tokio::test]
async fn last_words_in_the_place_of_a_hello() {
    let scene = Scene::begin().await;
    let mut stranger = scene.stranger().await;
    stranger.say(&LinkFrame::Close(Close { message: "goodbye".to_owned() })).await;
    scene.ends(stranger, "a link begins with a hello").await;
}

#[tokio::test]
async fn welcome_from_a_client() {
    let scene = Scene::begin().await;
    let mut other = scene.stranger().await;
    let hello = other.hello();
    other.say(&LinkFrame::Hello(Box::new(hello))).await;
    let welcome = other.hear().await.unwrap();
    let mut stranger = scene.stranger().await;
    stranger.say(&welcome).await;
    scene.ends(stranger, "a link begins with a hello").await;
}

#[tokio::test]
async fn length_of_nothing() {
    let scene = Scene::begin().await;
    let mut stranger = scene.stranger().await;
    stranger.say_length(0).await;
    scene.ends(stranger, "an empty frame").await;
}

#[tokio::test]
async fn longest_hello_full_of_zeros() {
    let scene = Scene::begin().await;
    let mut stranger = scene.stranger().await;
    stranger.say_length(4_096).await;
    stranger.say_bytes(&[0; 4_096]).await;
    scene.ends(stranger, "checksum").await;
}

#[tokio::test]
async fn length_beyond_the_longest_hello() {
    let scene = Scene::begin().await;
    for length in [4_097, 65_536, u64::from(u32::MAX), u64::from(u32::MAX) + 1, u64::MAX] {
        let mut stranger = scene.stranger().await;
        stranger.say_length(length).await;
        scene.ends(stranger, "at most 4096 are agreed").await;
    }
}

#[tokio::test]
async fn length_that_is_no_integer() {
    let scene = Scene::begin().await;
    for marker in [254, 255] {
        let mut stranger = scene.stranger().await;
        stranger.say_bytes(&[marker]).await;
        scene.ends(stranger, "the length of a frame").await;
    }
}

#[tokio::test]
async fn hello_with_a_flipped_bit() {
    let scene = Scene::begin().await;
    let mut stranger = scene.stranger().await;
    let hello = LinkFrame::Hello(Box::new(stranger.hello()));
    let hello = stranger.encoded(&hello);
    for at in 1..hello.len() {
        let mut flipped = hello.clone();
        flipped[at] ^= 0x10;
        let mut stranger = scene.stranger().await;
        stranger.say_bytes(&flipped).await;
        assert!(stranger.last_words().await.contains("checksum"), "byte {at}");
    }
    scene.victim_goes_on().await;
}

#[tokio::test]
async fn hello_that_ends_at_each_of_its_bytes() {
    let scene = Scene::begin().await;
    let mut stranger = scene.stranger().await;
    let hello = LinkFrame::Hello(Box::new(stranger.hello()));
    let hello = stranger.encoded(&hello);
    for end in 0..hello.len() {
        let mut stranger = scene.stranger().await;
        stranger.say_bytes(&hello[..end]).await;
        stranger.falls_silent().await;
        assert!(stranger.turned_away().await);
    }
    assert_eq!(scene.server.stats().links_refused, hello.len() as u64);
    assert_eq!(scene.server.stats().session_count, 1, "the victim's");
    scene.victim_goes_on().await;
}

#[tokio::test]
async fn hello_that_says_more_or_less_than_a_hello() {
    let scene = Scene::begin().await;
    let mut stranger = scene.stranger().await;
    let hello = LinkFrame::Hello(Box::new(stranger.hello()));
    let hello = stranger.encoded(&hello);
    let body = &hello[1..hello.len() - 4];
    let longer = [body, &[0]].concat();
    for (body, words) in [(&longer[..], "after the last field"), (&body[..body.len() - 1], "the frame ends within")] {
        let mut stranger = scene.stranger().await;
        stranger.say_body(body).await;
        scene.ends(stranger, words).await;
    }
}

#[tokio::test]
async fn hello_with_flags_that_nobody_knows() {
    let scene = Scene::begin().await;
    let mut stranger = scene.stranger().await;
    let hello = LinkFrame::Hello(Box::new(stranger.hello()));
    let hello = stranger.encoded(&hello);
    let mut body = hello[1..hello.len() - 4].to_vec();
    body[3] |= 0x80; // After the head and the version.
    let mut stranger = scene.stranger().await;
    stranger.say_body(&body).await;
    scene.ends(stranger, "flags of a hello").await;
}

#[tokio::test]
async fn service_whose_name_is_not_text_or_too_long() {
    let scene = Scene::begin().await;
    for (name, words) in [(vec![0xff; 9], "not UTF-8"), (vec![b'x'; 513], "at most 512 are allowed")] {
        let mut stranger = scene.stranger().await;
        let mut body = vec![12, 1, 0, 1];
        rpcgen_proto::varint::write_u64(&mut body, name.len() as u64);
        body.extend_from_slice(&name);
        body.extend_from_slice(&[0; 64]);
        stranger.say_body(&body).await;
        scene.ends(stranger, words).await;
    }
}

#[tokio::test]
async fn head_that_nobody_knows() {
    let scene = Scene::begin().await;
    let mut stranger = scene.stranger().await;
    stranger.say_body(&[0x8b, 1, 1, 1, 1]).await;
    scene.ends(stranger, "is no head").await;
}

#[tokio::test]
async fn version_of_another_time() {
    let scene = Scene::begin().await;
    for version in [0, 2, u16::MAX] {
        let mut stranger = scene.stranger().await;
        let hello = stranger.hello();
        stranger.say(&LinkFrame::Hello(Box::new(rpcgen_proto::frame::Hello { version, ..hello }))).await;
        scene.ends(stranger, "Version: this server speaks version 1").await;
    }
}

#[tokio::test]
async fn service_that_is_not_here() {
    let scene = Scene::begin().await;
    let mut stranger = scene.stranger().await;
    let mut hello = stranger.hello();
    hello.service = "desk.Drawer".to_owned();
    stranger.say(&LinkFrame::Hello(Box::new(hello))).await;
    scene.ends(stranger, "UnknownService: no service `desk.Drawer` here").await;
}

#[tokio::test]
async fn schema_that_differs() {
    let scene = Scene::begin().await;
    let mut stranger = scene.stranger().await;
    let mut hello = stranger.hello();
    hello.fingerprint ^= 1;
    stranger.say(&LinkFrame::Hello(Box::new(hello))).await;
    scene.ends(stranger, "SchemaMismatch").await;
}

/// A stranger with a session, and what it would say on its next link.
async fn with_a_session(scene: &Scene) -> (Stranger, rpcgen_proto::frame::Hello) {
    let stranger = scene.greeted().await;
    let mut again = stranger.comes_again(&scene.server).await;
    let hello = again.hello();
    (again, hello)
}

#[tokio::test]
async fn hello_that_was_said_before() {
    let scene = Scene::begin().await;
    let (mut client, hello) = with_a_session(&scene).await;
    client.say(&LinkFrame::Hello(Box::new(hello.clone()))).await;
    assert!(matches!(client.hear().await, Some(LinkFrame::Welcome(_))));
    let mut stranger = scene.stranger().await;
    stranger.say(&LinkFrame::Hello(Box::new(hello))).await;
    scene.ends(stranger, "Superseded").await;
}

#[tokio::test]
async fn session_without_a_proof_or_with_a_wrong_one() {
    let scene = Scene::begin().await;
    let (_client, hello) = with_a_session(&scene).await;
    let mut without = hello.clone();
    without.resume = None;
    let mut flipped = hello.clone();
    flipped.resume.as_mut().unwrap().proof[31] ^= 1;
    let mut other_number = hello.clone();
    other_number.link.0 += 1;
    let mut other_position = hello.clone();
    other_position.resume.as_mut().unwrap().down_expected.0 += 1;
    let mut other_broadcasts = hello.clone();
    other_broadcasts.broadcasts.push(rpcgen_proto::ids::MethodId(0));
    for forged in [without, flipped, other_number, other_position, other_broadcasts] {
        let mut stranger = scene.stranger().await;
        stranger.say(&LinkFrame::Hello(Box::new(forged))).await;
        scene.ends(stranger, "BadProof").await;
    }
}

#[tokio::test]
async fn proof_of_another_session() {
    let scene = Scene::begin().await;
    let (_client, target) = with_a_session(&scene).await;
    let (mut stranger, mut own) = with_a_session(&scene).await;
    own.client = target.client;
    own.resume.as_mut().unwrap().session = target.resume.as_ref().unwrap().session;
    stranger.say(&LinkFrame::Hello(Box::new(own))).await;
    scene.ends(stranger, "BadProof").await;
}

#[tokio::test]
async fn client_id_of_somebody_else() {
    let scene = Scene::begin().await;
    let (mut client, hello) = with_a_session(&scene).await;
    let mut stranger = scene.stranger().await;
    let mut forged = stranger.hello();
    forged.client = hello.client;
    forged.link.0 += 10;
    stranger.say(&LinkFrame::Hello(Box::new(forged))).await;
    scene.ends(stranger, "BadProof").await;
    client.say(&LinkFrame::Hello(Box::new(hello))).await;
    assert!(matches!(client.hear().await, Some(LinkFrame::Welcome(_))), "its owner comes back");
}

#[tokio::test]
async fn incarnation_of_another_life() {
    let scene = Scene::begin().await;
    let (mut stranger, mut hello) = with_a_session(&scene).await;
    hello.incarnation = Incarnation(2);
    stranger.say(&LinkFrame::Hello(Box::new(hello))).await;
    scene.ends(stranger, "another incarnation").await;
}

#[tokio::test]
async fn session_that_was_made_up_is_a_new_one_of_ones_own() {
    let scene = Scene::begin().await;
    let (_client, target) = with_a_session(&scene).await;
    let mut stranger = scene.stranger().await;
    let mut hello = stranger.hello();
    hello.client = ClientId(u128::MAX);
    hello.resume = target.resume.map(|resume| rpcgen_proto::frame::Resume { session: SessionId(1), ..resume });
    stranger.say(&LinkFrame::Hello(Box::new(hello))).await;
    let Some(LinkFrame::Welcome(welcome)) = stranger.hear().await else { panic!("a session of its own") };
    assert_ne!(welcome.session, SessionId(1));
    scene.victim_goes_on().await;
}
