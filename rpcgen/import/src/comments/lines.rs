//! What a comment says, line by line.
//!
//! Knows: indentation, what `rustdoc` would take for a program. Does not know: where a comment stands.

/// The lines of a comment, without empty ones around them and without the indentation that they share.
pub(super) fn lines(text: &str) -> Vec<String> {
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
pub(super) fn no_code(lines: &[String]) -> Vec<String> {
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
