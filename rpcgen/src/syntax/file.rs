//! From a text to its tree.
//!
//! Knows: what stands in a file, and in which order. Does not know: how a piece is parsed (`parse`).

use super::ast::{File, Import, Item, Path};
use super::build::Declaration;
use super::parse::{Parsed, Parser};
use super::protobuf::{self, Recognized};
use super::split::{Cut, Pieces, Range};
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::source::SourceId;

/// Reads `text`, the text of `source`.
pub fn parse(source: SourceId, text: &str, sink: &mut Sink) -> File {
    let mut found = Sink::default();
    let pieces = Pieces::scan(source, text, &mut found);
    let ranges = pieces.cut(pieces.whole(), Cut::Items, &mut found);
    let mut reader = Reader { pieces: &pieces, parser: Parser::new(&pieces), file: File { source, ..File::default() } };
    let mut foreign = Vec::new();
    match protobuf::recognize(&pieces, &ranges) {
        Recognized::Nothing => {}
        Recognized::File(diagnostic) => {
            sink.push(diagnostic);
            reader.protobuf(&ranges);
            return reader.file;
        }
        Recognized::Declarations(declarations) => foreign = declarations,
    }
    let had_errors = sink.has_errors() || found.has_errors();
    sink.append(found);
    reader.file.docs = reader.parser.take_docs(pieces.whole(), true);
    let ours = ranges
        .iter()
        .copied()
        .filter(|range| foreign.binary_search_by_key(&range.start, |(other, _)| other.start).is_err());
    reader.items(&ours.collect::<Vec<_>>());
    reader.foreign(foreign);
    reader.package_is_declared(had_errors);
    sink.append(reader.parser.finish());
    reader.file
}

struct Reader<'a> {
    pieces: &'a Pieces,
    parser: Parser<'a>,
    file: File,
}

impl Reader<'_> {
    /// What is known of a file that is not read: its package, and names that nobody should miss.
    fn protobuf(&mut self, ranges: &[Range]) {
        for range in ranges {
            let word = self.pieces.leading_word(*range).map_or("", |word| self.pieces.text(word));
            match word {
                "package" => {
                    let parsed = self.parser.item(*range);
                    self.take(parsed);
                }
                "message" | "enum" | "service" => self.file.items.extend(self.parser.lost_name(*range).map(Item::Lost)),
                _ => {}
            }
        }
    }

    /// Declarations that are not read, and that nobody should miss.
    fn foreign(&mut self, declarations: Vec<(Range, Diagnostic)>) {
        for (range, diagnostic) in declarations {
            self.parser.sink.push(diagnostic);
            drop(self.parser.take_docs(range, false));
            self.file.items.extend(self.parser.lost_name(range).map(Item::Lost));
        }
    }

    fn items(&mut self, ranges: &[Range]) {
        let is_service =
            |range: &Range| self.pieces.leading_word(*range).is_some_and(|word| self.pieces.text(word) == "service");
        // Many small pieces are shared out among threads; a service shares out its own.
        for run in ranges.chunk_by(|left, right| !is_service(left) && !is_service(right)) {
            let parsed = match run {
                [one] => vec![self.parser.item(*one)],
                several => self.parser.each(several, Parser::item),
            };
            parsed.into_iter().for_each(|one| self.take(one));
        }
    }

    fn take(&mut self, parsed: Parsed) {
        match parsed {
            Parsed::Declaration(Declaration::Package(path)) => self.package(path),
            Parsed::Declaration(Declaration::Import(import)) => self.import(import),
            Parsed::Declaration(Declaration::Item(item)) => self.file.items.push(*item),
            Parsed::Lost(name) => self.file.items.extend(name.map(Item::Lost)),
            Parsed::Nothing => {}
        }
    }

    fn package(&mut self, path: Path) {
        if let Some(first) = &self.file.package {
            let diagnostic = Diagnostic::new(Code::PackagePlace, path.span(), "a second package declaration")
                .with_secondary(first.span(), "the first one")
                .with_help("a file declares one package");
            return self.parser.sink.push(diagnostic);
        }
        if !self.file.items.is_empty() || !self.file.imports.is_empty() {
            let diagnostic =
                Diagnostic::new(Code::PackagePlace, path.span(), "the package declaration is not at the top");
            self.parser.sink.push(diagnostic.with_help("move it before everything else"));
        }
        self.file.package = Some(path);
    }

    fn import(&mut self, import: Import) {
        // What could not be read may have been the package, or another import.
        if let Some(item) = self.file.items.iter().find(|item| !matches!(item, Item::Lost(_))) {
            let diagnostic = Diagnostic::new(Code::ImportPlace, import.span, "an import behind a declaration");
            let diagnostic = diagnostic.with_secondary(item.name().span, "the first declaration");
            self.parser.sink.push(diagnostic.with_help("imports stand between the package and the first declaration"));
        }
        self.file.imports.push(import);
    }

    /// A file whose brackets do not fit may have lost its package; that was said.
    fn package_is_declared(&mut self, had_errors: bool) {
        let whole = self.pieces.whole();
        let tried = self.file.items.iter().any(|item| matches!(item, Item::Lost(_)));
        if self.file.package.is_some()
            || self.parser.is_reported(whole)
            || (tried && (had_errors || self.parser.sink.has_errors()))
        {
            return;
        }
        let start = self.pieces.trim(whole).start;
        let at = self.pieces.span(Range { start, end: start });
        let diagnostic = Diagnostic::new(Code::Package, at, "this file declares no package")
            .with_help("the package is the name that others import and the name of the generated file")
            .with_fix("begin with", at, "package name;\n");
        self.parser.sink.push(diagnostic);
    }
}
