//! What the compiler has to say about a source.
//!
//! Knows: codes, places, labels, help, fixes, and three renderings of the same list. Does not know: checks, terminals, files.

mod codes;
mod human;
mod json;
mod sarif;

pub use codes::{Code, Severity};

use crate::source::{SourceMap, Span};

/// So many diagnostics are kept; what comes after them helps nobody.
const DIAGNOSTICS_MAX: usize = 200;

/// So many names are compared with wrong ones to find what was meant. A file that needs more has more wrong than a suggestion mends.
const COMPARED_MAX: usize = 100_000;

/// One finding.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// Which rule, and with it whether it is an error or a warning.
    pub code: Code,
    /// One sentence without a full stop.
    pub message: String,
    /// Where, and what stands there.
    pub primary: Label,
    /// Other places that matter.
    pub secondary: Vec<Label>,
    /// What to do.
    pub help: Vec<String>,
    /// A change of the text that puts it right.
    pub fix: Option<Fix>,
}

/// A place with a few words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// May be empty.
    pub text: String,
}

/// Replaces `span` by `replacement`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// What the fix does.
    pub title: String,
    /// The text to replace; empty to insert.
    pub span: Span,
    /// The text to put there.
    pub replacement: String,
}

impl Diagnostic {
    /// A finding at `span`.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            primary: Label { span, text: String::new() },
            secondary: Vec::new(),
            help: Vec::new(),
            fix: None,
        }
    }

    /// The words beside the underlined place.
    #[must_use]
    pub fn with_label(mut self, text: impl Into<String>) -> Self {
        self.primary.text = text.into();
        self
    }

    /// Another place.
    #[must_use]
    pub fn with_secondary(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    /// What to do.
    #[must_use]
    pub fn with_help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// A change that puts it right.
    #[must_use]
    pub fn with_fix(mut self, title: impl Into<String>, span: Span, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix { title: title.into(), span, replacement: replacement.into() });
        self
    }
}

/// Where checks put what they find. Keeps the first 200, counts all; bounds the search for what was meant.
#[derive(Debug, Default)]
pub struct Sink {
    found: Vec<Diagnostic>,
    errors_count: usize,
    dropped_count: usize,
    compared_count: usize,
}

impl Sink {
    pub(crate) const fn new() -> Self {
        Self { found: Vec::new(), errors_count: 0, dropped_count: 0, compared_count: 0 }
    }

    /// Whether what is put in from now on is only counted.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() == DIAGNOSTICS_MAX
    }

    /// Whether a name may be compared with so many others to find what was meant. No: nobody would see it, or too many have been.
    pub(crate) fn may_compare(&mut self, names_count: usize) -> bool {
        let compared = self.compared_count.saturating_add(names_count);
        let may = !self.is_full() && compared <= COMPARED_MAX;
        if may {
            self.compared_count = compared;
        }
        may
    }

    /// Puts in what another one has, behind its own.
    pub(crate) fn append(&mut self, later: Self) {
        let room = DIAGNOSTICS_MAX - self.found.len();
        self.errors_count += later.errors_count;
        self.compared_count = self.compared_count.saturating_add(later.compared_count);
        self.dropped_count += later.dropped_count + later.found.len().saturating_sub(room);
        self.found.extend(later.found.into_iter().take(room));
    }

    /// Puts one finding in.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if diagnostic.code.severity() == Severity::Error {
            self.errors_count += 1;
        }
        if self.is_full() {
            self.dropped_count += 1;
        } else {
            self.found.push(diagnostic);
        }
    }

    /// Whether there is an error among them.
    pub fn has_errors(&self) -> bool {
        self.errors_count > 0
    }

    /// Ends the run: the findings in the order of the text.
    pub fn finish(mut self, sources: SourceMap) -> Diagnostics {
        self.found.sort_by_key(|diagnostic| diagnostic.primary.span);
        Diagnostics { list: self.found, sources, errors_count: self.errors_count, dropped_count: self.dropped_count }
    }
}

/// All findings of one run with the texts that they speak of.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    sources: SourceMap,
    errors_count: usize,
    dropped_count: usize,
}

impl Diagnostics {
    /// In the order of the text; the first 200.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }

    /// The texts.
    pub fn sources(&self) -> &SourceMap {
        &self.sources
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether there is an error among them.
    pub fn has_errors(&self) -> bool {
        self.errors_count > 0
    }

    /// How many errors there are, those beyond the first 200 findings included.
    pub fn errors_count(&self) -> usize {
        self.errors_count
    }

    /// How many findings were not kept.
    pub fn dropped_count(&self) -> usize {
        self.dropped_count
    }

    /// For people: each finding with its source line underlined.
    pub fn to_human(&self, colours: bool) -> String {
        human::render(self, colours)
    }

    /// For programs: see `docs/language.md`, "Diagnostics as JSON".
    pub fn to_json(&self) -> String {
        json::render(self)
    }

    /// For code hosts and editors: SARIF 2.1.0.
    pub fn to_sarif(&self) -> String {
        sarif::render(self)
    }
}

#[cfg(test)]
mod tests {
    use super::{COMPARED_MAX, Code, DIAGNOSTICS_MAX, Diagnostic, Sink};
    use crate::source::Span;

    #[test]
    fn nobody_looks_for_what_was_meant_by_what_is_only_counted() {
        let mut sink = Sink::default();
        for _ in 0..DIAGNOSTICS_MAX {
            assert!(sink.may_compare(1));
            sink.push(Diagnostic::new(Code::Unknown, Span::default(), ""));
        }
        assert!(!sink.may_compare(1));
    }

    #[test]
    fn a_search_that_would_be_one_too_many_leaves_room_for_smaller_ones() {
        let mut sink = Sink::default();
        assert!(sink.may_compare(COMPARED_MAX - 1));
        assert!(!sink.may_compare(2));
        assert!(sink.may_compare(1));
        assert!(!sink.may_compare(1));
    }
}
