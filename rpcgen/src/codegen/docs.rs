//! Doc comments.
//!
//! Knows: lines of text. Does not know: what they speak of.

use super::code::{Code, code};
use crate::model::Docs;

/// A doc comment of the user's.
pub(super) fn doc(lines: &Docs) -> Code {
    lines.iter().map(|text| line(text)).collect()
}

/// One line of a doc comment. What rustc refuses in one becomes a space: a carriage return, and marks that turn the direction of writing.
pub(super) fn line(text: &str) -> Code {
    let mut code = Code::new();
    let is_refused = |c: char| matches!(c, '\r' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.contains(is_refused) {
        code.doc("///", &text.replace(is_refused, " "));
    } else {
        code.doc("///", text);
    }
    code
}

/// A line of ours, then what the user said.
pub(super) fn line_and(text: &str, lines: &Docs) -> Code {
    let first = line(text);
    if lines.is_empty() {
        return first;
    }
    let (gap, rest) = (line(""), doc(lines));
    code!(#first #gap #rest)
}

/// What the user said; where that is nothing, a line of ours.
pub(super) fn doc_or(lines: &Docs, text: &str) -> Code {
    if lines.is_empty() { line(text) } else { doc(lines) }
}

/// `#[deprecated]` with its reason.
pub(super) fn deprecated(reason: Option<&String>) -> Code {
    match reason.map(String::as_str) {
        None => Code::new(),
        Some("") => code!(#[deprecated]),
        Some(note) => code!(#[deprecated(note = #note)]),
    }
}
