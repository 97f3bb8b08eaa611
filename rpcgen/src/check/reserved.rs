//! Names that meet those which the generator adds.
//!
//! Knows: the shape of the generated code (docs/generated.md): which names stand side by side in which module. Does not know: how it is
//! written.

use std::collections::{HashMap, HashSet};

use super::casing::{self, Casing};
use super::names::item_name;
use super::scope::Scope;
use super::walk;
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::syntax::ast::{Action, Item, Name, Service};

/// Types beside those of a service.
const TYPES: [&str; 4] = ["Client", "Handlers", "Broadcasts", "Dispatcher"];

/// Methods of a client beside the actions.
const CLIENT_METHODS: [&str; 4] = ["connect", "builder", "disconnect", "runtime"];

pub(super) fn check(scope: &Scope<'_>, sink: &mut Sink) {
    for unit in 0..scope.units.len() {
        package(scope, unit, sink);
        modules(scope, unit, sink);
    }
    for (_, service) in walk::services(scope.units) {
        methods(service, sink);
    }
}

/// Names that share one place in the generated code.
#[derive(Default)]
struct Namespace<'a> {
    taken: HashMap<String, Taken<'a>>,
}

#[derive(Clone)]
enum Taken<'a> {
    /// By the generator, always.
    Fixed,
    /// By a declaration, as it is named.
    Written(&'a Name),
    /// By something that is generated for a declaration.
    Derived(&'a Name, &'static str),
}

impl<'a> Namespace<'a> {
    fn with_fixed(names: &[&str]) -> Self {
        Self { taken: names.iter().map(|name| ((*name).to_owned(), Taken::Fixed)).collect() }
    }

    fn take(&mut self, rust: String, taken: Taken<'a>, sink: &mut Sink) {
        let Some(first) = self.taken.get(&rust) else {
            self.taken.insert(rust, taken);
            return;
        };
        match (first, &taken) {
            // Equal as written: a duplicate, reported by `names`.
            (Taken::Written(first), Taken::Written(name)) if first.text == name.text => {}
            (Taken::Written(first), Taken::Written(name)) => casing::same(name, first, &rust, sink),
            (Taken::Fixed, Taken::Written(name) | Taken::Derived(name, _)) => {
                let message = format!("`{}` becomes `{rust}`, which the generated code has already", name.text);
                sink.push(Diagnostic::new(Code::Reserved, name.span, message).with_help("give it another name"));
            }
            (Taken::Written(name), Taken::Derived(from, what)) | (Taken::Derived(from, what), Taken::Written(name)) => {
                let message = format!("`{}` becomes `{rust}`, which is the name of {what} of `{}`", name.text, from.text);
                let diagnostic = Diagnostic::new(Code::Reserved, name.span, message).with_secondary(from.span, "generated for this");
                sink.push(diagnostic.with_help("give one of them another name"));
            }
            (Taken::Derived(first, _), Taken::Derived(name, what)) if first.text != name.text => {
                let message = format!("{what} of `{}` becomes `{rust}`, which `{}` has too", name.text, first.text);
                let diagnostic = Diagnostic::new(Code::Reserved, name.span, message).with_secondary(first.span, "the other one");
                sink.push(diagnostic.with_help("give one of them another name"));
            }
            _ => {}
        }
    }
}

/// Types, constants and what one service adds, or one module for each of several services.
fn package(scope: &Scope<'_>, unit: usize, sink: &mut Sink) {
    let items = &scope.units[unit].file.items;
    let services: Vec<&Service> = services_of(items);
    let single = services.len() == 1;
    let mut types = Namespace::with_fixed(if single { &TYPES } else { &[] });
    let mut constants = Namespace::with_fixed(if single { &["SERVICE"] } else { &[] });
    for item in items {
        let name = item_name(item);
        match item {
            Item::Constant(_) => constants.take(Casing::Shouty.apply(&name.text), Taken::Written(name), sink),
            // Several services stand in modules of their own, away from the types.
            Item::Service(_) if !single => {}
            _ => types.take(Casing::Camel.apply(&name.text), Taken::Written(name), sink),
        }
    }
    for service in services {
        if single {
            beside_service(service, &mut types, sink);
        } else {
            let mut inside = Namespace::with_fixed(&TYPES);
            let name = &service.head.name;
            inside.take(Casing::Camel.apply(&name.text), Taken::Written(name), sink);
            beside_service(service, &mut inside, sink);
        }
        requests(service, sink);
    }
}

