//! Default values and constants.
//!
//! Knows: how a value is written in Rust, which defaults Rust has by itself. Does not know: where they are used.

use proc_macro2::Literal;

use super::code::{Code, Name, code};
use super::names::{self, Prelude};
use super::{Generator, Scope};
use crate::model::{Field, Type, TypeId, TypeKind, Value};

const NANOSECONDS_PER_SECOND: u128 = 1_000_000_000;
const NANOSECONDS_PER_MILLISECOND: u128 = 1_000_000;

impl Generator<'_> {
    /// A value of `ty`, held by value in `owner`.
    pub(super) fn value(&self, scope: Scope, owner: Option<TypeId>, ty: &Type, value: &Value) -> Code {
        let Prelude { some, none, vec, string, boxed, .. } = &self.prelude;
        let rpc = &self.rpc;
        if let Type::Optional(content) = self.resolved(ty) {
            if *value == Value::None {
                return none.clone();
            }
            let content = self.value(scope, owner, content, value);
            return code!(#some(#content));
        }
        match value {
            Value::Bool(value) => code!(#value),
            Value::Unsigned(value) => {
                code!(#value)
            }
            Value::Negative(value) => {
                let value = value.unsigned_abs();
                code!(-#value)
            }
            Value::Float(value) => self.float(ty, *value),
            Value::String(text) if text.is_empty() => code!(#string::new()),
            Value::String(text) => code!(#string::from(#text)),
            Value::Bytes(bytes) if bytes.is_empty() => code!(#vec::new()),
            Value::Bytes(bytes) => {
                code!(#bytes.to_vec())
            }
            Value::Duration(nanoseconds) => duration(*nanoseconds),
            Value::Variant(id, index) => {
                let path = self.type_path(scope, *id);
                let variant = self.variant_ident(*id, *index);
                let value = code!(#path::#variant);
                if self.is_boxed(owner, *id) { code!(#boxed::new(#value)) } else { value }
            }
            Value::EmptyList => code!(#vec::new()),
            Value::EmptyMap => code!(::std::collections::BTreeMap::new()),
            Value::None => none.clone(),
            Value::AppId(number) => {
                code!(#rpc::AppId(#number))
            }
        }
    }

    /// What makes the default of a field: a function or a closure. `None`: the field must be there.
    pub(super) fn default_fn(&self, scope: Scope, owner: Option<TypeId>, field: &Field) -> Option<Code> {
        let Prelude { none, vec, string, .. } = &self.prelude;
        Some(match (&field.default, self.resolved(&field.ty)) {
            (None, Type::Optional(_)) => code!(|| #none),
            (None, _) => return None,
            (Some(Value::String(text)), Type::String { .. }) if text.is_empty() => code!(#string::new),
            (Some(Value::Bytes(bytes)), Type::Bytes { .. }) if bytes.is_empty() => code!(#vec::new),
            (Some(Value::EmptyList), Type::List { .. } | Type::Bytes { .. }) => code!(#vec::new),
            (Some(Value::EmptyMap), Type::Map { .. }) => code!(::std::collections::BTreeMap::new),
            (Some(value), _) => {
                let value = self.value(scope, owner, &field.ty, value);
                code!(|| #value)
            }
        })
    }

    /// Whether `#[derive(Default)]` gives every field the default that is declared.
    pub(super) fn derives_default(&self, fields: &[Field]) -> bool {
        fields.iter().all(|field| match (&field.default, self.resolved(&field.ty)) {
            (None | Some(Value::None), ty) => matches!(ty, Type::Optional(_)),
            (Some(_), Type::Optional(_)) => false,
            (Some(value), _) => self.is_natural(value),
        })
    }

    /// Whether Rust's own default of the type is this value.
    fn is_natural(&self, value: &Value) -> bool {
        match value {
            Value::Bool(value) => !value,
            Value::Unsigned(value) => *value == 0,
            Value::Float(value) => value.to_bits() == 0,
            Value::String(text) => text.is_empty(),
            Value::Bytes(bytes) => bytes.is_empty(),
            Value::Duration(nanoseconds) => *nanoseconds == 0,
            Value::AppId(number) => *number == 0,
            Value::Variant(id, index) => {
                let all_plain = matches!(&self.def(*id).kind,
                    TypeKind::Enum { variants } if variants.iter().all(|variant| variant.fields.is_empty()));
                *index == 0 && all_plain
            }
            Value::EmptyList | Value::EmptyMap | Value::None => true,
            Value::Negative(_) => false,
        }
    }

    /// `Default` of a struct whose every field is optional or has a default, where it cannot be derived.
    pub(super) fn default_impl(&self, name: &Name, fields: &[Field], scope: Scope, owner: TypeId) -> Option<Code> {
        let is_whole =
            fields.iter().all(|field| field.default.is_some() || matches!(self.resolved(&field.ty), Type::Optional(_)));
        if !is_whole || self.derives_default(fields) {
            return None;
        }
        let default = &self.prelude.default;
        let values = fields.iter().map(|field| {
            let ident = names::value_ident(&field.name);
            let value = self.value(scope, Some(owner), &field.ty, field.default.as_ref().unwrap_or(&Value::None));
            code!(#ident: #value)
        });
        Some(code! {
            impl #default for #name {
                fn default() -> Self {
                    Self { #(#values,)* }
                }
            }
        })
    }

    fn float(&self, ty: &Type, value: f64) -> Code {
        let magnitude = match self.resolved(ty) {
            #[expect(clippy::cast_possible_truncation, reason = "the nearest f32 is what the user meant")]
            Type::F32 => Literal::f32_unsuffixed(value.abs() as f32),
            _ => Literal::f64_unsuffixed(value.abs()),
        };
        if value.is_sign_negative() { code!(-#magnitude) } else { code!(#magnitude) }
    }

    fn variant_ident(&self, id: TypeId, index: u32) -> Option<Name> {
        match &self.def(id).kind {
            TypeKind::Enum { variants } => variants.get(index as usize).map(|variant| names::type_ident(&variant.name)),
            _ => None,
        }
    }
}

/// A duration in the largest unit that gives a whole number.
pub(super) fn duration(nanoseconds: u128) -> Code {
    let (unit, count) = if nanoseconds.is_multiple_of(NANOSECONDS_PER_SECOND) {
        (code!(from_secs), nanoseconds / NANOSECONDS_PER_SECOND)
    } else if nanoseconds.is_multiple_of(NANOSECONDS_PER_MILLISECOND) {
        (code!(from_millis), nanoseconds / NANOSECONDS_PER_MILLISECOND)
    } else {
        (code!(from_nanos), nanoseconds)
    };
    // Beyond 64 bits there is no such constructor; a duration of 584 years and a nanosecond is nobody's default.
    let count = u64::try_from(count).unwrap_or(u64::MAX);
    code!(::core::time::Duration::#unit(#count))
}
