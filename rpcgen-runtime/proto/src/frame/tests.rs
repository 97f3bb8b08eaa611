//! The codec against generated frames and against everything that a link or a peer may do to bytes.

extern crate std;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

use core::time::Duration;

use super::fuzzing::{fuzz_frame_decode, fuzz_frame_roundtrip};
use super::*;
use crate::bits::Bits;
use crate::rng::SplitMix64;

const RELIABLE: FrameCodec = FrameCodec { reliable_ordered: true, frame_bytes_max: 1 << 20 };
const LOSSY: FrameCodec = FrameCodec { reliable_ordered: false, frame_bytes_max: 1 << 20 };

/// Frames of every kind, with numbers of every length.
struct Generator(SplitMix64);

impl Generator {
    fn coin(&mut self) -> bool {
        self.0.chance(0.5)
    }

    fn u64(&mut self) -> u64 {
        let bits = self.0.below(65);
        self.0.next_u64().checked_shr(bits).unwrap_or(0)
    }

    fn u32(&mut self) -> u32 {
        u32::try_from(self.u64() & 0xffff_ffff).unwrap()
    }

    fn u16(&mut self) -> u16 {
        u16::try_from(self.u64() & 0xffff).unwrap()
    }

    fn payload(&mut self) -> Bytes {
        let length = if self.0.chance(0.05) { 70_000 } else { 300 };
        let length = self.0.below(length);
        (0..length).map(|_| self.0.next_u64().to_le_bytes()[0]).collect()
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.0.below(u32::try_from(all.len()).unwrap()) as usize]
    }

    fn option<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.coin().then(|| make(self))
    }

    fn list<T>(&mut self, count_max: u32, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let count = if self.coin() { 0 } else { self.0.below(count_max + 1) };
        (0..count).map(|_| make(self)).collect()
    }

    fn bits(&mut self) -> BitArray {
        let base = self.u32();
        let count = 1 + self.0.below(limits::BITS_MAX);
        let count = if self.coin() { 1 + count % 20 } else { count };
        if self.coin() {
            let bits = Bits::Ones(count);
            return BitArray { base, bits };
        }
        let mut bytes: Vec<u8> = (0..count.div_ceil(8)).map(|_| self.0.next_u64().to_le_bytes()[0]).collect();
        if !count.is_multiple_of(8) {
            *bytes.last_mut().unwrap() &= 0xff >> (8 - count % 8);
        }
        let bits = Bits::Mixed { count, bytes: bytes.into() };
        BitArray { base, bits }
    }

    fn range(&mut self) -> RangeAgree {
        RangeAgree {
            lane: self.one_of(&[LaneKind::Up, LaneKind::Down]),
            cycle: self.u32(),
            from: Position(self.u64()),
            start: MessageId(self.u32()),
            size: self.u32(),
            crc: self.u32(),
        }
    }

    fn riders(&mut self) -> Riders {
        if self.coin() {
            return Riders::default();
        }
        Riders {
            quarter: self.option(|g| QuarterAgree { cycle: g.u32(), quarter: g.one_of(&[0, 1, 2, 3]), crc: g.u32() }),
            range: self.option(Self::range),
            range_accepted: self.option(|g| RangeAccepted { cycle: g.u32(), crc: g.u32() }),
            blocked: self.coin(),
            where_is: self.list(64, |g| MissingRange { first: Position(g.u64()), count: g.u32() }),
            still_pending: self.list(1_024, |g| (Slot(g.u32()), g.u16())),
            heartbeat: self.option(Self::coin),
        }
    }

    fn body(&mut self) -> Body<Bytes> {
        let (slot, check) = (Slot(self.u32()), self.u16());
        let number = BroadcastNumber(self.u64());
        match self.0.below(10) {
            0 => Body::Action {
                slot,
                number: self.option(|g| CallNumber(g.u64())),
                method: MethodId(self.u32()),
                maybe_sent: self.coin(),
                payload: self.payload(),
            },
            1 => Body::Cancel { slot, check },
            2 => Body::Response { slot, check, payload: self.payload() },
            3 => Body::Failure { slot, check, payload: self.payload() },
            4 => Body::Refusal {
                slot,
                check,
                reason: self.one_of(&[
                    Refusal::Cancelled,
                    Refusal::HandlerPanicked,
                    Refusal::HandlerDropped,
                    Refusal::UnknownAction,
                    Refusal::UnknownApp,
                    Refusal::NoSpace,
                    Refusal::Undecodable,
                    Refusal::Overloaded,
                    Refusal::Unknown,
                    Refusal::CallKeyReused,
                    Refusal::AnswerTooLarge,
                    Refusal::RequestTooLarge,
                ]),
            },
            5 => Body::CancelResult {
                slot,
                check,
                outcome: self.one_of(&[
                    CancelOutcome::Cancelled,
                    CancelOutcome::Executing,
                    CancelOutcome::Answered,
                    CancelOutcome::MaybeExecuted,
                ]),
            },
            6 => {
                Body::Offer { number, method: MethodId(self.u32()), redelivered: self.coin(), payload: self.payload() }
            }
            7 => Body::Go { number },
            8 => Body::Revoke { number },
            _ => Body::Goodbye,
        }
    }

    fn hello(&mut self) -> Hello {
        Hello {
            version: PROTOCOL_VERSION,
            service: String::from("bank.Bank"),
            fingerprint: self.u64(),
            client: ClientId(u128::from(self.u64()) << 64 | u128::from(self.u64())),
            incarnation: Incarnation(self.u64()),
            life: self.one_of(&[Life(0), Life(1), Life(300)]),
            link: LinkNumber(self.u64()),
            reliable_ordered: self.coin(),
            nonce: self.u64(),
            resume: self.option(|g| Resume {
                session: SessionId(g.u64()),
                epoch: Epoch(g.u64()),
                proof: [g.u64().to_le_bytes()[0]; 32],
                down_expected: Position(g.u64()),
                sent_below: CallNumber(g.u64()),
            }),
            retired_below: CallNumber(self.u64()),
            broadcasts: self.list(300, |g| MethodId(g.u32())),
        }
    }

    fn welcome(&mut self) -> Welcome {
        Welcome {
            epoch: Epoch(self.u64()),
            session: SessionId(self.u64()),
            reliable_ordered: self.coin(),
            begin: if self.coin() {
                Begin::Resumed { up_expected: Position(self.u64()) }
            } else {
                Begin::Fresh {
                    reason: self.one_of(&[
                        FreshReason::Asked,
                        FreshReason::NewEpoch,
                        FreshReason::Expired,
                        FreshReason::Restarted,
                    ]),
                    nonce: self.u64(),
                    secret: [self.u64().to_le_bytes()[0]; 32],
                    up: self.range(),
                    down: self.range(),
                }
            },
            slots: self.u32(),
            frame_bytes_max: self.u32(),
        }
    }

    fn reject(&mut self) -> Reject {
        let reason = self.one_of(&[
            RejectReason::Version,
            RejectReason::UnknownService,
            RejectReason::SchemaMismatch,
            RejectReason::BadProof,
            RejectReason::Superseded,
            RejectReason::ResumeGone,
            RejectReason::Overloaded,
            RejectReason::ShuttingDown,
            RejectReason::Malformed,
            RejectReason::TooManyErrors,
            RejectReason::OlderCopy,
            RejectReason::ServerRestored,
        ]);
        let message = String::from("no such service");
        let schema = self.option(|g| {
            Box::new(ServerSchema { fingerprint: g.u64(), shape: "a.A\naction b()\n".repeat(g.0.below(99) as usize) })
        });
        Reject { reason, message, pause: Duration::from_millis(u64::from(self.0.below(100_000))), schema }
    }

    fn frame(&mut self) -> LinkFrame<Bytes> {
        match self.0.below(12) {
            0 => LinkFrame::Hello(Box::new(self.hello())),
            1 => LinkFrame::Welcome(Box::new(self.welcome())),
            2 => LinkFrame::Reject(self.reject()),
            3 => LinkFrame::Close(Close { message: String::from("up lane: gap") }),
            4 => self.session_frame(false),
            _ => self.session_frame(true),
        }
    }

    fn session_frame(&mut self, has_message: bool) -> LinkFrame<Bytes> {
        LinkFrame::Frame(Frame {
            bits: self.option(Self::bits),
            riders: Some(Box::new(self.riders())).filter(|riders| !riders.is_empty()),
            message: has_message.then(|| Sequenced { id: WireId::Full(MessageId(self.u32())), body: self.body() }),
        })
    }
}

