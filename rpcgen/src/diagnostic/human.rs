//! Findings for people, as rustc shows them.
//!
//! Knows: the layout of a finding in a terminal. Does not know: whether there is a terminal.

use std::collections::BTreeSet;
use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Element, Group, Level, Origin, Patch, Renderer, Snippet};

use super::{Diagnostic, Diagnostics, Fix, Label, Severity};
use crate::source::{Source, SourceId, SourceMap, Span};

/// No more of a text is shown in one piece.
const SNIPPET_BYTES_MAX: usize = 16 * 1024;

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
    let mut finding = title.elements(places(diagnostic, sources));
    for help in &diagnostic.help {
        finding = finding.element(Level::HELP.message(help));
    }
    let fix = diagnostic.fix.as_ref().and_then(|fix| fix_group(fix, sources));
    std::iter::once(finding).chain(fix).collect()
}

/// The labels with the lines that they stand in: those of one source together, the one of the primary label first.
fn places<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Vec<Element<'a>> {
    let labels: Vec<&Label> = std::iter::once(&diagnostic.primary).chain(&diagnostic.secondary).collect();
    let mut ids: Vec<SourceId> = labels.iter().map(|label| label.span.source).collect();
    let mut seen = BTreeSet::new();
    ids.retain(|id| seen.insert(*id));
    let mut elements = Vec::new();
    for id in ids {
        let Some(source) = sources.source(id) else { continue };
        let here: Vec<&Label> = labels.iter().copied().filter(|label| label.span.source == id).collect();
        if let Some(element) = snippet(source, &here, &diagnostic.primary) {
            elements.push(element);
        } else {
            // Too far from each other to be shown in one piece.
            let alone = |label| snippet(source, &[label], &diagnostic.primary).unwrap_or_else(|| origin(source, label));
            elements.extend(here.into_iter().map(alone));
        }
    }
    elements
}

/// `None`: the lines would be too many, or too long, or there are none.
fn snippet<'a>(source: &'a Source, labels: &[&'a Label], primary: &Label) -> Option<Element<'a>> {
    let (begin, snippet) = snippet_around(source, labels.iter().map(|label| label.span))?;
    let annotations = labels.iter().map(|label| {
        let is_primary = std::ptr::eq(*label, primary);
        let kind = if is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation: Annotation<'a> = kind.span(relative(source, label.span, begin));
        if label.text.is_empty() { annotation } else { annotation.label(&label.text) }
    });
    Some(snippet.annotations(annotations).into())
}

fn origin<'a>(source: &'a Source, label: &Label) -> Element<'a> {
    let origin = Origin::path(source.path().to_string_lossy());
    if source.text().is_empty() {
        return origin.into();
    }
    let place = source.place(label.span.start);
    origin.line(place.line).char_column(place.column).into()
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
    let fits = text.len() <= SNIPPET_BYTES_MAX && !source.text().is_empty();
    fits.then(|| (begin, Snippet::source(text).line_start(line).path(source.path().to_string_lossy())))
}

fn relative(source: &Source, span: Span, begin: usize) -> Range<usize> {
    source.clamp(span.start).saturating_sub(begin)..source.clamp(span.end).saturating_sub(begin)
}
