//! Pieces that are right in another language: what was meant, and how it is written here.
//!
//! Knows: habits of people who come from elsewhere, each with its own code and fix. Does not know: how a piece is parsed. It looks only at
//! pieces that cannot be.

use super::parse::Rule;
use super::signature;
use super::split::{Pieces, Range};
use crate::diagnostic::{Code, Diagnostic};
use crate::foreign;
use crate::source::Span;

/// A piece that could not be parsed.
pub(super) struct Broken<'p> {
    pub(super) pieces: &'p Pieces,
    /// Without the blanks around it.
    pub(super) code: Range,
    pub(super) rule: Rule,
    /// Where the parser stopped, in the file.
    pub(super) at: usize,
    /// What stands there; empty at the end of the piece.
    pub(super) found: &'p str,
    /// A `;` would have been right there.
    pub(super) wants_semicolon: bool,
}

/// What somebody most likely meant, and up to where that explains the text; `None`: nothing that is known.
pub(super) fn recognize(broken: &Broken<'_>) -> Option<(Diagnostic, usize)> {
    let found = match broken.found {
        "<" => broken.angle_brackets(),
        "'" => Some(broken.quotes()),
        "#" => Some(broken.hash()),
        "" if broken.wants_semicolon => Some(broken.no_semicolon()),
        "[" => broken.brackets_behind(),
        "&" | "*" => broken.reference(),
        "?" => broken.optional_twice().or_else(|| broken.optional_before()),
        _ => broken.brackets_before(),
    };
    let found = found.or_else(|| broken.variant_path());
    found.or_else(|| broken.reservation()).or_else(|| match broken.rule {
        Rule::field => {
            let found = broken.default().or_else(|| broken.optional()).or_else(|| broken.numbered());
            let found = found.or_else(|| broken.limit()).or_else(|| broken.field());
            found.map(|diagnostic| (diagnostic, broken.generic_end()))
        }
        Rule::variant => broken.variant().map(|diagnostic| (diagnostic, broken.code.end)),
        Rule::action => broken.action(),
        Rule::broadcast => broken.origin().map(|diagnostic| (diagnostic, broken.code.end)),
        Rule::struct_item | Rule::enum_item | Rule::service_item => broken.declaration(),
        Rule::import_item => broken.bare_import(),
        Rule::const_item => broken.constant(),
        _ => None,
    })
}

