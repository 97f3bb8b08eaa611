//! The comments of a `.proto` text, as they stand there.
//!
//! Knows: comments, strings, blank lines. Does not know: declarations.
//!
//! The parser has comments too, but passes over those that stand where protobuf has no place for them: within a declaration, before a
//! closing brace, behind a second one.

use std::ops::Range;

/// Lines of `//` below each other, or one `/* .. */`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) range: Range<usize>,
    /// Without the signs of a comment.
    pub(super) text: String,
    /// Its first line and its last one.
    pub(super) lines: (usize, usize),
    /// The last byte of code before it.
    pub(super) code_before: Option<Code>,
    /// The first byte of code behind it.
    pub(super) code_behind: Option<Code>,
    is_block: bool,
}

/// A byte of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) at: usize,
    pub(super) line: usize,
}

impl Group {
    /// Whether code stands before it on its line.
    pub(super) fn is_behind_code(&self) -> bool {
        self.code_before.is_some_and(|code| code.line == self.lines.0)
    }
}

/// All comments of a text, in order.
pub(super) fn groups(text: &str) -> Vec<Group> {
    let bytes = text.as_bytes();
    let (mut groups, mut at, mut line, mut code_before) = (Vec::<Group>::new(), 0, 0, None);
    // The groups from here on have not seen the code behind them.
    let mut open = 0;
    while let Some(byte) = bytes.get(at).copied() {
        let rest = &bytes[at..];
        if rest.starts_with(b"//") || rest.starts_with(b"/*") {
            let is_block = rest.starts_with(b"/*");
            let range = at..if is_block { block_end(text, at) } else { line_end(text, at) };
            at = range.end;
            let written = &text[range.clone()];
            let lines = (line, line + written.matches('\n').count());
            line = lines.1;
            let text = if is_block { block_text(written) } else { line_text(written).to_owned() };
            let group = Group { range, text, lines, code_before, code_behind: None, is_block };
            match groups.get_mut(open..).and_then(<[Group]>::last_mut).filter(|last| goes_on(last, &group)) {
                Some(last) => {
                    last.text.push('\n');
                    last.text.push_str(&group.text);
                    (last.range.end, last.lines.1) = (group.range.end, group.lines.1);
                }
                None => groups.push(group),
            }
            continue;
        }
        if byte.is_ascii_whitespace() {
            line += usize::from(byte == b'\n');
            at += 1;
            continue;
        }
        groups[open..].iter_mut().for_each(|group| group.code_behind = Some(Code { at, line }));
        open = groups.len();
        // A string ends with its line.
        at = if matches!(byte, b'"' | b'\'') { string_end(bytes, at) } else { at + 1 };
        code_before = Some(Code { at: at - 1, line });
    }
    groups
}

/// Whether a comment is the next line of a group. What stands behind code is a group of its own.
fn goes_on(group: &Group, next: &Group) -> bool {
    !group.is_block && !next.is_block && !group.is_behind_code() && group.lines.1 + 1 == next.lines.0
}

fn line_end(text: &str, start: usize) -> usize {
    text[start..].find('\n').map_or(text.len(), |length| start + length)
}

fn block_end(text: &str, start: usize) -> usize {
    text[start + 2..].find("*/").map_or(text.len(), |length| start + 2 + length + 2)
}

/// One past the quote that ends a string, or the end of its line.
pub(crate) fn string_end(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at).copied() {
        match byte {
            b'\n' => return at,
            b'\\' if bytes.get(at + 1).is_some_and(|next| *next != b'\n') => at += 2,
            _ if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// `// text`; a rule of slashes is empty.
fn line_text(comment: &str) -> &str {
    comment.trim_start_matches('/')
}

/// `/* text */`, whose lines mostly begin with a star.
fn block_text(comment: &str) -> String {
    let inside = comment.strip_prefix("/*").unwrap_or(comment);
    let inside = inside.strip_suffix("*/").unwrap_or(inside);
    let (first, rest) = inside.split_once('\n').unwrap_or((inside, ""));
    let mut out = first.trim_start_matches('*').to_owned();
    for line in rest.lines() {
        let line = line.trim_start();
        out.push('\n');
        out.push_str(line.strip_prefix('*').unwrap_or(line));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        groups(text).into_iter().map(|group| group.text).collect()
    }

    #[test]
    fn what_is_in_a_string_is_no_comment() {
        assert_eq!(texts("a = \"// no\"; b = '/* \\' no */'; // yes"), [" yes"]);
        assert_eq!(texts("a = \"unterminated\n// yes"), [" yes"]);
        assert_eq!(texts("/* unterminated"), [" unterminated"]);
    }

    #[test]
    fn lines_below_each_other_are_one_group() {
        assert_eq!(texts("// a\n  // b\n\n// c\n/* d */\n// e\n"), [" a\n b", " c", " d ", " e"]);
        assert_eq!(texts("x; // a\n// b"), [" a", " b"]);
        assert_eq!(texts("/**\n * a\n   b\n */"), ["\n a\nb\n"]);
        assert_eq!(texts("/// a\n//////"), [" a\n"]);
    }
}
