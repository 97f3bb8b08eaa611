//! Places: ours are numbers, rustc's are its own.
//!
//! Knows: which is which. Does not know: what stands there.

use proc_macro2::Span as RustSpan;
use rpcgen::diagnostic::Diagnostic;
use rpcgen::source::{SourceId, Span};

/// Something that is wrong with a trait.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) span: RustSpan,
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(span: RustSpan, message: impl Into<String>) -> Self {
        Self { span, message: message.into() }
    }

    /// As an item that does not compile.
    pub(crate) fn to_tokens(&self) -> proc_macro2::TokenStream {
        syn::Error::new(self.span, &self.message).to_compile_error()
    }
}

/// Gives each place of the trait a number of its own: the syntax tree and the diagnostics know places as numbers.
#[derive(Debug, Default)]
pub(crate) struct Spans {
    list: Vec<RustSpan>,
}

impl Spans {
    /// The number of a place.
    pub(crate) fn add(&mut self, span: RustSpan) -> Span {
        let start = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(span);
        Span::new(SourceId(0), start, start.saturating_add(1))
    }

    /// The place of a number; of a range of them from the first to the last, where rustc can tell.
    fn find(&self, span: Span) -> RustSpan {
        let at = |number: u32| self.list.get(number as usize).copied();
        let first = at(span.start).or_else(|| at(span.start.saturating_sub(1))).unwrap_or_else(RustSpan::call_site);
        at(span.end.saturating_sub(1)).and_then(|last| first.join(last)).unwrap_or(first)
    }

    /// What the checker found, at its place in the trait.
    pub(crate) fn problem(&self, diagnostic: &Diagnostic) -> Problem {
        let mut message = format!("{}: {}", diagnostic.code.id(), diagnostic.message);
        for text in [&diagnostic.primary.text].into_iter().chain(&diagnostic.help).filter(|text| !text.is_empty()) {
            message.push_str("\n  ");
            message.push_str(text);
        }
        if let Some(fix) = diagnostic.fix.as_ref().filter(|fix| !fix.replacement.is_empty()) {
            message.push_str(&format!("\n  {}: `{}`", fix.title, fix.replacement.trim_end_matches([',', ' '])));
        }
        Problem::new(self.find(diagnostic.primary.span), message)
    }
}
