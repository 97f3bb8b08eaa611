//! What an editor asks of `.rpc` files: what a name stands for, where it is used, what may stand here.
//!
//! Knows: trees, scopes and places, of files that do not pass the check too: what cannot be read is left out, the rest is there. Does not
//! know: an editor's protocol, lines in UTF-16, when a file changes.

mod complete;
mod context;
mod hover;
mod index;
mod lexer;
mod rename;
mod tokens;
mod trial;
mod uses;
mod words;

use std::path::{Path, PathBuf};

use crate::check::Unit;
use crate::check::scope::Scope;
use crate::diagnostic::Sink;
use crate::load::{self, Files};
use crate::source::{SourceId, SourceMap, Span};

pub use complete::{Completion, CompletionKind};
pub use hover::Hover;
pub use index::{Kind, Symbol, SymbolId};
pub use rename::{Edit, RenameError};
pub use tokens::{Token, TokenKind};

use index::{Index, Occurrence, Role};

/// Files and what they import, ready for questions.
#[derive(Debug)]
pub struct Project {
    units: Vec<Unit>,
    sources: SourceMap,
    /// By unit, one name for all paths to the same file.
    identities: Vec<PathBuf>,
    index: Index,
}

impl Project {
    /// Reads `roots` and what they import. What cannot be read is left out without a word: the check says it.
    pub fn load(files: &dyn Files, roots: &[PathBuf], search_paths: &[PathBuf]) -> Self {
        let loaded = load::load(files, roots, search_paths, &mut Sink::default());
        let identities = loaded.paths.iter().map(|path| files.identity(path)).collect();
        let index = Index::new(&Scope::new(&loaded.units));
        Self { units: loaded.units, sources: loaded.sources, identities, index }
    }

    /// The texts.
    pub fn sources(&self) -> &SourceMap {
        &self.sources
    }

    /// The text of a file, by the identity that [`Files::identity`] gives it. `None`: it could not be read.
    pub fn source(&self, identity: &Path) -> Option<SourceId> {
        let unit = self.identities.iter().position(|other| other == identity)?;
        Some(self.units[unit].file.source)
    }

    /// The identity of the file of a text.
    pub fn identity(&self, source: SourceId) -> Option<&Path> {
        Some(&self.identities[self.unit(source)?])
    }

    /// Everything that is declared in a file, in the order of the text.
    pub fn symbols(&self, source: SourceId) -> impl Iterator<Item = (SymbolId, &Symbol)> {
        self.index.symbols().filter(move |(_, symbol)| symbol.name_at.source == source)
    }

    /// What is declared under this number.
    pub fn symbol(&self, id: SymbolId) -> &Symbol {
        self.index.symbol(id)
    }

    /// Where what stands at this byte is declared; several places for a field that ties a broadcast to its action.
    pub fn definitions(&self, source: SourceId, at: u32) -> Vec<Span> {
        let found = self.occurrence(source, at);
        found.map_or_else(Vec::new, |one| one.symbols.iter().map(|id| self.symbol(*id).name_at).collect())
    }

    /// Where what stands at this byte is named, its declarations included if `declarations` is set.
    pub fn references(&self, source: SourceId, at: u32, declarations: bool) -> Vec<Span> {
        let Some(here) = self.occurrence(source, at) else { return Vec::new() };
        let is_same = |other: &&Occurrence| other.symbols.iter().any(|id| here.symbols.contains(id));
        let counts = |other: &&Occurrence| match other.role {
            Role::Declaration => declarations,
            Role::Use => true,
            Role::Import => false,
        };
        self.index.occurrences().iter().filter(is_same).filter(counts).map(|one| one.at).collect()
    }

    fn occurrence(&self, source: SourceId, at: u32) -> Option<&Occurrence> {
        self.index.at(source, at)
    }

    fn unit(&self, source: SourceId) -> Option<usize> {
        self.units.iter().position(|unit| unit.file.source == source)
    }

    fn text(&self, span: Span) -> &str {
        let source = self.sources.source(span.source);
        source.and_then(|source| source.text().get(span.start as usize..span.end as usize)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
