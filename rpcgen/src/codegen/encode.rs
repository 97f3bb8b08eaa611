//! `Encode` and `Decode` of declared types and of messages.
//!
//! Knows: the order of fields, the length rule, where a limit is checked. Does not know: a single byte of the layout; that is the codec's.

use super::code::{Code, Name, code};
use super::names::{self, Prelude};
use super::{Generator, Scope};
use crate::model::{Field, Type, TypeId, Variant};

/// A value in generated code.
#[derive(Clone)]
pub(super) struct Place {
    /// `self.user`, or the name of a reference.
    tokens: Code,
    is_reference: bool,
}

impl Place {
    fn field(name: &Name) -> Self {
        Self { tokens: code!(self.#name), is_reference: false }
    }

    fn reference(name: &Name) -> Self {
        Self { tokens: code!(#name), is_reference: true }
    }

    fn as_reference(&self) -> Code {
        let tokens = &self.tokens;
        if self.is_reference { tokens.clone() } else { code!(&#tokens) }
    }
}

impl Generator<'_> {
    /// The codec of a struct.
    pub(super) fn struct_codec(&self, name: &Name, fields: &[Field], fixed: bool, scope: Scope, owner: TypeId) -> Code {
        let wrapper = if fixed { code!(fixed) } else { code!(sized) };
        let (rpc, Prelude { result, ok, .. }) = (&self.rpc, &self.prelude);
        let text = name.as_str();
        let out = if fields.is_empty() { code!(_) } else { code!(out) };
        let writes = fields.iter().map(|field| self.encode_field(field));
        let reads = fields.iter().map(|field| self.decode_field(scope, Some(owner), field, fixed));
        let value = code!(Self { #(#reads,)* });
        let body = if fixed {
            code!(let outside = input.enter(#text)?; let value = #value; input.leave(outside); #ok(value))
        } else if fields.is_empty() {
            code!(input.sized(#text)?; #ok(#value))
        } else {
            code!(let input = &mut input.sized(#text)?; #ok(#value))
        };
        code! {
            impl #rpc::Encode for #name {
                fn encode(&self, out: &mut #rpc::Writer) {
                    out.#wrapper(|#out| { #(#writes)* });
                }
            }
            impl #rpc::Decode for #name {
                fn decode(input: &mut #rpc::Reader<'_>) -> #result<Self, #rpc::DecodeError> {
                    #body
                }
            }
        }
    }

    /// The codec of a message's body: its length is the frame's.
    pub(super) fn message_codec(&self, name: &Name, fields: &[Field], scope: Scope) -> Code {
        let (rpc, Prelude { result, ok, .. }) = (&self.rpc, &self.prelude);
        let text = name.as_str();
        let writes = fields.iter().map(|field| self.encode_field(field));
        let reads = fields.iter().map(|field| self.decode_field(scope, None, field, false));
        let limits = self.limits_constant(fields);
        code! {
            impl #rpc::Encode for #name {
                #limits
                fn encode(&self, out: &mut #rpc::Writer) {
                    #(#writes)*
                }
            }
            impl #rpc::Decode for #name {
                fn decode(input: &mut #rpc::Reader<'_>) -> #result<Self, #rpc::DecodeError> {
                    let input = input.message(#text);
                    #ok(Self { #(#reads,)* })
                }
            }
        }
    }

    /// Says of a message that some values of it break a limit, so that this is checked also where nothing is encoded.
    fn limits_constant<'a>(&self, fields: impl IntoIterator<Item = &'a Field>) -> Option<Code> {
        self.facts.are_limited(fields).then(|| {
            code!(
                const HAS_LIMITS: bool = true;
            )
        })
    }

    /// The codec of an enum.
    pub(super) fn enum_codec(&self, name: &Name, variants: &[Variant], scope: Scope, owner: Option<TypeId>) -> Code {
        let (rpc, Prelude { result, err, .. }) = (&self.rpc, &self.prelude);
        let text = name.as_str();
        let out = names::local_ident("out", variants.iter().flat_map(|variant| &variant.fields));
        let writes = (0_u32..).zip(variants).map(|(index, variant)| self.encode_variant(&out, index, variant));
        let reads =
            (0_u32..).zip(variants).map(|(index, variant)| self.decode_variant(scope, owner, name, index, variant));
        // Without an owner it is a message: the business error of an action.
        let is_message = owner.is_none();
        let limits = is_message.then(|| self.limits_constant(variants.iter().flat_map(|variant| &variant.fields)));
        code! {
            impl #rpc::Encode for #name {
                #limits
                fn encode(&self, #out: &mut #rpc::Writer) {
                    match self { #(#writes)* }
                }
            }
            impl #rpc::Decode for #name {
                fn decode(input: &mut #rpc::Reader<'_>) -> #result<Self, #rpc::DecodeError> {
                    match input.variant()? {
                        #(#reads)*
                        unknown => #err(#rpc::DecodeError::unknown_variant(#text, unknown)),
                    }
                }
            }
        }
    }

    fn encode_variant(&self, out: &Name, index: u32, variant: &Variant) -> Code {
        let name = names::type_ident(&variant.name);
        if variant.fields.is_empty() {
            return code!(Self::#name => #out.variant(#index),);
        }
        let bindings = variant.fields.iter().map(|field| names::value_ident(&field.name));
        let writes = variant.fields.iter().map(|field| {
            let place = Place::reference(&names::value_ident(&field.name));
            self.encode_value(out, &place, &field.name, &field.ty)
        });
        code! {
            Self::#name { #(#bindings),* } => {
                #out.variant(#index);
                #out.sized(|#out| { #(#writes)* });
            }
        }
    }

    fn decode_variant(
        &self,
        scope: Scope,
        owner: Option<TypeId>,
        enum_name: &Name,
        index: u32,
        variant: &Variant,
    ) -> Code {
        let ok = &self.prelude.ok;
        let name = names::type_ident(&variant.name);
        if variant.fields.is_empty() {
            return code!(#index => #ok(Self::#name),);
        }
        let text = format!("{enum_name}::{name}");
        let reads = variant.fields.iter().map(|field| self.decode_field(scope, owner, field, false));
        code! {
            #index => {
                let input = &mut input.sized(#text)?;
                #ok(Self::#name { #(#reads,)* })
            }
        }
    }

    fn encode_field(&self, field: &Field) -> Code {
        let out = names::local_ident("out", []);
        self.encode_value(&out, &Place::field(&names::value_ident(&field.name)), &field.name, &field.ty)
    }

    /// Statements that write a value; what has a limit in it is checked on the way.
    pub(super) fn encode_value(&self, out: &Name, place: &Place, field: &str, ty: &Type) -> Code {
        let rpc = &self.rpc;
        let (tokens, reference) = (&place.tokens, place.as_reference());
        let ty = self.resolved(ty);
        let check = max(ty).map(|(what, max)| code!(#out.at_most(#field, #what, #tokens.len(), #max);));
        let inside = |name: &str, ty: &Type| {
            let name = names::local_ident(name, []);
            let inner_out = names::local_ident("out", []);
            let writes = self.encode_value(&inner_out, &Place::reference(&name), field, ty);
            code!(|out, #name| { #writes })
        };
        match ty {
            Type::Optional(content) if self.has_limit(content) => {
                let content = inside("value", content);
                code!(#out.optional(#tokens.as_ref(), #content);)
            }
            Type::List { element, .. } if self.has_limit(element) => {
                let element = inside("item", element);
                code!(#check #out.list(#reference, #element);)
            }
            Type::Map { key, value, .. } if self.has_limit(key) || self.has_limit(value) => {
                let (key, value) = (inside("key", key), inside("value", value));
                code!(#check #out.map(#reference, #key, #value);)
            }
            Type::Array { element, .. } if self.has_limit(element) => {
                let item = names::local_ident("item", []);
                let writes = self.encode_value(out, &Place::reference(&item), field, element);
                code!(for #item in #reference { #writes })
            }
            _ => code!(#check #rpc::Encode::encode(#reference, #out);),
        }
    }

    fn decode_field(&self, scope: Scope, owner: Option<TypeId>, field: &Field, fixed: bool) -> Code {
        let ident = names::value_ident(&field.name);
        let text = &field.name;
        let decoder = self.decoder(&field.ty);
        match self.default_fn(scope, owner, field) {
            Some(default) if !fixed => code!(#ident: input.or_default(#text, #decoder, #default)?),
            _ => code!(#ident: input.required(#text, #decoder)?),
        }
    }

    /// What reads a value: a function or a closure.
    fn decoder(&self, ty: &Type) -> Code {
        let rpc = &self.rpc;
        if !self.has_limit(ty) {
            return code!(#rpc::Decode::decode);
        }
        let bound = |max: &Option<u64>| match max {
            Some(max) => {
                code!(#max)
            }
            None => code!(#rpc::UNLIMITED),
        };
        match self.resolved(ty) {
            Type::String { max } => {
                let max = bound(max);
                code!(|input| input.string(#max))
            }
            Type::Bytes { max } => {
                let max = bound(max);
                code!(|input| input.bytes(#max))
            }
            Type::List { element, max } => {
                let (max, element) = (bound(max), self.decoder(element));
                code!(|input| input.list(#max, #element))
            }
            Type::Map { key, value, max } => {
                let (max, key, value) = (bound(max), self.decoder(key), self.decoder(value));
                code!(|input| input.map(#max, #key, #value))
            }
            Type::Array { element, .. } => {
                let element = self.decoder(element);
                code!(|input| input.array(#element))
            }
            Type::Optional(content) => {
                let content = self.decoder(content);
                code!(|input| input.optional(#content))
            }
            _ => code!(#rpc::Decode::decode),
        }
    }

    /// Whether a `@max` is in a type, declared structs and enums apart: those check their own.
    fn has_limit(&self, ty: &Type) -> bool {
        match self.resolved(ty) {
            Type::String { max } | Type::Bytes { max } => max.is_some(),
            Type::List { element, max } => max.is_some() || self.has_limit(element),
            Type::Map { key, value, max } => max.is_some() || self.has_limit(key) || self.has_limit(value),
            Type::Array { element, .. } => self.has_limit(element),
            Type::Optional(content) => self.has_limit(content),
            _ => false,
        }
    }
}

/// The limit of a type itself, and what it counts.
fn max(ty: &Type) -> Option<(&'static str, u64)> {
    let (what, max) = match ty {
        Type::String { max } | Type::Bytes { max } => ("bytes", max),
        Type::List { max, .. } => ("elements", max),
        Type::Map { max, .. } => ("entries", max),
        _ => return None,
    };
    max.map(|max| (what, max))
}
