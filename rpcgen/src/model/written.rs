//! Types and values as they are written in a `.rpc` file.
//!
//! Knows: the spelling. Does not know: files, layout, what comes of them in Rust.

use std::fmt::Write as _;

use super::{Model, PackageId, Type, TypeId, Value};

/// A type. Types of other packages than `home` are written with their package; without `home`, all are.
pub fn type_text(model: &Model, home: Option<PackageId>, ty: &Type) -> String {
    let mut out = String::new();
    write_type(model, home, ty, &mut out);
    out
}

/// The name of a named type, with its package unless that is `home`.
pub fn type_name(model: &Model, home: Option<PackageId>, id: TypeId) -> String {
    let def = model.type_def(id);
    if Some(def.package) == home {
        return def.name.clone();
    }
    format!("{}.{}", model.package(def.package).name, def.name)
}

/// A built-in type without parts. `None`: it has parts, or is a named one.
pub const fn scalar_name(ty: &Type) -> Option<&'static str> {
    Some(match ty {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::U128 => "u128",
        Type::I8 => "i8",
        Type::I16 => "i16",
        Type::I32 => "i32",
        Type::I64 => "i64",
        Type::I128 => "i128",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::String { .. } => "string",
        Type::Bytes { .. } => "bytes",
        Type::Uuid => "uuid",
        Type::Timestamp => "timestamp",
        Type::Duration => "duration",
        Type::AppId => "AppId",
        Type::Optional(_) | Type::List { .. } | Type::Array { .. } | Type::Map { .. } | Type::Named(_) => return None,
    })
}

fn write_type(model: &Model, home: Option<PackageId>, ty: &Type, out: &mut String) {
    let limit = |out: &mut String, max: &Option<u64>| {
        if let Some(max) = max {
            let _ = write!(out, " @max({max})");
        }
    };
    match ty {
        Type::Optional(content) => {
            // `string? @max(8)`: the mark stands before the limit of what it makes optional.
            let text = type_text(model, home, content);
            match text.rsplit_once(" @max(") {
                Some((before, max)) if !max.contains(['[', ']', '{', '}', ',']) => {
                    let _ = write!(out, "{before}? @max({max}");
                }
                _ => {
                    let _ = write!(out, "{text}?");
                }
            }
        }
        Type::List { element, max } => {
            out.push('[');
            write_type(model, home, element, out);
            out.push(']');
            limit(out, max);
        }
        Type::Array { element, length } => {
            out.push('[');
            write_type(model, home, element, out);
            let _ = write!(out, "; {length}]");
        }
        Type::Map { key, value, max } => {
            out.push('{');
            write_type(model, home, key, out);
            out.push_str(": ");
            write_type(model, home, value, out);
            out.push('}');
            limit(out, max);
        }
        Type::Named(id) => out.push_str(&type_name(model, home, *id)),
        Type::String { max } | Type::Bytes { max } => {
            out.push_str(scalar_name(ty).unwrap_or_default());
            limit(out, max);
        }
        scalar => out.push_str(scalar_name(scalar).unwrap_or_default()),
    }
}

/// A value.
pub fn value_text(model: &Model, value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Unsigned(value) => value.to_string(),
        Value::Negative(value) => value.to_string(),
        Value::Float(value) => format!("{value:?}"),
        Value::String(text) => string_text(text),
        Value::Bytes(bytes) => format!("b\"{}\"", bytes.escape_ascii()),
        Value::Duration(nanoseconds) => duration_text(*nanoseconds),
        Value::Variant(id, index) => match &model.type_def(*id).kind {
            super::TypeKind::Enum { variants } => {
                variants.get(*index as usize).map_or_else(String::new, |variant| variant.name.clone())
            }
            _ => String::new(),
        },
        Value::EmptyList => "[]".to_owned(),
        Value::EmptyMap => "{}".to_owned(),
        Value::None => "none".to_owned(),
        Value::AppId(number) => format!("AppId({number})"),
    }
}

/// A text between quotes, with the escapes of the language.
pub fn string_text(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            control if control.is_control() => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// A duration in the largest unit that has no rest.
pub fn duration_text(nanoseconds: u128) -> String {
    const UNITS: [(u128, &str); 7] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    let whole = UNITS.iter().find(|(unit, _)| nanoseconds > 0 && nanoseconds.is_multiple_of(*unit));
    whole.map_or_else(|| "0s".to_owned(), |(unit, name)| format!("{}{name}", nanoseconds / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_written_as_the_language_reads_them() {
        let text = |ty: &Type| type_text(&Model::default(), None, ty);
        let short = Type::String { max: Some(8) };
        let list = Type::List { element: Box::new(short.clone()), max: None };
        assert_eq!(text(&Type::Optional(Box::new(short))), "string? @max(8)");
        assert_eq!(text(&Type::Optional(Box::new(list.clone()))), "[string @max(8)]?");
        let map = Type::Map { key: Box::new(Type::U8), value: Box::new(list), max: Some(3) };
        assert_eq!(text(&Type::Optional(Box::new(map))), "{u8: [string @max(8)]}? @max(3)");
    }

    #[test]
    fn durations_have_the_largest_unit_that_fits() {
        assert_eq!(duration_text(1_500_000_000), "1500ms");
        assert_eq!(duration_text(172_800_000_000_000), "2d");
        assert_eq!(duration_text(0), "0s");
    }
}
