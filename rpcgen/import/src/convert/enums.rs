//! Enums.
//!
//! Knows: prefixes of values, aliases, order by number. Does not know: messages.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use heck::{ToShoutySnakeCase as _, ToSnakeCase as _};
use prost_types::{EnumDescriptorProto, EnumValueDescriptorProto};

use super::Writer;
use super::fields::deprecated;
use super::messages::reservation;
use crate::comments::tag;
use crate::loss::Kind;
use crate::names::{Casing, Taken};
use crate::options::Options;
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
        let options = Options::of(one.options.as_ref().map_or(&[], |options| &options.uninterpreted_option));
        self.options(file, &path, &options);
        let _ = writeln!(self.text, "{}enum {} {{", deprecated(options.deprecated), self.names.types[&id]);
        let values = values(one);
        for value in &values {
            let path: Vec<i32> =
                path.iter().copied().chain([tag::VALUE, i32::try_from(value.index).unwrap_or_default()]).collect();
            self.remarks(file, &path);
            let of_it = &value.value.options;
            let options = Options::of(of_it.as_ref().map_or(&[], |options| &options.uninterpreted_option));
            self.options(file, &path, &options);
            if value.name != variant(one.name(), value.value.name()) {
                self.lose(file, &path, Kind::Renamed, format!("{} is called {}", value.value.name(), value.name));
            }
            let _ = writeln!(self.text, "{}{},", deprecated(options.deprecated), value.name);
        }
        let kept: BTreeSet<usize> = values.iter().map(|value| value.index).collect();
        let others = || {
            (0..).zip(&one.value).filter(|(index, _)| !usize::try_from(*index).is_ok_and(|index| kept.contains(&index)))
        };
        for (index, _) in others() {
            let path: Vec<i32> = path.iter().copied().chain([tag::VALUE, index]).collect();
            self.as_remarks(file, &path);
        }
        self.end_remarks(file, &path);
        self.text.push_str("}\n");
        for (_, value) in others() {
            let what = format!("{}: another name of the value {}", value.name(), value.number());
            self.lose(file, &path, Kind::Alias, what);
        }
        if !(one.reserved_range.is_empty() && one.reserved_name.is_empty()) {
            self.lose(file, &path, Kind::Reserved, reservation(one.name()));
        }
    }
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
