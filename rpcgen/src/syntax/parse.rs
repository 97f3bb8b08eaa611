//! From pieces of a text to their trees.
//!
//! Knows: the grammar of a piece and what a person calls its parts. Does not know: the whole file (`file`), what names mean, which
//! annotations there are. Never fails: what cannot be read is reported, left out, and noted as left out, so that nobody complains of its
//! absence.

use pest::Parser as _;
use pest::error::{ErrorVariant, InputLocation};

use super::ast::{Import, Name};
use super::build::{Builder, Declaration};
use super::habits::{self, Broken};
use super::scan;
use super::split::{Group, Pieces, Range};
use super::words::{expected, form};
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::foreign;
use crate::nearest::nearest;
use crate::source::Span;
use crate::threads;

/// Declarations, members, fields and variants of one file, together.
const PIECES_MAX: usize = 50_000;

/// So many parts of one piece are looked for where commas lack: each is read with all that follows it.
const PARTS_MAX: usize = 16;

/// So far is looked for how a declaration of another language goes on.
const NEAR_CHARS: usize = 200;

/// What the pest derive makes of the grammar.
pub(super) mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "syntax/grammar.pest"]
    pub(crate) struct PieceParser;
}
pub(super) use grammar::Rule;

/// Pieces that are parsed together are so many bytes, or one piece.
const CHUNK_BYTES: usize = 4 * 1024;
/// A text of so many bytes is parsed by one thread.
const ALONE_BYTES_MAX: usize = 16 * 1024;

/// What a piece at the top of a file has become.
pub(super) enum Parsed {
    Declaration(Declaration),
    /// Reported; perhaps with the name that it would have had.
    Lost(Option<Name>),
    /// Reported, and nothing is missed.
    Nothing,
}

/// Parses pieces and keeps what is to be said of them.
pub(super) struct Parser<'a> {
    pub(super) pieces: &'a Pieces,
    pub(super) sink: Sink,
    /// Where something was reported besides what the scan has, in order: a piece that holds such a place is not reported again.
    reported: Vec<usize>,
    /// The lines of documentation that something took.
    taken: Vec<usize>,
    pieces_left: usize,
    /// Where a comma lacks in the piece that was parsed last.
    no_comma: Option<usize>,
}

impl<'a> Parser<'a> {
    pub(super) const fn new(pieces: &'a Pieces) -> Self {
        Self {
            pieces,
            sink: Sink::new(),
            reported: Vec::new(),
            taken: Vec::new(),
            pieces_left: PIECES_MAX,
            no_comma: None,
        }
    }

    /// What was said, and whether all was read; what was not documents nothing that is known of.
    pub(super) fn finish(mut self) -> Sink {
        if self.pieces_left > 0 {
            self.pieces.report_lost_docs(&self.taken, &mut self.sink);
        }
        self.sink
    }

    /// What `parse` makes of each piece, by several threads if there is much to parse, each with a parser of its own.
    pub(super) fn each<T: Send>(&mut self, ranges: &[Range], parse: impl Fn(&mut Self, Range) -> T + Sync) -> Vec<T> {
        // Whoever may come to the limit has to count all that was before it.
        if self.pieces.count_max() >= PIECES_MAX {
            return ranges.iter().map(|range| parse(self, *range)).collect();
        }
        let chunks = chunks(ranges);
        let weights: Vec<usize> = chunks.iter().map(|chunk| bytes_count(chunk)).collect();
        let pieces = self.pieces;
        let made = threads::in_order(&weights, ALONE_BYTES_MAX, |index| {
            let mut parser = Self::new(pieces);
            let trees: Vec<T> = chunks[index].iter().map(|range| parse(&mut parser, *range)).collect();
            (trees, parser)
        });
        let mut all = Vec::with_capacity(ranges.len());
        for (trees, parser) in made {
            all.extend(trees);
            self.sink.append(parser.sink);
            self.reported.extend(parser.reported);
            self.taken.extend(parser.taken);
        }
        all
    }

    pub(super) fn item(&mut self, range: Range) -> Parsed {
        let Some(word) = self.pieces.leading_word(range) else {
            self.not_an_item(range);
            return self.behind_hashes(range).map_or(Parsed::Nothing, |rest| self.item(rest));
        };
        let rule = match self.pieces.text(word) {
            "package" => Rule::package_item,
            "import" => return self.import(range),
            "const" => Rule::const_item,
            "alias" => Rule::alias_item,
            "struct" => Rule::struct_item,
            "enum" => Rule::enum_item,
            "service" => Rule::service_item,
            "reserved" => {
                self.reserved(range, "declaration");
                return Parsed::Nothing;
            }
            modifier if foreign::is_modifier(modifier) => match self.behind_modifier(word, range) {
                Some(rest) => return self.item(rest),
                None => {
                    self.not_an_item(word);
                    return Parsed::Lost(self.lost_name(range));
                }
            },
            _ => {
                self.not_an_item(word);
                return Parsed::Lost(self.lost_name(range));
            }
        };
        let declaration = self.piece(range, rule, |builder, pairs, groups| builder.item(pairs, groups));
        declaration.map_or_else(|| Parsed::Lost(self.lost_name(range)), Parsed::Declaration)
    }

