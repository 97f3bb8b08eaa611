//! Limits that make sense: `@max`, lengths of arrays, deadlines, sizes in memory.
//!
//! Knows: counts, and how much a value holds in place. Does not know: which annotations there are (`annotations`).

use std::collections::HashMap;

use super::scope::{ALIAS_STEPS_MAX, Declared, Missing, Scope, built_in};
use super::{defaults, names, walk};
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::model::Type;
use crate::source::Span;
use crate::syntax::ast::{Attribute, FieldList, Head, Item, Literal, LiteralKind, TypeExpr, TypeKind};

/// The longest a value may be allowed to be: lengths fit a `u32` on every machine.
const MAX_MAX: u64 = u32::MAX as u64;

/// Scalars that a value may hold in place, through arrays and structs: it lives on the stack.
const SCALARS_MAX: u64 = 65_536;

/// Named types may hold named types in place, so deep: whoever counts recurses.
const DEPTH_MAX: u32 = 256;

/// The size of what nests deeper. No count gets there.
const TOO_DEEP: u64 = u64::MAX;

/// Where counting ends.
const HUGE: u64 = 1 << 40;

pub(super) fn check(scope: &Scope<'_>, sink: &mut Sink) {
    for (unit, ty) in walk::type_exprs(scope.units) {
        for attribute in ty.attributes.iter().filter(|attribute| attribute.name.text == "max") {
            max(scope, unit, ty, attribute, sink);
        }
        if let TypeKind::Array(_, length) = &ty.kind {
            count(scope, unit, length, SCALARS_MAX, Code::ArrayLength, "the length of an array", sink);
        }
    }
    for (_, service) in walk::services(scope.units) {
        for action in walk::actions(service) {
            deadline(&action.head, sink);
        }
    }
    sizes(scope, sink);
    aliases(scope, sink);
}

fn max(scope: &Scope<'_>, unit: usize, ty: &TypeExpr, attribute: &Attribute, sink: &mut Sink) {
    let bounded = match &ty.kind {
        TypeKind::List(_) | TypeKind::Map(..) => true,
        TypeKind::Path(path) => matches!(built_in(path), Some(Type::String { .. } | Type::Bytes { .. })),
        TypeKind::Optional(_) | TypeKind::Array(..) => false,
    };
    if !bounded {
        let diagnostic = Diagnostic::new(Code::MaxPlace, attribute.span, "`@max` bounds what has no length here")
            .with_secondary(ty.span, "the type")
            .with_help("it belongs to `string`, `bytes`, a list or a map; one behind an alias is bounded where the alias is declared");
        return sink.push(diagnostic);
    }
    // Another kind of value is reported by `annotations`.
    if let [value @ Literal { kind: LiteralKind::Integer { .. } | LiteralKind::Path(_), .. }] =
        attribute.arguments.as_slice()
    {
        count(scope, unit, value, MAX_MAX, Code::Limit, "`@max`", sink);
    }
}

/// An integer, or a constant that is one, from 1 to `greatest`.
fn count(scope: &Scope<'_>, unit: usize, literal: &Literal, greatest: u64, code: Code, what: &str, sink: &mut Sink) {
    if let LiteralKind::Path(path) = &literal.kind {
        match scope.lookup(unit, path) {
            Ok(Declared::Lost) | Err(Missing::Lost) => return,
            Err(Missing::Package) => {
                let unknown = names::unknown_package(scope, unit, path, sink);
                return sink.push(unknown);
            }
            // Finds the nearest constant, and says so.
            Ok(Declared::Type(_) | Declared::Service) | Err(Missing::Name) => {
                return defaults::check_value(scope, unit, &Type::U64, literal, sink);
            }
            Ok(Declared::Constant(..)) if scope.literal(unit, literal).is_none() => return,
            Ok(Declared::Constant(..)) => {}
        }
    }
    if !scope.count(unit, literal).is_some_and(|count| (1..=greatest).contains(&count)) {
        let diagnostic = Diagnostic::new(code, literal.span, format!("{what} is an integer from 1 to {greatest}"));
        sink.push(diagnostic);
    }
}

