//! What generated code does: its bytes, its defaults, its limits, what it prints.
//!
//! Knows: some of the constructs. Does not know: the codec's own borders; `rpcgen-proto` tests those against bincode.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use rpcgen_generated::{
    broadcasts, collections, defaults, enums, every_action, fixed, limits, recursion, sensitive, structs,
};
use rpcgen_runtime::generated::{
    Action, AppId, Broadcast, Decode, Encode, OriginKeys, Reader, Timestamp, Uuid, Writer,
};

fn written(value: &impl Encode) -> Result<Vec<u8>, String> {
    let mut out = Writer::new();
    value.encode(&mut out);
    out.finish().map_err(|error| error.to_string())
}

fn bytes(value: &impl Encode) -> Vec<u8> {
    written(value).expect("the value is within its limits")
}

fn read<T: Decode>(bytes: &[u8]) -> Result<T, String> {
    T::decode(&mut Reader::new(bytes)).map_err(|error| error.to_string())
}

#[track_caller]
fn comes_back<T: Encode + Decode + PartialEq + Debug>(value: &T) {
    assert_eq!(read::<T>(&bytes(value)).as_ref(), Ok(value));
}

fn scalars() -> structs::Scalars {
    structs::Scalars {
        flag: true,
        a: 255,
        b: 251,
        c: 65_536,
        d: u64::MAX,
        e: u128::MAX,
        f: -128,
        g: -300,
        h: i32::MIN,
        i: i64::MIN,
        j: i128::MIN,
        k: -0.5,
        l: f64::MAX,
        text: "grüße".to_owned(),
        raw: vec![0, 1, 255],
        id: Uuid::from_u128(7),
        at: Timestamp::new(-1, 999_999_999).expect("it is a time"),
        lasts: Duration::from_millis(1_500),
        app: AppId(9),
    }
}

#[test]
fn every_kind_of_value_comes_back() {
    comes_back(&structs::Outer {
        inner: structs::Inner { scalars: scalars() },
        more: vec![structs::Inner { scalars: scalars() }],
    });
    comes_back(&structs::Nothing {});
    comes_back(&enums::Shape::Polygon {
        corners: vec![enums::Corner { x: -1, y: 1 }],
        colour: Some(enums::Colour::Green),
    });
    comes_back(&enums::Shape::Nothing);
    comes_back(&collections::Collections {
        list: vec![1, 300],
        optional: None,
        array: [1, 2, 3],
        map: BTreeMap::from([("a".to_owned(), 1)]),
        nested: BTreeMap::from([(7, vec![[None, Some("x".to_owned())]])]),
        names: vec!["n".to_owned()],
        keyed: BTreeMap::from([(collections::Key::High, vec![])]),
    });
    comes_back(&fixed::Label { text: "here".to_owned(), at: fixed::Point { x: 1.0, y: -1.0 } });
}

