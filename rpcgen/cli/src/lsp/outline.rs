//! The declarations of a file as a tree.
//!
//! Knows: what stands in what. Does not know: the protocol beyond its symbols.

use lsp_types::{DocumentSymbol, SymbolTag};
use rpcgen::editor::{Kind, Project, SymbolId};
use rpcgen::source::{Source, SourceId};

use super::convert;

/// Everything but the package, which is the file itself.
pub(super) fn outline(project: &Project, id: SourceId) -> Vec<DocumentSymbol> {
    let Some(source) = project.sources().source(id) else { return Vec::new() };
    let package = project.symbols(id).find(|(_, symbol)| symbol.kind == Kind::Package).map(|(id, _)| id);
    inside(project, id, source, package)
}

fn inside(project: &Project, id: SourceId, source: &Source, owner: Option<SymbolId>) -> Vec<DocumentSymbol> {
    let members = project.symbols(id).filter(|(_, symbol)| symbol.owner == owner && symbol.kind != Kind::Package);
    members
        .map(|(symbol_id, symbol)| {
            let children = match symbol.kind {
                Kind::Field | Kind::Alias | Kind::Constant => Vec::new(),
                _ => inside(project, id, source, Some(symbol_id)),
            };
            #[expect(deprecated, reason = "the protocol's struct has a field that it does not want any more")]
            DocumentSymbol {
                name: symbol.name.clone(),
                detail: symbol.docs.first().cloned(),
                kind: convert::symbol_kind(symbol.kind),
                tags: symbol.deprecated.then(|| vec![SymbolTag::DEPRECATED]),
                deprecated: None,
                range: convert::range(source, symbol.whole),
                selection_range: convert::range(source, symbol.name_at),
                children: (!children.is_empty()).then_some(children),
            }
        })
        .collect()
}
