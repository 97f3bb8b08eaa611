//! The page's services and types.
//!
//! Knows: how each declaration is shown. Does not know: the page around them.

use std::fmt::Write as _;

use super::text::{docs, escape, inline};
use crate::model::written::{duration_text, scalar_name, type_name, value_text};
use crate::model::{
    Action, Broadcast, CorrelationPlace, Field, Model, Package, PackageId, Persist, Service, Type, TypeDef, TypeId,
    TypeKind, Variant,
};

/// A type as it is written, with links to the declared ones.
fn linked(model: &Model, home: PackageId, ty: &Type) -> String {
    let limit = |max: &Option<u64>| max.map_or_else(String::new, |max| format!(" @max({max})"));
    match ty {
        Type::Optional(content) => match (&**content, linked(model, home, content)) {
            // `string? @max(8)`, as the language has it.
            (Type::String { max: Some(max) } | Type::Bytes { max: Some(max) }, _) => {
                format!("{}? @max({max})", scalar_name(content).unwrap_or_default())
            }
            (_, text) => format!("{text}?"),
        },
        Type::List { element, max } => format!("[{}]{}", linked(model, home, element), limit(max)),
        Type::Array { element, length } => format!("[{}; {length}]", linked(model, home, element)),
        Type::Map { key, value, max } => {
            format!("{{{}: {}}}{}", linked(model, home, key), linked(model, home, value), limit(max))
        }
        Type::Named(id) => link(model, home, *id),
        Type::String { max } | Type::Bytes { max } => format!("{}{}", scalar_name(ty).unwrap_or_default(), limit(max)),
        scalar => scalar_name(scalar).unwrap_or_default().to_owned(),
    }
}

fn link(model: &Model, home: PackageId, id: TypeId) -> String {
    let anchor = escape(&type_name(model, None, id));
    format!("<a href=\"#{anchor}\">{}</a>", escape(&type_name(model, Some(home), id)))
}

fn deprecated(why: Option<&String>) -> String {
    why.map_or_else(String::new, |why| format!("<p><span class=\"badge bad\">deprecated</span>{}</p>\n", inline(why)))
}

fn signature(model: &Model, home: PackageId, fields: &[Field]) -> String {
    let one = |field: &Field| format!("{}: {}", escape(&field.name), linked(model, home, &field.ty));
    fields.iter().map(one).collect::<Vec<_>>().join(", ")
}

pub(super) fn service(model: &Model, service: &Service, out: &mut String) {
    let at = escape(&format!("{}.{}", model.package(service.package).name, service.name));
    let name = escape(&service.name);
    let _ = write!(
        out,
        "<h3 id=\"{at}\"><small>service</small>{name}</h3>\n{}<p class=\"soft\">Fingerprint <code>{:016x}</code></p>\n",
        docs(&service.docs),
        service.fingerprint,
    );
    service.actions.iter().for_each(|one| action(model, service, &at, one, out));
    service.broadcasts.iter().for_each(|one| broadcast(model, service, &at, one, out));
}

fn action(model: &Model, service: &Service, at: &str, action: &Action, out: &mut String) {
    let home = service.package;
    let name = escape(&action.name);
    let _ = write!(
        out,
        "<article id=\"{at}.{name}\">\n<h4><small>action</small>{name}</h4>\n<pre><span class=\"k\">action</span> {name}({})",
        signature(model, home, &action.request),
    );
    if !action.response.is_empty() {
        let _ = write!(out, " -&gt; ({})", signature(model, home, &action.response));
    }
    if !action.fails.is_empty() {
        let reasons: Vec<String> = action.fails.iter().map(|reason| escape(&reason.name)).collect();
        let _ = write!(out, "\n    <span class=\"k\">fails</span> {{ {} }}", reasons.join(", "));
    }
    let _ = write!(out, "</pre>\n{}{}", deprecated(action.deprecated.as_ref()), docs(&action.docs));
    if action.persist == Some(Persist::Disk) {
        out.push_str("<span class=\"badge\">kept on disk until it is answered</span>");
    }
    if let Some(deadline) = action.deadline {
        let _ = write!(out, "<span class=\"badge\">deadline {}</span>", duration_text(deadline.into()));
    }
    fields(model, home, "Request", &action.request, out);
    fields(model, home, "Response", &action.response, out);
    variants(model, home, "Fails", &action.fails, out);
    out.push_str("</article>\n");
}

fn broadcast(model: &Model, service: &Service, at: &str, broadcast: &Broadcast, out: &mut String) {
    let home = service.package;
    let name = escape(&broadcast.name);
    let _ = write!(
        out,
        "<article id=\"{at}.{name}\">\n<h4><small>broadcast</small>{name}</h4>\n\
         <pre><span class=\"k\">broadcast</span> {name}({})</pre>\n{}{}",
        signature(model, home, &broadcast.fields),
        deprecated(broadcast.deprecated.as_ref()),
        docs(&broadcast.docs),
    );
    match &broadcast.origin {
        None => out.push_str("<p>Goes to any online node that handles it.</p>\n"),
        Some(origin) => {
            let action = service.actions.get(origin.action as usize).map_or("", |action| &action.name);
            let ties: Vec<String> = origin
                .by
                .iter()
                .map(|tie| {
                    let field = broadcast.fields.get(tie.broadcast_field as usize).map_or("", |field| &field.name);
                    let place = match tie.place {
                        CorrelationPlace::Request => "request",
                        CorrelationPlace::Response => "response",
                    };
                    format!("<code>{}</code> in the {place}", escape(field))
                })
                .collect();
            let action = escape(action);
            let _ = writeln!(
                out,
                "<p>Goes to the node whose <a href=\"#{at}.{action}\">{action}</a> had the same {}.</p>",
                ties.join(", ")
            );
        }
    }
    fields(model, home, "Fields", &broadcast.fields, out);
    out.push_str("</article>\n");
}

