//! What may be written at a place.
//!
//! Knows: which words, types, values and names fit what is being written. Does not know: how an editor shows them.

use std::ops::Range;

use super::context::{Context, context};
use super::index::{Kind, Symbol, SymbolId};
use super::{Project, words};
use crate::source::{SourceId, Span};

/// What is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompletionKind {
    /// A word of the language.
    Keyword,
    /// A built-in type.
    BuiltInType,
    /// An annotation.
    Annotation,
    /// A value that the language has.
    Value,
    /// The path of a file.
    File,
    /// Something that is declared.
    Name(Kind),
}

/// A proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// What it is called.
    pub label: String,
    /// What is to be written.
    pub text: String,
    /// What it is.
    pub kind: CompletionKind,
    /// A few words on it; may be empty.
    pub detail: String,
    /// It has `@deprecated`.
    pub deprecated: bool,
}

impl Completion {
    fn word(kind: CompletionKind, (word, meaning): (&str, &str)) -> Self {
        let (label, text) = (word.to_owned(), word.to_owned());
        Self { label, text, kind, detail: meaning.to_owned(), deprecated: false }
    }

    fn symbol(symbol: &Symbol, label: String) -> Self {
        let detail = symbol.docs.first().cloned().unwrap_or_default();
        let (kind, text) = (CompletionKind::Name(symbol.kind), label.clone());
        Self { label, text, kind, detail, deprecated: symbol.deprecated }
    }
}

fn all(kind: CompletionKind, words: &[(&str, &str)]) -> Vec<Completion> {
    words.iter().map(|word| Completion::word(kind, *word)).collect()
}

impl Project {
    /// What may stand at this byte, and which part of the text it would replace. `files` are paths that an import could have.
    pub fn complete(&self, source: SourceId, at: u32, files: &[String]) -> (Span, Vec<Completion>) {
        let Some(text) = self.sources().source(source) else { return (Span::new(source, at, at), Vec::new()) };
        let (context, word) = context(text.text(), text.clamp(at));
        let proposals = self.unit(source).map_or_else(Vec::new, |unit| self.proposals(unit, &context, files));
        (span(source, word), proposals)
    }

    fn proposals(&self, unit: usize, context: &Context, files: &[String]) -> Vec<Completion> {
        let keywords = |words: &[(&str, &str)]| all(CompletionKind::Keyword, words);
        match context {
            Context::Item { has_package: false } => keywords(&[("package", "The name of this file for others.")]),
            Context::Item { has_package: true } => keywords(words::ITEMS),
            Context::Member => keywords(words::MEMBERS),
            Context::Clause(clauses) => {
                clauses.iter().map(|word| Completion::word(CompletionKind::Keyword, (*word, ""))).collect()
            }
            Context::Field { first: true } => {
                vec![Completion::word(CompletionKind::Value, ("app_id: AppId", "The first field of all."))]
            }
            Context::Type => self.types(unit),
            Context::Of(package) => self.of(unit, package),
            Context::Value(ty) => self.values(unit, ty.as_deref()),
            Context::Count => self.constants(unit),
            Context::Annotation => words::ANNOTATIONS
                .iter()
                .map(|(name, text, meaning)| {
                    let completion = Completion::word(CompletionKind::Annotation, (*name, *meaning));
                    Completion { text: (*text).to_owned(), ..completion }
                })
                .collect(),
            Context::Argument(annotation) => self.arguments(unit, annotation),
            Context::Import(_) => {
                files.iter().map(|file| Completion::word(CompletionKind::File, (file, "A file to import."))).collect()
            }
            Context::OriginAction(service) => {
                self.members(unit, service).filter(|symbol| symbol.kind == Kind::Action).map(named).collect()
            }
            Context::OriginField { service, action, fields } => self.origin_fields(unit, service, action, fields),
            Context::Field { first: false } | Context::Nothing => Vec::new(),
        }
    }