#[test]
fn struct_has_its_length_before_it_and_a_fixed_one_has_none() {
    assert_eq!(bytes(&enums::Corner { x: -1, y: 1 }), [2, 1, 2]);
    assert_eq!(bytes(&fixed::Cell { row: 1, column: 2, kind: fixed::Kind::Floor }), [1, 2, 1]);
    assert_eq!(bytes(&enums::Shape::Nothing), [2]);
    assert_eq!(bytes(&enums::Shape::Circle { radius: 0.0 }), [0, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn older_peer_sends_fewer_fields_and_a_newer_one_more() {
    assert_eq!(read(&[1, 9]), Ok(defaults::Mixed { id: 9, count: 1 }));
    assert_eq!(read(&[5, 9, 2, 7, 7, 7]), Ok(defaults::Mixed { id: 9, count: 2 }));
    assert_eq!(
        read::<defaults::Mixed>(&[0]),
        Err("Mixed.id: the field is absent, and it is neither optional nor has a default".to_owned())
    );
    assert_eq!(read(&[0]), Ok(defaults::Chosen::default()));
    assert_eq!(read(&[0]), Ok(defaults::Natural::default()));
}

#[test]
fn defaults_are_those_of_the_declaration() {
    let chosen = defaults::Chosen::default();
    assert_eq!((chosen.flag, chosen.count, chosen.ratio, chosen.half), (true, -5, -1.5, 0.5));
    assert_eq!((chosen.text.as_str(), chosen.raw.as_slice()), ("two\nlines", [0, 255].as_slice()));
    assert_eq!(
        (chosen.wait, chosen.level, chosen.app),
        (Duration::from_millis(1_500), defaults::Level::High, AppId(7))
    );
}

#[test]
fn maximum_is_kept_by_both_ends() {
    let too_long = "x".repeat(41);
    assert_eq!(
        written(&limits::Choice::Named { out: too_long.clone(), f: String::new() }),
        Err("out: 41 bytes, at most 40 are allowed".to_owned())
    );
    let mut foreign = vec![0, 43, 41];
    foreign.extend(too_long.bytes());
    foreign.push(0);
    assert_eq!(read::<limits::Choice>(&foreign), Err("Choice::Named.out: 41 bytes, at most 40 are allowed".to_owned()));
}

#[test]
fn unknown_variant_is_an_error_of_its_message_alone() {
    assert_eq!(read::<enums::Colour>(&[3]), Err("Colour: variant 3 is not known here".to_owned()));
}

#[test]
fn recursion_ends_at_the_depth_that_both_ends_know() {
    let chain = |links: usize| {
        let end = recursion::Node { value: 0, next: None, children: vec![] };
        (1..links).fold(end, |node, value| recursion::Node {
            value: value as u64,
            next: Some(Box::new(node)),
            children: vec![],
        })
    };
    comes_back(&chain(32));
    assert_eq!(written(&chain(33)), Err("nested deeper than 32".to_owned()));
}

#[test]
fn sensitive_fields_are_never_printed() {
    let secret = "hunter2".to_owned();
    let login = sensitive::Login { user: "me".to_owned(), password: secret.clone(), f: 1 };
    assert_eq!(format!("{login:?}"), "Login { user: \"me\", password: <redacted>, f: 1 }");
    let card = sensitive::Payment::Card { number: secret.clone(), holder: "me".to_owned(), f: 1 };
    assert_eq!(format!("{card:?}"), "Card { number: <redacted>, holder: \"me\", f: 1 }");
    let request = sensitive::actions::Unlock { app_id: AppId(1), pin: secret.clone() };
    assert_eq!(format!("{request:?}"), "Unlock { app_id: AppId(1), pin: <redacted> }");
    let error = sensitive::UnlockError::WrongPin { tried: secret, left: 2 };
    assert_eq!(error.to_string(), "wrong pin (tried: <redacted>, left: 2)");
}

#[test]
fn message_body_is_its_fields_without_a_length() {
    let request = every_action::actions::Count { app_id: AppId(7), of: "ab".to_owned() };
    assert_eq!(bytes(&request), [7, 2, b'a', b'b']);
    assert_eq!(bytes(&every_action::MeasureResponse { width: 1, height: 2, note: None }), [1, 2, 0]);
}

#[test]
fn reason_of_a_failure_speaks() {
    let error = every_action::StopError::NotRunning { since: None };
    assert_eq!(error.to_string(), "not running (since: None)");
    comes_back(&error);
}

#[test]
fn broadcast_finds_the_action_that_has_the_same_keys() {
    let request = broadcasts::actions::Watch { app_id: AppId(7), symbol: "BTC".to_owned(), depth: 3 };
    let response =
        broadcasts::actions::Watch::into_result(broadcasts::WatchResponse { watch_id: 1, key: "k".to_owned() });
    let mut keys = OriginKeys::default();
    let response = response.expect("this action cannot fail");
    broadcasts::actions::Watch::origin_keys(&request.capture(), &response, &mut keys);
    let app_id = AppId(7);
    let traded = broadcasts::Traded { app_id, symbol: "BTC".to_owned(), price: 1.0 };
    let moved = broadcasts::Moved { app_id, depth: 3, key: "k".to_owned(), symbol: "BTC".to_owned() };
    let closing = broadcasts::Closing { app_id };
    let mut expected = OriginKeys::default();
    for (broadcast, key) in [(0, traded.origin_key()), (2, moved.origin_key()), (3, closing.origin_key())] {
        let key = key.expect("it goes to an origin");
        expected.add(broadcast, |out| key.iter().for_each(|byte| byte.encode(out)));
    }
    assert_eq!(format!("{keys:?}"), format!("{expected:?}"));
    assert_eq!(broadcasts::Closed { app_id }.origin_key(), None);
    let other_app = broadcasts::Closing { app_id: AppId(8) };
    assert_ne!(other_app.origin_key(), closing.origin_key());
}
