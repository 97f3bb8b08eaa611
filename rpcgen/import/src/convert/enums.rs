//! Enums.
//!
//! Knows: prefixes of values, aliases, order by number. Does not know: messages.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use heck::{ToShoutySnakeCase as _, ToSnakeCase as _};
use prost_types::{EnumDescriptorProto, EnumValueDescriptorProto};

use super::fields::deprecated;
use super::messages::reservation;
use super::{Writer, below, part};
use crate::comments::tag;
use crate::loss::Kind;
use crate::names::{Casing, Taken};
use crate::options::{DEPRECATED, Options};
use crate::symbols::DeclaredId;

/// A value that becomes a variant.
pub(super) struct Value<'a> {
    /// Its number in the declaration.
    index: usize,
    value: &'a EnumValueDescriptorProto,
    name: String,
}

/// The variants, by their numbers; a second name of a number is none.
fn values(one: &EnumDescriptorProto) -> Vec<Value<'_>> {
    let mut order: Vec<(usize, &EnumValueDescriptorProto)> = one.value.iter().enumerate().collect();
    // The first one is what a new value is: proto's zero. What a later version adds comes behind, with negative numbers too.
    order.sort_by_key(|(_, value)| (value.number() < 0, value.number().unsigned_abs()));
    order.dedup_by_key(|(_, value)| value.number());
    let mut taken = Taken::default();
    order
        .into_iter()
        .map(|(index, value)| Value {
            index,
            value,
            name: taken.take(&variant(one.name(), value.name()), "_value", Casing::Camel),
        })
        .collect()
}

/// The name of the variant that a value has become, or its alias has.
pub(super) fn variant_of(one: &EnumDescriptorProto, value: &str) -> Option<String> {
    let number = one.value.iter().find(|other| other.name() == value)?.number();
    values(one).into_iter().find(|other| other.value.number() == number).map(|value| value.name)
}

/// `COLOR_DARK_RED` of `Color` is `dark_red`.
fn variant(of: &str, value: &str) -> String {
    let prefix = of.to_shouty_snake_case() + "_";
    let short = value.strip_prefix(&prefix).unwrap_or(value);
    let begins = short.starts_with(|c: char| c.is_ascii_alphabetic());
    let name = if begins { short } else { value };
    // Not snake_case as it is written: `V1Beta` and `V1BETA` are `v1_beta` and `v1beta`.
    if name.contains(|c: char| c.is_ascii_lowercase()) { name.to_snake_case() } else { name.to_ascii_lowercase() }
}

impl Writer<'_, '_> {
    pub(super) fn enumeration(&mut self, id: DeclaredId, one: &EnumDescriptorProto) {
        let (file, path) = (self.symbols.list[id].file, self.symbols.list[id].path.clone());
        self.text.push('\n');
        self.remarks(file, &path);
        let given = one.options.as_ref().map_or(&[][..], |options| &options.uninterpreted_option);
        let options = Options::of(given, &[DEPRECATED]);
        self.options(file, &part(&path, tag::ENUM_OPTIONS), &options);
        let _ = writeln!(self.text, "{}enum {} {{", deprecated(options.deprecated), self.names.types[&id]);
        let values = values(one);
        for value in &values {
            let path = below(&path, tag::VALUE, value.index);
            self.remarks(file, &path);
            let options = value_options(value.value, &[DEPRECATED]);
            self.options(file, &part(&path, tag::VALUE_OPTIONS), &options);
            if value.name != variant(one.name(), value.value.name()) {
                self.lose(file, &path, Kind::Renamed, format!("{} is called {}", value.value.name(), value.name));
            }
            let _ = writeln!(self.text, "{}{},", deprecated(options.deprecated), value.name);
        }
        let kept: BTreeSet<usize> = values.iter().map(|value| value.index).collect();
        let others = || one.value.iter().enumerate().filter(|(index, _)| !kept.contains(index));
        for (index, _) in others() {
            self.as_remarks(file, &below(&path, tag::VALUE, index));
        }
        self.end_remarks(file, &path);
        self.text.push_str("}\n");
        for (index, value) in others() {
            let path = below(&path, tag::VALUE, index);
            let what = format!("{}: another name of the value {}", value.name(), value.number());
            self.lose(file, &path, Kind::Alias, what);
            self.options(file, &part(&path, tag::VALUE_OPTIONS), &value_options(value, &[]));
        }
        if !one.reserved_range.is_empty() {
            self.lose(file, &part(&path, tag::ENUM_RESERVED_RANGE), Kind::Reserved, reservation(one.name()));
        } else if !one.reserved_name.is_empty() {
            self.lose(file, &part(&path, tag::ENUM_RESERVED_NAME), Kind::Reserved, reservation(one.name()));
        }
    }
}

fn value_options(value: &EnumValueDescriptorProto, likes: &[&str]) -> Options {
    Options::of(value.options.as_ref().map_or(&[][..], |options| &options.uninterpreted_option), likes)
}

#[cfg(test)]
mod tests {
    use super::variant;

    #[test]
    fn the_prefix_of_an_enum_is_taken_off_where_a_name_is_left() {
        assert_eq!(variant("Color", "COLOR_DARK_RED"), "dark_red");
        assert_eq!(variant("Size", "SIZE_1080P"), "size_1080p");
        assert_eq!(variant("HttpMethod", "GET"), "get");
        assert_eq!(variant("Kind", "kindA"), "kind_a");
    }
}
