//! The layout against bincode's, the length rule, and every limit.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt::Debug;
use core::time::Duration;

use uuid::Uuid;

use super::*;
use crate::ids::AppId;

/// The same bytes as bincode, and back.
fn agrees<T>(value: T)
where
    T: Encode + Decode + PartialEq + Debug + bincode::Encode,
{
    let bytes = to_vec(&value).expect("within the limits");
    let reference = bincode::encode_to_vec(&value, bincode::config::standard()).expect("bincode encodes it");
    assert_eq!(bytes, reference, "{value:?}");
    let mut input = Reader::new(&bytes);
    assert_eq!(T::decode(&mut input).as_ref(), Ok(&value));
    assert!(input.is_at_end());
    // Every cut is an error, never a panic.
    for cut in 0..bytes.len() {
        assert!(from_slice::<T>(&bytes[..cut]).is_err(), "{value:?} cut at {cut}");
    }
}

fn problem<T: Decode + Debug>(bytes: &[u8]) -> DecodeProblem {
    from_slice::<T>(bytes).expect_err("a problem is expected").problem
}

#[test]
fn unsigned_integers_are_laid_out_as_by_bincode_at_every_border() {
    let borders: [u128; 14] = [
        0,
        1,
        250,
        251,
        252,
        255,
        256,
        0xffff,
        0x1_0000,
        0xffff_ffff,
        0x1_0000_0000,
        u64::MAX as u128,
        u64::MAX as u128 + 1,
        u128::MAX,
    ];
    for value in borders {
        agrees(value);
        let _ = u64::try_from(value).map(agrees);
        let _ = u32::try_from(value).map(agrees);
        let _ = u16::try_from(value).map(agrees);
        let _ = u8::try_from(value).map(agrees);
    }
}

#[test]
fn signed_integers_are_laid_out_as_by_bincode_at_every_border() {
    let mut borders: Vec<i128> = vec![0, 1, -1, 124, 125, 126, -125, -126, i128::MIN, i128::MAX];
    for bits in [7, 8, 15, 16, 31, 32, 63, 64] {
        borders.extend([(1 << bits) - 1, 1 << bits, -(1 << bits), -(1 << bits) - 1]);
    }
    for value in borders {
        agrees(value);
        let _ = i64::try_from(value).map(agrees);
        let _ = i32::try_from(value).map(agrees);
        let _ = i16::try_from(value).map(agrees);
        let _ = i8::try_from(value).map(agrees);
    }
}

#[test]
fn other_scalars_are_laid_out_as_by_bincode() {
    agrees(false);
    agrees(true);
    agrees(-0.0_f32);
    agrees(f64::MIN_POSITIVE);
    agrees(Duration::new(u64::MAX, 999_999_999));
}

#[test]
fn collections_are_laid_out_as_by_bincode() {
    agrees(String::new());
    agrees("grüße".to_string());
    for length in [0_usize, 1, 250, 251, 65_535, 65_536] {
        agrees(vec![7_u8; length]);
    }
    agrees(vec![300_u64, 1, 0]);
    agrees([1_u8, 2, 3]);
    agrees([1_u32, 2_000, 3]);
    agrees(Some(5_u16));
    agrees(None::<String>);
    agrees(vec![Some(vec!["a".to_string()]), None]);
    agrees(Box::new(7_u64));
    agrees((1_u8, 300_u32, "x".to_string()));
    agrees(BTreeMap::from([("b".to_string(), 2_u64), ("a".to_string(), 1)]));
}

#[test]
fn uuid_is_its_sixteen_bytes() {
    let uuid = Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10);
    let bytes = to_vec(&uuid).expect("within the limits");
    assert_eq!(bytes, (1..=16).collect::<Vec<u8>>());
    assert_eq!(from_slice(&bytes), Ok(uuid));
}

#[test]
fn app_id_is_its_number() {
    assert_eq!(to_vec(&AppId(300)), Ok(vec![251, 44, 1]));
    assert_eq!(from_slice(&[251, 44, 1]), Ok(AppId(300)));
}

#[test]
fn timestamp_is_signed_seconds_and_nanoseconds() {
    let moment = Timestamp::new(-1, 5).expect("five nanoseconds are a time");
    assert_eq!(to_vec(&moment), Ok(vec![1, 5]));
    assert_eq!(from_slice(&[1, 5]), Ok(moment));
    let late = [&[0_u8][..], &[252], &1_000_000_000_u32.to_le_bytes()].concat();
    assert_eq!(problem::<Timestamp>(&late), DecodeProblem::BadTime { nanoseconds: 1_000_000_000 });
}