impl Broken<'_> {
    pub(super) fn text(&self) -> &str {
        self.pieces.text(self.code)
    }

    pub(super) fn found_range(&self) -> Range {
        Range { start: self.at, end: self.at + self.found.len() }
    }

    pub(super) fn before(&self) -> &str {
        self.pieces.text(Range { start: self.code.start, end: self.at })
    }

    /// `list<u32>`; it may go on behind a comma, where this piece has been cut. Behind the name of a struct: parameters of types.
    fn angle_brackets(&self) -> Option<(Diagnostic, usize)> {
        if matches!(self.rule, Rule::struct_item | Rule::enum_item | Rule::service_item) {
            let diagnostic = self.at_found(Code::GenericDeclaration, "declarations have no type parameters");
            return Some((
                diagnostic.with_help("declare one struct for each type that it is used with"),
                self.code.end,
            ));
        }
        let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':');
        let before = self.before().trim_end();
        let name = before.rfind(|c| !is_path(c)).map_or(before, |at| &before[at + 1..]);
        let name = name.trim_start_matches(':');
        let start = self.code.start + before.len() - name.len();
        let end = self.pieces.angle_end(self.at)?;
        let whole = Range { start, end };
        let written = self.pieces.text(whole);
        let message = format!("`{}` is not written with angle brackets", name.escape_debug());
        let diagnostic = Diagnostic::new(Code::AngleBrackets, self.pieces.span(whole), message);
        let diagnostic = match foreign::generic(written) {
            Some(ours) if let Some((name, end)) = self.name_behind(start, end) => {
                let whole = self.pieces.span(Range { start, end });
                diagnostic.with_fix("write", whole, format!("{name}: {ours}"))
            }
            Some(ours) => {
                let unknown = foreign::unknown_width(written);
                let diagnostic = diagnostic.with_fix("write", self.pieces.span(whole), ours);
                match unknown {
                    Some((theirs, ours)) => {
                        diagnostic.with_help(format!("there is no `{theirs}`: did you mean `{ours}`?"))
                    }
                    None => diagnostic,
                }
            }
            None => diagnostic.with_help("a list is `[T]`, a map `{K: V}`, an array `[T; N]`, an optional `T?`"),
        };
        Some((diagnostic, end))
    }

    /// `map<string, u8> counts = 4`: the name behind a type that begins a field, and where it ends with its number.
    fn name_behind(&self, start: usize, end: usize) -> Option<(&str, usize)> {
        let rest = self.pieces.text(Range { start: end, end: self.pieces.whole().end });
        let length = rest.find([',', ';', '}', '\n', ')'])?;
        let behind = rest[..length].trim_end();
        let name = behind.split('=').next().unwrap_or_default().trim();
        (self.rule == Rule::field && start == self.code.start && is_word(name)).then_some((name, end + behind.len()))
    }

    /// Where the piece ends, or the angle brackets in it, which a comma has cut.
    fn generic_end(&self) -> usize {
        let open = self.text().find('<').map(|at| self.code.start + at);
        open.and_then(|open| self.pieces.angle_end(open)).map_or(self.code.end, |end| end.max(self.code.end))
    }

    /// `# a comment`, or `r#type` and `r#"text"#` of Rust.
    fn hash(&self) -> (Diagnostic, usize) {
        let before = self.before();
        let behind = self.pieces.text(Range { start: self.at + 1, end: self.code.end });
        let is_raw = before.strip_suffix('r').is_some_and(|before| !before.ends_with(is_word_char));
        let name = behind.split(|c| !is_word_char(c)).next().unwrap_or_default();
        let diagnostic = if is_raw && behind.starts_with('"') {
            let diagnostic = self.at_found(Code::Quotes, "there are no raw strings");
            diagnostic
                .with_help("a string stands between double quotes alone; in it, `\\\"` is `\"` and `\\\\` is `\\`")
        } else if is_raw && !name.is_empty() {
            let whole = self.pieces.span(Range { start: self.at - 1, end: self.at + 1 + name.len() });
            let diagnostic = Diagnostic::new(Code::Modifier, whole, "`r#` says nothing here");
            let diagnostic =
                diagnostic.with_help("words of Rust are names as any other: the generated code writes the `r#`");
            diagnostic.with_fix("write", whole, name)
        } else {
            let diagnostic = self.at_found(Code::Comment, "comments begin with `//`");
            if before.trim_end().ends_with(['=', ':', '(', '[', '<', '>', '.', '@', '-']) {
                // With the rest of its line, what is missing before it would be gone.
                diagnostic.with_help("a comment goes to the end of its line")
            } else {
                diagnostic.with_fix("write", self.pieces.span(self.found_range()), "//")
            }
        };
        (diagnostic, self.code.end)
    }

    fn no_semicolon(&self) -> (Diagnostic, usize) {
        let end = self.pieces.span(Range { start: self.code.end, end: self.code.end });
        let diagnostic = Diagnostic::new(Code::NoSemicolon, end, "this declaration does not end with `;`");
        (diagnostic.with_fix("write", end, ";"), self.code.end)
    }

    pub(super) fn at_found(&self, code: Code, message: &str) -> Diagnostic {
        Diagnostic::new(code, self.pieces.span(self.found_range()), message)
    }

    /// `tags: [string] = ["a"]`
    fn default(&self) -> Option<Diagnostic> {
        let before = self.before().trim_end();
        let what = match before.strip_suffix(['[', '{'])?.trim_end().ends_with('=') {
            false => return None,
            true if before.ends_with('[') => "the only default of a list is `[]`",
            true => "the only default of a map is `{}`",
        };
        let diagnostic = self.at_found(Code::NoLiterals, what);
        Some(
            diagnostic
                .with_help("what is in it is for the business to say: make the field optional, or leave it empty"),
        )
    }

    /// `u8??`
    fn optional_twice(&self) -> Option<(Diagnostic, usize)> {
        self.before().trim_end().strip_suffix('?')?;
        let marks = self.pieces.text(Range { start: self.at, end: self.code.end });
        let others = marks.trim_start_matches(['?', ' ']);
        let end = self.code.end - others.len();
        let length = self.pieces.text(Range { start: self.at, end }).trim_end().len();
        let span = self.pieces.span(Range { start: self.at, end: self.at + length });
        let diagnostic = Diagnostic::new(Code::OptionalTwice, span, "this type is optional already");
        let help =
            "two ways to have no value cannot be told apart by a default: use an enum if they mean different things";
        Some((diagnostic.with_help(help).with_fix("remove it", span, ""), self.code.end))
    }

    /// `id?: uuid`, `id: uuid | null`
    fn optional(&self) -> Option<Diagnostic> {
        let whole = self.pieces.span(self.code);
        let message = match self.found {
            "?" if self.before().split_once(':').is_none() => "the `?` of an optional stands behind its type",
            "|" => "an optional is written with a `?` behind its type",
            _ => return None,
        };
        let ours = named("", self.text()).filter(|ours| ours.contains('?'))?;
        Some(Diagnostic::new(Code::Modifier, whole, message).with_fix("write", whole, ours))
    }

    /// `1: string name`, `name @0 :Text`
    fn numbered(&self) -> Option<Diagnostic> {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let text = self.text();
        let number = match text.split_once(':')?.0.trim() {
            number if is_number(number) => number,
            named => named.rsplit_once('@').map(|(_, number)| number).filter(|number| is_number(number))?,
        };
        let (_, behind) = text.split_once(':')?;
        let has_both = number.len() < text.find(':')? || behind.split_whitespace().count() > 1;
        let ours = signature::field(text, Err(0)).filter(|_| has_both)?;
        let start = self.code.start + text.find(number)?;
        let span = self.pieces.span(Range { start, end: start + number.len() });
        let diagnostic = Diagnostic::new(Code::Numbered, span, "fields have no numbers");
        let diagnostic = diagnostic.with_help("their order numbers them: append new ones at the end");
        Some(diagnostic.with_fix("write", self.pieces.span(self.code), ours))
    }

    fn field(&self) -> Option<Diagnostic> {
        let text = self.text();
        let words: Vec<&str> = text.split_whitespace().collect();
        let whole = self.pieces.span(self.code);
        match words.as_slice() {
            [word, rest @ ..] if !rest.is_empty() && is_word(word) && is_modifier(word) => {
                let message = match *word {
                    "optional" => "an optional is written with a `?` behind its type".to_owned(),
                    "repeated" => "a list is written with brackets around what it holds".to_owned(),
                    _ => format!("`{word}` says nothing here"),
                };
                let diagnostic = Diagnostic::new(Code::Modifier, whole, message);
                Some(match modified(word, text[word.len()..].trim_start()) {
                    Some(ours) => diagnostic.with_fix("write", whole, ours),
                    None => diagnostic.with_help("a field is written `name: type`; an optional one `name: type?`"),
                })
            }
            [only @ ("self" | "this")] => {
                let diagnostic = Diagnostic::new(Code::Modifier, whole, format!("`{only}` says nothing here"));
                Some(
                    diagnostic
                        .with_help("an action is asked by its fields alone, of which the first is `app_id: AppId`"),
                )
            }
            ["app_id"] => {
                let diagnostic = Diagnostic::new(Code::UntypedField, whole, "field `app_id` has no type");
                Some(diagnostic.with_fix("give it one", whole, "app_id: AppId"))
            }
            [only] if is_type(only) => {
                let diagnostic = Diagnostic::new(Code::UnnamedField, whole, "a field without a name");
                Some(diagnostic.with_fix("give it one", whole, format!("name: {only}")))
            }
            [only] if is_word(only) => {
                let diagnostic = Diagnostic::new(Code::UntypedField, whole, format!("field `{only}` has no type"));
                Some(diagnostic.with_fix("give it one", whole, format!("{only}: string")))
            }
            [ty, name, ..] if is_type(ty) && is_word(name) && (!is_type(name) || *name == "app_id") => {
                let diagnostic = Diagnostic::new(Code::TypeFirst, whole, "the name of a field stands before its type");
                let ty = foreign::scalar(ty).unwrap_or(ty);
                Some(diagnostic.with_fix("write", whole, format!("{name}: {ty}")))
            }
            _ => None,
        }
    }

    /// `reserved 2, 15, 9 to 11;` and its like, which has been cut at its commas.
    fn reservation(&self) -> Option<(Diagnostic, usize)> {
        let what = match self.rule {
            Rule::field => "field",
            Rule::variant => "variant",
            _ => return None,
        };
        let end = self.pieces.reservation_end(self.code)?;
        let whole = Range { start: self.code.start, end };
        Some((reserved(self.pieces.span(whole), self.pieces.text(whole), what), end))
    }

    fn variant(&self) -> Option<Diagnostic> {
        let name = self.before().trim_end();
        match self.found {
            "=" if is_word(name) => {
                let diagnostic = self.at_found(Code::Numbered, "variants have no numbers");
                let diagnostic = diagnostic.with_help("their order numbers them: append new ones at the end");
                Some(diagnostic.with_fix("write", self.pieces.span(self.code), name))
            }
            "(" if is_word(name) => {
                let diagnostic = self.at_found(Code::TupleVariant, "what a variant carries has names");
                let behind = self.pieces.text(Range { start: self.at, end: self.code.end });
                let fields = behind.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
                Some(match fields.and_then(|text| signature::fields(text, "value")) {
                    Some(fields) if fields.is_empty() => {
                        diagnostic.with_fix("write", self.pieces.span(self.code), name)
                    }
                    Some(fields) => {
                        let ours = format!("{name} {{ {} }}", fields.join(", "));
                        diagnostic.with_fix("write", self.pieces.span(self.code), ours)
                    }
                    None => diagnostic.with_help(format!("write `{name} {{ field: type, .. }}`")),
                })
            }
            _ => None,
        }
    }

    /// `const u8 MAX = 3;`
    fn constant(&self) -> Option<(Diagnostic, usize)> {
        let ty = self.before().trim_end().rsplit_once("const ")?.1.trim();
        if !is_type(ty) || !is_word(self.found) {
            return None;
        }
        let start = self.at - (self.before().len() - self.before().rfind(ty)?);
        let span = self.pieces.span(Range { start, end: self.at + self.found.len() });
        let diagnostic = Diagnostic::new(Code::TypeFirst, span, "the name of a constant stands before its type");
        let ours = format!("{}: {}", self.found, foreign::scalar(ty).unwrap_or(ty));
        Some((diagnostic.with_fix("write", span, ours), self.code.end))
    }

    /// `struct Unit;`, `struct Pair(u8, string);`
    fn tuple_struct(&self) -> Option<(Diagnostic, usize)> {
        if self.rule != Rule::struct_item {
            return None;
        }
        let rest = self.pieces.text(Range { start: self.at, end: self.code.end }).trim_end_matches(';').trim_end();
        let fields = match (self.found, rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'))) {
            (";", _) => Vec::new(),
            ("(", Some(inside)) => signature::fields(inside, "value")?,
            _ => return None,
        };
        let diagnostic = self.at_found(Code::UnnamedField, "a struct has its fields between braces, each with a name");
        let blank = if self.before().ends_with(' ') { "" } else { " " };
        let inside = if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) };
        let whole = self.pieces.span(Range { start: self.at, end: self.code.end });
        Some((diagnostic.with_fix("write", whole, format!("{blank}{inside}")), self.code.end))
    }

    fn declaration(&self) -> Option<(Diagnostic, usize)> {
        if let Some(found) = self.tuple_struct() {
            return Some(found);
        }
        let extends = matches!(self.found, ":" | "extends" | "implements");
        let diagnostic = extends.then(|| self.at_found(Code::Inheritance, "nothing is made from something else"))?;
        Some((diagnostic.with_help("put what both share into a struct, and give each a field of it"), self.code.end))
    }
}

