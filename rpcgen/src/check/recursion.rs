//! Types that contain themselves: fine through a list, a map or an optional, which end; endless otherwise.
//!
//! Knows: which named type holds which. Does not know: sizes (`limits`).

use std::collections::HashMap;

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
    let held = held_without_end(scope);
    for circle in together(circles(&held)) {
        let which = match circle.as_slice() {
            [_] => "it",
            // One variant that ends is enough.
            [(from, edge), ..] if *from == edge.to && !is_enum(scope, *from) => "each of them",
            _ => "one of them",
        };
        let into = "into a list, a map or an optional, which can be empty, or into one variant of several";
        let help = format!("put {which} {into}");
        report(scope, &circle, &help, sink);
    }
    let named: Vec<Vec<Edge>> = scope.types.iter().map(|site| aliases_named_by(scope, site.unit, site.item)).collect();
    for circle in together(circles(&named)) {
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

fn is_enum(scope: &Scope<'_>, index: usize) -> bool {
    matches!(scope.types[index].item, Item::Enum(_))
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

/// One circle for all places in which a type holds itself: they are one mistake.
fn together(circles: Vec<Vec<(usize, &Edge)>>) -> Vec<Vec<(usize, &Edge)>> {
    let mut kept: Vec<Vec<(usize, &Edge)>> = Vec::new();
    let mut of_one: HashMap<usize, usize> = HashMap::new();
    for circle in circles {
        if let [alone] = circle.as_slice() {
            match of_one.get(&alone.0) {
                Some(first) => {
                    kept[*first].push(*alone);
                    continue;
                }
                None => of_one.insert(alone.0, kept.len()),
            };
        }
        kept.push(circle);
    }
    kept
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

/// What each type that has no value of finite size holds, as far as that has none either.
fn held_without_end(scope: &Scope<'_>) -> Vec<Vec<Edge>> {
    let mut held: Vec<Vec<Edge>> = scope.types.iter().map(|site| held_by(scope, site.unit, site.item)).collect();
    let ends = with_end(scope);
    for (index, edges) in held.iter_mut().enumerate() {
        edges.retain(|edge| !ends[index] && !ends[edge.to]);
    }
    held
}

/// Whether each type has a value of finite size: all that it holds has one; of an enum, all that one variant holds. Each edge is
/// looked at once.
fn with_end(scope: &Scope<'_>) -> Vec<bool> {
    let mut ends = vec![false; scope.types.len()];
    let mut waiting: Vec<(usize, usize)> = Vec::new();
    let mut waits_for = vec![Vec::new(); scope.types.len()];
    let mut open = Vec::new();
    for (owner, site) in scope.types.iter().enumerate() {
        for edges in alternatives(scope, site.unit, site.item) {
            edges.iter().for_each(|edge| waits_for[edge.to].push(waiting.len()));
            if edges.is_empty() {
                open.push(owner);
            }
            waiting.push((owner, edges.len()));
        }
    }
    while let Some(ended) = open.pop() {
        if std::mem::replace(&mut ends[ended], true) {
            continue;
        }
        for index in std::mem::take(&mut waits_for[ended]) {
            let (owner, left) = &mut waiting[index];
            *left -= 1;
            if *left == 0 {
                open.push(*owner);
            }
        }
    }
    ends
}

/// What a value holds in place, one list for each way to make one: an enum has as many as variants, everything else has one.
fn alternatives(scope: &Scope<'_>, unit: usize, item: &Item) -> Vec<Vec<Edge>> {
    let Item::Enum(item) = item else { return vec![held_by(scope, unit, item)] };
    let list = &item.variants;
    if list.incomplete || list.variants.is_empty() {
        // One of those that could not be read may have had an end; an enum without variants is another rule's matter.
        return vec![Vec::new()];
    }
    list.variants
        .iter()
        .map(|variant| {
            let mut edges = Vec::new();
            let fields = variant.fields.iter().flat_map(|list| &list.fields);
            fields.for_each(|field| directly(scope, unit, &field.ty, &mut edges));
            edges
        })
        .collect()
}

/// The types that a value of this one can hold in place.
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
            let diagnostic = Diagnostic::new(Code::EndlessConstant, constant.value.span, message);
            sink.push(diagnostic.with_help("write the value"));
        }
    }
}
