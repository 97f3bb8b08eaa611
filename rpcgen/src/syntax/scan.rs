//! One walk over a text: what is code, and where it may be cut.
//!
//! Knows: comments, strings, brackets, separators, and the words that begin a declaration. Does not know: what is between them.
//! Invariant: after the scan every bracket has its other half; one that the text lacks has been reported and put in with no width.

use super::split::Range;
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::source::{SourceId, Span};

/// Brackets nest no deeper: the parser of a piece recurses.
const DEPTH_MAX: usize = 64;

/// Words that begin an item at the start of a line.
const ITEM_WORDS: [&str; 7] = ["package", "import", "const", "alias", "struct", "enum", "service"];

/// Words that begin a member of a service at the start of a line.
const MEMBER_WORDS: [&str; 2] = ["action", "broadcast"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MarkKind {
    /// With the index of the mark that closes it.
    Open(usize),
    /// False: not in the text.
    Close(bool),
    Comma,
    Semicolon,
    ItemWord,
    MemberWord,
}

/// A byte at which a file may be cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) at: usize,
    pub(super) kind: MarkKind,
}

/// A line of a doc comment.
#[derive(Debug)]
pub(super) struct DocLine {
    pub(super) range: Range,
    pub(super) text: String,
    /// `//!` rather than `///`.
    pub(super) inner: bool,
}

/// What the walk has found.
#[derive(Debug)]
pub(super) struct Scanned {
    /// As long as the text, comments turned into spaces.
    pub(super) clean: Vec<u8>,
    /// In order.
    pub(super) marks: Vec<Mark>,
    /// In order.
    pub(super) docs: Vec<DocLine>,
    /// Where something was reported.
    pub(super) reported: Vec<usize>,
}

/// Walks over a text.
pub(super) fn scan(source: SourceId, text: &str, sink: &mut Sink) -> Scanned {
    let mut scanner = Scanner::new(source, text, sink);
    scanner.run();
    let Scanner { clean, marks, docs, reported, .. } = scanner;
    Scanned { clean, marks, docs, reported }
}

/// The one walk over the text.
struct Scanner<'a> {
    source: SourceId,
    text: &'a [u8],
    clean: Vec<u8>,
    at: usize,
    /// Nothing but blanks since the last newline.
    line_is_blank: bool,
    line_start: usize,
    /// The first code of the line, if there is any.
    line_code: usize,
    /// One past the last byte of code.
    code_end: usize,
    marks: Vec<Mark>,
    /// Indices of the marks that are still open.
    open: Vec<usize>,
    docs: Vec<DocLine>,
    reported: Vec<usize>,
    sink: &'a mut Sink,
}

impl<'a> Scanner<'a> {
    fn new(source: SourceId, text: &'a str, sink: &'a mut Sink) -> Self {
        Self {
            source,
            text: text.as_bytes(),
            clean: text.as_bytes().to_vec(),
            at: 0,
            line_is_blank: true,
            line_start: 0,
            line_code: 0,
            code_end: 0,
            marks: Vec::new(),
            open: Vec::new(),
            docs: Vec::new(),
            reported: Vec::new(),
            sink,
        }
    }

    fn run(&mut self) {
        if self.text.starts_with(b"\xef\xbb\xbf") {
            self.blank(0, 3);
        }
        while let Some(byte) = self.text.get(self.at).copied() {
            let start = self.at;
            match byte {
                b'\n' => {
                    self.at += 1;
                    self.line_is_blank = true;
                    self.line_start = self.at;
                    continue;
                }
                b' ' | b'\t' | b'\r' => {
                    self.at += 1;
                    continue;
                }
                b'/' if self.text[start..].starts_with(b"//") => {
                    self.comment();
                    continue;
                }
                b'/' if self.text[start..].starts_with(b"/*") => {
                    self.block_comment();
                    continue;
                }
                b'"' => self.string(),
                b'(' | b'[' | b'{' => {
                    if self.open.len() == DEPTH_MAX {
                        return self.too_deep();
                    }
                    self.open.push(self.marks.len());
                    self.mark(MarkKind::Open(usize::MAX));
                }
                b')' | b']' | b'}' => self.close(byte),
                b',' => self.mark(MarkKind::Comma),
                b';' => self.semicolon(),
                _ if is_word(byte) => self.word(),
                _ => self.at += 1,
            }
            if self.line_is_blank {
                self.line_code = start;
                self.line_is_blank = false;
            }
            self.code_end = self.at;
        }
        self.close_all(0, self.code_end, "the file ends here");
    }

