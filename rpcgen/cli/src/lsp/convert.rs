//! Between the compiler's terms and the protocol's.
//!
//! Knows: URIs and paths, bytes and lines of UTF-16, the protocol's numbers. Does not know: sessions.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use lsp_types::{
    CompletionItemKind, Location, Position, Range, SemanticToken, SemanticTokenModifier, SemanticTokenType, SymbolKind,
    Uri,
};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use rpcgen::editor::{CompletionKind, Kind, Project, Token, TokenKind};
use rpcgen::source::{Source, Span};

/// What is not written as itself in the path of a URI.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The path of a `file:` URI; `None` for any other.
pub(super) fn path(uri: &Uri) -> Option<PathBuf> {
    let rest = uri.as_str().strip_prefix("file://")?;
    // A host stands before the path; nobody names one but `localhost`.
    let rest = &rest[rest.find('/')?..];
    let path = percent_decode_str(rest).decode_utf8().ok()?;
    let bytes = path.as_bytes();
    // `/C:/folder` is how a drive is written.
    let is_drive = cfg!(windows) && bytes.get(2) == Some(&b':');
    Some(PathBuf::from(if is_drive { &path[1..] } else { &path[..] }))
}

/// The URI of an absolute path.
pub(super) fn uri(path: &Path) -> Option<Uri> {
    let text = path.to_str()?.replace('\\', "/");
    let text = text.strip_prefix("//?/").unwrap_or(&text);
    let slash = if text.starts_with('/') { "" } else { "/" };
    Uri::from_str(&format!("file://{slash}{}", utf8_percent_encode(text, ESCAPED))).ok()
}

/// A byte as the protocol counts: lines from 0, then units of UTF-16.
pub(super) fn position(source: &Source, at: u32) -> Position {
    let at = source.clamp(at);
    let starts = source.line_starts();
    let line = starts.partition_point(|start| *start <= at).saturating_sub(1);
    let before = &source.text()[starts.get(line).copied().unwrap_or(0)..at];
    Position::new(number(line), number(before.encode_utf16().count()))
}

/// The byte of a position; the end of the line for one behind it, the end of the text for one below it.
pub(super) fn offset(source: &Source, position: Position) -> u32 {
    let text = source.text();
    let Some(start) = source.line_starts().get(position.line as usize).copied() else { return number(text.len()) };
    let mut left = position.character as usize;
    let line = text[start..].split('\n').next().unwrap_or_default();
    let mut at = start;
    for character in line.chars() {
        if left < character.len_utf16() {
            break;
        }
        left -= character.len_utf16();
        at += character.len_utf8();
    }
    number(at)
}

/// A number of the protocol; what it counts is bounded far below by the loader.
pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

pub(super) fn range(source: &Source, span: Span) -> Range {
    Range::new(position(source, span.start), position(source, span.end))
}

pub(super) fn location(project: &Project, span: Span, uri: impl Fn(&Path) -> Option<Uri>) -> Option<Location> {
    let source = project.sources().source(span.source)?;
    Some(Location::new(uri(project.identity(span.source)?)?, range(source, span)))
}

/// What tokens are called, in the order of their numbers.
pub(super) const TOKEN_TYPES: [SemanticTokenType; 15] = [
    SemanticTokenType::COMMENT,
    SemanticTokenType::STRING,
    SemanticTokenType::NUMBER,
    SemanticTokenType::KEYWORD,
    SemanticTokenType::DECORATOR,
    SemanticTokenType::TYPE,
    SemanticTokenType::NAMESPACE,
    SemanticTokenType::VARIABLE,
    SemanticTokenType::STRUCT,
    SemanticTokenType::ENUM,
    SemanticTokenType::ENUM_MEMBER,
    SemanticTokenType::PROPERTY,
    SemanticTokenType::INTERFACE,
    SemanticTokenType::METHOD,
    SemanticTokenType::EVENT,
];

/// What is added to them, in the order of their bits.
pub(super) const TOKEN_MODIFIERS: [SemanticTokenModifier; 4] = [
    SemanticTokenModifier::DECLARATION,
    SemanticTokenModifier::DEPRECATED,
    SemanticTokenModifier::READONLY,
    SemanticTokenModifier::DEFAULT_LIBRARY,
];

fn token_type(kind: TokenKind) -> SemanticTokenType {
    match kind {
        TokenKind::Comment => SemanticTokenType::COMMENT,
        TokenKind::String => SemanticTokenType::STRING,
        TokenKind::Number => SemanticTokenType::NUMBER,
        TokenKind::Keyword => SemanticTokenType::KEYWORD,
        TokenKind::Annotation => SemanticTokenType::DECORATOR,
        TokenKind::BuiltInType | TokenKind::Name(Kind::Alias) => SemanticTokenType::TYPE,
        TokenKind::Name(Kind::Package) => SemanticTokenType::NAMESPACE,
        TokenKind::Name(Kind::Constant) => SemanticTokenType::VARIABLE,
        TokenKind::Name(Kind::Struct) => SemanticTokenType::STRUCT,
        TokenKind::Name(Kind::Enum) => SemanticTokenType::ENUM,
        TokenKind::Name(Kind::Variant | Kind::Reason) => SemanticTokenType::ENUM_MEMBER,
        TokenKind::Name(Kind::Field) => SemanticTokenType::PROPERTY,
        TokenKind::Name(Kind::Service) => SemanticTokenType::INTERFACE,
        TokenKind::Name(Kind::Action) => SemanticTokenType::METHOD,
        TokenKind::Name(Kind::Broadcast) => SemanticTokenType::EVENT,
    }
}

