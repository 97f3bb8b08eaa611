//! Imports: no circles, one file per package, none without use.
//!
//! Knows: which unit imports which, and which prefixes types and values are written with. Does not know: paths of files.

use std::collections::HashMap;

use super::scope::{Missing, Scope, built_in};
use super::{Unit, names, walk};
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::syntax::ast::{
    Action, Attribute, Field, Head, Import, Item, Literal, LiteralKind, Member, Path, TypeKind, VariantList,
};

pub(super) fn check(scope: &Scope<'_>, sink: &mut Sink) {
    same_packages(scope, sink);
    cycles(scope, sink);
    for unit in 0..scope.units.len() {
        imported_twice(scope, unit, sink);
        unused(scope, unit, sink);
    }
}

fn same_packages(scope: &Scope<'_>, sink: &mut Sink) {
    let mut first_of: HashMap<String, crate::source::Span> = HashMap::new();
    for path in scope.units.iter().filter_map(|unit| unit.file.package.as_ref()) {
        if let Some(first) = first_of.get(&path.text()) {
            let message = format!("package `{}` is declared by two files", path.text());
            let diagnostic = Diagnostic::new(Code::SamePackage, path.span(), message)
                .with_secondary(*first, "the other one")
                .with_help("a package is one file: give one of them another name");
            sink.push(diagnostic);
        } else {
            first_of.insert(path.text(), path.span());
        }
    }
}

/// Walks the graph without recursion; every import that closes a circle is reported once.
fn cycles(scope: &Scope<'_>, sink: &mut Sink) {
    let (mut on_path, mut done) = (vec![false; scope.units.len()], vec![false; scope.units.len()]);
    for root in 0..scope.units.len() {
        let mut stack = vec![(root, 0)];
        while let Some((unit, next)) = stack.last_mut() {
            let unit = *unit;
            on_path[unit] = true;
            let import = scope.units[unit].imports.get(*next).copied();
            *next += 1;
            match import {
                _ if done[unit] => {
                    on_path[unit] = false;
                    stack.pop();
                }
                None => {
                    done[unit] = true;
                }
                Some(None) => {}
                Some(Some(target)) if on_path[target] => {
                    let index = *next - 1;
                    let path: Vec<usize> = stack.iter().map(|(unit, _)| *unit).collect();
                    report_cycle(scope, &path, target, &scope.units[unit].file.imports[index], sink);
                }
                Some(Some(target)) => {
                    if !done[target] {
                        stack.push((target, 0));
                    }
                }
            }
        }
    }
}

fn report_cycle(scope: &Scope<'_>, path: &[usize], target: usize, import: &Import, sink: &mut Sink) {
    let from = path.iter().position(|unit| *unit == target).unwrap_or(0);
    let circle: Vec<&str> = path[from..].iter().chain([&target]).map(|unit| scope.units[*unit].name.as_str()).collect();
    let message = if circle.len() == 2 {
        "this file imports itself".to_owned()
    } else {
        "these files import each other".to_owned()
    };
    let diagnostic = Diagnostic::new(Code::ImportCycle, import.span, message)
        .with_label(circle.join(" -> "))
        .with_help("move what they share to a file that imports none of them");
    sink.push(diagnostic);
}

fn imported_twice(scope: &Scope<'_>, unit: usize, sink: &mut Sink) {
    let one = &scope.units[unit];
    let mut first_of: HashMap<usize, &Import> = HashMap::new();
    for (import, target) in one.file.imports.iter().zip(&one.imports) {
        let Some(target) = *target else { continue };
        if let Some(first) = first_of.get(&target) {
            let diagnostic = Diagnostic::new(Code::ImportTwice, import.span, "this file is imported twice");
            sink.push(diagnostic.with_secondary(first.span, "the first time").with_help("remove one of the two"));
        } else {
            first_of.insert(target, import);
        }
    }
}