fn services_of(items: &[Item]) -> Vec<&Service> {
    let service = |item| match item {
        &Item::Service(ref service) => Some(service),
        _ => None,
    };
    items.iter().filter_map(service).collect()
}

fn beside_service<'a>(service: &'a Service, types: &mut Namespace<'a>, sink: &mut Sink) {
    for broadcast in walk::broadcasts(service) {
        let name = &broadcast.head.name;
        types.take(Casing::Camel.apply(&name.text), Taken::Derived(name, "the message"), sink);
    }
    for action in walk::actions(service) {
        let name = &action.head.name;
        let camel = Casing::Camel.apply(&name.text);
        if action.fails.as_ref().is_some_and(|list| !list.variants.is_empty() || list.incomplete) {
            types.take(format!("{camel}Error"), Taken::Derived(name, "the error"), sink);
        }
        if action.response.as_ref().is_some_and(|list| list.fields.len() > 1) {
            types.take(format!("{camel}Response"), Taken::Derived(name, "the response"), sink);
        }
    }
}

/// The module `actions` has the request and the response of each action.
fn requests(service: &Service, sink: &mut Sink) {
    let mut namespace = Namespace::default();
    let names = |action: &Action| Casing::Camel.apply(&action.head.name.text);
    for action in walk::actions(service) {
        namespace.take(names(action), Taken::Derived(&action.head.name, "the request"), sink);
    }
    for action in walk::actions(service) {
        namespace.take(format!("{}Response", names(action)), Taken::Derived(&action.head.name, "the response"), sink);
    }
}

fn methods(service: &Service, sink: &mut Sink) {
    let mut client = Namespace::with_fixed(&CLIENT_METHODS);
    for action in walk::actions(service) {
        let name = &action.head.name;
        client.take(Casing::Snake.apply(&name.text), Taken::Written(name), sink);
    }
    let mut handlers = Namespace::with_fixed(&["new"]);
    for broadcast in walk::broadcasts(service) {
        let name = &broadcast.head.name;
        handlers.take(Casing::Snake.apply(&name.text), Taken::Written(name), sink);
    }
}

/// The modules of a package: its services if they are several, all that it imports, `actions`.
fn modules(scope: &Scope<'_>, unit: usize, sink: &mut Sink) {
    let one = &scope.units[unit];
    let services = services_of(&one.file.items);
    let mut namespace = Namespace::with_fixed(if services.len() == 1 { &["actions", "server"] } else { &[] });
    if services.len() > 1 {
        for service in services {
            let name = &service.head.name;
            namespace.take(Casing::Snake.apply(&name.text), Taken::Written(name), sink);
        }
    }
    if !one.root {
        return;
    }
    for imported in reachable(scope, unit) {
        let Some(path) = scope.units[imported].file.package.as_ref() else { continue };
        let first = path.prefix.first().unwrap_or(&path.last);
        let rust = if path.prefix.is_empty() { Casing::Snake.apply(&first.text) } else { Casing::Snake.apply(&path.text()) };
        namespace.take(rust, Taken::Derived(first, "the module"), sink);
    }
}

/// Every unit that one imports, directly or through others, in order.
fn reachable(scope: &Scope<'_>, unit: usize) -> Vec<usize> {
    let (mut seen, mut order, mut next) = (HashSet::from([unit]), vec![unit], 0);
    while let Some(current) = order.get(next).copied() {
        next += 1;
        for import in scope.units[current].imports.iter().flatten() {
            if seen.insert(*import) {
                order.push(*import);
            }
        }
    }
    order.split_off(1)
}
