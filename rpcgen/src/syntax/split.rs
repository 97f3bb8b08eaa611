//! Cuts a file into items, members and fields by hand, so that each can be parsed alone and one bad field costs one diagnostic.
//!
//! Knows: comments, strings, brackets, separators, and the words that begin a declaration. Does not know: the grammar of a piece.
//! Invariant: after the scan every bracket has its other half; one that the text lacks has been reported and put in with no width.

use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::source::{SourceId, Span};

/// Brackets nest no deeper: the parser of a piece recurses.
const DEPTH_MAX: usize = 64;

/// Words that begin an item at the start of a line.
const ITEM_WORDS: [&str; 7] = ["package", "import", "const", "alias", "struct", "enum", "service"];

/// Words that begin a member of a service at the start of a line.
const MEMBER_WORDS: [&str; 2] = ["action", "broadcast"];

/// A half-open range of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// A pair of brackets. `close` is where the closing one stands or should stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) open: usize,
    pub(super) close: usize,
    /// The closing bracket is in the text.
    closed: bool,
}

impl Group {
    /// What is between the brackets.
    pub(super) fn inside(self) -> Range {
        Range { start: self.open + 1, end: self.close }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MarkKind {
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
struct Mark {
    at: usize,
    kind: MarkKind,
}

/// A line of a doc comment.
#[derive(Debug)]
struct DocLine {
    range: Range,
    text: String,
    /// `//!` rather than `///`.
    inner: bool,
    taken: bool,
}

/// How a run of pieces is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Items: at `;`, behind a `}` that ends a declaration, before a word that begins one.
    Items,
    /// Members of a service: at `;`, before a word that begins one.
    Members,
    /// Fields and variants: at `,`.
    List,
}

/// How the piece begins that is being cut.
#[derive(Debug)]
struct Leading {
    code_start: usize,
    word: Option<Range>,
}

impl Leading {
    /// Whether a declaration that begins at `at` is another one. The annotations before it belong to it.
    fn is_cut_before(&self, at: usize) -> bool {
        self.code_start < at && self.word.is_none_or(|word| word.start < at)
    }
}

/// A file ready to be cut.
#[derive(Debug)]
pub(super) struct Pieces {
    source: SourceId,
    /// As long as the text, comments turned into spaces.
    clean: String,
    marks: Vec<Mark>,
    docs: Vec<DocLine>,
    /// Where something was reported already, in order: a piece that holds such a place is not reported again.
    reported: Vec<usize>,
}

impl Pieces {
    /// Reads a text through once.
    pub(super) fn scan(source: SourceId, text: &str, sink: &mut Sink) -> Self {
        let mut scanner = Scanner::new(source, text, sink);
        scanner.run();
        let Scanner { clean, marks, docs, mut reported, .. } = scanner;
        reported.sort_unstable();
        // Only whole characters were replaced, each byte by a space.
        let clean = String::from_utf8(clean).unwrap_or_default();
        Self { source, clean, marks, docs, reported }
    }

    /// The whole file.
    pub(super) fn whole(&self) -> Range {
        Range { start: 0, end: self.clean.len() }
    }

    pub(super) fn span(&self, range: Range) -> Span {
        Span::new(self.source, offset(range.start), offset(range.end))
    }

    pub(super) fn text(&self, range: Range) -> &str {
        &self.clean[range.start..range.end]
    }

    /// Without the blanks at both ends; empty if there is nothing else.
    pub(super) fn trim(&self, range: Range) -> Range {
        let text = self.text(range);
        let start = range.start + (text.len() - text.trim_start().len());
        Range { start, end: start + text.trim().len() }
    }

    /// Whether something inside was reported by the scan.
    pub(super) fn is_reported(&self, range: Range) -> bool {
        let first = self.reported.partition_point(|at| *at < range.start);
        self.reported.get(first).is_some_and(|at| *at < range.end)
    }

    /// Cuts `range` into pieces, separators `;` included, commas not; an empty piece only where the text has one between two commas.
    pub(super) fn cut(&self, range: Range, how: Cut, sink: &mut Sink) -> Vec<Range> {
        let mut pieces = Vec::new();
        let mut start = range.start;
        let mut semicolon_reported = false;
        let mut leading = self.leading(Range { start, end: range.end });
        let mut index = self.first_mark(range.start);
        while let Some(mark) = self.marks.get(index).filter(|mark| mark.at < range.end) {
            let (end, next) = match (mark.kind, how) {
                (MarkKind::Open(close), _) => {
                    index = close;
                    let ends = how == Cut::Items && self.clean.as_bytes()[mark.at] == b'{' && self.is_braced(&leading);
                    let behind = self.behind(close).min(range.end);
                    (ends.then_some(behind), behind)
                }
                (MarkKind::Semicolon, Cut::Items | Cut::Members) => (Some(mark.at + 1), mark.at + 1),
                (MarkKind::ItemWord, Cut::Items) | (MarkKind::MemberWord, Cut::Members) => {
                    let before = start + self.clean[start..mark.at].trim_end().len();
                    (leading.is_cut_before(mark.at).then_some(before), before)
                }
                (MarkKind::Comma | MarkKind::Semicolon, Cut::List) => (Some(mark.at), mark.at + 1),
                _ => (None, 0),
            };
            if mark.kind == MarkKind::Semicolon && how == Cut::List && !semicolon_reported {
                semicolon_reported = true;
                let span = self.span(Range { start: mark.at, end: mark.at + 1 });
                sink.push(Diagnostic::new(Code::Syntax, span, "expected `,`, found `;`").with_fix("write", span, ","));
            }
            if let Some(end) = end {
                pieces.push(Range { start, end });
                start = next;
                leading = self.leading(Range { start, end: range.end });
            }
            index += 1;
        }
        if start < range.end && !self.text(Range { start, end: range.end }).trim().is_empty() {
            pieces.push(Range { start, end: range.end });
        }
        pieces
    }

    /// The outermost brackets of a piece that begin behind its leading word (those before it belong to annotations).
    pub(super) fn groups(&self, range: Range) -> Vec<Group> {
        let from = self.leading_word(range).map_or(range.start, |word| word.start);
        let mut groups = Vec::new();
        let mut index = self.first_mark(from);
        while let Some(mark) = self.marks.get(index).filter(|mark| mark.at < range.end) {
            if let MarkKind::Open(close) = mark.kind {
                index = close;
                let end = self.marks[close];
                groups.push(Group { open: mark.at, close: end.at, closed: end.kind == MarkKind::Close(true) });
            }
            index += 1;
        }
        groups
    }

    /// The piece with nothing but spaces between its brackets, which all are closed.
    pub(super) fn emptied(&self, range: Range, groups: &[Group]) -> String {
        let mut bytes = self.text(range).as_bytes().to_vec();
        for group in groups {
            let inside = group.inside();
            let (from, to) = (inside.start - range.start, inside.end.min(range.end) - range.start);
            bytes[from..to].fill(b' ');
            if !group.closed && to > from {
                bytes[to - 1] = closing(self.clean.as_bytes()[group.open]);
            }
        }
        // Only whole characters were replaced: brackets are ASCII.
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// The first word behind annotations.
    pub(super) fn leading_word(&self, range: Range) -> Option<Range> {
        let mut at = self.skip_blanks(range.start);
        while self.clean.as_bytes().get(at) == Some(&b'@') && at < range.end {
            let name = self.word_at(self.skip_blanks(at + 1));
            at = self.skip_blanks(name.end);
            if self.clean.as_bytes().get(at) == Some(&b'(') {
                let mark = self.marks.get(self.first_mark(at))?;
                let MarkKind::Open(close) = mark.kind else { return None };
                at = self.skip_blanks(self.behind(close));
            }
        }
        let word = self.word_at(at);
        (word.start < word.end && word.end <= range.end).then_some(word)
    }

    /// The name that a broken declaration would have had: the word behind its leading word.
    pub(super) fn likely_name(&self, range: Range) -> Option<Range> {
        let leading = self.leading_word(range)?;
        let name = self.word_at(self.skip_blanks(leading.end));
        (name.start < name.end && name.end <= range.end).then_some(name)
    }

    /// The `///` lines before the first code of a piece.
    pub(super) fn take_docs(&mut self, range: Range) -> Vec<String> {
        self.take(range, false)
    }

    /// The `//!` lines before the first code of the file.
    pub(super) fn take_file_docs(&mut self) -> Vec<String> {
        self.take(self.whole(), true)
    }

    fn take(&mut self, range: Range, inner: bool) -> Vec<String> {
        let code = self.trim(range);
        let until = if code.start < code.end { code.start } else { range.end };
        let first = self.docs.partition_point(|line| line.range.start < range.start);
        let lines = self.docs[first..].iter_mut().take_while(|line| line.range.start < until);
        let mine = lines.filter(|line| line.inner == inner);
        mine.map(|line| {
            line.taken = true;
            std::mem::take(&mut line.text)
        })
        .collect()
    }

    /// Reports the doc comments that nothing has taken, one finding for each block of lines.
    pub(super) fn report_lost_docs(&self, sink: &mut Sink) {
        let mut previous_end = None;
        for line in self.docs.iter().filter(|line| !line.taken) {
            let follows = previous_end.is_some_and(|end: usize| self.clean[end..line.range.start].trim().is_empty());
            previous_end = Some(line.range.end);
            if follows {
                continue;
            }
            let (message, help) = if line.inner {
                (
                    "this doc comment is not at the top of the file",
                    "`//!` documents the file and stands before everything else",
                )
            } else {
                (
                    "this doc comment documents nothing",
                    "`///` stands before what it documents; `//` begins an ordinary comment",
                )
            };
            sink.push(Diagnostic::new(Code::LostDoc, self.span(line.range), message).with_help(help));
        }
    }

    fn first_mark(&self, at: usize) -> usize {
        self.marks.partition_point(|mark| mark.at < at)
    }

    /// One past a closing bracket, which may have no width.
    fn behind(&self, close: usize) -> usize {
        let mark = self.marks[close];
        mark.at + usize::from(mark.kind == MarkKind::Close(true))
    }

    fn leading(&self, range: Range) -> Leading {
        Leading { code_start: self.skip_blanks(range.start), word: self.leading_word(range) }
    }

    /// Whether the declaration ends with its braces. A word that is none of ours is taken for one that does: what it misspells most
    /// often has braces.
    fn is_braced(&self, leading: &Leading) -> bool {
        leading.word.is_none_or(|word| !matches!(self.text(word), "alias" | "const" | "package" | "import"))
    }

    fn skip_blanks(&self, at: usize) -> usize {
        let rest = &self.clean[at..];
        at + (rest.len() - rest.trim_start().len())
    }

    fn word_at(&self, at: usize) -> Range {
        let length = self.clean.as_bytes()[at..].iter().take_while(|byte| is_word(**byte)).count();
        Range { start: at, end: at + length }
    }
}

/// The bracket that closes `open`.
fn closing(open: u8) -> u8 {
    match open {
        b'(' => b')',
        b'[' => b']',
        _ => b'}',
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The loader takes no file of 4 GiB, a macro has no text.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
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
            self.line_is_blank = false;
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
        if inner || outer {
            let text = &line[3..];
            let text = text.strip_prefix(b" ").unwrap_or(text);
            // Cut between characters: all that was taken off is ASCII.
            let text = String::from_utf8_lossy(text).into_owned();
            self.docs.push(DocLine { range, text, inner, taken: false });
        }
        self.blank(start, end);
    }

    fn block_comment(&mut self) {
        let start = self.at;
        let length = self.text[start + 2..].windows(2).position(|pair| pair == b"*/");
        let end = length.map_or(self.text.len(), |length| start + 2 + length + 2);
        let diagnostic = Diagnostic::new(Code::Syntax, self.span(start, start + 2), "comments begin with `//`");
        // Not noted as reported: what stands around it can be read.
        self.sink.push(diagnostic.with_help("write `//` at the start of each line of the comment"));
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
            Diagnostic::new(Code::Literal, span, "this string does not end")
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
                Diagnostic::new(Code::Bracket, span, message).with_help("remove it, or write what it should close"),
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
        if self.line_is_blank && self.begins_a_declaration(end) {
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

    /// A keyword is followed by a name or a string; a field or a variant of the same name is not.
    fn begins_a_declaration(&self, end: usize) -> bool {
        let behind = self.text[end..].iter().find(|byte| !matches!(byte, b' ' | b'\t'));
        behind.is_some_and(|byte| is_word(*byte) || *byte == b'"')
    }

    /// Gives the file up: what was cut so far stays out too, since its brackets do not fit.
    fn too_deep(&mut self) {
        let message = format!("brackets nest more than {DEPTH_MAX} deep");
        let diagnostic = Diagnostic::new(Code::TooLarge, self.span(self.at, self.at + 1), message);
        self.report(diagnostic.with_help("give the inner types names of their own"));
        self.reported.push(0);
        self.marks.clear();
        self.open.clear();
        self.clean.fill(b' ');
        self.docs.clear();
    }
}