#[test]
fn duration_that_overflows_is_refused() {
    let mut bytes = vec![253];
    bytes.extend(u64::MAX.to_le_bytes());
    bytes.push(252);
    bytes.extend(1_000_000_000_u32.to_le_bytes());
    assert_eq!(problem::<Duration>(&bytes), DecodeProblem::BadTime { nanoseconds: 1_000_000_000 });
}

#[test]
fn nothing_is_a_value_of_infallible() {
    assert_eq!(problem::<Infallible>(&[0, 0]), DecodeProblem::Uninhabited);
}

#[test]
fn wrong_tags_are_named() {
    assert_eq!(problem::<bool>(&[2]), DecodeProblem::BadTag { what: "a bool", value: 2 });
    assert_eq!(problem::<Option<u8>>(&[9, 0]), DecodeProblem::BadTag { what: "an optional", value: 9 });
    assert_eq!(problem::<String>(&[2, b'a', 0xff]), DecodeProblem::BadUtf8 { valid_up_to: 1 });
}

#[test]
fn length_beyond_the_input_is_refused_before_memory_is_taken() {
    let huge = [&[253_u8][..], &u64::MAX.to_le_bytes()].concat();
    assert_eq!(problem::<Vec<u8>>(&huge), DecodeProblem::CountExceedsInput { count: u64::MAX, remaining: 0 });
    assert_eq!(problem::<String>(&huge), DecodeProblem::UnexpectedEnd { needed: u64::MAX, remaining: 0 });
    assert_eq!(problem::<Vec<[u64; 512]>>(&[200, 0]), DecodeProblem::CountExceedsInput { count: 200, remaining: 1 });
    assert_eq!(problem::<BTreeMap<u8, u8>>(&[9, 0]), DecodeProblem::CountExceedsInput { count: 9, remaining: 1 });
}

#[test]
fn maximum_is_checked_before_the_content() {
    let mut input = Reader::new(&[5]);
    let error = input.required("user", |input| input.string(4)).expect_err("five bytes are too many");
    assert_eq!(error.to_string(), "user: 5 bytes, at most 4 are allowed");
    assert_eq!(
        Reader::new(&[3]).list(2, u8::decode).expect_err("three are too many").problem,
        DecodeProblem::TooLong { what: "elements", length: 3, limit: 2 }
    );
    assert_eq!(Reader::new(&[3, 1, 2, 3]).list(3, u8::decode), Ok(vec![1, 2, 3]));
}

#[test]
fn broken_maximum_is_said_by_the_writer() {
    let mut out = Writer::new();
    out.at_most("user", "bytes", 5, 4);
    out.at_most("note", "bytes", 9, 4);
    let error = out.finish().expect_err("a limit was broken");
    assert_eq!(error, EncodeError::TooLong { field: "user", what: "bytes", length: 5, limit: 4 });
}

#[test]
fn who_only_checks_hears_of_broken_limits_and_copies_no_text() {
    let mut out = Writer::checking(Vec::new());
    "a long text".encode(&mut out);
    vec![1_u8; 100].encode(&mut out);
    out.at_most("user", "bytes", 5, 4);
    assert_eq!(out.bytes, [11, 100]);
    out.finish().expect_err("a limit was broken");
}

/// A struct that has gained a field: `b`, then `c`.
#[derive(Debug, PartialEq)]
struct Evolved {
    a: u32,
    b: Option<u8>,
    c: u64,
}

impl Encode for Evolved {
    fn encode(&self, out: &mut Writer) {
        out.sized(|out| {
            self.a.encode(out);
            self.b.encode(out);
            self.c.encode(out);
        });
    }
}

impl Decode for Evolved {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let input = &mut input.sized("Evolved")?;
        Ok(Self {
            a: input.required("a", Decode::decode)?,
            b: input.or_default("b", Decode::decode, || None)?,
            c: input.or_default("c", Decode::decode, || 7)?,
        })
    }
}

