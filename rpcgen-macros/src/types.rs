//! Types: from Rust's to the tree's.
//!
//! Knows: which Rust type is which built-in one. Does not know: what a declared type holds.
//!
//! A type that is neither built in nor declared beside the trait is external: it comes from the scope around, and the codec's traits say
//! what it is on the wire.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use rpcgen::syntax::ast::{External, Name, Path, TypeExpr, TypeKind};
use syn::spanned::Spanned;
use syn::{GenericArgument, PathArguments, Type};

use crate::from_trait::Reader;

/// Rust's names of the built-in types without parameters, and the language's.
const SCALARS: [(&str, &str); 18] = [
    ("bool", "bool"),
    ("u8", "u8"),
    ("u16", "u16"),
    ("u32", "u32"),
    ("u64", "u64"),
    ("u128", "u128"),
    ("i8", "i8"),
    ("i16", "i16"),
    ("i32", "i32"),
    ("i64", "i64"),
    ("i128", "i128"),
    ("f32", "f32"),
    ("f64", "f64"),
    ("String", "string"),
    ("Uuid", "uuid"),
    ("Timestamp", "timestamp"),
    ("Duration", "duration"),
    ("AppId", "AppId"),
];

impl Reader {
    /// A type of the tree. `None`: it has no form there, which has been reported.
    pub(crate) fn type_expr(&mut self, ty: &Type) -> Option<TypeExpr> {
        let kind = match ty {
            Type::Group(group) => return self.type_expr(&group.elem),
            Type::Paren(paren) => return self.type_expr(&paren.elem),
            Type::Array(array) => {
                let element = self.type_expr(&array.elem)?;
                TypeKind::Array(Box::new(element), self.literal(&array.len)?)
            }
            Type::Path(path) if path.qself.is_none() => return self.path_type(&path.path),
            Type::Reference(_) => {
                self.refuse(ty, "a message owns what it holds: use an owned type such as `String` or `Vec<u8>`");
                return None;
            }
            _ => {
                self.refuse(ty, "this type has no form in a message");
                return None;
            }
        };
        Some(TypeExpr::new(kind, self.spans.add(ty.span())))
    }

    fn path_type(&mut self, path: &syn::Path) -> Option<TypeExpr> {
        let last = path.segments.last()?;
        let name = last.ident.to_string();
        let arguments = type_arguments(&last.arguments);
        match (name.as_str(), arguments.len()) {
            ("Box" | "Option" | "Vec", 1) => self.replaced(path, quote!(<u8>)),
            ("BTreeMap", 2) => self.replaced(path, quote!(<u8, u8>)),
            (name, 0) if SCALARS.iter().any(|(rust, _)| *rust == name) => self.replaced(path, TokenStream::new()),
            _ => {}
        }
        let kind = match (name.as_str(), arguments.as_slice()) {
            ("Box", [inner]) => return self.type_expr(inner),
            ("Option", [inner]) => TypeKind::Optional(Box::new(self.type_expr(inner)?)),
            ("Vec", [element]) if is_u8(element) => built_in("bytes", path, self),
            ("Vec", [element]) => TypeKind::List(Box::new(self.type_expr(element)?)),
            ("BTreeMap", [key, value]) => {
                let key = self.type_expr(key)?;
                TypeKind::Map(Box::new(key), Box::new(self.type_expr(value)?))
            }
            ("HashMap" | "HashSet" | "BTreeSet", _) => {
                self.refuse(
                    path,
                    "a map travels in the order of its keys, and a set is a list: use `BTreeMap` or `Vec`",
                );
                return None;
            }
            ("usize" | "isize", []) => {
                self.refuse(path, "the size of this type is another one on other machines: use `u64` or `i64`");
                return None;
            }
            (name, []) => match SCALARS.iter().find(|(rust, _)| *rust == name) {
                Some((_, ours)) => built_in(ours, path, self),
                None => TypeKind::Path(self.named_type(path)),
            },
            _ => TypeKind::Path(self.named_type(path)),
        };
        Some(TypeExpr::new(kind, self.spans.add(path.span())))
    }

    /// A path of which nothing is left in what is generated: whoever has imported it for the trait has not done so in vain.
    pub(crate) fn replaced(&mut self, path: &syn::Path, arguments: TokenStream) {
        let is_relative = path.segments.first().is_some_and(|first| first.ident == "self" || first.ident == "super");
        let mut path = path.clone();
        if let Some(last) = path.segments.last_mut().filter(|_| !is_relative) {
            last.arguments = PathArguments::None;
            self.replaced.push(quote!(#path #arguments));
        }
    }

    /// A declared or an external type.
    pub(crate) fn named_type(&mut self, path: &syn::Path) -> Path {
        let span = self.spans.add(path.span());
        if let Some(ident) = path.get_ident()
            && self.declared.contains(&ident.to_string())
        {
            return Path::single(Name::new(ident.to_string(), span));
        }
        let text = squeezed(path.to_token_stream());
        let name =
            text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|part| !part.is_empty()).collect::<Vec<_>>();
        let name = Name::new(name.join("_"), span);
        if !self.externals.iter().any(|external| external.path == text) {
            self.externals.push(External { name: name.clone(), path: text });
        }
        Path::single(name)
    }
}

fn built_in(name: &str, at: &syn::Path, reader: &mut Reader) -> TypeKind {
    TypeKind::Path(Path::single(Name::new(name, reader.spans.add(at.span()))))
}

fn type_arguments(arguments: &PathArguments) -> Vec<&Type> {
    let PathArguments::AngleBracketed(list) = arguments else { return Vec::new() };
    let types = list.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}

fn is_u8(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.is_ident("u8"))
}

/// `T, E` of a `Result<T, E>`.
pub(crate) fn result_arguments(ty: &Type) -> Option<(&Type, &Type)> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Result")?;
    match type_arguments(&last.arguments).as_slice() {
        [output, error] => Some((output, error)),
        _ => None,
    }
}

/// A path without the spaces between its tokens, so that one path has one text.
fn squeezed(tokens: TokenStream) -> String {
    tokens.to_string().split_whitespace().collect()
}
