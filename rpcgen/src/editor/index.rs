//! Everything that is declared, and every place where it is named.
//!
//! Knows: declarations and their owners. Does not know: how a use is resolved (`uses`), what is asked of it.

use std::collections::HashMap;

use super::uses;
use crate::check::scope::Scope;
use crate::source::{SourceId, Span};
use crate::syntax::ast::{Action, FieldList, Head, Item, Member, Name, Service, VariantList};

/// Number of a declaration in one [`super::Project`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SymbolId(usize);

/// What a declaration declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the language")]
pub enum Kind {
    Package,
    Constant,
    Alias,
    Struct,
    Enum,
    Variant,
    /// Of `fails`.
    Reason,
    Field,
    Service,
    Action,
    Broadcast,
}

/// A declaration.
#[derive(Clone, Debug)]
pub struct Symbol {
    /// What it is.
    pub kind: Kind,
    /// As written.
    pub name: String,
    /// Where its name stands.
    pub name_at: Span,
    /// All of it.
    pub whole: Span,
    /// The doc comment.
    pub docs: Vec<String>,
    /// What it stands in; `None` for a package.
    pub owner: Option<SymbolId>,
    /// It has `@deprecated`.
    pub deprecated: bool,
}

/// Why a name stands where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Declaration,
    Use,
    /// The string of an import, which does not have the name in it.
    Import,
}

/// A place that names something.
#[derive(Clone, Debug)]
pub(super) struct Occurrence {
    pub(super) at: Span,
    pub(super) role: Role,
    /// At least one. More: fields that have to have one name.
    pub(super) symbols: Vec<SymbolId>,
}

#[derive(Debug, Default)]
pub(super) struct Index {
    symbols: Vec<Symbol>,
    /// In the order of the texts.
    occurrences: Vec<Occurrence>,
}

impl Index {
    pub(super) fn new(scope: &Scope<'_>) -> Self {
        let mut indexer = Indexer::default();
        for unit in 0..scope.units.len() {
            indexer.unit(scope, unit);
        }
        uses::all(scope, &mut indexer);
        indexer.index.occurrences.sort_by_key(|one| one.at);
        indexer.index
    }

    pub(super) fn symbols(&self) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        (0..).map(SymbolId).zip(&self.symbols)
    }

    pub(super) fn symbol(&self, id: SymbolId) -> &Symbol {
        &self.symbols[id.0]
    }

    pub(super) fn occurrences(&self) -> &[Occurrence] {
        &self.occurrences
    }

    /// What is named at this byte, or right before it: a cursor behind a name is still at it.
    pub(super) fn at(&self, source: SourceId, at: u32) -> Option<&Occurrence> {
        let behind = self.occurrences.partition_point(|one| (one.at.source, one.at.start) <= (source, at));
        let holds = |one: &&Occurrence| one.at.source == source && at <= one.at.end;
        self.occurrences[..behind].last().filter(holds)
    }
}

/// An index in the making. Of two declarations of one name, the first counts.
#[derive(Debug, Default)]
pub(super) struct Indexer {
    index: Index,
    /// By unit.
    packages: Vec<Option<SymbolId>>,
    /// Of a unit, by name.
    items: HashMap<(usize, String), SymbolId>,
    /// Of a declaration, by name; an action may have a field of one name in its request and in its response.
    members: HashMap<(SymbolId, String), Vec<SymbolId>>,
}

impl Indexer {
    pub(super) fn package(&self, unit: usize) -> Option<SymbolId> {
        self.packages[unit]
    }

    pub(super) fn item(&self, unit: usize, name: &str) -> Option<SymbolId> {
        self.items.get(&(unit, name.to_owned())).copied()
    }

    pub(super) fn members(&self, owner: SymbolId, name: &str) -> &[SymbolId] {
        self.members.get(&(owner, name.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// Notes that `at` names `symbols`, if they are any.
    pub(super) fn note(&mut self, at: Span, role: Role, symbols: Vec<SymbolId>) {
        if !symbols.is_empty() {
            self.index.occurrences.push(Occurrence { at, role, symbols });
        }
    }

    fn add(&mut self, symbol: Symbol) -> SymbolId {
        let id = SymbolId(self.index.symbols.len());
        self.note(symbol.name_at, Role::Declaration, vec![id]);
        if let Some(owner) = symbol.owner {
            self.members.entry((owner, symbol.name.clone())).or_default().push(id);
        }
        self.index.symbols.push(symbol);
        id
    }

    fn declare(&mut self, kind: Kind, head: &Head, owner: Option<SymbolId>) -> SymbolId {
        let deprecated = head.attributes.iter().any(|attribute| attribute.name.text == "deprecated");
        let Head { docs, name, span, .. } = head;
        let Name { text, span: name_at } = name.clone();
        self.add(Symbol { kind, name: text, name_at, whole: *span, docs: docs.clone(), owner, deprecated })
    }

    fn unit(&mut self, scope: &Scope<'_>, unit: usize) {
        let file = &scope.units[unit].file;
        let package = file.package.as_ref().map(|path| {
            let (name, at) = (path.text(), path.span());
            let docs = file.docs.clone();
            let kind = Kind::Package;
            self.add(Symbol { kind, name, name_at: at, whole: at, docs, owner: None, deprecated: false })
        });
        self.packages.push(package);
        for item in &file.items {
            let id = match item {
                Item::Constant(item) => self.declare(Kind::Constant, &item.head, package),
                Item::Alias(item) => self.declare(Kind::Alias, &item.head, package),
                Item::Struct(item) => {
                    let id = self.declare(Kind::Struct, &item.head, package);
                    self.fields(id, &item.fields);
                    id
                }
                Item::Enum(item) => {
                    let id = self.declare(Kind::Enum, &item.head, package);
                    self.variants(id, Kind::Variant, &item.variants);
                    id
                }
                Item::Service(item) => self.service(item, package),
                Item::External(_) | Item::Lost(_) => continue,
            };
            self.items.entry((unit, item.name().text.clone())).or_insert(id);
        }
    }

    fn service(&mut self, service: &Service, package: Option<SymbolId>) -> SymbolId {
        let id = self.declare(Kind::Service, &service.head, package);
        for member in &service.members {
            match member {
                Member::Action(action) => self.action(id, action),
                Member::Broadcast(broadcast) => {
                    let broadcast_id = self.declare(Kind::Broadcast, &broadcast.head, Some(id));
                    self.fields(broadcast_id, &broadcast.fields);
                }
                Member::Lost(_) => {}
            }
        }
        id
    }

    fn action(&mut self, service: SymbolId, action: &Action) {
        let id = self.declare(Kind::Action, &action.head, Some(service));
        self.fields(id, &action.request);
        action.response.iter().for_each(|list| self.fields(id, list));
        action.fails.iter().for_each(|list| self.variants(id, Kind::Reason, list));
    }

    fn variants(&mut self, owner: SymbolId, kind: Kind, list: &VariantList) {
        for variant in &list.variants {
            let id = self.declare(kind, &variant.head, Some(owner));
            variant.fields.iter().for_each(|list| self.fields(id, list));
        }
    }

    fn fields(&mut self, owner: SymbolId, list: &FieldList) {
        for field in &list.fields {
            self.declare(Kind::Field, &field.head, Some(owner));
        }
    }

    pub(super) fn kind(&self, id: SymbolId) -> Kind {
        self.index.symbols[id.0].kind
    }
}