fn fields(model: &Model, home: PackageId, title: &str, list: &[Field], out: &mut String) {
    if list.is_empty() {
        return;
    }
    let _ = write!(out, "<table>\n<thead><tr><th>{title}</th><th>Type</th><th></th></tr></thead>\n<tbody>\n");
    for field in list {
        let default = field.default.as_ref().map_or_else(String::new, |default| {
            format!("<span class=\"badge\">default {}</span>", escape(&value_text(model, default)))
        });
        let sensitive = if field.sensitive { "<span class=\"badge\">sensitive: never printed</span>" } else { "" };
        let _ = writeln!(
            out,
            "<tr><td><code>{}</code></td><td><code>{}</code></td><td>{default}{sensitive}{}{}</td></tr>",
            escape(&field.name),
            linked(model, home, &field.ty),
            deprecated(field.deprecated.as_ref()),
            docs(&field.docs),
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn variants(model: &Model, home: PackageId, title: &str, list: &[Variant], out: &mut String) {
    if list.is_empty() {
        return;
    }
    let _ = write!(out, "<table>\n<thead><tr><th>{title}</th><th></th></tr></thead>\n<tbody>\n");
    for variant in list {
        let data = if variant.fields.is_empty() {
            String::new()
        } else {
            format!(" {{ {} }}", signature(model, home, &variant.fields))
        };
        let mut told = String::new();
        if variant.fields.iter().any(|field| !field.docs.is_empty() || field.default.is_some()) {
            fields(model, home, "Field", &variant.fields, &mut told);
        }
        let _ = writeln!(
            out,
            "<tr><td><code>{}{data}</code></td><td>{}{}{told}</td></tr>",
            escape(&variant.name),
            deprecated(variant.deprecated.as_ref()),
            docs(&variant.docs),
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

pub(super) fn type_def(model: &Model, def: &TypeDef, out: &mut String) {
    let at = escape(&format!("{}.{}", model.package(def.package).name, def.name));
    let name = escape(&def.name);
    let kind = match &def.kind {
        TypeKind::Struct { .. } => "struct",
        TypeKind::Enum { .. } => "enum",
        TypeKind::Alias { .. } => "alias",
        TypeKind::External { .. } => "external",
    };
    let _ = write!(out, "<article id=\"{at}\">\n<h4><small>{kind}</small>{name}</h4>\n");
    out.push_str(&deprecated(def.deprecated.as_ref()));
    out.push_str(&docs(&def.docs));
    match &def.kind {
        TypeKind::Struct { fields: list, fixed } => {
            if *fixed {
                out.push_str("<span class=\"badge\">fixed: it never changes</span>");
            }
            fields(model, def.package, "Field", list, out);
        }
        TypeKind::Enum { variants: list } => variants(model, def.package, "Variant", list, out),
        TypeKind::Alias { target } => {
            let _ = writeln!(out, "<pre>alias {name} = {}</pre>", linked(model, def.package, target));
        }
        TypeKind::External { path } => {
            let _ = writeln!(out, "<pre>{}</pre>", escape(path));
        }
    }
    used_by(model, def, out);
    out.push_str("</article>\n");
}

/// The actions and broadcasts that have the type in a field of theirs.
fn used_by(model: &Model, def: &TypeDef, out: &mut String) {
    let mut users = Vec::new();
    for service in &model.services {
        let at = format!("{}.{}", model.package(service.package).name, service.name);
        for action in &service.actions {
            let reasons = action.fails.iter().flat_map(|reason| &reason.fields);
            if action.request.iter().chain(&action.response).chain(reasons).any(|field| holds(model, &field.ty, def)) {
                users.push((format!("{at}.{}", action.name), &action.name));
            }
        }
        for broadcast in &service.broadcasts {
            if broadcast.fields.iter().any(|field| holds(model, &field.ty, def)) {
                users.push((format!("{at}.{}", broadcast.name), &broadcast.name));
            }
        }
    }
    if !users.is_empty() {
        let links: Vec<String> =
            users.iter().map(|(at, name)| format!("<a href=\"#{}\">{}</a>", escape(at), escape(name))).collect();
        let _ = writeln!(out, "<p class=\"soft\">Used by {}</p>", links.join(", "));
    }
}

fn holds(model: &Model, ty: &Type, def: &TypeDef) -> bool {
    match ty {
        Type::Optional(inner) => holds(model, inner, def),
        Type::List { element, .. } | Type::Array { element, .. } => holds(model, element, def),
        Type::Map { key, value, .. } => holds(model, key, def) || holds(model, value, def),
        Type::Named(id) => std::ptr::eq(model.type_def(*id), def),
        _ => false,
    }
}

pub(super) fn constants(model: &Model, home: PackageId, package: &Package, out: &mut String) {
    if package.constants.is_empty() {
        return;
    }
    out.push_str("<h3>Constants</h3>\n<table>\n<tbody>\n");
    for constant in &package.constants {
        let _ = writeln!(
            out,
            "<tr><td><code>{}: {}</code></td><td><code>{}</code></td><td>{}</td></tr>",
            escape(&constant.name),
            linked(model, home, &constant.ty),
            escape(&value_text(model, &constant.value)),
            docs(&constant.docs),
        );
    }
    out.push_str("</tbody>\n</table>\n");
}