fn frames(seed: u64, count: usize) -> Vec<LinkFrame<Bytes>> {
    let mut generator = Generator(SplitMix64::new(seed));
    (0..count).map(|_| generator.frame()).collect()
}

fn encoded(codec: FrameCodec, frame: &LinkFrame<Bytes>) -> Vec<u8> {
    let mut out = Vec::new();
    codec.encode(frame, &mut out);
    out
}

fn decoded(codec: FrameCodec, bytes: &[u8]) -> Result<Option<LinkFrame<Bytes>>, DecodeError> {
    codec.decode(&mut BytesMut::from(bytes))
}

/// What the receiver knows of a frame: on reliable links the low byte of the ID and the low 16 bits of the base.
fn as_received(codec: FrameCodec, frame: &LinkFrame<Bytes>) -> LinkFrame<Bytes> {
    let mut frame = frame.clone();
    if let LinkFrame::Frame(frame) = &mut frame
        && codec.reliable_ordered
    {
        if let Some(bits) = &mut frame.bits {
            bits.base &= 0xffff;
        }
        if let Some(message) = &mut frame.message
            && let WireId::Full(id) = message.id
        {
            message.id = WireId::Short(id.0.to_le_bytes()[0]);
        }
    }
    frame
}

#[test]
fn every_frame_survives_its_way_over_the_wire() {
    for frame in frames(1, 4_000) {
        for codec in [RELIABLE, LOSSY] {
            let mut input = BytesMut::from(encoded(codec, &frame).as_slice());
            let received = codec.decode::<Bytes>(&mut input).unwrap().unwrap();
            assert_eq!(received, as_received(codec, &frame));
            assert!(input.is_empty(), "nothing is left");
        }
    }
}

