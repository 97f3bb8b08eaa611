//! The layout of the frames is frozen: golden vectors, written by hand from docs/wire.md, with a comment for each field.
//!
//! A released layout never changes: its vectors stay, and new ones are added.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use rpcgen_proto::bits::{BitArray, Bits};
use rpcgen_proto::frame::*;
use rpcgen_proto::ids::*;
use rpcgen_proto::record::Life;

const RELIABLE: FrameCodec = FrameCodec { reliable_ordered: true, frame_bytes_max: 1 << 20 };
const LOSSY: FrameCodec = FrameCodec { reliable_ordered: false, frame_bytes_max: 1 << 20 };
const HANDSHAKE: FrameCodec = FrameCodec::handshake();

type Vector = (&'static str, FrameCodec, LinkFrame<Bytes>);

/// What the bytes of each vector mean.
fn vectors() -> Vec<Vector> {
    let mut all = messages();
    all.extend(controls());
    all.extend(handshakes());
    all
}

fn frame(message: Option<Sequenced<Bytes>>) -> Frame<Bytes> {
    Frame { bits: None, riders: None, message }
}

fn riders(riders: Riders) -> Option<Box<Riders>> {
    Some(Box::new(riders))
}

fn message(body: Body<Bytes>) -> LinkFrame<Bytes> {
    LinkFrame::Frame(frame(Some(Sequenced { id: WireId::Short(0x70), body })))
}

fn payload() -> Bytes {
    Bytes::from_static(b"\x07\x05hello")
}

fn action(payload: Bytes) -> Body<Bytes> {
    Body::Action { slot: Slot(3), number: None, method: MethodId(2), maybe_sent: false, payload }
}

fn messages() -> Vec<Vector> {
    let (slot, check, payload) = (Slot(3), 0xabcd, payload());
    let (number, method) = (BroadcastNumber(41), MethodId(1));
    let numbered = Body::Action {
        slot: Slot(300),
        number: Some(CallNumber(70_000)),
        method: MethodId(251),
        maybe_sent: true,
        payload: payload.clone(),
    };
    let with_bits = Frame {
        bits: Some(BitArray { base: 0x1234, bits: Bits::Ones(100) }),
        riders: riders(Riders {
            quarter: Some(QuarterAgree { cycle: 7, quarter: 2, crc: 0xdead_beef }),
            ..Riders::default()
        }),
        message: Some(Sequenced { id: WireId::Short(0x70), body: action(payload.clone()) }),
    };
    let lossy = Sequenced { id: WireId::Full(MessageId(70_000)), body: action(payload.clone()) };
    let bodies = [
        ("action", action(payload.clone())),
        ("action_long", action(Bytes::from(vec![0xaa; 300]))),
        ("action_numbered_again", numbered),
        ("response", Body::Response { slot, check, payload: payload.clone() }),
        ("failure", Body::Failure { slot, check, payload: payload.clone() }),
        ("refusal", Body::Refusal { slot, check, reason: Refusal::Overloaded }),
        ("cancel", Body::Cancel { slot, check }),
        ("cancel_result", Body::CancelResult { slot, check, outcome: CancelOutcome::MaybeExecuted }),
        ("offer", Body::Offer { number, method, redelivered: false, payload: payload.clone() }),
        ("offer_again", Body::Offer { number, method, redelivered: true, payload }),
        ("go", Body::Go { number }),
        ("revoke", Body::Revoke { number }),
        ("goodbye", Body::Goodbye),
    ];
    let mut all: Vec<_> = bodies.into_iter().map(|(name, body)| (name, RELIABLE, message(body))).collect();
    all.push(("action_with_bits", RELIABLE, LinkFrame::Frame(with_bits)));
    all.push(("action_lossy", LOSSY, LinkFrame::Frame(frame(Some(lossy)))));
    all
}

fn controls() -> Vec<Vector> {
    let mixed = Frame {
        bits: Some(BitArray { base: 0x1234_5678, bits: Bits::Mixed { count: 9, bytes: Box::from([0b1111_1101, 1]) } }),
        ..frame(None)
    };
    let range = RangeAgree {
        lane: LaneKind::Down,
        cycle: 9,
        from: Position(1_000),
        start: MessageId(0xffff_fff0),
        size: 200,
        crc: 0x0102_0304,
    };
    let all = Riders {
        quarter: Some(QuarterAgree { cycle: 70_000, quarter: 3, crc: 0xcafe_f00d }),
        range: Some(range),
        range_accepted: Some(RangeAccepted { cycle: 9, crc: 0x0102_0304 }),
        blocked: true,
        where_is: vec![
            MissingRange { first: Position(500), count: 1 },
            MissingRange { first: Position(1 << 40), count: 16 },
        ],
        still_pending: vec![(Slot(3), 0xabcd)],
        heartbeat: Some(true),
    };
    let alive = Riders { heartbeat: Some(false), ..Riders::default() };
    vec![
        ("bits_mixed_lossy", LOSSY, LinkFrame::Frame(mixed)),
        ("riders_all", LOSSY, LinkFrame::Frame(Frame { riders: riders(all), ..frame(None) })),
        ("alive", RELIABLE, LinkFrame::Frame(Frame { riders: riders(alive), ..frame(None) })),
    ]
}

fn resume() -> Resume {
    Resume {
        session: SessionId(77),
        epoch: Epoch(3),
        proof: [0x5a; 32],
        down_expected: Position(1_000),
        sent_below: CallNumber(40),
    }
}

fn handshakes() -> Vec<Vector> {
    let hello = Hello {
        version: 1,
        service: "bank.Bank".to_owned(),
        fingerprint: 0x0123_4567_89ab_cdef,
        client: ClientId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
        incarnation: Incarnation(5),
        life: Life(0),
        link: LinkNumber(2),
        reliable_ordered: true,
        nonce: 0xfeed_face,
        resume: None,
        retired_below: CallNumber(12),
        broadcasts: vec![MethodId(0), MethodId(1)],
    };
    let resume = resume();
    let restarted = Hello {
        incarnation: Incarnation(0),
        life: Life(300),
        retired_below: CallNumber(300 << 40 | 12),
        resume: Some(Resume {
            epoch: Epoch(7 << 32 | 9),
            down_expected: Position(0),
            sent_below: CallNumber(300 << 40),
            ..resume
        }),
        ..hello.clone()
    };
    let resuming = Hello { reliable_ordered: false, resume: Some(resume), ..hello.clone() };
    let range =
        |lane, start, crc| RangeAgree { lane, cycle: 0, from: Position(0), start: MessageId(start), size: 100, crc };
    let fresh = Welcome {
        epoch: Epoch(3),
        session: SessionId(77),
        reliable_ordered: true,
        begin: Begin::Fresh {
            reason: FreshReason::NewEpoch,
            nonce: 0xbeef,
            secret: [0x33; 32],
            up: range(LaneKind::Up, 0x1000, 0x1111_1111),
            down: range(LaneKind::Down, 0x2000, 0x2222_2222),
        },
        slots: 1_024,
        frame_bytes_max: 1 << 20,
    };
    let resumed = Welcome { reliable_ordered: false, begin: Begin::Resumed { up_expected: Position(500) }, ..fresh };
    let pause = std::time::Duration::from_millis(1_500);
    let reject =
        Reject { reason: RejectReason::UnknownService, message: "no such service".to_owned(), pause, schema: None };
    let schema = ServerSchema { fingerprint: 0x0123_4567_89ab_cdef, shape: "a.A\naction go()\n".to_owned() };
    let other_schema = Reject {
        reason: RejectReason::SchemaMismatch,
        message: "it differs".to_owned(),
        pause: std::time::Duration::ZERO,
        schema: Some(Box::new(schema)),
    };
    let close = Close { message: "up lane: gap".to_owned() };
    vec![
        ("hello", HANDSHAKE, LinkFrame::Hello(Box::new(hello))),
        ("hello_life", HANDSHAKE, LinkFrame::Hello(Box::new(restarted))),
        ("hello_resume", HANDSHAKE, LinkFrame::Hello(Box::new(resuming))),
        ("welcome_fresh", HANDSHAKE, LinkFrame::Welcome(Box::new(fresh))),
        ("welcome_resumed", HANDSHAKE, LinkFrame::Welcome(Box::new(resumed))),
        ("reject", HANDSHAKE, LinkFrame::Reject(reject)),
        ("reject_schema", HANDSHAKE, LinkFrame::Reject(other_schema)),
        ("close", RELIABLE, LinkFrame::Close(close)),
    ]
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("wire/vectors")
}

/// The bytes of a vector: hexadecimal pairs; what follows a `#` is for people.
fn read(name: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(folder().join(format!("{name}.hex"))).expect("each vector has a file");
    text.lines()
        .flat_map(|line| line.split('#').next().unwrap_or("").split_whitespace())
        .map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal pairs"))
        .collect()
}

fn decode(codec: FrameCodec, bytes: &[u8]) -> Result<Option<LinkFrame<Bytes>>, DecodeError> {
    codec.decode(&mut BytesMut::from(bytes))
}

#[test]
fn frames_and_vectors_are_each_others_encoding() {
    for (name, codec, frame) in vectors() {
        let bytes = read(name);
        assert_eq!(decode(codec, &bytes).as_ref(), Ok(&Some(frame.clone())), "{name} decodes");
        let mut encoded = Vec::new();
        codec.encode(&frame, &mut encoded);
        assert_eq!(encoded, bytes, "{name} encodes");
    }
}

#[test]
fn every_vector_has_its_meaning() {
    let named: BTreeSet<String> = vectors().iter().map(|(name, ..)| format!("{name}.hex")).collect();
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .expect("the folder is there")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(named, files);
}

#[test]
fn every_vector_cut_short_waits_for_more() {
    for (name, codec, _) in vectors() {
        let bytes = read(name);
        for end in 0..bytes.len() {
            assert_eq!(decode(codec, &bytes[..end]), Ok(None), "{name} cut at {end}");
        }
    }
}

#[test]
fn every_vector_that_announces_less_than_it_has_is_never_itself() {
    for (name, codec, frame) in vectors() {
        let bytes = read(name);
        let skip = if bytes[0] == 251 { 3 } else { 1 };
        for end in 1..(bytes.len() - skip).min(250) {
            let mut short = vec![u8::try_from(end).expect("at most 250")];
            short.extend_from_slice(&bytes[skip..skip + end]);
            if let Ok(decoded) = decode(codec, &short) {
                assert_ne!(decoded, Some(frame.clone()), "{name}");
            }
        }
    }
}

#[test]
fn every_flipped_bit_of_a_checked_vector_is_noticed_and_none_panics() {
    for (name, codec, frame) in vectors() {
        let bytes = read(name);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let result = decode(codec, &bad);
            assert_ne!(result, Ok(Some(frame.clone())), "{name}, bit {bit}");
            if !codec.reliable_ordered {
                assert!(matches!(result, Ok(None) | Err(_)), "{name}, bit {bit}: {result:?}");
            }
        }
    }
}

#[test]
fn vectors_come_out_whole_when_their_bytes_come_one_at_a_time() {
    for codec in [RELIABLE, LOSSY, HANDSHAKE] {
        let of_codec: Vec<_> = vectors().into_iter().filter(|(_, of, _)| *of == codec).collect();
        let stream: Vec<u8> = of_codec.iter().flat_map(|(name, ..)| read(name)).collect();
        let (mut input, mut frames) = (BytesMut::new(), Vec::new());
        for byte in stream {
            input.extend_from_slice(&[byte]);
            frames.extend(codec.decode::<Bytes>(&mut input).expect("it is a stream of frames"));
        }
        let expected: Vec<_> = of_codec.into_iter().map(|(.., frame)| frame).collect();
        assert_eq!(frames, expected);
    }
}
