//! Every action and every broadcast begins with `app_id: AppId`.
//!
//! Knows: the first field of a request or broadcast. Does not know: why (docs/protocol.md: one server runs many applications).

use std::collections::HashSet;

use super::scope::{Scope, built_in};
use super::walk::{self, Owner};
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::model::Type;
use crate::source::Span;
use crate::syntax::ast::{Field, FieldList, Member, Name, TypeKind};

const FIELD: &str = "app_id: AppId";

pub(super) fn check(scope: &Scope<'_>, sink: &mut Sink) {
    for (_, service) in walk::services(scope.units) {
        for member in &service.members {
            match member {
                Member::Action(action) => first_field(&action.head.name, "action", &action.request, sink),
                Member::Broadcast(broadcast) => first_field(&broadcast.head.name, "broadcast", &broadcast.fields, sink),
                Member::Lost(_) => {}
            }
        }
    }
}

fn first_field(name: &Name, what: &str, list: &FieldList, sink: &mut Sink) {
    let first = list.fields.first();
    if list.incomplete || first.is_some_and(|field| field.head.name.text == "app_id" && is_app_id(field)) {
        return;
    }
    let finding = |code, said: &str| Diagnostic::new(code, name.span, format!("{what} `{}` {said}", name.text));
    let help = "one server answers for many applications: the first field says which one is spoken of";
    let inside = Span { start: list.span.start + 1, end: list.span.start + 1, ..list.span };
    let Some(first) = first else {
        let missing = finding(Code::AppIdFirst, "has no `app_id: AppId` as its first field");
        return sink.push(missing.with_help(help).with_fix("write", inside, FIELD));
    };
    if let Some(late) = list.fields.iter().skip(1).find(|field| field.head.name.text == "app_id") {
        let diagnostic = finding(Code::AppIdLate, "has its `app_id` behind another field");
        let diagnostic = diagnostic.with_secondary(late.head.name.span, "it is here");
        return sink.push(diagnostic.with_help("move it to the front"));
    }
    let declared = first.head.name.span.to(first.ty.span);
    sink.push(if first.head.name.text == "app_id" {
        let diagnostic = finding(Code::AppIdType, "has an `app_id` that is not an `AppId`");
        diagnostic.with_secondary(first.ty.span, "it has another type").with_fix("write", declared, FIELD)
    } else if is_app_id(first) {
        let diagnostic = finding(Code::AppIdFirst, "has no `app_id: AppId` as its first field").with_help(help);
        diagnostic.with_secondary(first.head.name.span, "it has another name").with_fix("write", declared, FIELD)
    } else {
        let missing = finding(Code::AppIdFirst, "has no `app_id: AppId` as its first field");
        missing.with_help(help).with_fix("write", inside, format!("{FIELD}, "))
    });
}

/// The types of first fields called `app_id` that are reported here: that nothing has their names need not be said as well.
pub(super) fn of_other_types(scope: &Scope<'_>) -> HashSet<Span> {
    let lists = walk::field_lists(scope.units).into_iter();
    let lists = lists.filter(|site| matches!(site.owner, Owner::Request | Owner::Broadcast) && !site.list.incomplete);
    let first = lists.filter_map(|site| site.list.fields.first());
    first.filter(|field| field.head.name.text == "app_id" && !is_app_id(field)).map(|field| field.ty.span).collect()
}

fn is_app_id(field: &Field) -> bool {
    matches!(&field.ty.kind, TypeKind::Path(path) if built_in(path) == Some(Type::AppId))
}
