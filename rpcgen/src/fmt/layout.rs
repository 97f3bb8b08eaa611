//! What a file is made of, as far as lines can be broken.
//!
//! Knows: which parts of a declaration may stand on lines of their own. Does not know: widths, comments.

use std::ops::Range;

use super::comments::next_code;
use super::flat::Text;
use crate::source::Span;
use crate::syntax::ast::{
    Action, Attribute, Broadcast, Field, FieldList, File, Head, Item, Member, Service, Variant, VariantList,
};

/// Something that stands on lines of its own, with what is inside it.
pub(super) struct Node {
    pub(super) range: Range<usize>,
    /// Where annotations before it end: up to there comments document it.
    pub(super) word: usize,
    /// Annotations on the line before.
    pub(super) lead: Option<String>,
    pub(super) parts: Vec<Part>,
    pub(super) kind: Kind,
}

/// What an empty line may be due to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Package,
    Import,
    /// One line of a file: `alias`, `const`.
    Line,
    /// A declaration with a body.
    Body,
    /// A field, a variant, a member of a service.
    Inner,
}

pub(super) enum Part {
    Text(String),
    /// A blank, or a new line that is indented further.
    Break,
    Group(Group),
}

/// Nodes between brackets.
pub(super) struct Group {
    pub(super) open: &'static str,
    pub(super) close: &'static str,
    /// With the brackets.
    pub(super) range: Range<usize>,
    pub(super) nodes: Vec<Node>,
    /// Behind each node, if anything.
    pub(super) separator: &'static str,
    /// Never on one line, unless it is empty.
    pub(super) is_tall: bool,
}

/// The declarations of a file, in the order of the text.
pub(super) fn layout(text: &str, file: &File) -> Vec<Node> {
    let text = Text(text);
    let mut nodes: Vec<Node> = Vec::new();
    if let Some(path) = &file.package {
        let start = keyword(text, path.span(), "package");
        let range = start..with_semicolon(text, path.span()).end;
        nodes.push(plain(range, Kind::Package, format!("package {};", text.path(path))));
    }
    for import in &file.imports {
        let start = keyword(text, import.span, "import");
        let range = start..with_semicolon(text, import.span).end;
        nodes.push(plain(range, Kind::Import, format!("import {};", text.slice(import.span))));
    }
    nodes.extend(file.items.iter().filter_map(|item| of_item(text, item)));
    nodes
}

fn plain(range: Range<usize>, kind: Kind, line: String) -> Node {
    Node { word: range.start, range, lead: None, parts: vec![Part::Text(line)], kind }
}

/// Where a declaration begins whose span is what stands behind its word; comments may be between, with the same word in them.
fn keyword(text: Text<'_>, behind: Span, word: &str) -> usize {
    let found = text.0[..behind.start as usize].rmatch_indices(word).map(|(at, _)| at);
    let mut is_it = found.filter(|at| next_code(text.0, at + word.len()) == behind.start as usize);
    is_it.next().unwrap_or(behind.start as usize)
}

/// The parser has seen the semicolon; comments may stand before it.
fn with_semicolon(text: Text<'_>, span: Span) -> Range<usize> {
    let mut end = span.end as usize;
    for line in text.0[end..].split_inclusive('\n') {
        let code = line.find("//").map_or(line, |at| &line[..at]);
        if let Some(at) = code.find(';') {
            return span.start as usize..end + at + 1;
        }
        end += line.len();
    }
    range_of(span)
}

fn range_of(span: Span) -> Range<usize> {
    span.start as usize..span.end as usize
}

fn of_item(text: Text<'_>, item: &Item) -> Option<Node> {
    let line = |head: &Head, line: String| declared(text, head, Kind::Line, vec![Part::Text(line)]);
    let body = |head: &Head, word: &str, group: Group| {
        declared(text, head, Kind::Body, vec![Part::Text(format!("{word} {} ", head.name.text)), Part::Group(group)])
    };
    Some(match item {
        Item::Constant(item) => {
            let (name, ty, value) = (&item.head.name.text, text.ty(&item.ty), text.literal(&item.value));
            line(&item.head, format!("const {name}: {ty} = {value};"))
        }
        Item::Alias(item) => line(&item.head, format!("alias {} = {};", item.head.name.text, text.ty(&item.target))),
        Item::Struct(item) => {
            let fields = Group { is_tall: true, ..fields(text, "{", "}", &item.fields) };
            body(&item.head, "struct", fields)
        }
        Item::Enum(item) => body(&item.head, "enum", variants(text, &item.variants)),
        Item::Service(item) => body(&item.head, "service", members(text, item)),
        Item::External(_) | Item::Lost(_) => return None,
    })
}

/// A declaration whose annotations stand on a line of their own.
fn declared(text: Text<'_>, head: &Head, kind: Kind, parts: Vec<Part>) -> Node {
    let lead = (!head.attributes.is_empty()).then(|| attributes(text, head.attributes.iter()));
    Node { range: range_of(head.span), word: word(text, head), lead, parts, kind }
}