/// `reserved 2 to 4`, `reserved "name"`, `reserved name`, where `what` would stand.
pub(super) fn reserved(span: Span, text: &str, what: &str) -> Diagnostic {
    let diagnostic = Diagnostic::new(Code::NothingReserved, span, "nothing is removed, so nothing is reserved");
    let named = text.trim_start().trim_start_matches("reserved").trim().trim_end_matches(';').trim_end();
    let name = named.trim_matches('"');
    if what == "declaration" {
        return diagnostic
            .with_help("names of types are not on the wire: one that nothing uses may go, and leaves no trace");
    }
    if named.starts_with(|first: char| first.is_ascii_digit()) {
        let article = if what == "action" { "an" } else { "a" };
        let help = format!("{article} {what} is its place, not a number: keep it there, with `@deprecated(\"why\")`");
        return diagnostic.with_help(help);
    }
    let which = if is_word(name) { format!("the {what} `{name}`") } else { format!("the {what}") };
    diagnostic.with_help(format!("keep {which} in its place, with `@deprecated(\"why\")`"))
}

/// A type by its looks: built in here or elsewhere, qualified, or in the casing of types.
fn is_type(word: &str) -> bool {
    let name = word.trim_end_matches('?');
    let is_path = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    let ours =
        ["bool", "u8", "u16", "u32", "u64", "u128", "i8", "i16", "i32", "i64", "i128", "f32", "f64", "string", "bytes"];
    let looks = name.starts_with(|c: char| c.is_ascii_uppercase()) || name.contains('.');
    is_path && (ours.contains(&name) || foreign::scalar(name).is_some() || looks)
}

pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_word_char)
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_modifier(word: &str) -> bool {
    foreign::is_modifier(word) || matches!(word, "optional" | "repeated")
}

/// `repeated string tags = 3`, `pub name: String` or `optional name: string` as a field of ours; `rest` stands behind the word.
fn modified(word: &str, rest: &str) -> Option<String> {
    let head = rest.split(['=', '[']).next().unwrap_or_default();
    if head.contains(':') {
        return named(word, rest);
    }
    let mut words = head.split_whitespace();
    let (ty, name) = (words.next().filter(|ty| is_type(ty))?, words.next().filter(|name| is_word(name))?);
    let ty = foreign::scalar(ty).unwrap_or(ty);
    let default = rest.split_once("[default").and_then(|(_, value)| value.trim_start().strip_prefix('='));
    Some(match (word, default) {
        ("repeated", _) => format!("{name}: [{ty}]"),
        (_, Some(value)) => format!("{name}: {ty} = {}", value.trim().trim_end_matches(']').trim_end()),
        ("optional", None) => format!("{name}: {}", optional(ty)),
        _ => format!("{name}: {ty}"),
    })
}

/// `name: type`, `name?: type` or `name: type | null`, with what stands behind the type.
pub(super) fn named(word: &str, text: &str) -> Option<String> {
    let is_none = |word: &str| matches!(word, "null" | "None" | "none" | "undefined" | "nil");
    let (name, ty) = text.split_once(':')?;
    let (ty, behind) = ty.split_at(ty.find(['@', '=']).unwrap_or(ty.len()));
    let plain = name.trim().trim_end_matches('?').trim_end();
    let types: Vec<&str> = ty.split('|').map(str::trim).collect();
    let [ty] = types.iter().copied().filter(|ty| !is_none(ty)).collect::<Vec<_>>().try_into().ok()?;
    if !is_word(plain) || ty.is_empty() {
        return None;
    }
    let ours = foreign::scalar(ty).map(str::to_owned).or_else(|| foreign::generic(ty).filter(|_| ty.ends_with('>')));
    let ours = ours.unwrap_or_else(|| ty.to_owned());
    let ours = if word == "repeated" { format!("[{ours}]") } else { ours };
    let is_optional = word == "optional" || plain != name.trim() || types.len() > 1;
    let ours = if is_optional { optional(&ours) } else { ours };
    let is_absent = behind.strip_prefix('=').is_some_and(|value| is_optional && is_none(value.trim()));
    let behind = if is_absent || behind.is_empty() { String::new() } else { format!(" {}", behind.trim_end()) };
    Some(format!("{plain}: {ours}{behind}"))
}

fn optional(ty: &str) -> String {
    format!("{}?", ty.trim_end_matches('?'))
}
