//! Types that stand where they cannot: keys of maps, optionals of optionals, enums without variants.
//!
//! Knows: what a type is behind its aliases. Does not know: lengths (`limits`), circles (`recursion`).

use super::scope::Scope;
use super::walk;
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::model::Type;
use crate::syntax::ast::{Field, Item, TypeExpr, TypeKind};

pub(super) fn check(scope: &Scope<'_>, sink: &mut Sink) {
    for (unit, ty) in walk::type_exprs(scope.units) {
        match &ty.kind {
            TypeKind::Map(key, _) => map_key(scope, unit, key, sink),
            TypeKind::Optional(inner) => optional(scope, unit, inner, sink),
            TypeKind::List(element) => no_bytes(scope, unit, element, sink),
            _ => {}
        }
    }
    for site in walk::variant_lists(scope.units) {
        if site.list.variants.is_empty() && !site.list.incomplete && !site.reasons {
            let message = format!("enum `{}` has no variants", site.name.text);
            let diagnostic = Diagnostic::new(Code::EmptyEnum, site.name.span, message);
            sink.push(diagnostic.with_help("no value could ever be of this type: give it a variant, or remove it"));
        }
    }
}

fn map_key(scope: &Scope<'_>, unit: usize, key: &TypeExpr, sink: &mut Sink) {
    let Some(ty) = scope.ty(unit, key).and_then(|ty| scope.expand(ty)) else { return };
    let why = match &ty {
        Type::F32 | Type::F64 => "floats are not equal to themselves",
        Type::Named(id) => match scope.types[id.0 as usize].item {
            Item::Enum(item) if item.variants.variants.iter().all(|variant| variant.fields.is_none()) => return,
            Item::Enum(_) => "this enum carries data",
            // Rust says whether it can.
            Item::External(_) => return,
            _ => "a struct has no order",
        },
        Type::Optional(_) | Type::List { .. } | Type::Array { .. } | Type::Map { .. } => "it holds other values",
        Type::Bytes { .. } | Type::Timestamp | Type::Duration => "it is not among the types that can",
        _ => return,
    };
    let diagnostic = Diagnostic::new(Code::MapKey, key.span, "this type cannot be the key of a map").with_label(why);
    sink.push(diagnostic.with_help("a key is an integer, bool, string, uuid, AppId, or an enum without data"));
}

/// A reader believes no count greater than the bytes that are left: elements without bytes could be written and never read.
fn no_bytes(scope: &Scope<'_>, unit: usize, element: &TypeExpr, sink: &mut Sink) {
    let is_empty = scope.ty(unit, element).is_some_and(|ty| takes_no_bytes(scope, ty, NESTED_MAX));
    if is_empty {
        let diagnostic =
            Diagnostic::new(Code::NoBytes, element.span, "a value of this type takes no bytes on the wire")
                .with_label("a list of them has nothing to count")
                .with_help("send how many there are as an integer, or leave `@fixed` away: the struct may grow then");
        sink.push(diagnostic);
    }
}

/// Fixed structs in fixed structs, so deep; `recursion` reports those that never end.
const NESTED_MAX: u32 = 64;

fn takes_no_bytes(scope: &Scope<'_>, ty: Type, depth: u32) -> bool {
    let Some(depth) = depth.checked_sub(1) else { return false };
    match scope.expand(ty) {
        Some(Type::Array { element, .. }) => takes_no_bytes(scope, *element, depth),
        Some(Type::Named(id)) => {
            let site = &scope.types[id.0 as usize];
            let Item::Struct(item) = site.item else { return false };
            let is_empty =
                |field: &Field| scope.ty(site.unit, &field.ty).is_some_and(|ty| takes_no_bytes(scope, ty, depth));
            walk::is_fixed(&item.head) && !item.fields.incomplete && item.fields.fields.iter().all(is_empty)
        }
        _ => false,
    }
}

fn optional(scope: &Scope<'_>, unit: usize, inner: &TypeExpr, sink: &mut Sink) {
    let Some(Type::Optional(_)) = scope.ty(unit, inner).and_then(|ty| scope.expand(ty)) else { return };
    let diagnostic = Diagnostic::new(Code::OptionalTwice, inner.span, "this type is optional already").with_help(
        "two ways to have no value cannot be told apart by a default: use an enum if they mean different things",
    );
    sink.push(diagnostic);
}
