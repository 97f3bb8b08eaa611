//! Findings as the protocol has them.
//!
//! Knows: which document shows which finding, and what the client was told before. Does not know: rules.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lsp_types::{
    CodeDescription, Diagnostic as Shown, DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString,
    PublishDiagnosticsParams,
};
use rpcgen::Checked;
use rpcgen::diagnostic::{Code, Diagnostic, Severity};
use rpcgen::load::Files as _;
use rpcgen::source::Span;

use super::convert;
use super::state::State;

/// Checks every open document with what it imports. What the client has to be told: files whose findings are others than before.
pub(super) fn publications(state: &mut State) -> Vec<PublishDiagnosticsParams> {
    let mut found: BTreeMap<PathBuf, Vec<Shown>> =
        state.documents().map(|(path, _)| (path.to_path_buf(), Vec::new())).collect();
    let paths: Vec<PathBuf> = found.keys().cloned().collect();
    for path in paths {
        let checked = state.config().check_in(&*state, &[&path]);
        for diagnostic in checked.diagnostics.list() {
            let Some(source) = checked.diagnostics.sources().source(diagnostic.primary.span.source) else { continue };
            let list = found.entry(state.identity(source.path())).or_default();
            // A file that is open and imported is checked twice.
            let shown = shown(state, &checked, diagnostic);
            if !list.contains(&shown) {
                list.push(shown);
            }
        }
    }
    // Files that had findings and have none any more.
    for path in state.published.keys() {
        found.entry(path.clone()).or_default();
    }
    let mut news = Vec::new();
    for (path, diagnostics) in found {
        let Some(uri) = state.uri(&path) else { continue };
        let publication = PublishDiagnosticsParams::new(uri, diagnostics, None);
        if state.published.get(&path).is_none_or(|before| before.diagnostics != publication.diagnostics) {
            news.push(publication.clone());
        }
        if publication.diagnostics.is_empty() && state.document(&path).is_none() {
            state.published.remove(&path);
        } else {
            state.published.insert(path, publication);
        }
    }
    news
}

fn shown(state: &State, checked: &Checked, diagnostic: &Diagnostic) -> Shown {
    let location = |span: Span| {
        let source = checked.diagnostics.sources().source(span.source)?;
        let uri = state.uri(&state.identity(source.path()))?;
        Some(Location::new(uri, convert::range(source, span)))
    };
    let related = diagnostic.secondary.iter().filter_map(|label| {
        Some(DiagnosticRelatedInformation { location: location(label.span)?, message: label.text.clone() })
    });
    let related: Vec<DiagnosticRelatedInformation> = related.collect();
    let mut message = diagnostic.message.clone();
    for help in &diagnostic.help {
        message.push_str(&format!("\nhelp: {help}"));
    }
    if let Some(fix) = diagnostic.fix.as_ref().filter(|fix| !fix.replacement.is_empty()) {
        message.push_str(&format!("\nhelp: {} `{}`", fix.title, fix.replacement.trim_end()));
    }
    Shown {
        range: location(diagnostic.primary.span).map(|location| location.range).unwrap_or_default(),
        severity: Some(match diagnostic.code.severity() {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String(diagnostic.code.id().to_owned())),
        code_description: None::<CodeDescription>,
        source: Some("rpcgen".to_owned()),
        message,
        related_information: (!related.is_empty()).then_some(related),
        tags: tags(diagnostic.code),
        data: None,
    }
}

fn tags(code: Code) -> Option<Vec<lsp_types::DiagnosticTag>> {
    match code {
        Code::UnusedImport => Some(vec![lsp_types::DiagnosticTag::UNNECESSARY]),
        Code::DeprecatedUse => Some(vec![lsp_types::DiagnosticTag::DEPRECATED]),
        _ => None,
    }
}
