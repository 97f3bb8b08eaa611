//! Types, imports and lists that are right in another language, and how they are written here.
//!
//! Knows: `u8[]`, `[]string`, `&str`, an import without quotes, a comma that lacks. Does not know: which piece is tried when (`habits`).

use heck::{ToSnakeCase as _, ToUpperCamelCase as _};

use super::habits::{Broken, is_word};
use super::parse::{Rule, is_whole};
use super::split::Range;
use crate::diagnostic::{Code, Diagnostic};
use crate::foreign;

/// Annotations of a longer field are looked at no further for whose they are.
const CHARS_MAX: usize = 500;

/// What a type's name may hold.
fn is_path(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.')
}

fn ours(ty: &str) -> &str {
    foreign::scalar(ty).unwrap_or(ty)
}

/// A list of `ty`, or so many of it.
fn list_of(ty: &str, length: &str) -> String {
    match (ty, length) {
        ("u8", "") => "bytes".to_owned(),
        (_, "") => format!("[{ty}]"),
        _ => format!("[{ty}; {length}]"),
    }
}

fn is_length(text: &str) -> bool {
    text.chars().all(is_path)
}

impl Broken<'_> {
    fn written_elsewhere(&self, whole: Range, message: &str, ours: String) -> (Diagnostic, usize) {
        let span = self.pieces.span(whole);
        let diagnostic = Diagnostic::new(Code::ElsewhereType, span, message).with_fix("write", span, ours);
        (diagnostic, self.code.end)
    }

    pub(super) fn behind(&self, at: usize) -> &str {
        self.pieces.text(Range { start: at, end: self.code.end })
    }

    /// Whether a type may begin behind this text.
    fn wants_type(&self, before: &str) -> bool {
        let before = before.trim_end();
        before.ends_with([':', '[', '{']) || self.rule == Rule::alias_item && before.ends_with('=')
    }

    /// `u8[]`, `string[16]`: the brackets were found behind the type.
    pub(super) fn brackets_behind(&self) -> Option<(Diagnostic, usize)> {
        let before = self.before().trim_end();
        let name = before.trim_end_matches(|c| is_path(c) || c == '?');
        let (start, element) = (self.code.start + name.len(), &before[name.len()..]);
        if element.is_empty() || !self.wants_type(name) {
            return None;
        }
        if let Some(found) = self.generic_in_brackets(start, element) {
            return Some(found);
        }
        let (mut ty, mut rest) = (ours(element).to_owned(), self.behind(self.at));
        while let Some((length, behind)) = rest.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
            if !is_length(length.trim()) {
                return None;
            }
            ty = list_of(&ty, length.trim());
            rest = behind;
        }
        let whole = Range { start, end: self.code.end - rest.len() };
        Some(self.written_elsewhere(whole, "the brackets of a list stand around what it holds", ty))
    }

    /// `Option[u8]`, `map[string]u8`
    fn generic_in_brackets(&self, start: usize, name: &str) -> Option<(Diagnostic, usize)> {
        let (inside, behind) = self.behind(self.at).strip_prefix('[')?.split_once(']')?;
        let value = &behind[..behind.find(|c| !is_path(c)).unwrap_or(behind.len())];
        let (arguments, length) = match name {
            "map" if !value.is_empty() => (format!("{inside}, {value}"), value.len()),
            _ => (inside.to_owned(), 0),
        };
        let ours = foreign::generic(&format!("{name}<{arguments}>"))?;
        let end = self.code.end - behind.len() + length;
        let message = "what a type holds stands in it as it is written here";
        Some(self.written_elsewhere(Range { start, end }, message, ours))
    }

    /// `?u8`
    pub(super) fn optional_before(&self) -> Option<(Diagnostic, usize)> {
        if !self.wants_type(self.before()) {
            return None;
        }
        let behind = self.behind(self.at + 1).trim_start();
        let name = &behind[..behind.find(|c| !is_path(c)).unwrap_or(behind.len())];
        let end = self.code.end - behind.len() + name.len();
        let whole = Range { start: self.at, end };
        let message = "the `?` of an optional stands behind its type";
        (!name.is_empty()).then(|| self.written_elsewhere(whole, message, format!("{}?", ours(name))))
    }

    /// `E::a` where a value stands.
    pub(super) fn variant_path(&self) -> Option<(Diagnostic, usize)> {
        let variant = self.behind(self.at).strip_prefix("::")?;
        let variant = &variant[..variant.find(|c| !is_path(c) && c != ':').unwrap_or(variant.len())];
        let before = self.before();
        let path = &before[before.trim_end_matches(is_path).len()..];
        let is_value = before[..before.len() - path.len()].trim_end().ends_with('=');
        let name = variant.rsplit(':').next().filter(|name| is_word(name) && is_value && !path.is_empty())?;
        let whole = self.pieces.span(Range { start: self.at - path.len(), end: self.at + 2 + variant.len() });
        let diagnostic = Diagnostic::new(Code::Value, whole, "a variant is written by its name alone");
        Some((diagnostic.with_fix("write", whole, name), self.code.end))
    }

    /// `string max(8)`, `string(8)`, `string @max 8`: another way to bound what has a length.
    pub(super) fn limit(&self) -> Option<Diagnostic> {
        let before = self.before().trim_end();
        let is_number =
            |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
        let behind = self.behind(self.at);
        let (start, number, rest) = if let Some(before) = before.strip_suffix("@max").filter(|_| is_number(&self.found))
        {
            (before.trim_end(), self.found, &behind[self.found.len()..])
        } else {
            let call = behind.strip_prefix("max").unwrap_or(behind);
            let (number, rest) = call.trim_start().strip_prefix('(')?.split_once(')')?;
            (before, number.trim(), rest)
        };
        let ty = start.rsplit([':', '[', ' ']).next().unwrap_or_default();
        if !is_number(&number) || !matches!(ty, "string" | "bytes") && !start.ends_with([']', '}']) {
            return None;
        }
        let begin = self.code.start + start.len();
        let whole = self.pieces.span(Range { start: begin, end: self.code.end - rest.len() });
        let diagnostic = Diagnostic::new(Code::ElsewhereType, whole, "a limit is written `@max(n)` behind the type");
        Some(diagnostic.with_fix("write", whole, format!(" @max({number})")))
    }

    /// `oneof kind { .. }`, `union { .. }`, `enum Kind { .. }` among fields.
    pub(super) fn inside(&self) -> Option<(Diagnostic, usize)> {
        if self.rule != Rule::field {
            return None;
        }
        let text = self.text();
        let word = text.split(|c: char| !is_path(c)).next().unwrap_or_default();
        let head = text.split('{').next().unwrap_or_default();
        let kind = match word {
            "oneof" | "union" | "enum" => "enum",
            "struct" | "message" | "group" | "class" => "struct",
            _ => return None,
        };
        if head.len() == text.len() || head.contains(':') {
            return None;
        }
        let end = self.code.start + word.len();
        let span = self.pieces.span(Range { start: self.code.start, end });
        let diagnostic = Diagnostic::new(Code::UnknownDeclaration, span, "declarations do not stand in one another");
        let name = head[word.len()..].trim();
        let own = if name.is_empty() { "Kind".to_owned() } else { name.to_upper_camel_case() };
        let field = if name.is_empty() { "kind".to_owned() } else { name.to_snake_case() };
        let help = format!("declare `{kind} {own} {{ .. }}` by itself, and write `{field}: {own}` here");
        let open = self.code.start + head.len();
        let group = self.pieces.groups(self.code).into_iter().find(|group| group.open == open)?;
        Some((diagnostic.with_help(help), group.whole().end))
    }

    /// `[]string`, `[16]byte`: the type was found behind the brackets.
    pub(super) fn brackets_before(&self) -> Option<(Diagnostic, usize)> {
        let before = self.before().trim_end();
        let open = self.code.start + before.strip_suffix('[')?.len();
        let (length, behind) = self.behind(open + 1).split_once(']')?;
        let element = behind.trim_start();
        let element = &element[..element.find(|c| !is_path(c)).unwrap_or(element.len())];
        if element.is_empty() || !is_length(length.trim()) || !self.wants_type(&before[..before.len() - 1]) {
            return None;
        }
        let end = self.code.end - behind.trim_start().len() + element.len();
        let ty = list_of(ours(element), length.trim());
        Some(self.written_elsewhere(
            Range { start: open, end },
            "the brackets of a list stand around what it holds",
            ty,
        ))
    }

    /// `&str`, `&'a mut T`, `*T`.
    pub(super) fn reference(&self) -> Option<(Diagnostic, usize)> {
        if !self.wants_type(self.before()) {
            return None;
        }
        let mut rest = self.behind(self.at + self.found.len()).trim_start();
        if let Some(lifetime) = rest.strip_prefix('\'') {
            rest = lifetime.trim_start_matches(is_path).trim_start();
        }
        rest = rest.strip_prefix("mut ").unwrap_or(rest).trim_start();
        let name = &rest[..rest.find(|c| !is_path(c)).unwrap_or(rest.len())];
        let end = self.code.end - rest.len() + name.len();
        // A pointer may be null.
        let optional = if self.found == "*" && !name.is_empty() { "?" } else { "" };
        let message = "what is sent is whole: there are no references and no pointers";
        Some(self.written_elsewhere(Range { start: self.at, end }, message, format!("{}{optional}", ours(name))))
    }

    /// `import money.rpc;`, `import money;`, `import { Amount } from "money.rpc";`
    pub(super) fn bare_import(&self) -> Option<(Diagnostic, usize)> {
        let written = self.text().strip_prefix("import")?;
        let start = self.code.end - written.trim_start().len();
        let written = written.trim().trim_end_matches(';').trim_end();
        let path = match written.split('"').nth(1) {
            Some(quoted) => quoted.to_owned(),
            None => path_of(written.trim_matches(['\'', '<', '>']))?,
        };
        let span = self.pieces.span(Range { start, end: start + written.len() });
        let message = "an import names a file, between double quotes";
        let diagnostic = Diagnostic::new(Code::Quotes, span, message).with_fix("write", span, format!("\"{path}\""));
        Some((diagnostic, self.code.end))
    }

    /// `'text'`
    pub(super) fn quotes(&self) -> (Diagnostic, usize) {
        let message = "strings stand between double quotes";
        let inside = self.behind(self.at + 1);
        let text = inside.split('\'').next().filter(|text| text.len() < inside.len());
        let Some(text) = text.filter(|text| !text.contains(['"', '\\', '\n'])) else {
            return (self.at_found(Code::Quotes, message).with_help("write `\"text\"`"), self.code.end);
        };
        let span = self.pieces.span(Range { start: self.at, end: self.at + text.len() + 2 });
        (Diagnostic::new(Code::Quotes, span, message).with_fix("write", span, format!("\"{text}\"")), self.code.end)
    }

    /// Two fields, or two variants, with nothing between them but blanks; and where the first ends.
    pub(super) fn no_comma(&self) -> Option<(Diagnostic, usize)> {
        let before = self.before().trim_end();
        let behind = self.behind(self.at + self.found.len()).trim_start();
        let begins = match self.rule {
            Rule::field => behind.starts_with(':') && !behind.starts_with("::"),
            Rule::variant => true,
            _ => return None,
        };
        if !begins || !is_word(self.found) || !is_whole(self.rule, before) {
            return None;
        }
        let end = self.code.start + self.without_annotations_of_next(before).len();
        let span = self.pieces.span(Range { start: end, end });
        let what = if self.rule == Rule::field { "fields" } else { "variants" };
        let diagnostic = Diagnostic::new(Code::Separator, span, format!("a `,` is missing between two {what}"));
        Some((diagnostic.with_fix("write", span, ","), end))
    }

    /// Annotations on lines of their own before a field are that field's, but for `@max`, which stands behind a type.
    fn without_annotations_of_next<'t>(&self, before: &'t str) -> &'t str {
        let mut mine = before;
        if before.len() > CHARS_MAX {
            return before;
        }
        for (at, _) in before.rmatch_indices('@') {
            let rest = before[..at].trim_end();
            if before[at..].starts_with("@max") || !is_whole(self.rule, rest) {
                break;
            }
            if before[rest.len()..at].contains('\n') {
                mine = rest;
            }
        }
        mine
    }
}

/// The file that a path without quotes means: `money.rpc`, `shared/money`, `shop::money`.
fn path_of(written: &str) -> Option<String> {
    if !written.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'))
        || !written.chars().all(|c| is_path(c) || matches!(c, '/' | ':' | '-'))
    {
        return None;
    }
    if written.ends_with(".rpc") {
        return Some(written.to_owned());
    }
    let folders = if written.contains('/') { written.to_owned() } else { written.replace("::", "/").replace('.', "/") };
    Some(folders + ".rpc")
}