    /// Puts a mark on this byte and passes it.
    fn mark(&mut self, kind: MarkKind) {
        self.marks.push(Mark { at: self.at, kind });
        self.at += 1;
    }

    fn blank(&mut self, start: usize, end: usize) {
        self.clean[start..end].fill(b' ');
        self.at = end;
    }

    fn line_end(&self) -> usize {
        let rest = &self.text[self.at..];
        self.at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.reported.push(diagnostic.primary.span.start as usize);
        self.sink.push(diagnostic);
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, offset(start), offset(end))
    }

    fn comment(&mut self) {
        let (start, end) = (self.at, self.line_end());
        let line = self.text[start..end].trim_ascii_end();
        let range = Range { start, end: start + line.len() };
        let inner = line.starts_with(b"//!");
        let outer = line.starts_with(b"///") && !line.starts_with(b"////");
        if outer && self.is_behind_code(start) {
            let diagnostic = Diagnostic::new(
                Code::LostDoc,
                self.span(range.start, range.end),
                "this doc comment stands behind what it would document",
            );
            // Not noted as reported: what stands around it can be read.
            self.sink.push(
                diagnostic.with_help("write it above, on a line of its own, or begin an ordinary comment with `//`"),
            );
            return self.blank(start, end);
        }
        if inner || outer {
            let text = &line[3..];
            let text = text.strip_prefix(b" ").unwrap_or(text);
            // Cut between characters: all that was taken off is ASCII.
            let text = String::from_utf8_lossy(text).into_owned();
            self.docs.push(DocLine { range, text, inner });
        }
        self.blank(start, end);
    }

    /// Whether something that is complete, or goes on, stands before this byte on its line. Behind an opening bracket begins something new.
    fn is_behind_code(&self, at: usize) -> bool {
        let before = self.text[self.line_start..at].trim_ascii_end();
        !self.line_is_blank && !before.ends_with(b"{") && !before.ends_with(b"(")
    }

    fn block_comment(&mut self) {
        let start = self.at;
        let length = self.text[start + 2..].windows(2).position(|pair| pair == b"*/");
        let end = length.map_or(self.text.len(), |length| start + 2 + length + 2);
        let diagnostic = Diagnostic::new(Code::Comment, self.span(start, start + 2), "comments begin with `//`");
        let is_closed = length.is_some();
        let behind = self.text[end..].iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r'));
        let (begins_its_line, ends_its_line) = (self.line_is_blank, behind.is_none_or(|byte| *byte == b'\n'));
        let is_one_line = !self.text[start..end].contains(&b'\n');
        // Not noted as reported: what stands around it can be read.
        self.sink.push(if is_closed && is_one_line && ends_its_line {
            let inside = String::from_utf8_lossy(&self.text[start + 2..end - 2]);
            let is_doc = begins_its_line && inside.starts_with('*');
            let slashes = if is_doc { "///" } else { "//" };
            let line = format!("{slashes} {}", inside.trim_matches('*').trim());
            diagnostic.with_fix("write", self.span(start, end), line.trim_end())
        } else if begins_its_line && ends_its_line || !is_closed {
            diagnostic.with_help("write `//` at the start of each line of the comment, and leave out the `*/`")
        } else {
            diagnostic.with_help("put it on lines of its own, each of which begins with `//`")
        });
        for at in start..end {
            if self.text[at] != b'\n' {
                self.clean[at] = b' ';
            }
        }
        self.at = end;
    }

    fn string(&mut self) {
        let start = self.at;
        let mut at = start + 1;
        while let Some(byte) = self.text.get(at).filter(|byte| **byte != b'\n') {
            at += 1;
            match byte {
                b'"' => {
                    self.at = at;
                    return;
                }
                // What is escaped ends nothing, except the line.
                b'\\' if self.text.get(at).is_some_and(|next| *next != b'\n') => at += 1,
                _ => {}
            }
        }
        let span = self.span(start, at);
        self.report(
            Diagnostic::new(Code::UnclosedString, span, "this string does not end")
                .with_help("a string ends with `\"` on its own line"),
        );
        self.at = at;
    }

    fn semicolon(&mut self) {
        // A `;` stands in `[T; N]`, never in parentheses: they were not closed.
        while let Some(index) = self.open.last().copied().filter(|index| self.text[self.marks[*index].at] == b'(') {
            self.unclosed(index, self.code_end, "it should be closed before here");
        }
        self.mark(MarkKind::Semicolon);
    }

    fn close(&mut self, byte: u8) {
        let matching = self.open.iter().rposition(|index| closing(self.text[self.marks[*index].at]) == byte);
        let Some(depth) = matching else {
            let span = self.span(self.at, self.at + 1);
            let message = format!("this `{}` closes nothing", char::from(byte));
            self.report(
                Diagnostic::new(Code::StrayBracket, span, message)
                    .with_help("remove it, or write what it should close"),
            );
            return self.blank(self.at, self.at + 1);
        };
        self.close_all(depth + 1, self.code_end, "it should be closed before here");
        if let Some(index) = self.open.pop() {
            self.marks[index].kind = MarkKind::Open(self.marks.len());
        }
        self.mark(MarkKind::Close(true));
    }

    /// Closes what is open beyond `depth` at a place where the text does not.
    fn close_all(&mut self, depth: usize, at: usize, why: &str) {
        while self.open.len() > depth {
            let Some(index) = self.open.last().copied() else { return };
            self.unclosed(index, at, why);
        }
    }

    fn unclosed(&mut self, index: usize, at: usize, why: &str) {
        self.open.pop();
        let open = self.marks[index].at;
        let bracket = self.text[open];
        let here = self.span(at, at);
        let message = format!("this `{}` is never closed", char::from(bracket));
        let diagnostic = Diagnostic::new(Code::Bracket, self.span(open, open + 1), message)
            .with_secondary(here, why)
            .with_help(format!("write `{}`", char::from(closing(bracket))));
        self.report(diagnostic);
        self.marks[index].kind = MarkKind::Open(self.marks.len());
        self.marks.push(Mark { at, kind: MarkKind::Close(false) });
    }

    fn word(&mut self) {
        let start = self.at;
        let length = self.text[start..].iter().take_while(|byte| is_word(**byte)).count();
        let end = start + length;
        let word = &self.text[start..end];
        let is_one_of = |words: &[&str]| words.iter().any(|candidate| candidate.as_bytes() == word);
        if (self.line_is_blank || self.is_behind_annotations(start)) && self.begins_a_declaration(end) {
            if is_one_of(&ITEM_WORDS) {
                if start == self.line_start {
                    self.close_all(0, self.code_end, "the next declaration begins here");
                }
                self.marks.push(Mark { at: start, kind: MarkKind::ItemWord });
            } else if is_one_of(&MEMBER_WORDS) {
                self.marks.push(Mark { at: start, kind: MarkKind::MemberWord });
            }
        }
        self.at = end;
    }

    /// Whether a line begins with an annotation, and one ends here.
    fn is_behind_annotations(&self, at: usize) -> bool {
        let before = self.text[self.line_code..at].trim_ascii_end();
        let word = before.iter().rev().take_while(|byte| is_word(**byte)).count();
        before.starts_with(b"@") && (before.ends_with(b")") || before[..before.len() - word].ends_with(b"@"))
    }

    /// A keyword is followed by a name or a string; a field or a variant of the same name is not.
    fn begins_a_declaration(&self, end: usize) -> bool {
        let behind = self.text[end..].iter().find(|byte| !matches!(byte, b' ' | b'\t'));
        behind.is_some_and(|byte| is_word(*byte) || *byte == b'"')
    }

    /// Gives the file up: what was cut so far stays out too, since its brackets do not fit.
    fn too_deep(&mut self) {
        let message = format!("brackets nest more than {DEPTH_MAX} deep");
        let diagnostic = Diagnostic::new(Code::TooDeep, self.span(self.at, self.at + 1), message);
        self.report(diagnostic.with_help("give the inner types names of their own"));
        self.reported.push(0);
        self.marks.clear();
        self.open.clear();
        self.clean.fill(b' ');
        self.docs.clear();
    }
}

/// Makes a space of every blank outside of strings.
pub(super) fn only_spaces(text: &mut [u8]) {
    let (mut in_string, mut escaped) = (false, false);
    for byte in text {
        match *byte {
            // A string ends with its line.
            b'\n' => (*byte, in_string, escaped) = (b' ', false, false),
            b'"' if !escaped => in_string = !in_string,
            b'\t' | b'\r' if !in_string => *byte = b' ',
            _ => {}
        }
        escaped = in_string && !escaped && *byte == b'\\';
    }
}

/// The bracket that closes `open`.
pub(super) fn closing(open: u8) -> u8 {
    match open {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The loader takes no file of 4 GiB, a macro has no text.
pub(super) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
