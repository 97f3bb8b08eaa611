//! What is allowed and most likely not meant.
//!
//! Knows: habits of this language. Does not know: whether there are errors besides. Everything here is a warning.

use std::cell::LazyCell;
use std::collections::HashSet;

use super::casing::Casing;
use super::imports;
use super::scope::{BUILT_IN, Declared, Scope};
use super::walk::{self, Owner};
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::source::Span;
use crate::syntax::ast::{Attribute, Head, Item, LiteralKind, Member, Name, Path, TypeExpr, TypeKind};

pub(super) fn check(scope: &Scope<'_>, sink: &mut Sink) {
    styles(scope, sink);
    reasons(scope, sink);
    deprecated_uses(scope, sink);
    for (_, service) in walk::services(scope.units) {
        if service.members.is_empty() {
            let name = &service.head.name;
            let message = format!("service `{}` has no action and no broadcast", name.text);
            let diagnostic = Diagnostic::new(Code::EmptyService, name.span, message);
            sink.push(diagnostic.with_help("give it one: `action name(app_id: AppId);`"));
        }
    }
    for site in walk::field_lists(scope.units) {
        let speaks_of_an_app = matches!(site.owner, Owner::Request | Owner::Broadcast);
        let first = site.list.fields.first().filter(|field| speaks_of_an_app && field.head.name.text == "app_id");
        if let Some(default) = first.and_then(|field| field.default.as_ref()) {
            let message = "an absent `app_id` would be taken for this one";
            let diagnostic = Diagnostic::new(Code::AppIdDefault, default.span, message);
            sink.push(diagnostic.with_help("leave the default out: whoever calls knows the application"));
        }
    }
}

/// Names in the casing of their kind, so that a text and its Rust look alike.
fn styles(scope: &Scope<'_>, sink: &mut Sink) {
    let used = LazyCell::new(|| used(scope));
    let mut style = |name: &Name, what: &str, casings: &[Casing], is_taken: &dyn Fn(&str) -> bool| {
        let fits = |casing: &Casing| match casing {
            Casing::Snake => !name.text.contains(|c: char| c.is_ascii_uppercase()),
            Casing::Camel => name.text.starts_with(|c: char| c.is_ascii_uppercase()) && !name.text.contains('_'),
            Casing::Shouty => !name.text.contains(|c: char| c.is_ascii_lowercase()),
        };
        let usual = casings.first().map(|casing| casing.apply(&name.text)).unwrap_or_default();
        // A name that cannot be one at all, or that another has in Rust, is another rule's matter.
        if casings.iter().any(fits) || !usual.starts_with(|c: char| c.is_ascii_alphabetic()) || is_taken(&usual) {
            return;
        }
        let message = format!("the {what} `{}` is usually called `{usual}`", name.text);
        let diagnostic = Diagnostic::new(Code::NameStyle, name.span, message);
        let diagnostic = match breaking(what) {
            Some(rule) => diagnostic.with_help(format!(
                "where peers know it already it keeps this name: another breaks them (`rpcgen explain {rule}`)"
            )),
            None => diagnostic,
        };
        sink.push(if used.contains(name.text.as_str()) {
            diagnostic
                .with_help(format!("write `{usual}`, here and where it is used: `rpcgen lsp` renames all at once"))
        } else {
            diagnostic.with_fix("write", name.span, usual)
        });
    };
    for (unit, item) in walk::items(scope.units) {
        let is_taken = |usual: &str| {
            scope.declared(unit, usual).is_some() || BUILT_IN.iter().any(|(built_in, _)| *built_in == usual)
        };
        match item {
            Item::Constant(constant) => style(&constant.head.name, "constant", &[Casing::Shouty], &is_taken),
            Item::External(_) | Item::Lost(_) => {}
            Item::Service(_) => style(item.name(), "service", &[Casing::Camel], &is_taken),
            _ => style(item.name(), "type", &[Casing::Camel], &is_taken),
        }
    }
    for site in walk::field_lists(scope.units) {
        let names = LazyCell::new(|| texts(site.list.fields.iter().map(|field| &field.head.name)));
        for field in &site.list.fields {
            style(&field.head.name, "field", &[Casing::Snake], &|usual| names.contains(usual));
        }
    }
    for site in walk::variant_lists(scope.units) {
        let what = if site.reasons { "reason" } else { "variant" };
        let names = LazyCell::new(|| texts(site.list.variants.iter().map(|variant| &variant.head.name)));
        for variant in &site.list.variants {
            // A Rust enum that is read by the attribute macro has its variants in the casing of types.
            let casings = [Casing::Snake, Casing::Camel];
            style(&variant.head.name, what, &casings, &|usual| names.contains(usual));
        }
    }
    for (_, service) in walk::services(scope.units) {
        let names = LazyCell::new(|| texts(service.members.iter().filter_map(member_head).map(|head| &head.name)));
        for member in &service.members {
            let (what, name) = match member {
                Member::Action(action) => ("action", &action.head.name),
                Member::Broadcast(broadcast) => ("broadcast", &broadcast.head.name),
                Member::Lost(_) => continue,
            };
            style(name, what, &[Casing::Snake], &|usual| names.contains(usual));
        }
    }
}

