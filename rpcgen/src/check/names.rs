//! Names: each declared once, each used one declared.
//!
//! Knows: declarations and uses. Does not know: what becomes of a name in Rust (`casing`, `reserved`), values (`defaults`).

use std::collections::HashMap;

use super::scope::{BUILT_IN, Declared, Missing, Scope, built_in};
use super::{app_id, walk};
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::foreign;
use crate::nearest::nearest;
use crate::syntax::ast::{Item, Member, Name, Path, TypeKind};

pub(super) fn check(scope: &Scope<'_>, sink: &mut Sink) {
    for unit in scope.units {
        declared_once("package", unit.file.items.iter().map(Item::name), sink);
    }
    for (_, service) in walk::services(scope.units) {
        declared_once("service", service.members.iter().map(member_name), sink);
    }
    for site in walk::field_lists(scope.units) {
        declared_once("list of fields", site.list.fields.iter().map(|field| &field.head.name), sink);
    }
    for site in walk::variant_lists(scope.units) {
        let what = if site.reasons { "list of reasons" } else { "enum" };
        declared_once(what, site.list.variants.iter().map(|variant| &variant.head.name), sink);
    }
    let reported = app_id::of_other_types(scope);
    for (unit, ty) in walk::type_exprs(scope.units) {
        if let TypeKind::Path(path) = &ty.kind
            && !reported.contains(&ty.span)
        {
            is_a_type(scope, unit, path, sink);
        }
    }
    for (unit, service) in walk::services(scope.units) {
        for error in walk::actions(service).filter_map(|action| action.fails_with.as_ref()) {
            is_a_type(scope, unit, error, sink);
        }
    }
}

fn member_name(member: &Member) -> &Name {
    match member {
        Member::Action(action) => &action.head.name,
        Member::Broadcast(broadcast) => &broadcast.head.name,
        Member::Lost(name) => name,
    }
}

fn declared_once<'a>(what: &str, names: impl Iterator<Item = &'a Name>, sink: &mut Sink) {
    let mut first_of: HashMap<&str, &Name> = HashMap::new();
    for name in names {
        if let Some(first) = first_of.get(name.text.as_str()) {
            let diagnostic =
                Diagnostic::new(Code::Duplicate, name.span, format!("this {what} has two of `{}`", name.text))
                    .with_label("the second one")
                    .with_secondary(first.span, "the first one")
                    .with_help("give one of them another name");
            sink.push(diagnostic);
        } else {
            first_of.insert(&name.text, name);
        }
    }
}

fn is_a_type(scope: &Scope<'_>, unit: usize, path: &Path, sink: &mut Sink) {
    if built_in(path).is_some() {
        return;
    }
    let what = match scope.lookup(unit, path) {
        Ok(Declared::Type(_)) | Ok(Declared::Lost) | Err(Missing::Lost) => return,
        Ok(Declared::Service) => "a service",
        Ok(Declared::Constant(..)) => "a constant",
        Err(Missing::Package) => {
            let unknown = unknown_package(scope, unit, path, sink);
            return sink.push(unknown);
        }
        Err(Missing::Name) => {
            let unknown = unknown_type(scope, unit, path, sink);
            return sink.push(unknown);
        }
    };
    let diagnostic = Diagnostic::new(Code::NotAType, path.span(), format!("`{}` is {what}, not a type", path.text()));
    sink.push(diagnostic.with_help("a type is built in, or declared by `struct`, `enum` or `alias`"));
}

/// Whether a unit declares something with nearly the last name of a path.
pub(super) fn has_near(scope: &Scope<'_>, unit: usize, path: &Path) -> bool {
    nearest(&path.last.text, scope.units[unit].file.items.iter().map(|item| item.name().text.as_str())).is_some()
}

/// No import has the prefix; shared with the rules that look for values.
pub(super) fn unknown_package(scope: &Scope<'_>, unit: usize, path: &Path, sink: &mut Sink) -> Diagnostic {
    let prefix = path.prefix_text();
    let first = path.prefix.first().unwrap_or(&path.last);
    let span = path.prefix.last().map_or(first.span, |last| first.span.to(last.span));
    let diagnostic = Diagnostic::new(Code::UnknownPackage, span, format!("no import has package `{prefix}`"));
    // A package that has nothing of such a name is not meant, however near its own name is.
    let mut has_it = |import: &&usize| {
        sink.may_compare(scope.units[**import].file.items.len() + 1) && has_near(scope, **import, path)
    };
    let imported = scope.units[unit].imports.iter().flatten().filter(|import| has_it(import));
    match nearest(&prefix, imported.map(|import| scope.package(*import))) {
        Some(near) => diagnostic.with_fix("did you mean", span, near),
        None => diagnostic
            .with_help(format!("import the file that declares it: `import \"{}.rpc\";`", prefix.replace('.', "/"))),
    }
}

fn unknown_type(scope: &Scope<'_>, unit: usize, path: &Path, sink: &mut Sink) -> Diagnostic {
    let span = path.last.span;
    let message = format!("there is no type `{}`", path.text());
    if sink.is_full() {
        return Diagnostic::new(Code::Unknown, span, message);
    }
    if let Some(full) = elsewhere(scope, unit, path) {
        let diagnostic = Diagnostic::new(Code::Unqualified, span, message + " in this package");
        return diagnostic.with_fix("an imported package has it", path.span(), full);
    }
    let diagnostic = Diagnostic::new(Code::Unknown, span, message);
    let home = scope.unit_of(unit, &path.prefix_text()).unwrap_or(unit);
    let declared = scope.types.iter().filter(|site| site.unit == home).map(|site| site.name.text.as_str());
    let built_in = BUILT_IN.iter().map(|(name, _)| *name).filter(|_| path.prefix.is_empty());
    let mut may_compare = || sink.may_compare(scope.types.len());
    let near = || may_compare().then(|| nearest(&path.last.text, declared.chain(built_in))).flatten();
    match foreign::scalar(&path.text()).or_else(near) {
        Some(near) => diagnostic.with_fix("did you mean", span, near),
        None => diagnostic.with_help("a type is built in, or declared by `struct`, `enum` or `alias`"),
    }
}

/// The same name in a direct import.
fn elsewhere(scope: &Scope<'_>, unit: usize, path: &Path) -> Option<String> {
    let name = &path.last.text;
    let has_it = |import: &usize| matches!(scope.declared(*import, name), Some(Declared::Type(_)));
    let imports = scope.units[unit].imports.iter().flatten().copied();
    let import = imports.filter(has_it).min().filter(|_| path.prefix.is_empty())?;
    Some(format!("{}.{name}", scope.package(import)))
}
