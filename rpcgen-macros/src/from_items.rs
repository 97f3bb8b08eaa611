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

use crate::from_trait::Reader;

/// The attribute that says what Rust cannot.
const RPC: &str = "rpc";

impl Reader {
    pub(crate) fn struct_item(&mut self, item: &ItemStruct) -> Option<Item> {
        self.no_generics(&item.generics);
        let name = self.name(&item.ident);
        let mut head = self.head(name, &item.attrs, &[RPC]);
        let arguments = self.arguments(&item.attrs, RPC);
        head.attributes.extend(arguments.iter().filter_map(|argument| self.annotation(argument)).collect::<Vec<_>>());
        let fields = self.fields(&item.fields)?.unwrap_or_default();
        Some(Item::Struct(Struct { head, fields }))
    }

    pub(crate) fn enum_item(&mut self, item: &ItemEnum) -> Item {
        self.no_generics(&item.generics);
        let name = self.name(&item.ident);
        let head = self.head(name, &item.attrs, &[]);
        Item::Enum(Enum { head, variants: self.variants(item) })
    }

    /// Variants of an enum, or the reasons of an action.
    pub(crate) fn variants(&mut self, item: &ItemEnum) -> VariantList {
        let mut variants = Vec::new();
        for variant in &item.variants {
            if let Some((_, discriminant)) = &variant.discriminant {
                self.refuse(discriminant, "a variant's number on the wire is its place in the declaration");
            }
            let name = Name::new(variant.ident.to_string().to_snake_case(), self.spans.add(variant.ident.span()));
            let head = self.head(name, &variant.attrs, &["default"]);
            if let Some(fields) = self.fields(&variant.fields) {
                variants.push(Variant { head, fields });
            }
        }
        VariantList { variants, span: self.spans.add(item.brace_token.span.join()), incomplete: false }
    }

    pub(crate) fn alias_item(&mut self, item: &ItemType) -> Option<Item> {
        self.no_generics(&item.generics);
        let name = self.name(&item.ident);
        let head = self.head(name, &item.attrs, &[RPC]);
        let mut target = self.type_expr(&item.ty)?;
        for argument in self.arguments(&item.attrs, RPC) {
            self.bound(&argument, &mut target);
        }
        Some(Item::Alias(Alias { head, target }))
    }

    pub(crate) fn constant_item(&mut self, item: &ItemConst) -> Option<Item> {
        let name = self.name(&item.ident);
        let head = self.head(name, &item.attrs, &[]);
        // A constant of Rust borrows what a message owns.
        let text = item.ty.as_ref();
        let owned = match quote!(#text).to_string().replace(['\'', ' '], "").as_str() {
            "&str" | "&staticstr" => syn::parse_quote!(String),
            "&[u8]" | "&static[u8]" => syn::parse_quote!(Vec<u8>),
            _ => text.clone(),
        };
        Some(Item::Constant(Constant { head, ty: self.type_expr(&owned)?, value: self.literal(&item.expr)? }))
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
                let mut list = Vec::new();
                for field in &named.named {
                    let Some(ident) = &field.ident else { continue };
                    let name = self.name(ident);
                    list.extend(self.field(name, &field.attrs, &field.ty));
                }
                Some(Some(FieldList { fields: list, span: self.spans.add(named.span()), incomplete: false }))
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