fn unused(scope: &Scope<'_>, unit: usize, sink: &mut Sink) {
    let one = &scope.units[unit];
    // A declaration that could not be read may have used any of them.
    let lost = |item: &Item| match item {
        Item::Lost(_) => true,
        Item::Service(service) => service.members.iter().any(|member| matches!(member, Member::Lost(_))),
        _ => false,
    };
    let incomplete = |site: walk::FieldsSite<'_>| site.unit == unit && site.list.incomplete;
    if one.file.items.iter().any(lost) || walk::field_lists(scope.units).into_iter().any(incomplete) {
        return;
    }
    let paths: Vec<&Path> = paths(std::slice::from_ref(one)).collect();
    let mut used: Vec<String> = paths.iter().map(|path| path.prefix_text()).collect();
    used.sort_unstable();
    used.dedup();
    for (import, target) in one.file.imports.iter().zip(&one.imports) {
        let Some(target) = *target else { continue };
        let package = scope.package(target);
        let is_used = || used.iter().any(|prefix| prefix == package);
        // Who writes `Limit` for `limits.Limit` is told so, and has used the import.
        if target != unit
            && !package.is_empty()
            && !is_used()
            && !paths.iter().any(|path| is_meant(scope, unit, path, target, sink))
        {
            let message = format!("nothing of package `{package}` is used");
            let diagnostic = Diagnostic::new(Code::UnusedImport, import.span, message);
            sink.push(diagnostic.with_help("remove the import"));
        }
    }
}

/// Whether a name that stands for nothing may have been meant for what an import declares.
fn is_meant(scope: &Scope<'_>, unit: usize, path: &Path, target: usize, sink: &mut Sink) -> bool {
    match scope.lookup(unit, path) {
        Err(Missing::Name) if path.prefix.is_empty() && built_in(path).is_none() => {
            scope.declared(target, &path.last.text).is_some()
        }
        // Where nobody looks any more, nothing is called unused.
        Err(Missing::Package) => {
            !sink.may_compare(scope.units[target].file.items.len()) || names::has_near(scope, target, path)
        }
        _ => false,
    }
}

/// Every path that a type or a value of these units is.
pub(super) fn paths(units: &[Unit]) -> impl Iterator<Item = &Path> {
    let types = walk::type_exprs(units).into_iter().flat_map(|(_, ty)| {
        let own = match &ty.kind {
            TypeKind::Path(path) => Some(path),
            TypeKind::Array(_, length) => in_literal(length),
            _ => None,
        };
        own.into_iter().chain(ty.attributes.iter().flat_map(|attribute| &attribute.arguments).filter_map(in_literal))
    });
    types.chain(units.iter().flat_map(|unit| literals(&unit.file.items)).filter_map(in_literal))
}

fn in_literal(literal: &Literal) -> Option<&Path> {
    match &literal.kind {
        LiteralKind::Path(path) => Some(path),
        _ => None,
    }
}

/// Values of constants, defaults and annotations, those of types apart.
fn literals(items: &[Item]) -> Vec<&Literal> {
    let mut found = Vec::new();
    for item in items {
        match item {
            Item::Constant(constant) => found.push(&constant.value),
            Item::Struct(item) => in_fields(&item.fields.fields, &mut found),
            Item::Enum(item) => in_variants(&item.variants, &mut found),
            Item::Service(service) => service.members.iter().for_each(|member| in_member(member, &mut found)),
            Item::Alias(_) | Item::External(_) | Item::Lost(_) => {}
        }
    }
    found
}

fn in_fields<'a>(fields: &'a [Field], found: &mut Vec<&'a Literal>) {
    found.extend(fields.iter().filter_map(|field| field.default.as_ref()));
}

fn in_variants<'a>(list: &'a VariantList, found: &mut Vec<&'a Literal>) {
    list.variants.iter().filter_map(|variant| variant.fields.as_ref()).for_each(|list| in_fields(&list.fields, found));
}

fn in_member<'a>(member: &'a Member, found: &mut Vec<&'a Literal>) {
    match member {
        Member::Action(Action { head, request, response, fails, fails_with: _ }) => {
            in_head(head, found);
            in_fields(&request.fields, found);
            response.iter().for_each(|list| in_fields(&list.fields, found));
            fails.iter().for_each(|list| in_variants(list, found));
        }
        Member::Broadcast(broadcast) => in_fields(&broadcast.fields.fields, found),
        Member::Lost(_) => {}
    }
}

fn in_head<'a>(head: &'a Head, found: &mut Vec<&'a Literal>) {
    found.extend(head.attributes.iter().flat_map(|Attribute { arguments, .. }| arguments));
}
