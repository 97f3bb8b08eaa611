//! Structs, enums, aliases and constants that stand beside a trait.
//!
//! Knows: their forms in Rust and in the tree. Does not know: services.

use heck::ToSnakeCase;
use quote::quote;
use rpcgen::syntax::ast::{
    Alias, Attribute, Constant, Enum, Field, FieldList, Item, Name, Struct, TypeExpr, Variant, VariantList,
};
use syn::spanned::Spanned;
use syn::{Fields, ItemConst, ItemEnum, ItemStruct, ItemType, Meta};

use crate::from_trait::{Reader, field_list};

/// The attribute that says what Rust cannot.
const RPC: &str = "rpc";

impl Reader {
    pub(crate) fn struct_item(&mut self, item: &ItemStruct) -> Item {
        self.no_generics(&item.generics);
        let name = self.name(&item.ident);
        let mut head = self.head(name, &item.attrs, &[RPC]);
        let arguments = self.arguments(&item.attrs, RPC);
        head.attributes.extend(arguments.iter().filter_map(|argument| self.annotation(argument)).collect::<Vec<_>>());
        match self.fields(&item.fields) {
            Some(fields) => Item::Struct(Struct { head, fields: fields.unwrap_or_default() }),
            None => Item::Lost(head.name),
        }
    }

    pub(crate) fn enum_item(&mut self, item: &ItemEnum) -> Item {
        self.no_generics(&item.generics);
        let name = self.name(&item.ident);
        let head = self.head(name, &item.attrs, &[]);
        Item::Enum(Enum { head, variants: self.variants(item) })
    }

    /// Variants of an enum, or the reasons of an action.
    pub(crate) fn variants(&mut self, item: &ItemEnum) -> VariantList {
        let (mut variants, mut incomplete) = (Vec::new(), false);
        for variant in &item.variants {
            if let Some((_, discriminant)) = &variant.discriminant {
                self.refuse(discriminant, "a variant's number on the wire is its place in the declaration");
            }
            let name = Name::new(variant.ident.to_string().to_snake_case(), self.spans.add(variant.ident.span()));
            let head = self.head(name, &variant.attrs, &["default"]);
            match self.fields(&variant.fields) {
                Some(fields) => variants.push(Variant { head, fields }),
                None => incomplete = true,
            }
        }
        VariantList { variants, span: self.spans.add(item.brace_token.span.join()), incomplete }
    }

    pub(crate) fn alias_item(&mut self, item: &ItemType) -> Item {
        self.no_generics(&item.generics);
        let name = self.name(&item.ident);
        let head = self.head(name, &item.attrs, &[RPC]);
        let Some(mut target) = self.type_expr(&item.ty) else { return Item::Lost(head.name) };
        for argument in self.arguments(&item.attrs, RPC) {
            self.bound(&argument, &mut target);
        }
        Item::Alias(Alias { head, target })
    }

    pub(crate) fn constant_item(&mut self, item: &ItemConst) -> Item {
        let name = self.name(&item.ident);
        let head = self.head(name, &item.attrs, &[]);
        // A constant of Rust borrows what a message owns.
        let text = item.ty.as_ref();
        let owned = match quote!(#text).to_string().replace(['\'', ' '], "").as_str() {
            "&str" | "&staticstr" => syn::parse_quote!(String),
            "&[u8]" | "&static[u8]" => syn::parse_quote!(Vec<u8>),
            _ => text.clone(),
        };
        match (self.type_expr(&owned), self.literal(&item.expr)) {
            (Some(ty), Some(value)) => Item::Constant(Constant { head, ty, value }),
            _ => Item::Lost(head.name),
        }
    }

    /// `Some(None)`: there are none, not even brackets. `None`: reported.
    fn fields(&mut self, fields: &Fields) -> Option<Option<FieldList>> {
        match fields {
            Fields::Unit => Some(None),
            Fields::Unnamed(unnamed) => {
                self.refuse(unnamed, "fields have names, so that they can be spoken of when they change");
                None
            }
            Fields::Named(named) => {
                let mut read = Vec::new();
                for field in &named.named {
                    let Some(ident) = &field.ident else { continue };
                    let name = self.name(ident);
                    read.push(self.field(name, &field.attrs, &field.ty));
                }
                Some(Some(field_list(read, self.spans.add(named.span()))))
            }
        }
    }

    /// A field or a parameter with its `#[rpc(..)]`.
    pub(crate) fn field(&mut self, name: Name, attributes: &[syn::Attribute], ty: &syn::Type) -> Option<Field> {
        let head = self.head(name, attributes, &[RPC]);
        let mut field = Field { head, ty: self.type_expr(ty)?, default: None };
        for argument in self.arguments(attributes, RPC) {
            match &argument {
                Meta::NameValue(pair) if pair.path.is_ident("default") => field.default = self.literal(&pair.value),
                argument if argument.path().is_ident("max") => self.bound(argument, &mut field.ty),
                argument => field.head.attributes.extend(self.annotation(argument)),
            }
        }
        Some(field)
    }

    fn bound(&mut self, argument: &Meta, ty: &mut TypeExpr) {
        let bound: Option<Attribute> = self.annotation(argument);
        ty.attributes.extend(bound);
    }

    pub(crate) fn no_generics(&mut self, generics: &syn::Generics) {
        if !generics.params.is_empty() {
            self.refuse(&generics.params, "a type on the wire has no parameters");
        }
    }
}
