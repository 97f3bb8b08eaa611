//! Cuts a file into items, members and fields by hand, so that each can be parsed alone and one bad field costs one diagnostic.
//!
//! Knows: where a file may be cut, and what its pieces begin with. Does not know: comments and strings (`scan`), the grammar of a piece.

use super::scan::{self, DocLine, Mark, MarkKind, Scanned, closing, is_word, offset};
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::source::{SourceId, Span};

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

    /// With the brackets.
    pub(super) fn whole(self) -> Range {
        Range { start: self.open, end: self.close + usize::from(self.closed) }
    }
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

/// A longer reservation is not looked through: whoever writes a file of nothing else waits no longer for it.
const RESERVATION_CHARS_MAX: usize = 200;

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
        let Scanned { clean, marks, docs, mut reported } = scan::scan(source, text, sink);
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

    /// No more pieces are in the file than this: each ends at a mark, or with the brackets that it stands in.
    pub(super) fn count_max(&self) -> usize {
        let closes = |mark: &&Mark| matches!(mark.kind, MarkKind::Close(_));
        self.marks.len() - self.marks.iter().filter(closes).count() + 1
    }

    /// Whether something inside was reported by the scan.
    pub(super) fn is_reported(&self, range: Range) -> bool {
        let first = self.reported.partition_point(|at| *at < range.start);
        self.reported.get(first).is_some_and(|at| *at < range.end)
    }

    /// One past the `>` that closes the `<` at `at`, on the same line.
    pub(super) fn angle_end(&self, at: usize) -> Option<usize> {
        let mut depth = 0_usize;
        for (offset, byte) in self.clean.as_bytes()[at..].iter().enumerate() {
            match byte {
                b'<' => depth += 1,
                b'>' if depth == 1 => return Some(at + offset + 1),
                b'>' => depth -= 1,
                b'\n' | b';' => return None,
                _ => {}
            }
        }
        None
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
                    let ends = self.clean.as_bytes()[mark.at] == b'{' && self.ends_with_braces(how, &leading, close);
                    let behind = self.behind(close).min(range.end);
                    (ends.then_some(behind), behind)
                }
                (MarkKind::Semicolon, Cut::Items | Cut::Members) => (Some(mark.at + 1), mark.at + 1),
                (MarkKind::ItemWord, Cut::Items) | (MarkKind::MemberWord, Cut::Members) => {
                    let before = start + without_annotations(&self.clean[start..mark.at]).len();
                    (leading.is_cut_before(mark.at).then_some(before), before)
                }
                (MarkKind::Comma | MarkKind::Semicolon, Cut::List) => (Some(mark.at), mark.at + 1),
                _ => (None, 0),
            };
            let is_wrong = mark.kind == MarkKind::Semicolon && how == Cut::List;
            if is_wrong && !semicolon_reported && !self.ends_reservation(leading.code_start, mark.at) {
                semicolon_reported = true;
                let span = self.span(Range { start: mark.at, end: mark.at + 1 });
                sink.push(
                    Diagnostic::new(Code::Separator, span, "fields and variants are separated by `,`")
                        .with_fix("write", span, ","),
                );
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

    /// The piece with nothing but spaces between its brackets, which all are closed, and with no other blanks than spaces.
    pub(super) fn emptied(&self, range: Range, groups: &[Group]) -> String {
        let mut bytes = self.text(range).as_bytes().to_vec();
        if bytes.iter().any(|byte| matches!(byte, b'\t' | b'\r' | b'\n')) {
            scan::only_spaces(&mut bytes);
        }
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

    /// The piece as [`Self::emptied`], with nothing but spaces besides what is kept of it.
    pub(super) fn kept(&self, range: Range, groups: &[Group], kept: &[Range]) -> String {
        let mut bytes = self.emptied(range, groups).into_bytes();
        for (at, byte) in bytes.iter_mut().enumerate() {
            let at = range.start + at;
            if !kept.iter().any(|range| (range.start..range.end).contains(&at)) {
                *byte = b' ';
            }
        }
        // Words and brackets are kept whole.
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

    /// The lines of documentation before the first code of a range, each with its number: `//!` if `inner`, else `///`. Those between
    /// annotations and what they stand before are among them.
    pub(super) fn docs(&self, range: Range, inner: bool) -> impl Iterator<Item = (usize, String)> + use<'_> {
        let code = self.trim(range);
        let until = match self.leading_word(code) {
            Some(word) if !inner => word.start,
            _ if code.start < code.end => code.start,
            _ => range.end,
        };
        let first = self.docs.partition_point(|line| line.range.start < range.start);
        let lines = self.docs.iter().enumerate().skip(first).take_while(move |(_, line)| line.range.start < until);
        lines.filter(move |(_, line)| line.inner == inner).map(|(number, line)| (number, line.text.clone()))
    }

    /// Reports the doc comments that nothing has taken, one finding for each block of lines.
    pub(super) fn report_lost_docs(&self, taken: &[usize], sink: &mut Sink) {
        let mut is_taken = vec![false; self.docs.len()];
        taken.iter().for_each(|number| is_taken[*number] = true);
        let mut previous_end = None;
        for (line, _) in self.docs.iter().zip(is_taken).filter(|(_, is_taken)| !is_taken) {
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

    fn ends_with_braces(&self, how: Cut, leading: &Leading, close: usize) -> bool {
        match how {
            Cut::Items => self.is_braced(leading),
            // `rpc Get(Request) returns (Item) {}`: none of our members does.
            Cut::Members => {
                let is_other = |word| !matches!(self.text(word), "action" | "broadcast" | "reserved");
                let rest = &self.clean[self.behind(close)..];
                leading.word.is_some_and(is_other)
                    && rest.trim_start_matches([' ', '\t', '\r']).starts_with(['\n', '}'])
            }
            Cut::List => false,
        }
    }

    /// Whether the declaration ends with its braces. A word that is none of ours is taken for one that does: what it misspells most
    /// often has braces.
    fn is_braced(&self, leading: &Leading) -> bool {
        leading.word.is_none_or(|word| !matches!(self.text(word), "alias" | "const" | "package" | "import"))
    }

    /// Whether a `;` ends a reservation on its line, of which enough is said when it is read.
    fn ends_reservation(&self, piece_start: usize, semicolon: usize) -> bool {
        let line = self.clean[..semicolon].rfind(['\n', '{', ';']).map_or(0, |at| at + 1);
        let starts = [piece_start, self.skip_blanks(line)];
        starts.iter().any(|start| self.reservation_end(Range { start: *start, end: semicolon }) == Some(semicolon))
    }

    /// Where a reservation ends that begins with a piece: before its `;`, else behind the last number or string. `None`: it is none.
    pub(super) fn reservation_end(&self, piece: Range) -> Option<usize> {
        let is_first = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '"');
        let behind = self.clean[piece.start..].strip_prefix("reserved")?.strip_prefix([' ', '\t'])?;
        if !behind.trim_start().starts_with(is_first) {
            return None;
        }
        let start = self.clean.len() - behind.len();
        let is_end = |(_, c): &(usize, char)| matches!(c, '\n' | '{' | '}' | ':');
        let line = behind.char_indices().take(RESERVATION_CHARS_MAX).take_while(|c| !is_end(c));
        let line = &behind[..line.last().map_or(0, |(at, c)| at + c.len_utf8())];
        if let Some(semicolon) = line.find(';') {
            return Some(start + semicolon);
        }
        let parts = line.split_inclusive(',').enumerate();
        let is_mine = |(index, part): &(usize, &str)| {
            *index == 0 || part.trim_start().starts_with(|c: char| c.is_ascii_digit() || c == '"')
        };
        let length: usize = parts.take_while(is_mine).map(|(_, part)| part.len()).sum();
        Some(start + line[..length].trim_end_matches([',', ' ', '\t', '\r']).len())
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

/// A text before a word that begins a declaration, without the lines of annotations that are that one's. `@max` stands behind a type.
fn without_annotations(text: &str) -> &str {
    let mut mine = text.trim_end();
    while let Some((before, line)) = mine.rsplit_once('\n') {
        if !is_annotations(line) || line.trim_start().starts_with("@max") {
            break;
        }
        mine = before.trim_end();
    }
    mine
}

/// Whether a line is one annotation behind the other, and nothing else.
fn is_annotations(line: &str) -> bool {
    let mut rest = line.trim();
    while let Some(name) = rest.strip_prefix('@') {
        rest = name.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').trim_start();
        if let Some(arguments) = rest.strip_prefix('(') {
            let Some((_, behind)) = arguments.split_once(')') else { return false };
            rest = behind.trim_start();
        }
    }
    rest.is_empty()
}