#[test]
fn absent_fields_take_their_defaults_and_unknown_ones_are_skipped() {
    assert_eq!(from_slice(&[1, 9]), Ok(Evolved { a: 9, b: None, c: 7 }));
    assert_eq!(from_slice(&[3, 9, 1, 4]), Ok(Evolved { a: 9, b: Some(4), c: 7 }));
    let mut input = Reader::new(&[5, 9, 0, 3, 1, 1, 42]);
    assert_eq!(Evolved::decode(&mut input), Ok(Evolved { a: 9, b: None, c: 3 }));
    assert_eq!(input.remaining(), [42]);
}

#[test]
fn missing_field_is_named_with_its_struct() {
    let error = from_slice::<Evolved>(&[0]).expect_err("a is absent");
    assert_eq!(error.to_string(), "Evolved.a: the field is absent, and it is neither optional nor has a default");
    let error = from_slice::<Evolved>(&[2, 251, 9]).expect_err("a is cut");
    assert_eq!(error.to_string(), "Evolved.a: 3 bytes are needed, 2 are left");
}

#[test]
fn body_cannot_read_beyond_its_length() {
    assert_eq!(problem::<Evolved>(&[2, 251, 9, 9]), DecodeProblem::UnexpectedEnd { needed: 3, remaining: 2 });
    assert_eq!(problem::<Evolved>(&[9, 1]), DecodeProblem::UnexpectedEnd { needed: 9, remaining: 1 });
}

#[test]
fn long_body_has_its_length_before_it() {
    for length in [249_usize, 250, 251, 70_000] {
        let mut out = Writer::new();
        out.sized(|out| u8::encode_all(&vec![1; length], out));
        let bytes = out.finish().expect("within the limits");
        let reference =
            bincode::encode_to_vec(vec![1_u8; length], bincode::config::standard()).expect("bincode encodes it");
        assert_eq!(bytes, reference);
    }
}

/// A list with one link per element; `@fixed`, so that a link is a single byte on the wire.
#[derive(Debug, PartialEq)]
struct Chain(Option<Box<Self>>);

impl Encode for Chain {
    fn encode(&self, out: &mut Writer) {
        out.fixed(|out| self.0.encode(out));
    }
}

impl Decode for Chain {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let outside = input.enter("Chain")?;
        let chain = Self(input.required("next", Decode::decode)?);
        input.leave(outside);
        Ok(chain)
    }
}

fn chain(links: usize) -> Chain {
    (1..links).fold(Chain(None), |chain, _| Chain(Some(Box::new(chain))))
}

#[test]
fn nesting_is_bounded_in_both_directions() {
    let deepest = usize::from(DEPTH_MAX);
    let bytes = to_vec(&chain(deepest)).expect("within the limits");
    assert_eq!(from_slice(&bytes), Ok(chain(deepest)));
    assert_eq!(to_vec(&chain(deepest + 1)), Err(EncodeError::TooDeep { limit: DEPTH_MAX }));
    assert_eq!(problem::<Chain>(&[1; 100_000]), DecodeProblem::TooDeep { limit: DEPTH_MAX });
}

#[test]
fn depth_counts_nesting_and_not_neighbours() {
    let many: Vec<Chain> = (0..100).map(|_| chain(3)).collect();
    let bytes = to_vec(&many).expect("within the limits");
    assert_eq!(from_slice(&bytes), Ok(many));
}

#[test]
fn unknown_variant_is_an_error_of_the_message() {
    let error = DecodeError::unknown_variant("Currency", 9);
    assert_eq!(error.to_string(), "Currency: variant 9 is not known here");
    assert_eq!(Reader::new(&[252, 1, 0, 1, 0]).variant(), Ok(65_537));
}

/// What a fuzzer calls: any bytes are a value or an error, and what is a value comes back the same.
fn decode_any(bytes: &[u8]) {
    type Everything = (BTreeMap<String, Vec<Option<u64>>>, (Evolved, [bool; 2]), Vec<Chain>, (Uuid, Timestamp, i128));
    if let Ok(value) = from_slice::<Everything>(bytes) {
        let again = to_vec(&value).expect("what was read is within the limits");
        assert_eq!(from_slice::<Everything>(&again), Ok(value));
    }
}

#[test]
fn any_bytes_are_a_value_or_an_error() {
    // A fixed sequence of small numbers and markers: uniform bytes would rarely get past the first length.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    for _ in 0..20_000 {
        let length = usize::from(next() % 96);
        let bytes: Vec<u8> = (0..length).map(|_| if next() < 200 { next() % 4 } else { next() }).collect();
        decode_any(&bytes);
    }
}
