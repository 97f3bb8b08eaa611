//! Findings for programs.
//!
//! Knows: the names of the JSON fields, which are a promise: fields are added, never changed. Does not know: who reads it.

use serde_json::{Value, json};

use super::{Diagnostic, Diagnostics, Severity};
use crate::source::{SourceMap, Span};

pub(super) fn render(diagnostics: &Diagnostics) -> String {
    let list: Vec<Value> =
        diagnostics.list.iter().map(|diagnostic| finding(diagnostic, &diagnostics.sources)).collect();
    let document = json!({
        "version": 1,
        "errors": diagnostics.errors_count,
        "dropped": diagnostics.dropped_count,
        "diagnostics": list,
    });
    format!("{document:#}\n")
}

fn finding(diagnostic: &Diagnostic, sources: &SourceMap) -> Value {
    let labels: Vec<Value> = diagnostic
        .secondary
        .iter()
        .map(|label| json!({ "at": place(label.span, sources), "text": label.text }))
        .collect();
    let fix = diagnostic
        .fix
        .as_ref()
        .map(|fix| json!({ "at": place(fix.span, sources), "title": fix.title, "replacement": fix.replacement }));
    json!({
        "code": diagnostic.code.id(),
        "severity": match diagnostic.code.severity() { Severity::Error => "error", Severity::Warning => "warning" },
        "message": diagnostic.message,
        "at": place(diagnostic.primary.span, sources),
        "label": diagnostic.primary.text,
        "related": labels,
        "help": diagnostic.help,
        "fix": fix,
    })
}

/// `null` for a tree that has no text.
fn place(span: Span, sources: &SourceMap) -> Value {
    let Some(source) = sources.source(span.source) else { return Value::Null };
    let (start, end) = (source.place(span.start), source.place(span.end));
    json!({
        "file": source.path().to_string_lossy(),
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
        "start": span.start,
        "end": span.end,
    })
}
