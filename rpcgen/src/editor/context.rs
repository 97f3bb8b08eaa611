//! What is being written at a place, in a text that is not finished.
//!
//! Knows: brackets, and the words before the place. Does not know: what any name stands for.

use std::ops::Range;

use super::lexer::{self, Lexeme, is_word};

/// What stands around a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    File,
    /// Between the braces of a struct or of a variant.
    Fields,
    /// Between the parentheses of a request, a response or a broadcast.
    Parameters,
    Variants,
    Service,
    /// Between the brackets of a type.
    Type,
    /// Between the parentheses of an annotation.
    Arguments,
}

/// What may stand at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Context {
    /// A declaration; whether the file has begun with its package.
    Item { has_package: bool },
    /// An action, a broadcast, an annotation of one.
    Member,
    /// The name of a field; `first` of a request, a response or a broadcast.
    Field { first: bool },
    /// A type.
    Type,
    /// Behind `package.`, a type or a constant.
    Of(String),
    /// A value; with the type that it is for, as written.
    Value(Option<String>),
    /// A number or a constant.
    Count,
    /// Behind `@`.
    Annotation,
    /// Between the parentheses of this annotation.
    Argument(String),
    /// A path, between the quotes of an import; with what is written of it.
    Import(String),
    /// Words that a declaration may go on with.
    Clause(&'static [&'static str]),
    /// An action of this service.
    OriginAction(String),
    /// A field that a broadcast has, one of these, and the action of the service.
    OriginField { service: String, action: String, fields: Vec<String> },
    /// Nothing that could be named: a new name, a comment.
    Nothing,
}

/// The words of a text before a place.
struct Reader<'t> {
    text: &'t str,
    parts: Vec<(Lexeme, Range<usize>)>,
    /// What stands around, each with the part that its piece begins with.
    frames: Vec<(Frame, usize)>,
    service: String,
    has_package: bool,
}

/// What may stand at byte `at`, and the word before it that is being written.
pub(super) fn context(text: &str, at: usize) -> (Context, Range<usize>) {
    let bytes = text.as_bytes();
    let length = bytes[..at].iter().rev().take_while(|byte| is_word(**byte)).count();
    let word = at - length..at;
    // Another part may begin before the word: a comment, a string.
    let mut parts = lexer::lex(&text[..at]);
    match parts.last().cloned() {
        Some((Lexeme::Comment, _)) => return (Context::Nothing, word),
        Some((Lexeme::String, range)) => return (in_string(text, &parts, &range), range.start + 1..at),
        Some((Lexeme::Number, _)) => return (Context::Nothing, word),
        Some((Lexeme::Word, range)) if range == word => {
            parts.pop();
        }
        _ => {}
    }
    parts.retain(|(lexeme, _)| *lexeme != Lexeme::Comment);
    let mut reader = Reader { text, parts, frames: vec![(Frame::File, 0)], service: String::new(), has_package: false };
    reader.read();
    (reader.context(), word)
}

/// An import's path, if the string does not end before the place and stands behind `import`.
fn in_string(text: &str, parts: &[(Lexeme, Range<usize>)], string: &Range<usize>) -> Context {
    let content = &text[string.start + 1..string.end];
    let before = parts.len().checked_sub(2).and_then(|index| parts.get(index));
    let is_import = before.is_some_and(|(_, range)| &text[range.clone()] == "import");
    match content.strip_suffix('"') {
        None if is_import => Context::Import(content.to_owned()),
        _ => Context::Nothing,
    }
}