/// Where the first word behind annotations stands; comments may be between.
fn word(text: Text<'_>, head: &Head) -> usize {
    let before = head.attributes.iter().rfind(|attribute| attribute.span.start < head.name.span.start);
    next_code(text.0, before.map_or(head.span.start, |attribute| attribute.span.end) as usize)
}

fn attributes<'a>(text: Text<'_>, attributes: impl Iterator<Item = &'a Attribute>) -> String {
    attributes.map(|attribute| text.attribute(attribute)).collect::<Vec<_>>().join(" ")
}

/// The annotations before a name, and those behind what it names.
fn around(text: Text<'_>, head: &Head) -> (String, String) {
    let (before, behind): (Vec<&Attribute>, Vec<&Attribute>) =
        head.attributes.iter().partition(|attribute| attribute.span.start < head.name.span.start);
    let before: String = before.iter().map(|attribute| format!("{} ", text.attribute(attribute))).collect();
    let behind: String = behind.iter().map(|attribute| format!(" {}", text.attribute(attribute))).collect();
    (before, behind)
}

fn fields(text: Text<'_>, open: &'static str, close: &'static str, list: &FieldList) -> Group {
    let nodes = list.fields.iter().map(|one| field(text, one)).collect();
    Group { open, close, range: range_of(list.span), nodes, separator: ",", is_tall: false }
}

fn field(text: Text<'_>, field: &Field) -> Node {
    let (before, behind) = around(text, &field.head);
    let default = field.default.as_ref().map_or_else(String::new, |value| format!(" = {}", text.literal(value)));
    let line = format!("{before}{}: {}{default}{behind}", field.head.name.text, text.ty(&field.ty));
    Node { word: word(text, &field.head), ..plain(range_of(field.head.span), Kind::Inner, line) }
}

fn variants(text: Text<'_>, list: &VariantList) -> Group {
    let nodes = list.variants.iter().map(|one| variant(text, one)).collect();
    Group { open: "{", close: "}", range: range_of(list.span), nodes, separator: ",", is_tall: false }
}

fn variant(text: Text<'_>, variant: &Variant) -> Node {
    let (before, behind) = around(text, &variant.head);
    let mut parts = vec![Part::Text(format!("{before}{}", variant.head.name.text))];
    if let Some(list) = &variant.fields {
        parts.push(Part::Text(" ".to_owned()));
        parts.push(Part::Group(fields(text, "{", "}", list)));
    }
    parts.push(Part::Text(behind));
    Node { range: range_of(variant.head.span), word: word(text, &variant.head), lead: None, parts, kind: Kind::Inner }
}

fn members(text: Text<'_>, service: &Service) -> Group {
    let nodes: Vec<Node> = service
        .members
        .iter()
        .filter_map(|member| match member {
            Member::Action(one) => Some(action(text, one)),
            Member::Broadcast(one) => Some(broadcast(text, one)),
            Member::Lost(_) => None,
        })
        .collect();
    let range = body_range(text, service.head.span, service.head.name.span);
    Group { open: "{", close: "}", range, nodes, separator: "", is_tall: true }
}

/// From the brace behind a service's name to its end.
fn body_range(text: Text<'_>, whole: Span, name: Span) -> Range<usize> {
    let mut start = name.end as usize;
    for line in text.0[start..whole.end as usize].split_inclusive('\n') {
        let code = line.find("//").map_or(line, |at| &line[..at]);
        if let Some(at) = code.find('{') {
            start += at;
            break;
        }
        start += line.len();
    }
    start..whole.end as usize
}

fn action(text: Text<'_>, action: &Action) -> Node {
    let mut parts = vec![Part::Text(format!("action {}", action.head.name.text))];
    parts.push(Part::Group(fields(text, "(", ")", &action.request)));
    if let Some(list) = &action.response {
        parts.extend([Part::Break, Part::Text("-> ".to_owned()), Part::Group(fields(text, "(", ")", list))]);
    }
    if let Some(list) = &action.fails {
        parts.extend([Part::Break, Part::Text("fails ".to_owned()), Part::Group(variants(text, list))]);
    }
    parts.push(Part::Text(";".to_owned()));
    declared(text, &action.head, Kind::Inner, parts)
}

fn broadcast(text: Text<'_>, broadcast: &Broadcast) -> Node {
    let mut parts = vec![Part::Text(format!("broadcast {}", broadcast.head.name.text))];
    parts.push(Part::Group(fields(text, "(", ")", &broadcast.fields)));
    if let Some(origin) = &broadcast.origin {
        let line = format!("to origin of {} by {}", origin.action.text, text.names(&origin.by));
        parts.extend([Part::Break, Part::Text(line)]);
    }
    parts.push(Part::Text(";".to_owned()));
    declared(text, &broadcast.head, Kind::Inner, parts)
}
