//! Types that contain themselves: fine through a list, a map or an optional, which end; endless otherwise.
//!
//! Knows: which named type holds which. Does not know: sizes (`limits`).

use super::scope::{Declared, Scope};
use super::walk;
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::source::Span;
use crate::syntax::ast::{FieldList, Item, LiteralKind, Path, TypeExpr, TypeKind};

/// One type names another here.
struct Edge {
    to: usize,
    span: Span,
}

pub(super) fn check(scope: &Scope<'_>, sink: &mut Sink) {
    let held: Vec<Vec<Edge>> = scope.types.iter().map(|site| held_by(scope, site.unit, site.item)).collect();
    for circle in circles(&held) {
        report(scope, &circle, "put one of them into a list, a map or an optional, which can be empty", sink);
    }
    let named: Vec<Vec<Edge>> = scope.types.iter().map(|site| aliases_named_by(scope, site.unit, site.item)).collect();
    for circle in circles(&named) {
        // A circle of direct holding has been reported above.
        let direct = circle.iter().all(|(from, edge)| held[*from].iter().any(|other| other.to == edge.to));
        if !direct {
            report(
                scope,
                &circle,
                "an alias is another name of a type: a struct can contain itself through a list",
                sink,
            );
        }
    }
    constants(scope, sink);
}

fn report(scope: &Scope<'_>, circle: &[(usize, &Edge)], help: &str, sink: &mut Sink) {
    let Some((start, _)) = circle.first() else { return };
    let name = &scope.types[*start].name;
    let mut diagnostic =
        Diagnostic::new(Code::Endless, name.span, format!("`{}` contains itself without end", name.text));
    for (from, edge) in circle.iter().take(4) {
        let (from, to) = (&scope.types[*from].name.text, &scope.types[edge.to].name.text);
        diagnostic = diagnostic.with_secondary(edge.span, format!("`{from}` holds `{to}` here"));
    }
    sink.push(diagnostic.with_help(help));
}

/// The circles that a walk over the graph closes, each with the edges that make it. No recursion: a chain may be as long as a file.
fn circles(graph: &[Vec<Edge>]) -> Vec<Vec<(usize, &Edge)>> {
    let (mut on_path, mut done) = (vec![false; graph.len()], vec![false; graph.len()]);
    let mut found = Vec::new();
    for root in 0..graph.len() {
        if done[root] {
            continue;
        }
        let mut path = vec![(root, 0)];
        on_path[root] = true;
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            let Some(edge) = graph[node].get(*next) else {
                on_path[node] = false;
                done[node] = true;
                path.pop();
                continue;
            };
            *next += 1;
            if on_path[edge.to] {
                let from = path.iter().position(|(other, _)| *other == edge.to).unwrap_or(0);
                found.push(path[from..].iter().map(|(node, next)| (*node, &graph[*node][*next - 1])).collect());
            } else if !done[edge.to] {
                on_path[edge.to] = true;
                path.push((edge.to, 0));
            }
        }
    }
    found
}

/// The types that each value of this one holds at least once.
fn held_by(scope: &Scope<'_>, unit: usize, item: &Item) -> Vec<Edge> {
    let mut edges = Vec::new();
    let mut of_list =
        |list: &FieldList| list.fields.iter().for_each(|field| directly(scope, unit, &field.ty, &mut edges));
    match item {
        Item::Struct(item) => of_list(&item.fields),
        Item::Enum(item) => {
            item.variants.variants.iter().filter_map(|variant| variant.fields.as_ref()).for_each(of_list)
        }
        Item::Alias(alias) => directly(scope, unit, &alias.target, &mut edges),
        _ => {}
    }
    edges
}

fn directly(scope: &Scope<'_>, unit: usize, ty: &TypeExpr, edges: &mut Vec<Edge>) {
    match &ty.kind {
        TypeKind::Path(path) => edges.extend(edge(scope, unit, path)),
        TypeKind::Array(element, _) => directly(scope, unit, element, edges),
        _ => {}
    }
}

/// The aliases that the target of an alias names anywhere: Rust resolves an alias whole.
fn aliases_named_by(scope: &Scope<'_>, unit: usize, item: &Item) -> Vec<Edge> {
    let Item::Alias(alias) = item else { return Vec::new() };
    let mut edges = Vec::new();
    let mut types = vec![&alias.target];
    while let Some(ty) = types.pop() {
        match &ty.kind {
            TypeKind::Path(path) => edges.extend(edge(scope, unit, path)),
            TypeKind::Optional(inner) | TypeKind::List(inner) | TypeKind::Array(inner, _) => types.push(inner),
            TypeKind::Map(key, value) => types.extend([key.as_ref(), value.as_ref()]),
        }
    }
    edges.retain(|edge| matches!(scope.types[edge.to].item, Item::Alias(_)));
    edges
}

fn edge(scope: &Scope<'_>, unit: usize, path: &Path) -> Option<Edge> {
    if super::scope::built_in(path).is_some() {
        return None;
    }
    match scope.lookup(unit, path) {
        Ok(Declared::Type(id)) => Some(Edge { to: id.0 as usize, span: path.span() }),
        _ => None,
    }
}

/// A constant that is another constant, and so on, comes to an end.
fn constants(scope: &Scope<'_>, sink: &mut Sink) {
    for (unit, item) in walk::items(scope.units) {
        let Item::Constant(constant) = item else { continue };
        let names_another = matches!(constant.value.kind, LiteralKind::Path(_));
        if names_another && scope.literal(unit, &constant.value).is_none() {
            let message =
                format!("constant `{}` leads to itself, or through more than 30 others", constant.head.name.text);
            let diagnostic = Diagnostic::new(Code::Endless, constant.value.span, message);
            sink.push(diagnostic.with_help("write the value"));
        }
    }
}