#[test]
fn handshake_survives_its_way_in_the_form_that_begins_every_link() {
    let mut generator = Generator(SplitMix64::new(9));
    for _ in 0..300 {
        for frame in [
            LinkFrame::Hello(Box::new(generator.hello())),
            LinkFrame::Welcome(Box::new(generator.welcome())),
            LinkFrame::Reject(generator.reject()),
        ] {
            let bytes = encoded(FrameCodec::handshake(), &frame);
            assert_eq!(bytes, encoded(RELIABLE, &frame), "one form for all links");
            assert_eq!(decoded(FrameCodec::handshake(), &bytes), Ok(Some(frame)));
        }
    }
}

#[test]
fn frames_come_out_whole_when_their_bytes_come_one_at_a_time() {
    for codec in [RELIABLE, LOSSY] {
        let mut input = BytesMut::new();
        for frame in frames(2, 60) {
            let bytes = encoded(codec, &frame);
            let (last, most) = bytes.split_last().unwrap();
            for byte in most {
                input.extend_from_slice(&[*byte]);
                assert_eq!(codec.decode::<Bytes>(&mut input), Ok(None));
            }
            input.extend_from_slice(&[*last]);
            assert_eq!(codec.decode(&mut input), Ok(Some(as_received(codec, &frame))));
        }
    }
}

#[test]
fn a_thousand_frames_at_once_come_out_one_by_one() {
    for codec in [RELIABLE, LOSSY] {
        let sent = frames(3, 1_000);
        let mut bytes = Vec::new();
        for frame in &sent {
            codec.encode(frame, &mut bytes);
        }
        let mut input = BytesMut::from(bytes.as_slice());
        for frame in &sent {
            assert_eq!(codec.decode(&mut input), Ok(Some(as_received(codec, frame))));
        }
        assert_eq!(codec.decode::<Bytes>(&mut input), Ok(None));
    }
}