    /// `#[derive(Debug)]` and its like go to the ends of their lines.
    fn behind_hashes(&self, range: Range) -> Option<Range> {
        let mut rest = self.pieces.trim(range);
        while let Some(line) = self.pieces.text(rest).strip_prefix('#') {
            rest = self.pieces.trim(Range { start: rest.start + line.find('\n')? + 2, ..rest });
        }
        self.pieces.leading_word(rest).map(|_| rest)
    }

    /// `pub struct`, `pub(crate) struct`, `private action`: what the word stands before is read as if it were not there.
    pub(super) fn behind_modifier(&mut self, word: Range, range: Range) -> Option<Range> {
        let known = ["const", "alias", "struct", "enum", "service", "action", "broadcast"];
        let mut last = word;
        let behind = loop {
            let text = self.pieces.text(Range { start: last.end, end: range.end });
            let mut rest = text.trim_start();
            if let Some(scope) = rest.strip_prefix('(') {
                rest = scope.split_once(')')?.1.trim_start();
            }
            let rest = Range { start: range.end - rest.len(), end: range.end };
            let next = self.pieces.leading_word(rest)?;
            match self.pieces.text(next) {
                text if known.contains(&text) => break rest,
                text if foreign::is_modifier(text) => last = next,
                _ => return None,
            }
        };
        let message = format!("`{}` says nothing here", self.pieces.text(word));
        let diagnostic = Diagnostic::new(Code::Modifier, self.pieces.span(word), message)
            .with_help("whatever a file declares can be used by whoever imports it");
        let whole = self.pieces.span(Range { start: word.start, end: behind.start });
        self.sink.push(diagnostic.with_fix("leave it out", whole, ""));
        drop(self.take_docs(range, false));
        Some(behind)
    }

    fn import(&mut self, range: Range) -> Parsed {
        let declaration = self.piece(range, Rule::import_item, |builder, pairs, groups| builder.item(pairs, groups));
        let span = self.pieces.span(self.pieces.trim(range));
        let lost = || Declaration::Import(Import { path: String::new(), span, lost: true });
        Parsed::Declaration(declaration.unwrap_or_else(lost))
    }

    /// The documentation of what begins in a range.
    pub(super) fn take_docs(&mut self, range: Range, inner: bool) -> Vec<String> {
        let (lines, text) = self.pieces.docs(range, inner).unzip::<usize, String, Vec<usize>, Vec<String>>();
        self.taken.extend(lines);
        text
    }

    /// Whether something inside was reported.
    pub(super) fn is_reported(&self, range: Range) -> bool {
        let first = self.reported.partition_point(|at| *at < range.start);
        self.pieces.is_reported(range) || self.reported.get(first).is_some_and(|at| *at < range.end)
    }

    /// What begins at this place has been reported by now.
    fn note_reported(&mut self, at: usize) {
        let place = self.reported.partition_point(|other| *other < at);
        self.reported.insert(place, at);
    }

    /// A reservation, where a declaration or a member would stand: what it names is not missed.
    pub(super) fn reserved(&mut self, range: Range, what: &str) {
        let code = self.pieces.trim(range);
        if !self.is_reported(range) {
            self.sink.push(habits::reserved(self.pieces.span(code), self.pieces.text(code), what));
        }
    }

