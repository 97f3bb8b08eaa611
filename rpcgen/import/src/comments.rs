//! Comments of a `.proto` file, by what they stand at.
//!
//! Knows: the parser's places, and what a doc comment must not hold. Does not know: what is declared there.

use std::collections::HashMap;

use prost_types::FileDescriptorProto;

/// Numbers of fields of the descriptor, of which places are made: `[message, 0, field, 2]` is the third field of the first message.
pub(crate) mod tag {
    pub(crate) const PACKAGE: i32 = 2;
    pub(crate) const SYNTAX: i32 = 12;
    pub(crate) const MESSAGE: i32 = 4;
    pub(crate) const ENUM: i32 = 5;
    pub(crate) const SERVICE: i32 = 6;
    pub(crate) const METHOD: i32 = 2;
    pub(crate) const VALUE: i32 = 2;
    pub(crate) const FIELD: i32 = 2;
    pub(crate) const NESTED_MESSAGE: i32 = 3;
    pub(crate) const NESTED_ENUM: i32 = 4;
    pub(crate) const ONEOF: i32 = 8;
}

/// What stands at one place.
#[derive(Clone, Debug, Default)]
struct Remarks {
    /// Line, from 1.
    line: usize,
    /// Right before it, then right behind it.
    docs: Vec<String>,
    /// Further up, with an empty line between.
    detached: Vec<String>,
}

/// All comments of one file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comments {
    places: HashMap<Vec<i32>, Remarks>,
}

impl Comments {
    pub(crate) fn of(descriptor: &FileDescriptorProto) -> Self {
        let mut places: HashMap<Vec<i32>, Remarks> = HashMap::new();
        for location in descriptor.source_code_info.iter().flat_map(|info| &info.location) {
            let line = location.span.first().and_then(|line| usize::try_from(*line).ok()).unwrap_or_default() + 1;
            let remarks = places.entry(location.path.clone()).or_insert_with(|| Remarks { line, ..Remarks::default() });
            for text in [&location.leading_comments, &location.trailing_comments].into_iter().flatten() {
                let lines = lines(text);
                if !remarks.docs.is_empty() && !lines.is_empty() {
                    remarks.docs.push(String::new());
                }
                remarks.docs.extend(lines);
            }
            remarks.detached.extend(location.leading_detached_comments.iter().flat_map(|text| {
                // An empty line inside of a group is not the end of it.
                let inside = lines(text).into_iter().map(|line| if line.is_empty() { " ".to_owned() } else { line });
                inside.chain([String::new()])
            }));
        }
        Self { places }
    }

    /// The line where something is declared, from 1.
    pub(crate) fn line(&self, path: &[i32]) -> usize {
        self.places.get(path).map_or(1, |remarks| remarks.line)
    }

    /// What documents it: fit for `///`.
    pub(crate) fn docs(&self, path: &[i32]) -> Vec<String> {
        self.places.get(path).map(|remarks| no_code(&remarks.docs)).unwrap_or_default()
    }

    /// What stands before it and documents nothing; groups end with an empty line.
    pub(crate) fn detached(&self, path: &[i32]) -> &[String] {
        self.places.get(path).map_or(&[], |remarks| remarks.detached.as_slice())
    }
}

/// The lines of a comment, without empty ones around them and without the indentation that they share.
fn lines(text: &str) -> Vec<String> {
    // A comment of the kind `/* .. */` may hold any character; those of the kind that no editor shows are left out.
    let clean = |line: &str| line.chars().filter(|c| !c.is_control() || *c == '\t').collect::<String>();
    let lines: Vec<String> = text.lines().map(|line| clean(line).trim_end().replace('\t', "    ")).collect();
    let filled = || lines.iter().filter(|line| !line.is_empty());
    let indent = filled().map(|line| line.len() - line.trim_start().len()).min().unwrap_or_default();
    let (Some(first), Some(last)) =
        (lines.iter().position(|line| !line.is_empty()), lines.iter().rposition(|line| !line.is_empty()))
    else {
        return Vec::new();
    };
    lines[first..=last].iter().map(|line| line.get(indent..).unwrap_or_default().to_owned()).collect()
}

/// Documentation in which `rustdoc` finds no Rust to run: what is indented, and fences without a language, are text.
fn no_code(lines: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let (mut fenced, mut indented, mut after_gap) = (false, false, true);
    for line in lines {
        let is_fence = line.trim_start().starts_with("```");
        if !fenced && line.starts_with("    ") && (indented || after_gap) {
            if !indented {
                out.push("```text".to_owned());
                indented = true;
            }
        } else if indented && !line.is_empty() {
            close(&mut out);
            indented = false;
        }
        if is_fence && !indented {
            out.push(if fenced {
                line.clone()
            } else {
                format!("{}```text", &line[..line.len() - line.trim_start().len()])
            });
            fenced = !fenced;
        } else {
            out.push(line.clone());
        }
        after_gap = line.is_empty();
    }
    if fenced || indented {
        close(&mut out);
    }
    out
}

/// Ends a fence before the empty lines at the end.
fn close(out: &mut Vec<String>) {
    let filled = out.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    out.insert(filled, "```".to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn docs(text: &str) -> Vec<String> {
        no_code(&lines(text))
    }

    #[test]
    fn shared_indentation_and_empty_ends_are_taken_off() {
        assert_eq!(docs("\n  a\n    b\n\n"), ["a", "  b"]);
        assert_eq!(docs(" \n \n"), [] as [&str; 0]);
    }

    #[test]
    fn what_rustdoc_would_run_is_text() {
        assert_eq!(
            docs(" a\n\n     code\n\n     more\n\n b"),
            ["a", "", "```text", "    code", "", "    more", "```", "", "b"]
        );
        assert_eq!(docs("a\n```\ncode\n```"), ["a", "```text", "code", "```"]);
        assert_eq!(docs("a\n```rust\ncode"), ["a", "```text", "code", "```"]);
        assert_eq!(docs("- a list\n    that goes on"), ["- a list", "    that goes on"]);
    }
}
