//! Names that are two in the text and one in Rust, and names that Rust cannot have.
//!
//! Knows: which casing a name takes in the generated code. Does not know: the names that the generator adds (`reserved`).

use std::collections::HashMap;

use heck::{ToShoutySnakeCase as _, ToSnakeCase as _, ToUpperCamelCase as _};

use super::scope::{BUILT_IN, Scope};
use super::walk;
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::syntax::ast::{Item, Name};

/// The casing that a kind of name takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Casing {
    /// Fields, methods, modules.
    Snake,
    /// Types and variants.
    Camel,
    /// Constants.
    Shouty,
}

impl Casing {
    pub(super) fn apply(self, name: &str) -> String {
        if self.is_plainly(name) {
            return name.to_owned();
        }
        match self {
            Self::Snake => name.to_snake_case(),
            Self::Camel => name.to_upper_camel_case(),
            Self::Shouty => name.to_shouty_snake_case(),
        }
    }

    /// Whether the name has this casing at first sight, as nearly all have: to take one apart and put it together again takes longer than
    /// all else that is checked of it.
    fn is_plainly(self, name: &str) -> bool {
        let bytes = name.as_bytes();
        let pairs = || bytes.windows(2).map(|pair| (pair[0], pair[1]));
        match self {
            Self::Snake => {
                bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_')
                    && bytes.first().is_some_and(|first| *first != b'_')
                    && bytes.last() != Some(&b'_')
                    && !pairs().any(|pair| pair == (b'_', b'_'))
            }
            Self::Camel => {
                bytes.iter().all(u8::is_ascii_alphanumeric)
                    && bytes.first().is_some_and(u8::is_ascii_uppercase)
                    && pairs().all(|(before, byte)| !byte.is_ascii_uppercase() || before.is_ascii_lowercase())
            }
            Self::Shouty => false,
        }
    }
}

pub(super) fn check(scope: &Scope<'_>, sink: &mut Sink) {
    for site in walk::field_lists(scope.units) {
        distinct(site.list.fields.iter().map(|field| &field.head.name), Casing::Snake, sink);
    }
    for site in walk::variant_lists(scope.units) {
        distinct(site.list.variants.iter().map(|variant| &variant.head.name), Casing::Camel, sink);
    }
    for (_, service) in walk::services(scope.units) {
        let actions = walk::actions(service).map(|action| &action.head.name);
        let broadcasts = walk::broadcasts(service).map(|broadcast| &broadcast.head.name);
        distinct(actions.chain(broadcasts), Casing::Snake, sink);
    }
    for (_, item) in walk::items(scope.units).filter(|(_, item)| !matches!(item, Item::External(_))) {
        let casing = if matches!(item, Item::Constant(_)) { Casing::Shouty } else { Casing::Camel };
        possible(item.name(), casing, sink);
        not_built_in(item.name(), sink);
    }
    for path in scope.units.iter().filter_map(|unit| unit.file.package.as_ref()) {
        path.prefix.iter().chain([&path.last]).for_each(|name| possible(name, Casing::Snake, sink));
    }
}

/// No two of these names become one, and each can stand in Rust.
fn distinct<'a>(names: impl Iterator<Item = &'a Name>, casing: Casing, sink: &mut Sink) {
    let mut first_of: HashMap<String, &Name> = HashMap::new();
    for name in names {
        possible(name, casing, sink);
        let rust = casing.apply(&name.text);
        match first_of.get(&rust) {
            Some(first) if first.text != name.text => same(name, first, sink),
            Some(_) => {}
            None => {
                first_of.insert(rust, name);
            }
        }
    }
}

/// Two names as written that are one.
pub(super) fn same(name: &Name, first: &Name, sink: &mut Sink) {
    let message = format!("`{}` and `{}` differ only in casing and underscores", first.text, name.text);
    let diagnostic = Diagnostic::new(Code::SameInRust, name.span, message).with_secondary(first.span, "the other one");
    sink.push(
        diagnostic.with_help("names take the casing of Rust in the generated code: give one of them another name"),
    );
}

/// What is left of the name begins with a letter. Words of Rust are no matter: the generator knows how to write them.
fn possible(name: &Name, casing: Casing, sink: &mut Sink) {
    let begins_with_a_letter = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
    if begins_with_a_letter(&name.text) || begins_with_a_letter(&casing.apply(&name.text)) {
        return;
    }
    let diagnostic =
        Diagnostic::new(Code::NoLetter, name.span, format!("`{}` cannot be a name in the generated code", name.text));
    sink.push(diagnostic.with_label("no letter stands at its start").with_help("begin it with a letter"));
}

/// Whoever writes the name means the built-in type.
fn not_built_in(name: &Name, sink: &mut Sink) {
    if BUILT_IN.iter().any(|(built_in, _)| *built_in == name.text) {
        let diagnostic =
            Diagnostic::new(Code::BuiltInName, name.span, format!("`{}` is a type of the language", name.text));
        sink.push(diagnostic.with_help("give it another name"));
    } else if matches!(name.text.as_str(), "true" | "false" | "none") {
        let diagnostic =
            Diagnostic::new(Code::BuiltInName, name.span, format!("`{}` is a value of the language", name.text));
        sink.push(diagnostic.with_help("give it another name"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_its_casing_at_first_sight_has_it() {
        let names = ["a", "a1", "a_1", "order_id", "A", "A1", "Ab", "AbCd", "Ab1", "Ab1c", "HttpServer9"];
        for (name, casing) in names.iter().flat_map(|name| [Casing::Snake, Casing::Camel].map(|casing| (name, casing)))
        {
            if casing.is_plainly(name) {
                let slowly = if casing == Casing::Snake { name.to_snake_case() } else { name.to_upper_camel_case() };
                assert_eq!(&slowly, name);
            }
        }
        assert!(names.iter().all(|name| Casing::Snake.is_plainly(name) != Casing::Camel.is_plainly(name)));
        for name in ["", "_a", "a_", "a__b", "aB", "HTTP", "A1B", "A_b", "1", "\u{e4}"] {
            assert!(!Casing::Camel.is_plainly(name) && (name == "1" || !Casing::Snake.is_plainly(name)), "{name}");
        }
    }
}