/// Tokens, each told from the end of the one before.
pub(super) fn tokens(source: &Source, tokens: &[Token]) -> Vec<SemanticToken> {
    let mut before = Position::new(0, 0);
    tokens
        .iter()
        .map(|token| {
            let (start, end) = (position(source, token.at.start), position(source, token.at.end));
            let kind = token_type(token.kind);
            let index = TOKEN_TYPES.iter().position(|other| *other == kind).unwrap_or(0);
            let bits = [
                token.declaration,
                token.deprecated,
                token.kind == TokenKind::Name(Kind::Constant),
                token.kind == TokenKind::BuiltInType,
            ];
            let modifiers = bits.iter().rev().fold(0, |set, bit| set << 1 | u32::from(*bit));
            let delta_line = start.line - before.line;
            let delta_start = if delta_line == 0 { start.character - before.character } else { start.character };
            before = start;
            SemanticToken {
                delta_line,
                delta_start,
                length: end.character - start.character,
                token_type: number(index),
                token_modifiers_bitset: modifiers,
            }
        })
        .collect()
}

pub(super) fn symbol_kind(kind: Kind) -> SymbolKind {
    match kind {
        Kind::Package => SymbolKind::PACKAGE,
        Kind::Constant => SymbolKind::CONSTANT,
        Kind::Alias => SymbolKind::TYPE_PARAMETER,
        Kind::Struct => SymbolKind::STRUCT,
        Kind::Enum => SymbolKind::ENUM,
        Kind::Variant | Kind::Reason => SymbolKind::ENUM_MEMBER,
        Kind::Field => SymbolKind::FIELD,
        Kind::Service => SymbolKind::INTERFACE,
        Kind::Action => SymbolKind::METHOD,
        Kind::Broadcast => SymbolKind::EVENT,
    }
}

pub(super) fn completion_kind(kind: CompletionKind) -> CompletionItemKind {
    match kind {
        CompletionKind::Keyword => CompletionItemKind::KEYWORD,
        CompletionKind::BuiltInType | CompletionKind::Name(Kind::Alias) => CompletionItemKind::CLASS,
        CompletionKind::Annotation => CompletionItemKind::PROPERTY,
        CompletionKind::Value => CompletionItemKind::VALUE,
        CompletionKind::File => CompletionItemKind::FILE,
        CompletionKind::Name(kind) => match kind {
            Kind::Package => CompletionItemKind::MODULE,
            Kind::Constant => CompletionItemKind::CONSTANT,
            Kind::Struct | Kind::Alias => CompletionItemKind::STRUCT,
            Kind::Enum => CompletionItemKind::ENUM,
            Kind::Variant | Kind::Reason => CompletionItemKind::ENUM_MEMBER,
            Kind::Field => CompletionItemKind::FIELD,
            Kind::Service => CompletionItemKind::INTERFACE,
            Kind::Action => CompletionItemKind::METHOD,
            Kind::Broadcast => CompletionItemKind::EVENT,
        },
    }
}

#[cfg(test)]
mod tests {
    use rpcgen::source::SourceMap;

    use super::*;

    #[test]
    fn paths_of_any_characters_come_back_from_their_uris() {
        for path_text in ["/a/b.rpc", "/with blank/ü#?%.rpc", "/[x]/{y}.rpc"] {
            let there = uri(Path::new(path_text)).expect("it is absolute");
            assert_eq!(path(&there), Some(PathBuf::from(path_text)), "{}", there.as_str());
        }
        let encoded = Uri::from_str("file:///a%20b/c%3A.rpc").expect("it is a URI");
        assert_eq!(path(&encoded), Some(PathBuf::from("/a b/c:.rpc")));
        let other = Uri::from_str("untitled:new").expect("it is a URI");
        assert_eq!(path(&other), None);
    }

    #[test]
    fn positions_count_units_of_utf_16() {
        let mut sources = SourceMap::default();
        let id = sources.add("a.rpc", "é🦀x\r\nb");
        let source = sources.source(id).expect("it was put in");
        for (at, line, character) in [(0, 0, 0), (2, 0, 1), (6, 0, 3), (7, 0, 4), (9, 1, 0), (10, 1, 1)] {
            assert_eq!(position(source, at), Position::new(line, character));
            assert_eq!(offset(source, Position::new(line, character)), at);
        }
        assert_eq!(offset(source, Position::new(0, 2)), 2, "inside of a pair is before it");
        assert_eq!(offset(source, Position::new(9, 9)), 10);
    }
}