#[test]
fn every_flipped_bit_after_the_length_of_a_checked_frame_is_noticed() {
    for frame in frames(4, 60) {
        let bytes = encoded(LOSSY, &frame);
        let prefix = varint_bytes(&bytes);
        for bit in (prefix * 8)..(bytes.len() * 8).min(20_000) {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            let mut input = BytesMut::from(bad.as_slice());
            let result = LOSSY.decode::<Bytes>(&mut input);
            assert!(matches!(result, Err(DecodeError::Corrupt { .. })), "{result:?}");
            assert!(input.is_empty(), "the next frame begins");
        }
    }
}

fn varint_bytes(bytes: &[u8]) -> usize {
    match bytes[0] {
        251 => 3,
        252 => 5,
        253 => 9,
        _ => 1,
    }
}

#[test]
fn no_flipped_bit_and_no_cut_makes_the_decoder_panic() {
    for frame in frames(5, 120) {
        for codec in [RELIABLE, LOSSY] {
            let bytes = encoded(codec, &frame);
            for bit in 0..(bytes.len() * 8).min(4_000) {
                let mut bad = bytes.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                let _ = decoded(codec, &bad);
            }
            for end in 0..bytes.len().min(600) {
                assert_eq!(decoded(codec, &bytes[..end]), Ok(None), "not complete yet");
            }
        }
    }
}

#[test]
fn frames_that_end_too_early_are_named_errors() {
    // The length is right and the fields are not all there.
    for frame in frames(6, 300) {
        let bytes = encoded(RELIABLE, &frame);
        let prefix = varint_bytes(&bytes);
        for end in 1..(bytes.len() - prefix).min(200) {
            let mut cut = Vec::new();
            crate::varint::write_u64(&mut cut, end as u64);
            cut.extend_from_slice(&bytes[prefix..prefix + end]);
            match decoded(RELIABLE, &cut) {
                Err(error) => assert_ne!(std::format!("{error}"), ""),
                Ok(other) => assert!(other.is_some(), "a shorter payload, or fields that may be absent"),
            }
        }
    }
}

#[test]
fn random_bytes_are_frames_or_named_errors() {
    let mut random = SplitMix64::new(7);
    for _ in 0..20_000 {
        let count = random.below(60);
        let mut bytes: Vec<u8> = (0..count).map(|_| random.next_u64().to_le_bytes()[0]).collect();
        if let Some(first) = bytes.first_mut() {
            *first %= 61; // A length that may be there.
        }
        fuzz_frame_decode(&bytes);
        fuzz_frame_roundtrip(&bytes);
    }
}

#[test]
fn usual_action_costs_five_bytes_beyond_its_payload_and_usual_response_six() {
    let payload = Bytes::from(vec![7; 100]);
    let sized = |body| {
        let message = Some(Sequenced { id: WireId::Full(MessageId(70_000)), body });
        encoded(RELIABLE, &LinkFrame::Frame(Frame { bits: None, riders: None, message })).len()
    };
    let action = Body::Action {
        slot: Slot(250),
        number: None,
        method: MethodId(250),
        maybe_sent: false,
        payload: payload.clone(),
    };
    assert_eq!(sized(action), 100 + 5);
    let response = Body::Response { slot: Slot(250), check: 0xffff, payload };
    assert_eq!(sized(response), 100 + 6);
}

#[test]
fn a_hundred_guarantees_cost_three_bytes() {
    let control = |bits| encoded(RELIABLE, &LinkFrame::Frame(Frame { bits, riders: None, message: None })).len();
    let bits = BitArray { base: 5, bits: Bits::Ones(100) };
    assert_eq!(control(Some(bits)) - control(None), 3);
}

#[test]
fn length_beyond_the_limit_is_refused_before_its_bytes_are_there() {
    let mut announced = Vec::new();
    crate::varint::write_u64(&mut announced, LOSSY.length_max() + 1);
    let limit = LOSSY.length_max();
    assert_eq!(decoded(LOSSY, &announced), Err(DecodeError::TooLong { length: limit + 1, limit }));
    let mut announced = Vec::new();
    crate::varint::write_u64(&mut announced, 4_097);
    assert_eq!(decoded(FrameCodec::handshake(), &announced), Err(DecodeError::TooLong { length: 4_097, limit: 4_096 }));
    announced.push(0x0f);
    assert_eq!(
        decoded(RELIABLE, &announced),
        Err(DecodeError::TooLong { length: 4_097, limit: 4_096 }),
        "last words are as short as the first"
    );
}

