//! Declared types: structs, enums, aliases, constants.
//!
//! Knows: what they look like in Rust. Does not know: their bytes (`encode`), services.

use std::ops::Range;

use super::code::{Code, Name, code};
use super::names::{self, Prelude};
use super::runs::type_id;
use super::{Generator, Scope, docs, redacted};
use crate::model::{Constant, Field, PackageId, Type, TypeDef, TypeId, TypeKind, Value, Variant};

impl Generator<'_> {
    /// Everything that a package declares, services apart.
    pub(super) fn package_types(&self, scope: Scope) -> Code {
        [self.constants(scope), self.types(0..self.model.types.len(), scope)].into_iter().collect()
    }

    pub(super) fn constants(&self, scope: Scope) -> Code {
        let constants = &self.model.package(scope.package).constants;
        constants.iter().map(|constant| self.constant(constant, scope)).collect()
    }

    /// The types among these that the package declares.
    pub(super) fn types(&self, among: Range<usize>, scope: Scope) -> Code {
        let all = self.model.types.iter().enumerate().take(among.end).skip(among.start);
        let ours = all.filter(|(_, def)| def.package == scope.package);
        ours.map(|(index, def)| self.declaration(type_id(index), def, scope)).collect()
    }

    fn constant(&self, constant: &Constant, scope: Scope) -> Code {
        let docs = docs::doc(&constant.docs);
        let name = names::constant_ident(&constant.name);
        let ty = match self.resolved(&constant.ty) {
            Type::String { .. } => code!(&str),
            Type::Bytes { .. } => code!(&[u8]),
            _ => self.ty(scope, &constant.ty),
        };
        let value = match &constant.value {
            Value::String(text) => code!(#text),
            Value::Bytes(bytes) => {
                code!(#bytes)
            }
            value => self.value(scope, None, &constant.ty, value),
        };
        code!(#docs pub const #name: #ty = #value;)
    }

    fn declaration(&self, id: TypeId, def: &TypeDef, scope: Scope) -> Code {
        let head = {
            let (docs, deprecated) = (docs::doc(&def.docs), docs::deprecated(def.deprecated.as_ref()));
            code!(#docs #deprecated)
        };
        let name = names::type_ident(&def.name);
        match &def.kind {
            TypeKind::Alias { target } => {
                let target = self.held_ty(scope, Some(id), target);
                code!(#head pub type #name = #target;)
            }
            TypeKind::Struct { fields, fixed } => {
                let traits = Traits {
                    copy: self.facts.is_copy(id),
                    default: self.derives_default(fields),
                    exact: self.facts.is_exact(id),
                    ordered: true,
                };
                let item = self.struct_item(&head, &name, fields, scope, Some(id), &traits);
                let default = self.default_impl(&name, fields, scope, id);
                let codec = self.struct_codec(&name, fields, *fixed, scope, id);
                code!(#item #default #codec)
            }
            TypeKind::Enum { variants } => {
                let plain = variants.iter().all(|variant| variant.fields.is_empty());
                let traits = Traits {
                    copy: self.facts.is_copy(id),
                    default: plain,
                    exact: self.facts.is_exact(id),
                    ordered: true,
                };
                let item = self.enum_item(&head, &name, variants, scope, Some(id), &traits);
                let codec = self.enum_codec(&name, variants, scope, Some(id));
                code!(#item #codec)
            }
            TypeKind::External { .. } => Code::new(),
        }
    }

    /// A struct with public fields, and its `Debug` where a field must not be printed.
    pub(super) fn struct_item(
        &self,
        head: &Code,
        name: &Name,
        fields: &[Field],
        scope: Scope,
        owner: Option<TypeId>,
        traits: &Traits,
    ) -> Code {
        let derive = self.derive(traits, fields.iter().any(|field| field.sensitive));
        let debug = redacted::struct_debug(name, fields);
        let visibility = code!(pub);
        let fields = fields.iter().map(|field| self.field_declaration(&visibility, field, scope, owner));
        code!(#head #derive pub struct #name { #(#fields,)* } #debug)
    }

    /// An enum, and its `Debug` where a field must not be printed.
    pub(super) fn enum_item(
        &self,
        head: &Code,
        name: &Name,
        variants: &[Variant],
        scope: Scope,
        owner: Option<TypeId>,
        traits: &Traits,
    ) -> Code {
        let sensitive = variants.iter().flat_map(|variant| &variant.fields).any(|field| field.sensitive);
        let derive = self.derive(traits, sensitive);
        let debug = if sensitive { redacted::enum_debug(name, variants) } else { Code::new() };
        let variants = variants.iter().enumerate().map(|(index, variant)| {
            let first = (traits.default && index == 0).then(|| code!(#[default]));
            let (docs, deprecated) = (docs::doc(&variant.docs), docs::deprecated(variant.deprecated.as_ref()));
            let name = names::type_ident(&variant.name);
            let fields = variant.fields.iter().map(|field| self.field_declaration(&Code::new(), field, scope, owner));
            let body = (!variant.fields.is_empty()).then(|| code!({ #(#fields,)* }));
            code!(#docs #deprecated #first #name #body)
        });
        code!(#head #derive pub enum #name { #(#variants,)* } #debug)
    }

    fn field_declaration(&self, visibility: &Code, field: &Field, scope: Scope, owner: Option<TypeId>) -> Code {
        let (docs, deprecated) = (docs::doc(&field.docs), docs::deprecated(field.deprecated.as_ref()));
        let name = names::value_ident(&field.name);
        let ty = self.held_ty(scope, owner, &field.ty);
        code!(#docs #deprecated #visibility #name: #ty)
    }

    fn derive(&self, traits: &Traits, own_debug: bool) -> Code {
        let Prelude { clone, copy, debug, default, partial_eq, eq, partial_ord, ord, hash, .. } = &self.prelude;
        let mut list = vec![clone];
        list.extend(traits.copy.then_some(copy));
        list.extend((!own_debug).then_some(debug));
        list.extend(traits.default.then_some(default));
        list.push(partial_eq);
        list.extend(traits.exact.then_some(eq));
        if traits.exact && traits.ordered {
            list.extend([partial_ord, ord, hash]);
        }
        code!(#[derive(#(#list),*)])
    }

    /// A type as it is written in `scope`.
    pub(super) fn ty(&self, scope: Scope, ty: &Type) -> Code {
        self.held_ty(scope, None, ty)
    }

    /// The same, held by value in `owner`: what holds `owner` in turn stands in a box.
    pub(super) fn held_ty(&self, scope: Scope, owner: Option<TypeId>, ty: &Type) -> Code {
        let Prelude { option, vec, string, boxed, .. } = &self.prelude;
        let rpc = &self.rpc;
        match ty {
            Type::Bool => code!(bool),
            Type::U8 => code!(u8),
            Type::U16 => code!(u16),
            Type::U32 => code!(u32),
            Type::U64 => code!(u64),
            Type::U128 => code!(u128),
            Type::I8 => code!(i8),
            Type::I16 => code!(i16),
            Type::I32 => code!(i32),
            Type::I64 => code!(i64),
            Type::I128 => code!(i128),
            Type::F32 => code!(f32),
            Type::F64 => code!(f64),
            Type::String { .. } => string.clone(),
            Type::Bytes { .. } => code!(#vec<u8>),
            Type::Uuid => code!(#rpc::Uuid),
            Type::Timestamp => code!(#rpc::Timestamp),
            Type::Duration => code!(::core::time::Duration),
            Type::AppId => code!(#rpc::AppId),
            Type::Optional(content) => {
                let content = self.held_ty(scope, owner, content);
                code!(#option<#content>)
            }
            Type::List { element, .. } => {
                let element = self.ty(scope, element);
                code!(#vec<#element>)
            }
            Type::Array { element, length } => {
                let (element, length) = (self.held_ty(scope, owner, element), length);
                code!([#element; #length])
            }
            Type::Map { key, value, .. } => {
                let (key, value) = (self.ty(scope, key), self.ty(scope, value));
                code!(::std::collections::BTreeMap<#key, #value>)
            }
            Type::Named(id) => {
                let path = self.type_path(scope, *id);
                if self.is_boxed(owner, *id) { code!(#boxed<#path>) } else { path }
            }
        }
    }

    /// Whether the named type stands in a box where `owner` holds it by value. An alias has the box inside.
    pub(super) fn is_boxed(&self, owner: Option<TypeId>, id: TypeId) -> bool {
        let is_alias = matches!(self.def(id).kind, TypeKind::Alias { .. });
        !is_alias && owner.is_some_and(|owner| self.facts.needs_box(owner, id))
    }

    /// The path from `scope` to a declared type.
    pub(super) fn type_path(&self, scope: Scope, id: TypeId) -> Code {
        let def = self.def(id);
        let name = names::type_ident(&def.name);
        if let TypeKind::External { path } = &def.kind {
            return Self::external_path(scope, path);
        }
        if def.package == scope.package {
            let up = scope.up();
            return code!(#up #name);
        }
        if let Some(path) = self.extern_packages.get(&def.package) {
            return code!(#path::#name);
        }
        let up = scope.up();
        // An imported package's module stands beside the others, one below the root.
        let beside = (scope.package != self.root).then(|| code!(super::));
        let module = self.package_module(def.package);
        code!(#up #beside #module #name)
    }

    /// A path of the user's, written for the top of what is generated. Below it, `use super::*` stands where there are such paths; a
    /// lone name is looked for above in so many words, as a request may have the same.
    fn external_path(scope: Scope, path: &str) -> Code {
        let written = Code::of_tokens(&path.parse().unwrap_or_default());
        if path.contains("::") {
            return written;
        }
        let up = scope.up();
        code!(#up #written)
    }

    fn package_module(&self, id: PackageId) -> Code {
        if id == self.root {
            return Code::new();
        }
        let module = names::module_ident(&self.model.package(id).name);
        code!(#module::)
    }
}

/// What a type can derive beyond `Clone`, `Debug`, `PartialEq`.
pub(super) struct Traits {
    pub(super) copy: bool,
    pub(super) default: bool,
    /// `Eq`.
    pub(super) exact: bool,
    /// `PartialOrd`, `Ord`, `Hash`, if exact.
    pub(super) ordered: bool,
}
