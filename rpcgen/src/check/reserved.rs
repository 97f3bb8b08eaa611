//! Names that meet those which the generator adds.
//!
//! Knows: the shape of the generated code (docs/generated.md): which names stand side by side in which module. Does not know: how it is
//! written.

use std::collections::{HashMap, HashSet};

use super::casing::{self, Casing};
use super::scope::Scope;
use super::walk;
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::syntax::ast::{Action, Item, Name, Service};

/// What each service has.
const OF_SERVICES: [&str; 6] = ["Client", "Dispatcher", "server", "server_shared", "mock", "SERVICE"];

/// What a service with broadcasts has besides.
const OF_BROADCASTS: [&str; 2] = ["Handlers", "Broadcasts"];

/// What a service with actions has besides.
const OF_ACTIONS: [&str; 2] = ["actions", "RecoveredCall"];

pub(super) fn check(scope: &Scope<'_>, sink: &mut Sink) {
    for unit in 0..scope.units.len() {
        package(scope, unit, sink);
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
    fn take(&mut self, rust: String, taken: Taken<'a>, sink: &mut Sink) {
        let Some(first) = self.taken.get(&rust) else {
            self.taken.insert(rust, taken);
            return;
        };
        match (first, &taken) {
            // Equal as written: a duplicate, reported by `names`.
            (Taken::Written(first), Taken::Written(name)) if first.text == name.text => {}
            (Taken::Written(first), Taken::Written(name)) => casing::same(name, first, sink),
            (Taken::Fixed, Taken::Written(name) | Taken::Derived(name, _)) => {
                let message = match becomes(name, &rust) {
                    Some(becomes) => format!("{becomes}, a name that the generated code has already"),
                    None => format!("the generated code has a `{rust}` already"),
                };
                sink.push(Diagnostic::new(Code::Reserved, name.span, message).with_help("give it another name"));
            }
            (Taken::Written(name), Taken::Derived(from, what)) | (Taken::Derived(from, what), Taken::Written(name)) => {
                let message = match becomes(name, &rust) {
                    Some(becomes) => format!("{becomes}, the name of {what} of `{}`", from.text),
                    None => format!("`{rust}` is the name of {what} of `{}`", from.text),
                };
                let diagnostic =
                    Diagnostic::new(Code::Reserved, name.span, message).with_secondary(from.span, "generated for this");
                sink.push(diagnostic.with_help("give one of them another name"));
            }
            (Taken::Derived(first, _), Taken::Derived(name, what)) if first.text != name.text => {
                let message = format!("{what} of `{}` becomes `{rust}`, which `{}` has too", name.text, first.text);
                let diagnostic =
                    Diagnostic::new(Code::Reserved, name.span, message).with_secondary(first.span, "the other one");
                sink.push(diagnostic.with_help("give one of them another name"));
            }
            _ => {}
        }
    }
}

/// What is said of a name that changes.
fn becomes(name: &Name, rust: &str) -> Option<String> {
    (name.text != rust).then(|| format!("`{}` becomes `{rust}`", name.text))
}

/// The crate that generated code names: a module of that name would hide it.
const RUNTIME: &str = "rpcgen_runtime";

/// Types, constants, modules of imported packages, and what one service adds, or one module for each of several services.
fn package(scope: &Scope<'_>, unit: usize, sink: &mut Sink) {
    if let Some(path) =
        scope.units[unit].file.package.as_ref().filter(|path| Casing::Snake.apply(&path.text()) == RUNTIME)
    {
        let message = format!("a module `{RUNTIME}` would hide the crate of that name, which generated code uses");
        sink.push(Diagnostic::new(Code::Reserved, path.last.span, message).with_help("give the package another name"));
    }
    let items = &scope.units[unit].file.items;
    let services: Vec<&Service> = services_of(items);
    let single = services.len() == 1;
    let mut top = if single { with_service(services[0]) } else { Namespace::default() };
    for item in items {
        let name = item.name();
        let casing = match item {
            Item::Constant(_) => Casing::Shouty,
            // Several services stand in modules of their own, away from the types.
            Item::Service(_) if !single => Casing::Snake,
            // What cannot be read may have another name, or none: a package that lacks its `;` is no declaration.
            Item::External(_) | Item::Lost(_) => continue,
            _ => Casing::Camel,
        };
        top.take(casing.apply(&name.text), Taken::Written(name), sink);
    }
    imported_modules(scope, unit, &mut top, sink);
    for service in services {
        if single {
            beside_service(service, &mut top, sink);
        } else {
            let mut inside = with_service(service);
            let name = &service.head.name;
            inside.take(Casing::Camel.apply(&name.text), Taken::Written(name), sink);
            beside_service(service, &mut inside, sink);
        }
        requests(service, sink);
    }
}

/// What could not be read may have been an action or a broadcast: that was reported, and nothing is generated.
fn with_service<'a>(service: &Service) -> Namespace<'a> {
    let broadcasts = if walk::broadcasts(service).next().is_some() { OF_BROADCASTS.as_slice() } else { &[] };
    let actions = if walk::actions(service).next().is_some() { OF_ACTIONS.as_slice() } else { &[] };
    let names = OF_SERVICES.iter().chain(broadcasts).chain(actions);
    Namespace { taken: names.map(|name| ((*name).to_owned(), Taken::Fixed)).collect() }
}

fn services_of(items: &[Item]) -> Vec<&Service> {
    let mut services = Vec::new();
    for item in items {
        if let Item::Service(service) = item {
            services.push(service);
        }
    }
    services
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

/// The module `actions` has the request of each action, and the response of each that answers with one field.
fn requests(service: &Service, sink: &mut Sink) {
    let mut namespace = Namespace::default();
    let names = |action: &Action| Casing::Camel.apply(&action.head.name.text);
    for action in walk::actions(service) {
        namespace.take(names(action), Taken::Derived(&action.head.name, "the request"), sink);
    }
    let answers_one = |action: &&Action| action.response.as_ref().is_some_and(|list| list.fields.len() == 1);
    for action in walk::actions(service).filter(answers_one) {
        namespace.take(format!("{}Response", names(action)), Taken::Derived(&action.head.name, "the response"), sink);
    }
}

/// What a root imports, directly or not, stands in modules of the packages' names.
fn imported_modules<'a>(scope: &Scope<'a>, unit: usize, top: &mut Namespace<'a>, sink: &mut Sink) {
    if !scope.units[unit].root {
        return;
    }
    for imported in reachable(scope, unit) {
        let Some(path) = scope.units[imported].file.package.as_ref() else { continue };
        top.take(Casing::Snake.apply(&path.text()), Taken::Derived(&path.last, "the module"), sink);
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
