//! Source texts and places in them.
//!
//! Knows: the texts of one run, their names, lines and columns. Does not know: the language, diagnostics, disks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A text of a [`SourceMap`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// A half-open range of bytes in one source.
///
/// Whoever makes a syntax tree without a text (the attribute macro) gives each place a number of its own as `start` and finds it again in
/// the diagnostics: nothing between the parser and the renderers looks behind a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The range `start..end` of `source`.
    pub const fn new(source: SourceId, start: u32, end: u32) -> Self {
        Self { source, start, end }
    }

    /// From the start of `self` to the end of `last`, which lies behind it in the same source.
    #[must_use]
    pub const fn to(self, last: Self) -> Self {
        Self { end: last.end, ..self }
    }

    /// The empty place right after this span.
    #[must_use]
    pub const fn after(self) -> Self {
        Self { start: self.end, ..self }
    }
}

/// A line and a column, both from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// One text.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    text: String,
    line_starts: Vec<usize>,
}

impl Source {
    fn new(path: PathBuf, text: String) -> Self {
        let after_newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let line_starts = std::iter::once(0).chain(after_newlines).collect();
        Self { path, text, line_starts }
    }

    /// Where it was read from, as it is shown.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte; the end of the text for anything behind it.
    pub fn place(&self, at: u32) -> Place {
        let at = self.clamp(at);
        let line = self.line_of(at);
        let start = self.line_starts[line];
        Place { line: line + 1, column: self.text[start..at].chars().count() + 1 }
    }

    /// The first byte of each line.
    pub fn line_starts(&self) -> &[usize] {
        &self.line_starts
    }

    /// The whole lines that hold `start..end`: where they begin, the number of the first, their text.
    pub(crate) fn lines_around(&self, start: u32, end: u32) -> (usize, usize, &str) {
        let (first, last) = (self.line_of(self.clamp(start)), self.line_of(self.clamp(end)));
        let begin = self.line_starts[first];
        let finish = self.line_starts.get(last + 1).copied().unwrap_or(self.text.len());
        (begin, first + 1, &self.text[begin..finish])
    }

    /// The nearest character boundary at or before `at` that the text has.
    pub fn clamp(&self, at: u32) -> usize {
        let mut at = (at as usize).min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    fn line_of(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at) - 1
    }
}

/// All texts of one run.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

impl SourceMap {
    /// Takes a text in. `text` is at most `u32::MAX` bytes: the loader's limit is far below.
    pub fn add(&mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> SourceId {
        let id = SourceId(u32::try_from(self.sources.len()).unwrap_or(u32::MAX));
        self.sources.push(Source::new(path.into(), text.into()));
        id
    }

    /// All of them, in the order in which they were taken in.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        (0..).map(SourceId).zip(&self.sources)
    }

    /// The text of `id`; `None` for an id of another map, or of a tree that has no text.
    pub fn source(&self, id: SourceId) -> Option<&Source> {
        self.sources.get(id.0 as usize)
    }
}

/// Where everything that has a name is declared. The keys are names with dots: `bank`, `bank.Account`, `bank.Account.user`,
/// `bank.Payment.card.number`, `bank.Bank.ping`, and in an action `.request.user`, `.response.account`, `.fails.no_such_user`.
#[derive(Clone, Debug, Default)]
pub struct Places {
    spans: BTreeMap<String, Span>,
}

impl Places {
    /// Of two declarations of one name, the first counts.
    pub(crate) fn insert(&mut self, key: String, span: Span) {
        self.spans.entry(key).or_insert(span);
    }

    /// The place of a declaration, or of the nearest that it stands in.
    pub fn nearest(&self, key: &str) -> Option<Span> {
        let mut key = key;
        loop {
            if let Some(span) = self.spans.get(key) {
                return Some(*span);
            }
            (key, _) = key.rsplit_once('.')?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_from_one() {
        let source = Source::new("a.rpc".into(), "ä = 1\nsecond".into());
        assert_eq!(source.place(3), Place { line: 1, column: 3 });
        assert_eq!(source.place(7), Place { line: 2, column: 1 });
        assert_eq!(source.place(9999), Place { line: 2, column: 7 });
    }
}