impl Reader<'_> {
    fn word(&self, index: usize) -> &str {
        self.parts.get(index).map_or("", |(_, range)| &self.text[range.clone()])
    }

    fn frame(&self) -> (Frame, usize) {
        self.frames.last().copied().unwrap_or((Frame::File, 0))
    }

    /// Follows the brackets up to the place.
    fn read(&mut self) {
        for index in 0..self.parts.len() {
            let sign = self.word(index).to_owned();
            match sign.as_str() {
                "(" | "[" | "{" => {
                    let frame = self.opened(index, &sign);
                    if frame == Frame::Service {
                        self.service = self.word(index - 1).to_owned();
                    }
                    self.frames.push((frame, index + 1));
                }
                ")" | "]" | "}" => {
                    if self.frames.len() > 1 {
                        self.frames.pop();
                    }
                    if sign == "}" && self.frame().0 == Frame::File {
                        self.next_piece(index);
                    }
                }
                ";" if self.frame().0 != Frame::Type => {
                    self.has_package |= self.frame().0 == Frame::File && self.word(self.frame().1) == "package";
                    self.next_piece(index);
                }
                // Between the fields of `by a, b` nothing new begins.
                "," if self.frame().0 != Frame::Service => self.next_piece(index),
                _ => {}
            }
        }
    }

    fn next_piece(&mut self, index: usize) {
        if let Some((_, start)) = self.frames.last_mut() {
            *start = index + 1;
        }
    }

    fn opened(&self, index: usize, sign: &str) -> Frame {
        let (frame, start) = self.frame();
        let has = |word: &str| (start..index).any(|at| self.word(at) == word);
        match (sign, frame) {
            ("(", _) if index >= 2 && self.word(index - 2) == "@" => Frame::Arguments,
            ("(", _) => Frame::Parameters,
            ("{", Frame::File) if has("struct") => Frame::Fields,
            ("{", Frame::File) if has("enum") => Frame::Variants,
            ("{", Frame::File) if has("service") && index > 0 => Frame::Service,
            ("{", Frame::Service) => Frame::Variants,
            ("{", Frame::Variants) => Frame::Fields,
            _ => Frame::Type,
        }
    }

    fn context(&self) -> Context {
        let (frame, start) = self.frame();
        let start = self.behind_annotations(start);
        let count = self.parts.len();
        let last = count.checked_sub(1).map_or("", |index| self.word(index));
        if last == "@" {
            return Context::Annotation;
        }
        if last == "." {
            return Context::Of(self.path_before(count - 1));
        }
        match frame {
            Frame::Arguments => Context::Argument(self.word(start.saturating_sub(2)).to_owned()),
            Frame::Type if (start..count).any(|index| self.word(index) == ";") => Context::Count,
            Frame::Type => Context::Type,
            Frame::File if start == count => Context::Item { has_package: self.has_package },
            Frame::File => self.declaration(start),
            Frame::Service if start == count => Context::Member,
            Frame::Service => self.member(start),
            Frame::Variants => Context::Nothing,
            Frame::Fields | Frame::Parameters => self.field(frame, start),
        }
    }

    /// In a piece that has begun with annotations, what stands behind them.
    fn behind_annotations(&self, start: usize) -> usize {
        let mut at = start;
        while self.word(at) == "@" && at + 1 < self.parts.len() {
            at += 2;
            if self.word(at) == "(" {
                while at < self.parts.len() && self.word(at) != ")" {
                    at += 1;
                }
                at = (at + 1).min(self.parts.len());
            }
        }
        at
    }

    fn path_before(&self, dot: usize) -> String {
        let mut first = dot;
        while first > 0 && (self.parts[first - 1].0 == Lexeme::Word || self.word(first - 1) == ".") {
            first -= 1;
        }
        (first..dot).map(|index| self.word(index)).collect()
    }

    fn declaration(&self, start: usize) -> Context {
        let has = |sign: &str| (start..self.parts.len()).any(|index| self.word(index) == sign);
        match self.word(start) {
            "alias" if has("=") => self.behind_type(start, "="),
            "const" if has("=") => Context::Value(self.type_behind(start, ":")),
            "const" if has(":") => self.behind_type(start, ":"),
            _ => Context::Nothing,
        }
    }

    fn field(&self, frame: Frame, start: usize) -> Context {
        let has = |sign: &str| (start..self.parts.len()).any(|index| self.word(index) == sign);
        if start == self.parts.len() {
            let opens = start.checked_sub(1).is_some_and(|index| self.word(index) == "(");
            return Context::Field { first: frame == Frame::Parameters && opens };
        }
        match (has("="), has(":")) {
            (true, _) => Context::Value(self.type_behind(start, ":")),
            (false, true) => self.behind_type(start, ":"),
            (false, false) => Context::Nothing,
        }
    }

    /// A type, unless there is one already.
    fn behind_type(&self, start: usize, sign: &str) -> Context {
        let is_there = self.word(self.parts.len() - 1) != sign && self.type_behind(start, sign).is_some();
        if is_there { Context::Nothing } else { Context::Type }
    }

    /// The names of the type that a piece has behind a sign.
    fn type_behind(&self, start: usize, sign: &str) -> Option<String> {
        let colon = (start..self.parts.len()).find(|index| self.word(*index) == sign)?;
        let is_part = |index: &usize| self.parts[*index].0 == Lexeme::Word || self.word(*index) == ".";
        let name: String = (colon + 1..self.parts.len()).take_while(is_part).map(|index| self.word(index)).collect();
        (!name.is_empty()).then_some(name)
    }

    fn member(&self, start: usize) -> Context {
        let count = self.parts.len();
        let find = |word: &str| (start..count).find(|index| self.word(*index) == word);
        let last = self.word(count - 1);
        match self.word(start) {
            "action" if last == ")" && find("->").is_some() => Context::Clause(&["fails"]),
            "action" if last == ")" => Context::Clause(&["->", "fails"]),
            "broadcast" if last == ")" => Context::Clause(&["to origin of"]),
            "broadcast" => match (last, find("of"), find("by")) {
                ("to", ..) => Context::Clause(&["origin of"]),
                ("origin", ..) => Context::Clause(&["of"]),
                ("of", ..) => Context::OriginAction(self.service.clone()),
                ("by" | ",", Some(of), Some(_)) => Context::OriginField {
                    service: self.service.clone(),
                    action: self.word(of + 1).to_owned(),
                    fields: self.parameters(start),
                },
                (_, Some(of), None) if of + 2 == count => Context::Clause(&["by"]),
                _ => Context::Nothing,
            },
            _ => Context::Nothing,
        }
    }

    /// Names before colons.
    fn parameters(&self, start: usize) -> Vec<String> {
        let colons = (start + 1..self.parts.len()).filter(|index| self.word(*index) == ":");
        let names = colons.filter(|colon| self.parts[colon - 1].0 == Lexeme::Word);
        names.map(|colon| self.word(colon - 1).to_owned()).collect()
    }
}
