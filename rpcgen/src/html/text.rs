//! Text as HTML.
//!
//! Knows: escapes, and what of Markdown doc comments use: paragraphs, lists, code. Does not know: models.

use std::fmt::Write as _;

/// A text that means itself, also between quotes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// The lines of a doc comment: paragraphs between empty lines, lists of `- ` and `* `, fenced code.
pub(super) fn docs(lines: &[String]) -> String {
    let mut out = String::new();
    let mut paragraph: Vec<&str> = Vec::new();
    let mut items: Vec<String> = Vec::new();
    let mut code: Option<Vec<&str>> = None;
    for line in lines {
        let trimmed = line.trim();
        if let Some(open) = &mut code {
            if trimmed.starts_with("```") {
                let _ = write!(out, "<pre>{}</pre>", escape(&open.join("\n")));
                code = None;
            } else {
                open.push(line);
            }
        } else if trimmed.starts_with("```") {
            flush(&mut out, &mut paragraph, &mut items);
            code = Some(Vec::new());
        } else if trimmed.is_empty() {
            flush(&mut out, &mut paragraph, &mut items);
        } else if let Some(item) = trimmed.strip_prefix("- ").or_else(|| trimmed.strip_prefix("* ")) {
            if !paragraph.is_empty() {
                flush(&mut out, &mut paragraph, &mut items);
            }
            items.push(item.to_owned());
        } else if let Some(item) = items.last_mut() {
            item.push(' ');
            item.push_str(trimmed);
        } else {
            paragraph.push(trimmed);
        }
    }
    flush(&mut out, &mut paragraph, &mut items);
    // A fence that nobody closed: code to the end.
    if let Some(open) = code {
        let _ = write!(out, "<pre>{}</pre>", escape(&open.join("\n")));
    }
    out
}

fn flush(out: &mut String, paragraph: &mut Vec<&str>, items: &mut Vec<String>) {
    if !paragraph.is_empty() {
        let _ = write!(out, "<p>{}</p>", inline(&paragraph.join(" ")));
        paragraph.clear();
    }
    if !items.is_empty() {
        let list: String = items.iter().map(|item| format!("<li>{}</li>", inline(item))).collect();
        let _ = write!(out, "<ul>{list}</ul>");
        items.clear();
    }
}

/// `code` between backticks; an odd one is itself.
pub(super) fn inline(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    let last = parts.len() - 1;
    let mut out = String::new();
    for (index, part) in parts.iter().enumerate() {
        let part = escape(part);
        match (index % 2 == 1, index == last) {
            (false, _) => out.push_str(&part),
            (true, false) => {
                let _ = write!(out, "<code>{part}</code>");
            }
            (true, true) => {
                let _ = write!(out, "`{part}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> String {
        docs(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn paragraphs_lists_and_code_are_told_apart() {
        assert_eq!(
            of("One\ntwo.\n\nThree `a<b` and ` odd."),
            "<p>One two.</p><p>Three <code>a&lt;b</code> and ` odd.</p>"
        );
        assert_eq!(of("These:\n- a\n  b\n- c"), "<p>These:</p><ul><li>a b</li><li>c</li></ul>");
        assert_eq!(of("```\nx & y\n```"), "<pre>x &amp; y</pre>");
    }

    #[test]
    fn nothing_in_a_text_becomes_markup() {
        assert_eq!(of("<script>alert('x')</script>"), "<p>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;</p>");
    }
}