    fn not_an_item(&mut self, range: Range) {
        let code = self.pieces.trim(range);
        if code.start == code.end || self.is_reported(range) {
            return;
        }
        let text = self.pieces.text(code);
        let found = first_token(text);
        let span = self.pieces.span(Range { start: code.start, end: code.start + found.len() });
        let words = ["package", "import", "const", "alias", "struct", "enum", "service"];
        let finding = |code, message: String| Diagnostic::new(code, span, message);
        let expected = || format!("expected a declaration, found `{}`", found.escape_debug());
        // A module with a body is nothing of ours.
        let is_ours = |word: &&str| *word != "package" || !self.is_braced(code.end);
        let is_said = !foreign::is_modifier(found) || matches!(found, "let" | "var" | "val");
        let meant =
            || foreign::declaration(found).or_else(|| nearest(found, words)).filter(|_| is_said).filter(is_ours);
        let object = Some(code).filter(|_| found == "type").and_then(|word| self.object_type(word));
        if let Some((whole, ours)) = object {
            return self.sink.push(finding(Code::UnknownDeclaration, expected()).with_fix("write", whole, ours));
        }
        self.sink.push(match meant() {
            Some(word) => finding(Code::UnknownDeclaration, expected()).with_fix("did you mean", span, word),
            None if text == ";" => finding(Code::Separator, "a declaration that ends with `}` takes no `;`".to_owned())
                .with_fix("remove it", span, ""),
            None if found == "#" => {
                finding(Code::Comment, "comments begin with `//`".to_owned()).with_fix("write", span, "//")
            }
            None if foreign::is_modifier(found) => {
                let help = "whatever a file declares can be used by whoever imports it";
                finding(Code::Modifier, format!("`{found}` says nothing here")).with_help(help)
            }
            None => finding(Code::UnknownDeclaration, expected())
                .with_help("a file has `package`, `import`, `const`, `alias`, `struct`, `enum` and `service`"),
        });
    }

    /// Whether braces come before anything ends, as far as anybody looks.
    fn is_braced(&self, at: usize) -> bool {
        let behind = self.pieces.text(Range { start: at, end: self.pieces.whole().end });
        behind.chars().take(NEAR_CHARS).find(|c| matches!(c, '{' | ';')) == Some('{')
    }

    /// `type Point = { x: number }`: up to its brace, and how that is written here.
    fn object_type(&self, word: Range) -> Option<(Span, String)> {
        let behind = self.pieces.text(Range { start: word.end, end: self.pieces.whole().end });
        let at = behind.char_indices().take(NEAR_CHARS).find(|(_, c)| *c == '=')?.0;
        let (name, rest) = (behind[..at].trim(), behind[at + 1..].trim_start());
        let end = word.end + behind.len() - rest.len();
        let is_object = rest.starts_with('{') && habits::is_word(name);
        is_object.then(|| (self.pieces.span(Range { start: word.start, end }), format!("struct {name} ")))
    }