#[test]
fn largest_payload_with_everything_that_may_ride_on_it_fits() {
    let codec = FrameCodec { reliable_ordered: false, frame_bytes_max: 8_192 };
    let range = Generator(SplitMix64::new(1)).range();
    let riders = Riders {
        quarter: Some(QuarterAgree { cycle: u32::MAX, quarter: 3, crc: 1 }),
        range: Some(RangeAgree { cycle: u32::MAX, from: Position(u64::MAX), size: u32::MAX, ..range }),
        range_accepted: Some(RangeAccepted { cycle: u32::MAX, crc: 1 }),
        blocked: true,
        where_is: vec![MissingRange { first: Position(u64::MAX), count: u32::MAX }; limits::MISSING_RANGES_MAX],
        still_pending: vec![(Slot(u32::MAX), 1); 3 * limits::STILL_PENDING_MAX],
        heartbeat: Some(true),
    };
    let count = limits::BITS_MAX;
    let bytes = vec![0xff; count as usize / 8];
    let frame = LinkFrame::Frame(Frame {
        bits: Some(BitArray { base: 1, bits: Bits::Mixed { count, bytes: bytes.into() } }),
        riders: Some(Box::new(riders)),
        message: Some(Sequenced {
            id: WireId::Full(MessageId(1)),
            body: Body::Action {
                slot: Slot(u32::MAX),
                number: Some(CallNumber(u64::MAX)),
                method: MethodId(u32::MAX),
                maybe_sent: true,
                payload: Bytes::from(vec![1; 8_192]),
            },
        }),
    });
    let Ok(Some(LinkFrame::Frame(received))) = decoded(codec, &encoded(codec, &frame)) else {
        panic!("it is a frame");
    };
    assert_eq!(received.riders.unwrap().still_pending.len(), limits::STILL_PENDING_MAX);
}

#[test]
fn empty_frames_unknown_heads_and_trailing_bytes_are_named() {
    assert_eq!(decoded(RELIABLE, &[0]), Err(DecodeError::Empty));
    assert_eq!(
        decoded(RELIABLE, &[255]),
        Err(DecodeError::Length(crate::varint::VarintError::TooWide { marker: 255, bits: 64 }))
    );
    assert_eq!(decoded(RELIABLE, &[2, 0x8b, 1]), Err(DecodeError::NoSuch { field: "head", value: 0x8b }));
    assert_eq!(decoded(RELIABLE, &[3, 0x0b, 1, 9]), Err(DecodeError::Trailing { count: 1 }));
    assert_eq!(decoded(RELIABLE, &[2, 0x20, 0]), Err(DecodeError::NoSuch { field: "set of riders", value: 0 }));
}

#[test]
fn hello_of_a_later_version_is_read_as_far_as_it_is_known() {
    let mut generator = Generator(SplitMix64::new(3));
    let hello = Hello { version: 7, ..generator.hello() };
    let mut bytes = encoded(FrameCodec::handshake(), &LinkFrame::Hello(Box::new(hello.clone())));
    let prefix = varint_bytes(&bytes);
    bytes.truncate(bytes.len() - 4);
    bytes.extend_from_slice(b"what later versions say");
    let crc = crc32fast::hash(&bytes[prefix..]).to_le_bytes();
    bytes.extend_from_slice(&crc);
    let mut again = Vec::new();
    crate::varint::write_u64(&mut again, (bytes.len() - prefix) as u64);
    again.extend_from_slice(&bytes[prefix..]);
    assert_eq!(decoded(FrameCodec::handshake(), &again), Ok(Some(LinkFrame::Hello(Box::new(hello)))));
}

#[test]
fn long_last_words_are_cut_at_a_character() {
    let message = "ü".repeat(3_000);
    let frame = LinkFrame::Close(Close { message });
    let Ok(Some(LinkFrame::Close(close))) = decoded(RELIABLE, &encoded(RELIABLE, &frame)) else {
        panic!("it is a close");
    };
    assert_eq!(close.message, "ü".repeat(512));
}
