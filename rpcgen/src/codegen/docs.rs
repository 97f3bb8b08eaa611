//! Doc comments.
//!
//! Knows: lines of text. Does not know: what they speak of.

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::Docs;

/// A doc comment of the user's.
pub(super) fn doc(lines: &Docs) -> TokenStream {
    lines.iter().map(|text| line(text)).collect()
}

/// One line of a doc comment.
pub(super) fn line(text: &str) -> TokenStream {
    let text = if text.is_empty() { String::new() } else { format!(" {text}") };
    quote!(#[doc = #text])
}

/// A line of ours, then what the user said.
pub(super) fn line_and(text: &str, lines: &Docs) -> TokenStream {
    let first = line(text);
    if lines.is_empty() {
        return first;
    }
    let (gap, rest) = (line(""), doc(lines));
    quote!(#first #gap #rest)
}

/// What the user said; where that is nothing, a line of ours.
pub(super) fn doc_or(lines: &Docs, text: &str) -> TokenStream {
    if lines.is_empty() { line(text) } else { doc(lines) }
}

/// `#[deprecated]` with its reason.
pub(super) fn deprecated(reason: Option<&String>) -> TokenStream {
    match reason.map(String::as_str) {
        None => TokenStream::new(),
        Some("") => quote!(#[deprecated]),
        Some(note) => quote!(#[deprecated(note = #note)]),
    }
}