fn deadline(head: &Head, sink: &mut Sink) {
    for attribute in head.attributes.iter().filter(|attribute| attribute.name.text == "deadline") {
        let [Literal { kind: LiteralKind::Duration(nanoseconds), span }] = attribute.arguments.as_slice() else {
            continue;
        };
        if *nanoseconds == 0 {
            let diagnostic =
                Diagnostic::new(Code::NoDeadline, *span, "a deadline of nothing: no answer would ever be in time");
            sink.push(diagnostic.with_help("leave it out to wait as long as the server is set to"));
        }
    }
}

/// Every named type, and every field, holds no more in place than a stack can bear. The innermost that is too large is reported.
fn sizes(scope: &Scope<'_>, sink: &mut Sink) {
    let mut sizes = Sizes { scope, known: HashMap::new() };
    for (id, site) in scope.types.iter().enumerate() {
        let size = sizes.of_named(id, 0).unwrap_or(0);
        if size == TOO_DEEP {
            let message = format!("`{}` holds types in one another, more than {DEPTH_MAX} deep", site.name.text);
            let diagnostic = Diagnostic::new(Code::InPlace, site.name.span, message);
            // One is enough: all that hold it are as deep.
            return sink.push(diagnostic.with_help("leave levels out, or hold the inner ones in a list"));
        }
        if size > SCALARS_MAX && !sizes.has_large_part(site.unit, site.item) {
            let message = format!("a value of `{}` holds more than {SCALARS_MAX} scalars in place", site.name.text);
            too_large(message, site.name.span, sink);
        }
    }
    for (unit, field) in walk::fields(scope.units) {
        if sizes.is_large(unit, &field.ty) && !matches!(field.ty.kind, TypeKind::Path(_)) {
            let message = format!("field `{}` holds more than {SCALARS_MAX} scalars in place", field.head.name.text);
            too_large(message, field.ty.span, sink);
        }
    }
}

fn too_large(message: String, span: Span, sink: &mut Sink) {
    let diagnostic = Diagnostic::new(Code::InPlace, span, message);
    sink.push(diagnostic.with_help("a list holds its elements elsewhere: write `[T] @max(n)`"));
}

struct Sizes<'s, 'a> {
    scope: &'s Scope<'a>,
    known: HashMap<usize, Option<u64>>,
}

impl Sizes<'_, '_> {
    fn is_large(&mut self, unit: usize, ty: &TypeExpr) -> bool {
        self.of(unit, ty, 0).is_some_and(|size| size > SCALARS_MAX)
    }

    /// Whether one field, or the target of an alias, is too large by itself: reported there.
    fn has_large_part(&mut self, unit: usize, item: &Item) -> bool {
        let lists: Vec<&FieldList> = match item {
            Item::Struct(item) => vec![&item.fields],
            Item::Enum(item) => item.variants.variants.iter().filter_map(|variant| variant.fields.as_ref()).collect(),
            Item::Alias(alias) => return matches!(alias.target.kind, TypeKind::Path(_)),
            Item::Constant(_) | Item::Service(_) | Item::External(_) | Item::Lost(_) => return false,
        };
        lists.iter().flat_map(|list| &list.fields).any(|field| self.is_large(unit, &field.ty))
    }

    /// Scalars held in place; `None`: not known, because something in it is wrong in another way.
    fn of_named(&mut self, id: usize, depth: u32) -> Option<u64> {
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        if depth == DEPTH_MAX {
            return Some(TOO_DEEP);
        }
        let site = self.scope.types[id];
        // A type that contains itself holds the inner one elsewhere; one that does so without end is reported by `recursion`.
        self.known.insert(id, Some(1));
        let size = match site.item {
            Item::Struct(item) => self.of_fields(site.unit, &item.fields, depth),
            Item::Alias(alias) => self.of(site.unit, &alias.target, depth),
            Item::Enum(item) => {
                let lists = item.variants.variants.iter().filter_map(|variant| variant.fields.as_ref());
                lists
                    .map(|list| self.of_fields(site.unit, list, depth))
                    .try_fold(1, |most: u64, size| Some(most.max(size?)))
            }
            Item::External(_) => Some(1),
            Item::Constant(_) | Item::Service(_) | Item::Lost(_) => None,
        };
        self.known.insert(id, size);
        size
    }

