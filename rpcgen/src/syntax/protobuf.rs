//! Protobuf that stands where our language should: a whole file, or a few declarations among ours.
//!
//! Knows: by what it is recognized, and what is ours beyond doubt. Does not know: protobuf; `rpcgen import` reads it.

use super::split::{Pieces, Range};
use crate::diagnostic::{Code, Diagnostic};

/// What looks like protobuf: one finding instead of one for each line.
pub(super) enum Recognized {
    Nothing,
    /// Nothing in the file is ours.
    File(Diagnostic),
    /// Some declarations, each with its finding; the rest is ours.
    Declarations(Vec<(Range, Diagnostic)>),
}

pub(super) fn recognize(pieces: &Pieces, ranges: &[Range]) -> Recognized {
    let (mut found, mut is_ours) = (Vec::new(), false);
    for range in ranges {
        let Some(word) = pieces.leading_word(*range) else { continue };
        let behind = pieces.text(Range { start: word.end, end: range.end });
        let is_sign = match pieces.text(word) {
            "syntax" | "edition" => behind.trim_start().starts_with('='),
            "message" => statements(behind).any(is_numbered),
            // Who adds an `rpc` to our actions is told of that line.
            "service" if statements(behind).any(is_member) => {
                is_ours = true;
                false
            }
            "service" => behind.contains("rpc") && statements(behind).any(is_method),
            "struct" | "alias" | "const" => {
                is_ours = true;
                false
            }
            _ => false,
        };
        if is_sign {
            found.push((*range, Diagnostic::new(Code::Protobuf, pieces.span(word), "this looks like protobuf")));
        }
    }
    let help = |what| format!("{what} FILE.proto: `rpcgen import FILE.proto` makes `.rpc` files of it");
    if is_ours && !found.is_empty() {
        let told = found.into_iter().map(|(range, diagnostic)| (range, diagnostic.with_help(help("move it into a"))));
        return Recognized::Declarations(told.collect());
    }
    match found.into_iter().next() {
        Some((_, first)) => Recognized::File(first.with_help(help("save it as"))),
        None => Recognized::Nothing,
    }
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

/// `action get(..` and `@persist(disk) broadcast made(..`
fn is_member(statement: &str) -> bool {
    let words = statement.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    !is_method(statement) && words.into_iter().any(|word| word == "action" || word == "broadcast")
}

#[cfg(test)]
mod tests {
    use super::{is_member, is_method, is_numbered};

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
        assert!(is_member("@persist(disk)\n    action get(app_id: AppId) -> (name: string)"));
        assert!(!is_member("rpc action(GetRequest) returns (Item)"));
        assert!(!is_member("option (google.api.actions) = true"));
    }
}
