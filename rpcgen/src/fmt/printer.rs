//! From nodes and comments to lines.
//!
//! Knows: widths, indentation, empty lines, where a comment goes. Does not know: the language.

use std::ops::Range;

use super::WIDTH;
use super::comments::{Comments, next_code};
use super::layout::{Group, Kind, Node, Part};

const INDENT: usize = 4;

/// The text of a file.
pub(super) fn print(nodes: &[Node], text: &str) -> String {
    let comments = Comments::find(text);
    let mut printer = Printer { text, comments, out: String::new(), last_end: None, separated_at: 0 };
    let mut previous: Option<&Node> = None;
    for node in nodes {
        let wants_gap = previous.is_some_and(|previous| {
            previous.kind != node.kind || previous.kind == Kind::Body || previous.lead.is_some() || node.lead.is_some()
        });
        printer.node(node, 0, "", wants_gap);
        previous = Some(node);
    }
    let rest = printer.comments.take_in(&(0..text.len()));
    printer.comment_lines(&rest, 0, false, None);
    printer.out
}

struct Printer<'t> {
    text: &'t str,
    comments: Comments<'t>,
    out: String,
    /// Where in the text stands the end of what was printed last in this group; `None` at the start of one.
    last_end: Option<usize>,
    /// Where the separator behind the last node stands: a comment before it documents nothing.
    separated_at: usize,
}

