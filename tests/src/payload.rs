//! Any bytes as messages of generated code.

use std::fmt::Debug;

use rpcgen_generated::{
    all_types, broadcasts, collections, defaults, enums, every_action, fixed, limits, recursion, sensitive, structs,
};
use rpcgen_runtime::generated::{Decode, Encode, Reader, Writer};

/// What decodes encodes, and decodes to a value that encodes to the same bytes. (Values cannot be compared: not-a-number is not
/// equal to itself.)
fn comes_back<T: Encode + Decode + Debug>(data: &[u8]) {
    let Ok(value) = T::decode(&mut Reader::new(data)) else { return };
    let bytes = encoded(&value);
    let again = T::decode(&mut Reader::new(&bytes));
    let again = again.unwrap_or_else(|error| panic!("{value:?} does not come back: {error}"));
    assert_eq!(encoded(&again), bytes, "{value:?}");
}

fn encoded<T: Encode + Debug>(value: &T) -> Vec<u8> {
    let mut out = Writer::new();
    value.encode(&mut out);
    out.finish().unwrap_or_else(|error| panic!("{value:?} was decoded and cannot be encoded: {error}"))
}

/// What a target's first byte chooses among.
const KINDS: [fn(&[u8]); 28] = [
    comes_back::<all_types::Scalars>,
    comes_back::<all_types::Compounds>,
    comes_back::<all_types::Defaults>,
    comes_back::<all_types::Tree>,
    comes_back::<all_types::Shape>,
    comes_back::<all_types::Secrets>,
    comes_back::<all_types::Words>,
    comes_back::<all_types::ShapesError>,
    comes_back::<all_types::CompoundsResponse>,
    comes_back::<all_types::actions::Compounds>,
    comes_back::<all_types::actions::Shapes>,
    comes_back::<all_types::Painted>,
    comes_back::<broadcasts::Moved>,
    comes_back::<collections::Collections>,
    comes_back::<defaults::Chosen>,
    comes_back::<defaults::Mixed>,
    comes_back::<enums::Shape>,
    comes_back::<every_action::actions::Count>,
    comes_back::<every_action::StopError>,
    comes_back::<fixed::Label>,
    comes_back::<limits::Limits>,
    comes_back::<limits::Choice>,
    comes_back::<recursion::Node>,
    comes_back::<recursion::Company>,
    comes_back::<recursion::Expression>,
    comes_back::<recursion::Chain>,
    comes_back::<sensitive::Payment>,
    comes_back::<structs::Outer>,
];

/// The first byte chooses the type, the rest are its bytes.
///
/// # Panics
/// A value that was decoded cannot be encoded, or comes back as another.
pub fn fuzz_payload_decode(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    KINDS[usize::from(*kind) % KINDS.len()](bytes);
}
