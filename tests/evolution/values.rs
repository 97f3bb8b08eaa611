//! Messages by their model: random values, as bytes.
//!
//! Knows: the layout of the wire, through the codec's own writer. Does not know: generated code; that is what these bytes are for.

use std::time::Duration;

use rpcgen::model::{Field, Model, Service, Type, TypeKind, Variant};
use rpcgen_runtime::generated::{AppId, Encode as _, Timestamp, Uuid, Writer};

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// A number of any size: as often small as large.
    fn wide(&mut self) -> u64 {
        let bits = self.below(65);
        self.next().checked_shr(u32::try_from(64 - bits).unwrap()).unwrap_or(0)
    }
}

/// Every message of a service: its name, as the generated table has it, and one random value.
pub(super) fn messages(model: &Model, service: &Service, random: &mut Random) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    let owner = &service.name;
    let bytes = |write: &mut dyn FnMut(&mut Writer)| {
        let mut writer = Writer::new();
        write(&mut writer);
        writer.finish().unwrap()
    };
    for (number, action) in service.actions.iter().enumerate() {
        let request = bytes(&mut |out| fields(model, &action.request, random, 0, out));
        out.push((format!("{owner} action {number} request"), request));
        let response = bytes(&mut |out| fields(model, &action.response, random, 0, out));
        out.push((format!("{owner} action {number} response"), response));
        if !action.fails.is_empty() {
            let fails = bytes(&mut |out| variant(model, &action.fails, random, 0, out));
            out.push((format!("{owner} action {number} fails"), fails));
        }
    }
    for (number, broadcast) in service.broadcasts.iter().enumerate() {
        let body = bytes(&mut |out| fields(model, &broadcast.fields, random, 0, out));
        out.push((format!("{owner} broadcast {number}"), body));
    }
    out
}

pub(super) fn fields(model: &Model, list: &[Field], random: &mut Random, depth: u8, out: &mut Writer) {
    list.iter().for_each(|field| value(model, &field.ty, random, depth, out));
}

fn variant(model: &Model, variants: &[Variant], random: &mut Random, depth: u8, out: &mut Writer) {
    let index = random.below(variants.len() as u64);
    let variant = &variants[usize::try_from(index).unwrap()];
    out.variant(u32::try_from(index).unwrap());
    if !variant.fields.is_empty() {
        out.sized(|out| fields(model, &variant.fields, random, depth + 1, out));
    }
}

fn length(max: Option<u64>, random: &mut Random, depth: u8) -> u64 {
    let most = if depth > 3 { 0 } else { 6 };
    random.below(max.unwrap_or(most).min(most) + 1)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "any number will do")]
fn value(model: &Model, ty: &Type, random: &mut Random, depth: u8, out: &mut Writer) {
    match ty {
        Type::Bool => (random.below(2) == 1).encode(out),
        Type::U8 => (random.next() as u8).encode(out),
        Type::U16 => (random.wide() as u16).encode(out),
        Type::U32 => (random.wide() as u32).encode(out),
        Type::U64 => random.wide().encode(out),
        Type::U128 => u128::from(random.wide()).encode(out),
        Type::I8 => (random.next() as i8).encode(out),
        Type::I16 => (random.wide() as i16).encode(out),
        Type::I32 => (random.wide() as i32).encode(out),
        Type::I64 => (random.wide() as i64).encode(out),
        Type::I128 => i128::from(random.wide() as i64).encode(out),
        Type::F32 => f32::from(random.next() as i16).encode(out),
        Type::F64 => f64::from(random.next() as i32).encode(out),
        Type::Uuid => Uuid::from_u128(random.next().into()).encode(out),
        Type::AppId => AppId(random.wide()).encode(out),
        Type::Duration => Duration::from_nanos(random.next()).encode(out),
        Type::Timestamp => Timestamp::new(random.next() as i32 as i64, 5).unwrap().encode(out),
        Type::String { max } => {
            let text: String =
                (0..length(*max, random, 0)).map(|_| char::from(b'a' + random.below(26) as u8)).collect();
            text.encode(out);
        }
        Type::Bytes { max } => {
            let bytes: Vec<u8> = (0..length(*max, random, 0)).map(|_| random.next() as u8).collect();
            bytes.encode(out);
        }
        Type::Optional(content) => {
            let some = depth <= 3 && random.below(2) == 1;
            some.encode(out);
            if some {
                value(model, content, random, depth, out);
            }
        }
        Type::Array { element, length } => (0..*length).for_each(|_| value(model, element, random, depth, out)),
        Type::List { element, max } => {
            let count = length(*max, random, depth);
            count.encode(out);
            (0..count).for_each(|_| value(model, element, random, depth, out));
        }
        Type::Map { .. } => 0_u64.encode(out),
        Type::Named(id) => match &model.type_def(*id).kind {
            TypeKind::Struct { fields: list, fixed: true } => fields(model, list, random, depth + 1, out),
            TypeKind::Struct { fields: list, fixed: false } => {
                out.sized(|out| fields(model, list, random, depth + 1, out));
            }
            TypeKind::Enum { variants } => variant(model, variants, random, depth, out),
            TypeKind::Alias { target } => value(model, target, random, depth, out),
            TypeKind::External { .. } => panic!("a .rpc file has no such type"),
        },
    }
}