    fn of_fields(&mut self, unit: usize, list: &FieldList, depth: u32) -> Option<u64> {
        list.fields.iter().try_fold(0_u64, |sum, field| {
            let size = self.of(unit, &field.ty, depth)?;
            Some(if sum == TOO_DEEP || size == TOO_DEEP { TOO_DEEP } else { (sum + size).min(HUGE) })
        })
    }

    fn of(&mut self, unit: usize, ty: &TypeExpr, depth: u32) -> Option<u64> {
        match &ty.kind {
            TypeKind::Path(path) if built_in(path).is_some() => Some(1),
            TypeKind::Path(path) => match self.scope.lookup(unit, path) {
                Ok(Declared::Type(id)) => self.of_named(id.0 as usize, depth + 1),
                _ => None,
            },
            // An optional that closes a circle is put on the heap.
            TypeKind::Optional(inner) => Some(self.of(unit, inner, depth).unwrap_or(1)),
            TypeKind::Array(element, length) => {
                let length = self.scope.count(unit, length).filter(|length| *length <= SCALARS_MAX)?;
                let size = self.of(unit, element, depth)?;
                // Neither is more than 2^40, or the product is counted no further.
                Some(if size == TOO_DEEP { TOO_DEEP } else { size.saturating_mul(length).min(HUGE) })
            }
            TypeKind::List(_) | TypeKind::Map(..) => Some(1),
        }
    }
}

/// Aliases name aliases only so deep: whoever resolves one recurses.
fn aliases(scope: &Scope<'_>, sink: &mut Sink) {
    let mut depths = vec![None; scope.types.len()];
    for (id, site) in scope.types.iter().enumerate() {
        if alias_depth(scope, id, 0, &mut depths) == ALIAS_STEPS_MAX + 1 {
            let message =
                format!("`{}` is an alias of an alias more than {ALIAS_STEPS_MAX} times over", site.name.text);
            sink.push(
                Diagnostic::new(Code::AliasDepth, site.name.span, message)
                    .with_help("let it stand for the type at the end"),
            );
        }
    }
}

/// How many aliases stand one inside the other from this type on, itself included; counted no further than is too many.
fn alias_depth(scope: &Scope<'_>, id: usize, above: usize, depths: &mut Vec<Option<usize>>) -> usize {
    if let Some(known) = depths[id] {
        return known;
    }
    let site = scope.types[id];
    let Item::Alias(alias) = site.item else { return 0 };
    if above > ALIAS_STEPS_MAX {
        return 1;
    }
    // Of an alias that names itself the inner one counts nothing; `recursion` reports it.
    depths[id] = Some(0);
    let (mut types, mut deepest) = (vec![&alias.target], 0);
    while let Some(ty) = types.pop() {
        match &ty.kind {
            TypeKind::Path(path) if built_in(path).is_some() => {}
            TypeKind::Path(path) => {
                if let Ok(Declared::Type(next)) = scope.lookup(site.unit, path) {
                    deepest = deepest.max(alias_depth(scope, next.0 as usize, above + 1, depths));
                }
            }
            TypeKind::Optional(inner) | TypeKind::List(inner) | TypeKind::Array(inner, _) => types.push(inner),
            TypeKind::Map(key, value) => types.extend([key.as_ref(), value.as_ref()]),
        }
    }
    let depth = (deepest + 1).min(ALIAS_STEPS_MAX + 2);
    depths[id] = Some(depth);
    depth
}
