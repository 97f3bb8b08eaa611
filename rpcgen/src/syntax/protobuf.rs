//! A file of protobuf that stands where a file of ours should.
//!
//! Knows: by what it is recognized. Does not know: protobuf; `rpcgen import` reads it.

use super::split::{Pieces, Range};
use crate::diagnostic::{Code, Diagnostic};

/// One finding instead of one for each line, if a text looks like protobuf.
pub(super) fn recognize(pieces: &Pieces, ranges: &[Range]) -> Option<Diagnostic> {
    let sign = ranges.iter().find_map(|range| {
        let word = pieces.leading_word(*range)?;
        let behind = pieces.text(Range { start: word.end, end: range.end });
        let is_sign = match pieces.text(word) {
            "syntax" | "edition" => behind.trim_start().starts_with('='),
            "message" => statements(behind).any(is_numbered),
            "service" => behind.contains("rpc") && statements(behind).any(is_method),
            _ => false,
        };
        is_sign.then_some(word)
    })?;
    let diagnostic = Diagnostic::new(Code::Protobuf, pieces.span(sign), "this looks like protobuf");
    Some(diagnostic.with_help("save it as FILE.proto: `rpcgen import FILE.proto` makes `.rpc` files of it"))
}

fn statements(text: &str) -> impl Iterator<Item = &str> {
    text.split([';', '{', '}']).map(str::trim)
}

/// `repeated string tags = 3 [deprecated = true]`
fn is_numbered(statement: &str) -> bool {
    let field = statement.split('[').next().unwrap_or_default();
    field.split_once('=').is_some_and(|(names, number)| {
        let number = number.trim();
        !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && names.split_whitespace().count() > 1
            && !names.contains(':')
    })
}

/// `rpc Get(GetRequest) returns (Item)`: types without names, on both sides.
fn is_method(statement: &str) -> bool {
    statement.starts_with("rpc ") && statement.contains("returns") && !statement.contains(':')
}

#[cfg(test)]
mod tests {
    use super::{is_method, is_numbered};

    #[test]
    fn what_is_protobuf_alone_is_a_sign() {
        for field in ["string name = 1", "map<string, A> b = 12 [deprecated = true]", "optional .a.B c=3"] {
            assert!(is_numbered(field), "{field}");
        }
        for field in ["count: u8 = 1", "RED = 1", "string name", "a b =", "x: a b = 1"] {
            assert!(!is_numbered(field), "{field}");
        }
        assert!(is_method("rpc Get(GetRequest) returns (stream Item)"));
        assert!(!is_method("rpc get(app_id: AppId) returns (u8)"));
        assert!(!is_method("rpc ping(GetRequest)"));
    }
}
