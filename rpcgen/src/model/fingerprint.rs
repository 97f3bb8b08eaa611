//! The fingerprint of a service: equal when two sides speak the same wire.
//!
//! Knows: all that decides the bytes and their meaning: order, names of services, actions, broadcasts, variants and fields, types, limits,
//! which fields may be absent. Does not know: what changes nothing there: docs, names of types, aliases, values of defaults, deadlines,
//! routing.
//!
//! The algorithm is named and frozen: FNV-1a, 64 bits, over the canonical form below. A change of either changes every fingerprint and
//! costs every pair of unequal versions the fast path of the handshake.
//!
//! The canonical form: a byte says what follows; strings and lists come after their length, numbers are little-endian `u64`. A named
//! type is written as the number of its first use; the definitions follow in the order of those numbers, so that recursion ends.

use std::collections::HashMap;

use super::{Field, Model, Service, Type, TypeId, TypeKind, Variant};

/// The fingerprint of `service`, one of `model`.
pub fn of(model: &Model, service: &Service) -> u64 {
    let mut form = Form { model, hash: Fnv1a::new(), numbers: HashMap::new(), order: Vec::new() };
    form.service(service);
    form.hash.0
}

/// Fowler, Noll and Vo's hash, variant 1a, of 64 bits.
struct Fnv1a(u64);

impl Fnv1a {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

struct Form<'a> {
    model: &'a Model,
    hash: Fnv1a,
    numbers: HashMap<TypeId, u64>,
    order: Vec<TypeId>,
}

impl Form<'_> {
    fn service(&mut self, service: &Service) {
        let package = self.model.packages.get(service.package.0 as usize);
        self.text(package.map_or("", |package| &package.name));
        self.text(&service.name);
        self.count(service.actions.len());
        for action in &service.actions {
            self.text(&action.name);
            self.fields(&action.request);
            self.fields(&action.response);
            self.variants(&action.fails);
            if let Some(error) = action.fails_with {
                self.named(error);
            }
        }
        self.count(service.broadcasts.len());
        for broadcast in &service.broadcasts {
            self.text(&broadcast.name);
            self.fields(&broadcast.fields);
        }
        let mut next = 0;
        while let Some(id) = self.order.get(next).copied() {
            next += 1;
            self.definition(id);
        }
    }

    fn definition(&mut self, id: TypeId) {
        let model = self.model;
        match model.types.get(id.0 as usize).map(|ty| &ty.kind) {
            Some(TypeKind::Struct { fields, fixed }) => {
                self.byte(if *fixed { 0x81 } else { 0x80 });
                self.fields(fields);
            }
            Some(TypeKind::Enum { variants }) => {
                self.byte(0x82);
                self.variants(variants);
            }
            Some(TypeKind::External { path }) => {
                // What it looks like is not known here; another path is another type.
                self.byte(0x83);
                self.text(path);
            }
            Some(TypeKind::Alias { .. }) | None => self.byte(0xff),
        }
    }

    fn variants(&mut self, variants: &[Variant]) {
        self.count(variants.len());
        for variant in variants {
            self.text(&variant.name);
            self.fields(&variant.fields);
        }
    }

    fn fields(&mut self, fields: &[Field]) {
        self.count(fields.len());
        for field in fields {
            self.text(&field.name);
            self.byte(u8::from(field.default.is_some()));
            self.ty(&field.ty);
        }
    }

    fn ty(&mut self, ty: &Type) {
        match ty {
            Type::String { max } => self.bounded(0x20, *max),
            Type::Bytes { max } => self.bounded(0x21, *max),
            Type::Optional(inner) => {
                self.byte(0x30);
                self.ty(inner);
            }
            Type::List { element, max } => {
                self.bounded(0x31, *max);
                self.ty(element);
            }
            Type::Array { element, length } => {
                self.bounded(0x32, Some(*length));
                self.ty(element);
            }
            Type::Map { key, value, max } => {
                self.bounded(0x33, *max);
                self.ty(key);
                self.ty(value);
            }
            Type::Named(id) => self.named(*id),
            scalar => self.byte(scalar_byte(scalar)),
        }
    }

    fn named(&mut self, id: TypeId) {
        let model = self.model;
        if let Some(TypeKind::Alias { target }) = model.types.get(id.0 as usize).map(|ty| &ty.kind) {
            return self.ty(target);
        }
        let next = self.order.len();
        let number = *self.numbers.entry(id).or_insert_with(|| {
            self.order.push(id);
            next as u64
        });
        self.byte(0x40);
        self.hash.write(&number.to_le_bytes());
    }

    fn bounded(&mut self, kind: u8, bound: Option<u64>) {
        self.byte(kind);
        self.byte(u8::from(bound.is_some()));
        self.hash.write(&bound.unwrap_or_default().to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.hash.write(text.as_bytes());
    }

    fn count(&mut self, count: usize) {
        self.hash.write(&(count as u64).to_le_bytes());
    }

    fn byte(&mut self, byte: u8) {
        self.hash.write(&[byte]);
    }
}

fn scalar_byte(ty: &Type) -> u8 {
    match ty {
        Type::Bool => 0x01,
        Type::U8 => 0x02,
        Type::U16 => 0x03,
        Type::U32 => 0x04,
        Type::U64 => 0x05,
        Type::U128 => 0x06,
        Type::I8 => 0x07,
        Type::I16 => 0x08,
        Type::I32 => 0x09,
        Type::I64 => 0x0a,
        Type::I128 => 0x0b,
        Type::F32 => 0x0c,
        Type::F64 => 0x0d,
        Type::Uuid => 0x0e,
        Type::Timestamp => 0x0f,
        Type::Duration => 0x10,
        Type::AppId => 0x11,
        _ => 0xfe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv_1a_of_64_bits() {
        let mut hash = Fnv1a::new();
        hash.write(b"foobar");
        // From the reference of its authors.
        assert_eq!(hash.0, 0x8594_4171_f739_67e8);
    }
}