impl Printer<'_> {
    /// A node on lines of its own, with its comments.
    fn node(&mut self, node: &Node, indent: usize, separator: &str, wants_gap: bool) {
        let before = self.comments.take_in(&(0..node.range.start));
        let groups = group_ranges(node);
        let inside = self.comments.take_between(&node.range, &groups);
        let has_comments = !before.is_empty() || !inside.is_empty();
        self.comment_lines(&before, indent, wants_gap, None);
        self.comment_lines(&inside, indent, wants_gap && before.is_empty(), Some(node));
        if inside.is_empty() {
            self.gap(node.range.start, wants_gap && !has_comments);
        }
        if let Some(lead) = &node.lead {
            self.line_start(indent);
            self.out.push_str(lead);
            self.out.push('\n');
        }
        self.line_start(indent);
        self.parts(node, indent, separator);
        self.out.push_str(separator);
        self.behind(node, separator);
        self.out.push('\n');
    }

    /// The comment behind a node on its line. One that documents would document the next node: it does so before as behind the separator.
    fn behind(&mut self, node: &Node, separator: &str) {
        let end = node.range.end;
        self.last_end = Some(end);
        let next = next_code(self.text, end);
        self.separated_at = if self.text[next..].starts_with(separator) && !separator.is_empty() { next } else { end };
        let Some(comment) = self.comments.take_behind(end) else { return };
        let text = &self.text[comment.clone()];
        self.out.push(' ');
        self.out.push_str(&if comment.start >= self.separated_at { text.to_owned() } else { demoted(text) });
        self.last_end = Some(comment.end);
    }

    /// Comments on lines of their own; `out_of` what they are moved, if they are.
    fn comment_lines(&mut self, comments: &[Range<usize>], indent: usize, wants_gap: bool, out_of: Option<&Node>) {
        for (index, comment) in comments.iter().enumerate() {
            match out_of {
                Some(_) => self.moved_gap(wants_gap && index == 0),
                None => self.gap(comment.start, wants_gap && index == 0),
            }
            self.line_start(indent);
            let text = &self.text[comment.clone()];
            // What documents a file stands at its top, whatever is before it.
            let is_kept = if text.starts_with("//!") { out_of.is_none() } else { self.documents(comment, out_of) };
            self.out.push_str(&if is_kept { text.to_owned() } else { demoted(text) });
            self.out.push('\n');
            self.last_end = Some(comment.end);
        }
    }

    /// An empty line where one is wanted, or the text has one.
    fn gap(&mut self, start: usize, wants_gap: bool) {
        let Some(end) = self.last_end else { return };
        let between = self.text.get(end..start).unwrap_or_default();
        if wants_gap || gap_in(between) {
            self.out.push('\n');
        }
    }

    /// Whether the parser sees a comment before code as one that documents, if it has three slashes: between annotations and the first
    /// word behind them for one that stands inside of a node, behind the separator for any other.
    fn documents(&self, comment: &Range<usize>, out_of: Option<&Node>) -> bool {
        let before = self.text[..comment.start].trim_end_matches([' ', '\t']);
        let begins = before.is_empty() || before.ends_with(['\n', '(', '{']);
        begins && out_of.map_or(comment.start >= self.separated_at, |node| comment.start < node.word)
    }

    /// What is moved out of a declaration stands right before it.
    fn moved_gap(&mut self, wants_gap: bool) {
        if wants_gap && self.last_end.is_some() {
            self.out.push('\n');
        }
    }

    fn line_start(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn column(&self) -> usize {
        self.out.rfind('\n').map_or(&self.out[..], |at| &self.out[at + 1..]).chars().count()
    }

    fn parts(&mut self, node: &Node, indent: usize, separator: &str) {
        let mut line_indent = indent;
        for (index, part) in node.parts.iter().enumerate() {
            let behind = &node.parts[index + 1..];
            match part {
                Part::Text(text) => self.out.push_str(text),
                Part::Break => {
                    let width = self.width_to_break(behind).map(|width| width + 1 + separator.len());
                    let fits = width.is_some_and(|width| self.column() + width <= WIDTH);
                    // Where one clause stands on a line of its own, the next one does too.
                    if fits && line_indent == indent || self.ends_with_tall_group() {
                        self.out.push(' ');
                    } else {
                        line_indent = indent + INDENT;
                        self.out.push('\n');
                        self.line_start(line_indent);
                    }
                }
                Part::Group(group) => {
                    let flat = self.flat_group(group);
                    let rest = self.width_to_break(behind).unwrap_or(1) + separator.len();
                    match flat.filter(|flat| self.column() + flat.chars().count() + rest <= WIDTH) {
                        Some(flat) => self.out.push_str(&flat),
                        None => self.tall_group(group, line_indent),
                    }
                }
            }
        }
    }

    /// A group over several lines has just been closed: what follows stands behind its bracket.
    fn ends_with_tall_group(&self) -> bool {
        let line = self.out.rfind('\n').map_or(&self.out[..], |at| &self.out[at + 1..]);
        matches!(line.trim_start(), ")" | "}")
    }

    /// How wide everything up to the next break is; `None`: something in it needs several lines.
    fn width_to_break(&self, parts: &[Part]) -> Option<usize> {
        let mut width = 0;
        for part in parts {
            width += match part {
                Part::Break => break,
                Part::Text(text) => text.chars().count(),
                Part::Group(group) => self.flat_group(group)?.chars().count(),
            };
        }
        Some(width)
    }

    /// On one line; `None`: there are comments inside, or it never is.
    fn flat_group(&self, group: &Group) -> Option<String> {
        if self.comments.is_any_in(&group.range) || (group.is_tall && !group.nodes.is_empty()) {
            return None;
        }
        let nodes = group.nodes.iter().map(|node| self.flat_node(node)).collect::<Option<Vec<_>>>()?;
        let inside = nodes.join(", ");
        let blank = if group.open == "{" && !inside.is_empty() { " " } else { "" };
        Some(format!("{}{blank}{inside}{blank}{}", group.open, group.close))
    }

    fn flat_node(&self, node: &Node) -> Option<String> {
        let mut line = String::new();
        for part in &node.parts {
            match part {
                Part::Text(text) => line.push_str(text),
                Part::Break => line.push(' '),
                Part::Group(group) => line.push_str(&self.flat_group(group)?),
            }
        }
        node.lead.is_none().then_some(line)
    }

    /// Each node on lines of its own.
    fn tall_group(&mut self, group: &Group, indent: usize) {
        self.out.push_str(group.open);
        self.out.push('\n');
        let outer_end = self.last_end.take();
        for node in &group.nodes {
            self.node(node, indent + INDENT, group.separator, false);
        }
        let rest = self.comments.take_in(&group.range);
        self.comment_lines(&rest, indent + INDENT, false, None);
        self.line_start(indent);
        self.out.push_str(group.close);
        self.last_end = outer_end;
    }
}

fn group_ranges(node: &Node) -> Vec<Range<usize>> {
    let groups = node.parts.iter().filter_map(|part| match part {
        Part::Group(group) => Some(group.range.clone()),
        _ => None,
    });
    groups.collect()
}

/// Whether a line between two things is empty.
fn gap_in(between: &str) -> bool {
    let lines: Vec<&str> = between.split('\n').collect();
    lines.len() > 2 && lines[1..lines.len() - 1].iter().any(|line| line.trim().is_empty())
}

/// A comment that documents, as one that does not.
fn demoted(comment: &str) -> String {
    let text = comment.trim_start_matches('/');
    format!("//{}", text.strip_prefix('!').unwrap_or(text))
}
