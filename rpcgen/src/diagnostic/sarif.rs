//! Findings as SARIF 2.1.0, which code hosts and editors show beside the lines.
//!
//! Knows: the few parts of the format that findings fill. Does not know: who reads it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Code, Diagnostic, Diagnostics, Fix, Label, Severity};
use crate::source::{SourceMap, Span};

pub(super) fn render(diagnostics: &Diagnostics) -> String {
    let used: BTreeSet<Code> = diagnostics.list.iter().map(|diagnostic| diagnostic.code).collect();
    let rules: Vec<Value> = used.iter().copied().map(rule).collect();
    let results: Vec<Value> =
        diagnostics.list.iter().map(|diagnostic| result(diagnostic, &used, &diagnostics.sources)).collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "rpcgen", "version": env!("CARGO_PKG_VERSION"), "rules": rules } },
            // Columns count characters, not UTF-16 units.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.id(),
        "shortDescription": { "text": code.title() },
        "help": { "text": code.page(), "markdown": code.page() },
        "defaultConfiguration": { "level": level(code) },
    })
}

fn level(code: Code) -> &'static str {
    match code.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn result(diagnostic: &Diagnostic, used: &BTreeSet<Code>, sources: &SourceMap) -> Value {
    let help: String = diagnostic.help.iter().map(|help| format!("\n{help}")).collect();
    let related: Vec<Value> =
        diagnostic.secondary.iter().filter_map(|Label { span, text }| location(*span, Some(text), sources)).collect();
    let fixes: Vec<Value> = diagnostic.fix.iter().filter_map(|one| fix(one, sources)).collect();
    json!({
        "ruleId": diagnostic.code.id(),
        "ruleIndex": used.iter().position(|code| *code == diagnostic.code),
        "level": level(diagnostic.code),
        "message": { "text": format!("{}{help}", diagnostic.message) },
        "locations": location(diagnostic.primary.span, None, sources).into_iter().collect::<Vec<Value>>(),
        "relatedLocations": related,
        "fixes": fixes,
    })
}

/// `None` for a tree that has no text.
fn location(span: Span, text: Option<&String>, sources: &SourceMap) -> Option<Value> {
    let physical = json!({ "artifactLocation": artifact(span, sources)?, "region": region(span, sources)? });
    Some(match text.filter(|text| !text.is_empty()) {
        Some(text) => json!({ "physicalLocation": physical, "message": { "text": text } }),
        None => json!({ "physicalLocation": physical }),
    })
}

/// The path as a relative reference, with what no reference may hold escaped.
fn artifact(span: Span, sources: &SourceMap) -> Option<Value> {
    let path = sources.source(span.source)?.path().to_string_lossy().replace('\\', "/");
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    Some(json!({ "uri": uri }))
}

fn region(span: Span, sources: &SourceMap) -> Option<Value> {
    let source = sources.source(span.source)?;
    let (start, end) = (source.place(span.start), source.place(span.end));
    Some(json!({
        "startLine": start.line,
        "startColumn": start.column,
        "endLine": end.line,
        "endColumn": end.column,
    }))
}

fn fix(fix: &Fix, sources: &SourceMap) -> Option<Value> {
    let replacement = json!({
        "deletedRegion": region(fix.span, sources)?,
        "insertedContent": { "text": fix.replacement },
    });
    Some(json!({
        "description": { "text": fix.title },
        "artifactChanges": [{ "artifactLocation": artifact(fix.span, sources)?, "replacements": [replacement] }],
    }))
}