    /// Parses one piece: its docs, pest over what is left when its brackets are emptied, then the tree.
    pub(super) fn piece<T>(
        &mut self,
        range: Range,
        rule: Rule,
        build: impl FnOnce(&mut Builder<'_, '_>, pest::iterators::Pairs<'_, Rule>, &[Group]) -> Option<T>,
    ) -> Option<T> {
        if !self.count_piece(range) {
            return None;
        }
        let docs = self.take_docs(range, false);
        let code = self.pieces.trim(range);
        let mut groups = if has_pieces_inside(rule) { self.pieces.groups(code) } else { Vec::new() };
        if rule == Rule::variant {
            // The parentheses of a variant are those of the annotations behind it.
            groups.retain(|group| self.pieces.text(Range { start: group.open, end: group.close }).starts_with('{'));
        }
        let text = self.pieces.emptied(code, &groups);
        match grammar::PieceParser::parse(rule, &text) {
            Ok(pairs) => {
                let mut builder = Builder { parser: self, code, docs, sound: true };
                let tree = build(&mut builder, pairs, &groups);
                if builder.sound { tree } else { None }
            }
            Err(error) => {
                if !self.is_reported(range) {
                    self.report_syntax(code, rule, &error);
                }
                None
            }
        }
    }

    /// Parses a piece of a list. Where a comma lacks, which is reported, its parts are parsed as if the comma were there.
    pub(super) fn with_commas<T>(
        &mut self,
        range: Range,
        parse: impl Fn(&mut Self, Range) -> Option<T>,
    ) -> Vec<Option<T>> {
        let (mut parsed, mut rest) = (Vec::new(), range);
        loop {
            self.no_comma = None;
            let whole = parse(self, rest);
            let Some(at) = self.no_comma.take().filter(|_| parsed.len() < PARTS_MAX) else {
                parsed.push(whole);
                return parsed;
            };
            parsed.push(parse(self, Range { start: rest.start, end: at }));
            rest.start = at;
        }
    }

    fn count_piece(&mut self, range: Range) -> bool {
        if self.pieces_left == 1 {
            let message = format!("more than {PIECES_MAX} declarations, fields and variants in one file");
            let code = self.pieces.trim(range);
            self.sink.push(
                Diagnostic::new(Code::TooLarge, self.pieces.span(code), message).with_help("cut it into several files"),
            );
        }
        self.pieces_left = self.pieces_left.saturating_sub(1);
        self.pieces_left > 0
    }

    fn report_syntax(&mut self, code: Range, rule: Rule, error: &pest::error::Error<Rule>) {
        let at = match error.location {
            InputLocation::Pos(at) | InputLocation::Span((at, _)) => code.start + at,
        };
        let found = first_token(self.pieces.text(Range { start: at.min(code.end), end: code.end }));
        let span = self.pieces.span(Range { start: at, end: at + found.len() });
        let broken = Broken { pieces: self.pieces, code, rule, at, found, wants_semicolon: wants_semicolon(error) };
        if let Some((diagnostic, end)) = broken.inside() {
            self.sink.push(diagnostic);
            self.note_reported(code.start);
            self.no_comma = Some(end).filter(|end| *end < code.end);
            return;
        }
        if let Some((diagnostic, end)) = habits::recognize(&broken) {
            self.sink.push(diagnostic);
            // What is explained by it and was cut off is not reported again.
            let text = self.pieces.text(Range { start: code.end, end: end.max(code.end) });
            for (comma, _) in text.match_indices(',') {
                self.note_reported(code.end + comma + 1);
            }
            return;
        }
        if let Some((diagnostic, end)) = broken.no_comma() {
            self.sink.push(diagnostic);
            self.no_comma = Some(end);
            return;
        }
        let expected = expected(rule, error);
        let message = match found {
            "" => format!("expected {expected}"),
            "\"" => format!("expected {expected}, found a string"),
            _ => format!("expected {expected}, found `{}`", found.escape_debug()),
        };
        let diagnostic = Diagnostic::new(Code::Syntax, span, message).with_label(format!("expected {expected}"));
        let is_foreign_letter = |c: char| !c.is_ascii() && c.is_alphanumeric();
        let help = if found.starts_with(is_foreign_letter) {
            "names have letters of ASCII, digits and `_`"
        } else {
            form(rule)
        };
        self.sink.push(diagnostic.with_help(help));
    }

    /// The name that something broken most likely has.
    pub(super) fn lost_name(&self, range: Range) -> Option<Name> {
        let name =
            self.pieces.likely_name(range).filter(|name| !foreign::BUILT_IN.contains(&self.pieces.text(*name)))?;
        Some(Name::new(self.pieces.text(name), self.pieces.span(name)))
    }

    /// Whether a comma stands where a field or variant should.
    pub(super) fn is_empty_piece(&mut self, range: Range, what: &str) -> bool {
        let code = self.pieces.trim(range);
        if code.start < code.end {
            return false;
        }
        let at = Range { start: range.end, end: range.end + 1 };
        let diagnostic = Diagnostic::new(Code::Separator, self.pieces.span(at), format!("expected {what}, found `,`"));
        self.sink.push(diagnostic.with_fix("remove the comma", self.pieces.span(at), ""));
        true
    }
}

/// Pieces that follow each other, put together until they are worth a thread's while.
fn chunks(ranges: &[Range]) -> Vec<&[Range]> {
    let (mut chunks, mut rest) = (Vec::new(), ranges);
    while !rest.is_empty() {
        let mut bytes = 0;
        let whole = |range: &Range| {
            bytes += range.end - range.start;
            bytes > CHUNK_BYTES
        };
        let count = rest.iter().position(whole).map_or(rest.len(), |last| last + 1);
        let (chunk, behind) = rest.split_at(count);
        chunks.push(chunk);
        rest = behind;
    }
    chunks
}

fn bytes_count(ranges: &[Range]) -> usize {
    ranges.iter().map(|range| range.end - range.start).sum()
}

fn has_pieces_inside(rule: Rule) -> bool {
    use Rule::{action, broadcast, enum_item, service_item, struct_item, variant};
    matches!(rule, action | broadcast | enum_item | service_item | struct_item | variant)
}

/// Whether a text is one whole piece of this kind.
pub(super) fn is_whole(rule: Rule, text: &str) -> bool {
    let mut bytes = text.as_bytes().to_vec();
    scan::only_spaces(&mut bytes);
    String::from_utf8(bytes).is_ok_and(|text| grammar::PieceParser::parse(rule, &text).is_ok())
}

/// The word, the number or the one character that a text begins with, on one line.
pub(super) fn first_token(text: &str) -> &str {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let length = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let first = text.chars().next().map_or(0, char::len_utf8);
    &text[..length.max(first)]
}

/// Whether only a `;` was missing.
fn wants_semicolon(error: &pest::error::Error<Rule>) -> bool {
    let ErrorVariant::ParsingError { positives, .. } = &error.variant else { return false };
    positives.contains(&Rule::semicolon)
}
