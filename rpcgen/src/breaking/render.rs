//! Findings of a comparison, for people and for programs.
//!
//! Knows: both versions' texts and places, the layout. Does not know: rules, terminals.

use annotate_snippets::{AnnotationKind, Group, Level as Kind, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::{BaselineError, Finding, Level, compare};
use crate::Checked;
use crate::source::{Source, SourceMap, Span};

/// What a comparison has found, with the texts of both versions.
#[derive(Clone, Debug)]
pub struct Report {
    findings: Vec<Finding>,
    old: Checked,
    new: Checked,
}

impl Report {
    /// Compares two versions.
    ///
    /// # Errors
    /// One of them has errors itself.
    pub fn new(old: Checked, new: Checked) -> Result<Self, BaselineError> {
        let findings = match (&old.model, &new.model) {
            (Some(before), Some(after)) => compare(before, after),
            (None, _) => return Err(BaselineError::rejected("old", &old)),
            (_, None) => return Err(BaselineError::rejected("new", &new)),
        };
        Ok(Self { findings, old, new })
    }

    /// In the order of the comparison.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many of them break what has worked.
    pub fn breaking_count(&self) -> usize {
        self.findings.iter().filter(|finding| finding.rule.level == Level::Breaking).count()
    }

    /// For people. `old_name` stands before the paths of the old version where they would be those of the new one.
    pub fn to_human(&self, old_name: &str, colours: bool) -> String {
        let renderer = if colours { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for finding in &self.findings {
            out.push_str(&renderer.render(&[self.group(finding, old_name)]));
            out.push_str("\n\n");
        }
        out
    }

    fn group<'a>(&'a self, finding: &'a Finding, old_name: &str) -> Group<'a> {
        let level = match finding.rule.level {
            Level::Breaking => Kind::ERROR,
            Level::Caution => Kind::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(&finding.message).id(finding.rule.id));
        let new = finding.new.as_deref().and_then(|key| self.new.places.nearest(key));
        if let Some((source, span)) = new.and_then(|span| located(self.new.diagnostics.sources(), span)) {
            let path = source.path().display().to_string();
            group = add(group, source, span, path, AnnotationKind::Primary, "");
        }
        let old = finding.old.as_deref().and_then(|key| self.old.places.nearest(key));
        if let Some((source, span)) = old.and_then(|span| located(self.old.diagnostics.sources(), span)) {
            let path = format!("{old_name}{}", source.path().display());
            group = add(group, source, span, path, AnnotationKind::Context, "as it was");
        }
        let breaks: Vec<&str> = finding.breaks.iter().map(|party| party.text()).collect();
        let verb = match finding.rule.level {
            Level::Breaking => "breaks",
            Level::Caution => "take care of",
        };
        group
            .element(Kind::NOTE.message(finding.rule.purpose))
            .element(Kind::NOTE.message(format!("{verb} {}", breaks.join("; "))))
            .element(Kind::HELP.message(finding.rule.instead))
    }

    /// For programs: see `docs/evolution.md`, "As JSON".
    pub fn to_json(&self) -> String {
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|finding| {
                json!({
                    "rule": finding.rule.id,
                    "level": match finding.rule.level { Level::Breaking => "breaking", Level::Caution => "caution" },
                    "message": finding.message,
                    "breaks": finding.breaks.iter().map(|party| party.id()).collect::<Vec<_>>(),
                    "purpose": finding.rule.purpose,
                    "instead": finding.rule.instead,
                    "old": place(&self.old, finding.old.as_deref()),
                    "new": place(&self.new, finding.new.as_deref()),
                })
            })
            .collect();
        let document = json!({ "version": 1, "breaking": self.breaking_count(), "findings": findings });
        format!("{document:#}\n")
    }
}

impl BaselineError {
    fn rejected(which: &str, checked: &Checked) -> Self {
        let count = checked.diagnostics.errors_count();
        let errors = if count == 1 { "an error".to_owned() } else { format!("{count} errors") };
        Self::new(format!("the {which} version has {errors}, so there is nothing to compare"))
    }
}

fn located(sources: &SourceMap, span: Span) -> Option<(&Source, Span)> {
    sources.source(span.source).map(|source| (source, span))
}

fn add<'a>(
    group: Group<'a>,
    source: &'a Source,
    span: Span,
    path: String,
    kind: AnnotationKind,
    label: &'static str,
) -> Group<'a> {
    let (begin, line, text) = source.lines_around(span.start, span.end);
    if text.is_empty() {
        return group.element(Origin::path(path));
    }
    let relative = source.clamp(span.start).saturating_sub(begin)..source.clamp(span.end).saturating_sub(begin);
    let mut annotation = kind.span(relative);
    if !label.is_empty() {
        annotation = annotation.label(label);
    }
    group.element(Snippet::source(text).line_start(line).path(path).annotation(annotation))
}

fn place(checked: &Checked, key: Option<&str>) -> Value {
    let span = key.and_then(|key| checked.places.nearest(key));
    let Some((source, span)) = span.and_then(|span| located(checked.diagnostics.sources(), span)) else {
        return Value::Null;
    };
    let place = source.place(span.start);
    json!({ "file": source.path().to_string_lossy(), "line": place.line, "column": place.column, "name": key })
}
