//! Every action and every broadcast begins with `app_id: AppId`.
//!
//! Knows: the first field of a request or broadcast. Does not know: why (docs/protocol.md: one server runs many applications).

use super::scope::{Scope, built_in};
use super::walk;
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
    let diagnostic = Diagnostic::new(
        Code::AppIdFirst,
        name.span,
        format!("{what} `{}` has no `{FIELD}` as its first field", name.text),
    )
    .with_help("one server answers for many applications: the first field says which one is spoken of");
    sink.push(with_fix(diagnostic, list));
}

fn with_fix(diagnostic: Diagnostic, list: &FieldList) -> Diagnostic {
    let Some(first) = list.fields.first() else {
        let inside = Span { start: list.span.start + 1, end: list.span.start + 1, ..list.span };
        return diagnostic.with_fix("write", inside, FIELD);
    };
    if let Some(late) = list.fields.iter().skip(1).find(|field| field.head.name.text == "app_id") {
        return diagnostic.with_secondary(late.head.name.span, "it is here").with_help("move it to the front");
    }
    let declared = first.head.name.span.to(first.ty.span);
    if first.head.name.text == "app_id" {
        return diagnostic.with_secondary(first.ty.span, "it has another type").with_fix("write", declared, FIELD);
    }
    if is_app_id(first) {
        return diagnostic
            .with_secondary(first.head.name.span, "it has another name")
            .with_fix("write", declared, FIELD);
    }
    let inside = Span { start: list.span.start + 1, end: list.span.start + 1, ..list.span };
    diagnostic.with_fix("write", inside, format!("{FIELD}, "))
}

fn is_app_id(field: &Field) -> bool {
    matches!(&field.ty.kind, TypeKind::Path(path) if built_in(path) == Some(Type::AppId))
}