/// The rule of `rpcgen breaking` for a new name. `None`: both ends do not speak of the name.
fn breaking(what: &str) -> Option<&'static str> {
    match what {
        "service" => Some("service_removed"),
        "field" => Some("field_renamed"),
        "variant" | "reason" => Some("variant_renamed"),
        "action" => Some("action_renamed"),
        "broadcast" => Some("broadcast_renamed"),
        _ => None,
    }
}

fn texts<'n>(names: impl Iterator<Item = &'n Name>) -> HashSet<&'n str> {
    names.map(|name| name.text.as_str()).collect()
}

/// Every name that something is called by where it is used: to rename what is declared alone would break that.
fn used<'a>(scope: &Scope<'a>) -> HashSet<&'a str> {
    let mut used: HashSet<&str> = imports::paths(scope.units).map(|path| path.last.text.as_str()).collect();
    for (_, service) in walk::services(scope.units) {
        for origin in walk::broadcasts(service).filter_map(|broadcast| broadcast.origin.as_ref()) {
            used.insert(&origin.action.text);
            used.extend(origin.by.iter().map(|field| field.text.as_str()));
        }
    }
    used
}

/// `@deprecated("")` warns and does not say what to do.
fn reasons(scope: &Scope<'_>, sink: &mut Sink) {
    for head in heads(scope) {
        let Some(attribute) = deprecated(head) else { continue };
        if matches!(attribute.arguments.as_slice(), [one] if one.kind == LiteralKind::String(String::new())) {
            let diagnostic = Diagnostic::new(Code::NoReason, attribute.span, "a deprecation that does not say why");
            sink.push(diagnostic.with_help("say what to use instead: whoever uses it reads this"));
        }
    }
}

fn heads<'a>(scope: &Scope<'a>) -> Vec<&'a Head> {
    let mut heads = Vec::new();
    for (_, item) in walk::items(scope.units) {
        match item {
            Item::Constant(item) => heads.push(&item.head),
            Item::Alias(item) => heads.push(&item.head),
            Item::Struct(item) => heads.push(&item.head),
            Item::Enum(item) => heads.push(&item.head),
            Item::Service(item) => heads.extend(item.members.iter().filter_map(member_head)),
            Item::External(_) | Item::Lost(_) => {}
        }
    }
    heads.extend(walk::fields(scope.units).map(|(_, field)| &field.head));
    let variants = walk::variant_lists(scope.units).into_iter().flat_map(|site| &site.list.variants);
    heads.extend(variants.map(|variant| &variant.head));
    heads
}

fn member_head(member: &Member) -> Option<&Head> {
    match member {
        Member::Action(action) => Some(&action.head),
        Member::Broadcast(broadcast) => Some(&broadcast.head),
        Member::Lost(_) => None,
    }
}

fn deprecated(head: &Head) -> Option<&Attribute> {
    head.attributes.iter().find(|attribute| attribute.name.text == "deprecated")
}

/// Types that are deprecated, where something that is not names them.
fn deprecated_uses(scope: &Scope<'_>, sink: &mut Sink) {
    let is_old = |item: &Item| match item {
        Item::Struct(item) => deprecated(&item.head).is_some(),
        Item::Enum(item) => deprecated(&item.head).is_some(),
        Item::Alias(item) => deprecated(&item.head).is_some(),
        _ => false,
    };
    if !walk::items(scope.units).any(|(_, item)| is_old(item)) {
        return;
    }
    let old_spans: Vec<Span> =
        heads(scope).into_iter().filter(|head| deprecated(head).is_some()).map(|h| h.span).collect();
    for (unit, ty) in walk::type_exprs(scope.units) {
        let TypeExpr { kind: TypeKind::Path(path), .. } = ty else { continue };
        let Some((name, declared)) = old_type(scope, unit, path, &is_old) else { continue };
        let inside_old =
            |span: &Span| span.source == ty.span.source && span.start <= ty.span.start && ty.span.end <= span.end;
        if !old_spans.iter().any(inside_old) {
            let message = format!("`{name}` is deprecated");
            let diagnostic = Diagnostic::new(Code::DeprecatedUse, ty.span, message);
            let diagnostic = diagnostic.with_secondary(declared, "declared here, with the reason");
            sink.push(diagnostic.with_help("use what replaces it, or deprecate what uses it as well"));
        }
    }
}

fn old_type<'a>(
    scope: &Scope<'a>,
    unit: usize,
    path: &Path,
    is_old: &impl Fn(&Item) -> bool,
) -> Option<(&'a str, Span)> {
    let Ok(Declared::Type(id)) = scope.lookup(unit, path) else { return None };
    let site = scope.types[id.0 as usize];
    is_old(site.item).then_some((site.name.text.as_str(), site.name.span))
}