    /// What a file declares, itself.
    fn items(&self, unit: usize) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        let source = self.units[unit].file.source;
        self.symbols(source)
            .filter(|(_, symbol)| symbol.owner.is_some_and(|owner| self.symbol(owner).kind == Kind::Package))
    }

    fn imports(&self, unit: usize) -> impl Iterator<Item = usize> {
        self.units[unit].imports.iter().flatten().copied()
    }

    fn package(&self, unit: usize) -> Option<String> {
        self.units[unit].file.package.as_ref().map(|path| path.text())
    }

    fn types(&self, unit: usize) -> Vec<Completion> {
        let mut out = all(CompletionKind::BuiltInType, words::TYPES);
        out.extend(self.items(unit).map(|(_, symbol)| symbol).filter(is_type).map(named));
        for import in self.imports(unit) {
            let Some(package) = self.package(import) else { continue };
            let types = self.items(import).map(|(_, symbol)| symbol).filter(is_type);
            out.extend(types.map(|symbol| Completion::symbol(symbol, format!("{package}.{}", symbol.name))));
        }
        out
    }

    fn of(&self, unit: usize, package: &str) -> Vec<Completion> {
        let found = self.imports(unit).chain([unit]).find(|unit| self.package(*unit).as_deref() == Some(package));
        let items = found.into_iter().flat_map(|unit| self.items(unit)).map(|(_, symbol)| symbol);
        items.filter(|symbol| is_type(symbol) || symbol.kind == Kind::Constant).map(named).collect()
    }

    fn constants(&self, unit: usize) -> Vec<Completion> {
        let is_constant = |symbol: &&Symbol| symbol.kind == Kind::Constant;
        let mut out: Vec<Completion> =
            self.items(unit).map(|(_, symbol)| symbol).filter(is_constant).map(named).collect();
        for import in self.imports(unit) {
            let Some(package) = self.package(import) else { continue };
            let constants = self.items(import).map(|(_, symbol)| symbol).filter(is_constant);
            out.extend(constants.map(|symbol| Completion::symbol(symbol, format!("{package}.{}", symbol.name))));
        }
        out
    }

    /// Variants of an enum; for any other type what the language has, and constants.
    fn values(&self, unit: usize, ty: Option<&str>) -> Vec<Completion> {
        let found = ty.and_then(|ty| {
            let (package, name) = ty.rsplit_once('.').unwrap_or(("", ty));
            let is_home = |unit: &usize| package.is_empty() || self.package(*unit).as_deref() == Some(package);
            let home = std::iter::once(unit).chain(self.imports(unit)).find(is_home)?;
            self.items(home).find(|(_, symbol)| symbol.name == name && symbol.kind == Kind::Enum)
        });
        if let Some((owner, item)) = found {
            let variants = self.symbols(item.name_at.source).map(|(_, symbol)| symbol);
            return variants
                .filter(|symbol| symbol.owner == Some(owner) && symbol.kind == Kind::Variant)
                .map(named)
                .collect();
        }
        let mut out = all(CompletionKind::Value, words::VALUES);
        out.extend(self.constants(unit));
        out
    }

    fn arguments(&self, unit: usize, annotation: &str) -> Vec<Completion> {
        match annotation {
            "persist" => {
                all(CompletionKind::Value, &[("memory", "Survives a lost link."), ("disk", "Survives a crash too.")])
            }
            "max" => self.constants(unit),
            _ => Vec::new(),
        }
    }

    /// What stands in something that a file declares.
    fn members<'a>(&'a self, unit: usize, owner: &str) -> impl Iterator<Item = &'a Symbol> {
        let owner = self.items(unit).find(|(_, symbol)| symbol.name == owner).map(|(id, _)| id);
        let all = self.symbols(self.units[unit].file.source).map(|(_, symbol)| symbol);
        all.filter(move |symbol| owner.is_some() && symbol.owner == owner)
    }

    /// Fields that the broadcast has, and the action; all of the broadcast where the action is not known.
    fn origin_fields(&self, unit: usize, service: &str, action: &str, fields: &[String]) -> Vec<Completion> {
        let action = self.members(unit, service).find(|symbol| symbol.kind == Kind::Action && symbol.name == action);
        let theirs: Vec<&Symbol> = action.map_or_else(Vec::new, |action| {
            let all = self.symbols(action.name_at.source).map(|(_, symbol)| symbol);
            let is_inside =
                |symbol: &&Symbol| symbol.owner.is_some_and(|owner| self.symbol(owner).name_at == action.name_at);
            all.filter(is_inside).filter(|symbol| symbol.kind == Kind::Field).collect()
        });
        let both = |name: &&String| theirs.is_empty() || theirs.iter().any(|symbol| symbol.name == **name);
        let useful = fields.iter().filter(|name| name.as_str() != "app_id").filter(both);
        let kind = CompletionKind::Name(Kind::Field);
        useful.map(|name| Completion::word(kind, (name, "Both the broadcast and the action have it."))).collect()
    }
}

fn is_type(symbol: &&Symbol) -> bool {
    matches!(symbol.kind, Kind::Alias | Kind::Struct | Kind::Enum)
}

fn named(symbol: &Symbol) -> Completion {
    Completion::symbol(symbol, symbol.name.clone())
}

fn span(source: SourceId, range: Range<usize>) -> Span {
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span::new(source, offset(range.start), offset(range.end))
}
