//! The smallest parts of a text, whatever state it is in.
//!
//! Knows: comments, strings, numbers, words, signs. Does not know: what may stand where.

use std::ops::Range;

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lexeme {
    Comment,
    /// Also one that does not end, to the end of its line, and `b".."`.
    String,
    Number,
    Word,
    /// One sign, or `->`.
    Sign,
}

/// The parts of a text with their bytes, in order; blanks are none.
pub(super) fn lex(text: &str) -> Vec<(Lexeme, Range<usize>)> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        let rest = &bytes[at..];
        let run = |fits: fn(u8) -> bool| rest.iter().take_while(|byte| fits(**byte)).count();
        let (lexeme, length) = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            b'/' if rest.starts_with(b"//") => (Lexeme::Comment, run(|byte| byte != b'\n')),
            b'"' => (Lexeme::String, string(rest)),
            b'b' if rest.get(1) == Some(&b'"') => (Lexeme::String, 1 + string(&rest[1..])),
            b'0'..=b'9' => (Lexeme::Number, number(rest)),
            _ if is_word(byte) => (Lexeme::Word, run(is_word)),
            b'-' if rest.starts_with(b"->") => (Lexeme::Sign, 2),
            b'-' if rest.get(1).is_some_and(u8::is_ascii_digit) => (Lexeme::Number, 1 + number(&rest[1..])),
            _ => (Lexeme::Sign, text[at..].chars().next().map_or(1, char::len_utf8)),
        };
        out.push((lexeme, at..at + length));
        at += length;
    }
    out
}

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn number(rest: &[u8]) -> usize {
    let is_part = |at: usize| {
        let byte = rest[at];
        is_word(byte) || (byte == b'.' && rest.get(at + 1).is_some_and(u8::is_ascii_digit))
    };
    (0..rest.len()).take_while(|at| is_part(*at)).count()
}

/// With its quotes.
fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at).filter(|byte| **byte != b'\n') {
        at += 1;
        match byte {
            b'"' => return at,
            b'\\' if rest.get(at).is_some_and(|next| *next != b'\n') => {
                // Whole characters: the text is UTF-8.
                at += 1;
                while rest.get(at).is_some_and(|byte| byte & 0xc0 == 0x80) {
                    at += 1;
                }
            }
            _ => {}
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_found_in_a_text_that_is_none() {
        let text = "a -> 1.5s // é\n@max(\"\\é b\"x\" ü -7 b\"\\";
        let parts: Vec<&str> = lex(text).into_iter().map(|(_, range)| &text[range]).collect();
        assert_eq!(parts, ["a", "->", "1.5s", "// é", "@", "max", "(", "\"\\é b\"", "x", "\" ü -7 b\"", "\\"]);
    }
}
