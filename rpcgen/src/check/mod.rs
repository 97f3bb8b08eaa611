//! From syntax trees to the checked model.
//!
//! Knows: the order of the passes. Does not know: files, text, rendering.
//! Each rule looks at all units by itself and reports all that it finds. What a rule cannot see because another one has reported it
//! already (a type that nothing has, a field that could not be read) it passes over in silence.

mod annotations;
mod app_id;
mod casing;
mod constants;
mod correlation;
mod defaults;
mod imports;
mod limits;
mod lints;
mod lower;
mod names;
mod places;
mod recursion;
mod reserved;
pub(crate) mod scope;
mod types;
pub(crate) mod walk;

use crate::diagnostic::Sink;
use crate::model::Model;
use crate::source::Places;
use crate::syntax::ast;
use crate::threads;
use scope::Scope;

/// A syntax tree with its place in the graph of imports.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The tree.
    pub file: ast::File,
    /// The file's name without folders, for the header of what is generated.
    pub name: String,
    /// Whether it was asked for, as opposed to imported.
    pub root: bool,
    /// The unit behind each of the tree's imports; `None`: it could not be read, which has been reported.
    pub imports: Vec<Option<usize>>,
}

impl Unit {
    /// A tree that was asked for and imports nothing.
    pub fn alone(file: ast::File, name: impl Into<String>) -> Self {
        Self { file, name: name.into(), root: true, imports: Vec::new() }
    }
}

/// The rules, one family per file.
const RULES: &[fn(&Scope<'_>, &mut Sink)] = &[
    imports::check,
    names::check,
    casing::check,
    reserved::check,
    annotations::check,
    types::check,
    constants::check,
    recursion::check,
    limits::check,
    defaults::check,
    app_id::check,
    correlation::check,
    lints::check,
];

/// What one thread has made.
enum Made {
    Found(Sink),
    Places(Places),
}

/// So much text, in declarations of types and members of services, is checked by one thread.
const ALONE_MAX: usize = 200;

/// Checks `units` against every rule. The model, unless there is an error among what `sink` holds afterwards; and where all is declared.
pub fn check(units: &[Unit], sink: &mut Sink) -> (Option<Model>, Places) {
    let scope = Scope::new(units);
    let members: usize = walk::services(units).map(|(_, service)| service.members.len()).sum();
    let weight = scope.types.len() + members;
    let mut places = Places::default();
    let made =
        threads::in_order(&vec![weight; RULES.len() + 1], ALONE_MAX * RULES.len(), |index| match RULES.get(index) {
            Some(rule) => {
                let mut found = Sink::default();
                rule(&scope, &mut found);
                Made::Found(found)
            }
            None => Made::Places(places::places(units)),
        });
    for one in made {
        match one {
            Made::Found(found) => sink.append(found),
            Made::Places(found) => places = found,
        }
    }
    let model = if sink.has_errors() { None } else { lower::lower(&scope) };
    (model, places)
}
