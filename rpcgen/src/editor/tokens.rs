//! What each part of a text is, for colours.
//!
//! Knows: parts, and what their names stand for. Does not know: colours, an editor's numbers for them.

use super::index::{Kind, Role};
use super::lexer::{self, Lexeme};
use super::{Project, words};
use crate::source::{SourceId, Span};

/// What a part of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// `//`, `///`, `//!`.
    Comment,
    /// `"text"`, `b"bytes"`.
    String,
    /// `7`, `1.5`, `3s`.
    Number,
    /// A word of the language.
    Keyword,
    /// `@name`, without its arguments.
    Annotation,
    /// `u32`, `string`.
    BuiltInType,
    /// The name of something that is declared.
    Name(Kind),
}

/// A part of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Where; never more than one line.
    pub at: Span,
    /// What it is.
    pub kind: TokenKind,
    /// It is where the name is declared.
    pub declaration: bool,
    /// It is the name of something that has `@deprecated`.
    pub deprecated: bool,
}

impl Project {
    /// The parts of a text, in order; what says nothing (brackets, names of nothing) is left out.
    pub fn tokens(&self, source: SourceId) -> Vec<Token> {
        let Some(text) = self.sources().source(source).map(|source| source.text()) else { return Vec::new() };
        let mut tokens = Vec::new();
        let mut behind_at = false;
        for (lexeme, range) in lexer::lex(text) {
            let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            let at = Span::new(source, offset(range.start), offset(range.end));
            let word = &text[range];
            let plain = |kind| Some(Token { at, kind, declaration: false, deprecated: false });
            let token = match lexeme {
                Lexeme::Comment => plain(TokenKind::Comment),
                Lexeme::String => plain(TokenKind::String),
                Lexeme::Number => plain(TokenKind::Number),
                Lexeme::Sign if word == "@" => plain(TokenKind::Annotation),
                Lexeme::Sign => None,
                Lexeme::Word if behind_at => plain(TokenKind::Annotation),
                Lexeme::Word => self.name(at).or_else(|| match word {
                    _ if words::is_type(word) => plain(TokenKind::BuiltInType),
                    _ if words::is_keyword(word) => plain(TokenKind::Keyword),
                    _ => None,
                }),
            };
            behind_at = word == "@";
            tokens.extend(token);
        }
        tokens
    }

    fn name(&self, at: Span) -> Option<Token> {
        let found = self.occurrence(at.source, at.start).filter(|one| at.end <= one.at.end)?;
        let symbol = self.symbol(*found.symbols.first()?);
        let declaration = found.role == Role::Declaration;
        Some(Token { at, kind: TokenKind::Name(symbol.kind), declaration, deprecated: symbol.deprecated })
    }
}
