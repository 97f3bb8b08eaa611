//! Findings for people, as rustc shows them.
//!
//! Knows: the layout of a finding in a terminal. Does not know: whether there is a terminal.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Patch, Renderer, Snippet};

use super::{Diagnostic, Diagnostics, Fix, Severity};
use crate::source::{Source, SourceId, SourceMap, Span};

pub(super) fn render(diagnostics: &Diagnostics, colours: bool) -> String {
    let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for diagnostic in &diagnostics.list {
        out.push_str(&renderer.render(&groups(diagnostic, &diagnostics.sources)));
        out.push_str("\n\n");
    }
    if diagnostics.dropped_count > 0 {
        out.push_str(&format!("... and {} more findings\n\n", diagnostics.dropped_count));
    }
    out
}

fn groups<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Vec<Group<'a>> {
    let level = match diagnostic.code.severity() {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&diagnostic.message).id(diagnostic.code.id());
    let mut finding = title.elements(snippets(diagnostic, sources));
    for help in &diagnostic.help {
        finding = finding.element(Level::HELP.message(help));
    }
    let fix = diagnostic.fix.as_ref().and_then(|fix| fix_group(fix, sources));
    std::iter::once(finding).chain(fix).collect()
}

/// One snippet per source that is spoken of, the one of the primary label first.
fn snippets<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Vec<Snippet<'a, Annotation<'a>>> {
    let labels = || std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary);
    let mut ids: Vec<SourceId> = Vec::new();
    for label in labels() {
        if !ids.contains(&label.span.source) {
            ids.push(label.span.source);
        }
    }
    let of_source = |id: SourceId| {
        let source = sources.source(id)?;
        let spans = || labels().filter(|label| label.span.source == id).map(|label| label.span);
        let (begin, snippet) = snippet_around(source, spans())?;
        let annotations = labels().filter(|label| label.span.source == id).map(|label| {
            let kind = if std::ptr::eq(label, &diagnostic.primary) {
                AnnotationKind::Primary
            } else {
                AnnotationKind::Context
            };
            let annotation = kind.span(relative(source, label.span, begin));
            if label.text.is_empty() { annotation } else { annotation.label(&label.text) }
        });
        Some(snippet.annotations(annotations))
    };
    ids.into_iter().filter_map(of_source).collect()
}

fn fix_group<'a>(fix: &'a Fix, sources: &'a SourceMap) -> Option<Group<'a>> {
    let source = sources.source(fix.span.source)?;
    let (begin, snippet) = snippet_around(source, std::iter::once(fix.span))?;
    let patch = Patch::new(relative(source, fix.span, begin), &fix.replacement);
    Some(Level::HELP.secondary_title(&fix.title).element(snippet.patch(patch)))
}

/// The lines that hold all spans, and where they begin: the renderer walks over all it is given, so it is given no more.
fn snippet_around<'a, T: Clone>(
    source: &'a Source,
    spans: impl Iterator<Item = Span> + Clone,
) -> Option<(usize, Snippet<'a, T>)> {
    let start = spans.clone().map(|span| span.start).min()?;
    let end = spans.map(|span| span.end).max()?;
    let (begin, line, text) = source.lines_around(start, end);
    Some((begin, Snippet::source(text).line_start(line).path(source.path().to_string_lossy())))
}

fn relative(source: &Source, span: Span, begin: usize) -> std::ops::Range<usize> {
    source.clamp(span.start).saturating_sub(begin)..source.clamp(span.end).saturating_sub(begin)
}
