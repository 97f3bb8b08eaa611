//! What people bring along from other languages.
//!
//! Knows: words of protobuf, Thrift, Rust, Go, TypeScript and their like, and what this language has instead. Does not know: where they
//! stand, what is said of them.

use crate::nearest::nearest;

/// The built-in types of this language.
pub(crate) const BUILT_IN: [&str; 19] = [
    "bool",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "f32",
    "f64",
    "string",
    "bytes",
    "uuid",
    "timestamp",
    "duration",
    "AppId",
];

/// The built-in type that a foreign name means.
pub(crate) fn scalar(name: &str) -> Option<&'static str> {
    known(name).or_else(|| of_nearest_width(name))
}

/// `u64` for `u65`, `u128` for `u256`: a number type of a width that there is not. Of two that are as near, the wider one.
fn of_nearest_width(name: &str) -> Option<&'static str> {
    let (kind, digits) = name.split_at_checked(1)?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok())?;
    let wanted = number(digits)?;
    let widths = BUILT_IN.into_iter().filter_map(|ours| Some((number(ours.strip_prefix(kind)?)?, ours)));
    widths
        .min_by_key(|(width, _)| (width.abs_diff(wanted), u32::MAX - width))
        .map(|(_, ours)| ours)
        .filter(|ours| *ours != name)
}

fn known(name: &str) -> Option<&'static str> {
    Some(match name {
        "String" | "str" | "text" | "Text" | "varchar" => "string",
        "int" | "int32" | "sint32" | "integer" | "Int" | "Int32" | "Integer" | "sfixed32" => "i32",
        "long" | "int64" | "sint64" | "Int64" | "Long" | "sfixed64" | "isize" => "i64",
        "short" | "int16" | "Int16" => "i16",
        "int8" | "Int8" => "i8",
        "uint" | "uint32" | "UInt32" | "fixed32" => "u32",
        "uint64" | "UInt64" | "usize" | "fixed64" => "u64",
        "uint16" | "UInt16" => "u16",
        "float" | "float32" | "Float32" | "Float" => "f32",
        "double" | "float64" | "Float64" | "Double" | "number" => "f64",
        "boolean" | "Boolean" | "Bool" => "bool",
        "byte" | "uint8" | "UInt8" | "char" => "u8",
        "binary" | "blob" | "Bytes" | "buffer" => "bytes",
        "UUID" | "Uuid" | "guid" | "Guid" => "uuid",
        "Timestamp" | "datetime" | "DateTime" | "time" | "Instant" | "SystemTime" => "timestamp",
        "Duration" | "interval" | "timedelta" => "duration",
        "app_id" | "appid" | "AppID" | "App" => "AppId",
        _ => return None,
    })
}

/// A type in angle brackets, such as `map<string, list<u32>>`, as this language writes it.
pub(crate) fn generic(text: &str) -> Option<String> {
    translate(text, 8)
}

fn translate(text: &str, depth: u32) -> Option<String> {
    let text = text.trim();
    let depth = depth.checked_sub(1)?;
    let Some((name, rest)) = text.split_once('<') else {
        let is_name = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.?[]".contains(c));
        // Declared types begin with a capital: a small word is one of ours, or nearly.
        let meant = || nearest(text, BUILT_IN).filter(|_| text.starts_with(|first: char| first.is_ascii_lowercase()));
        return is_name.then(|| scalar(text).or_else(meant).unwrap_or(text).to_owned());
    };
    let arguments: Vec<String> =
        split(rest.strip_suffix('>')?).into_iter().map(|one| translate(one, depth)).collect::<Option<_>>()?;
    let name = name.trim().rsplit(['.', ':']).next().unwrap_or_default();
    match (name.to_ascii_lowercase().as_str(), arguments.as_slice()) {
        ("vec" | "list", [byte]) if byte == "u8" => Some("bytes".to_owned()),
        ("vec" | "list" | "array" | "repeated" | "seq" | "sequence" | "set" | "hashset" | "btreeset", [element]) => {
            Some(format!("[{element}]"))
        }
        ("map" | "hashmap" | "btreemap" | "dict" | "record", [key, value]) => Some(format!("{{{key}: {value}}}")),
        ("optional" | "option" | "maybe" | "nullable", [content]) => Some(format!("{content}?")),
        ("box" | "arc" | "rc" | "ref", [content]) => Some(content.clone()),
        _ => None,
    }
}

/// The first number type in a text whose width there is not, and what was meant by it.
pub(crate) fn unknown_width(text: &str) -> Option<(&str, &'static str)> {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.find_map(|word| Some((word, of_nearest_width(word)?)))
}

/// At the commas that stand in no brackets of any kind.
pub(crate) fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' | b'[' | b'{' | b'<' => depth += 1,
            b')' | b']' | b'}' | b'>' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// The word of this language that begins such a declaration.
pub(crate) fn declaration(word: &str) -> Option<&'static str> {
    Some(match word {
        "message" | "record" | "class" | "object" | "exception" | "data" => "struct",
        "union" | "oneof" | "choice" => "enum",
        "interface" | "protocol" | "trait" => "service",
        "type" | "typedef" | "using" | "newtype" | "typealias" => "alias",
        "let" | "var" | "val" | "static" | "define" | "final" => "const",
        "include" | "use" | "require" => "import",
        "namespace" | "module" | "mod" => "package",
        _ => return None,
    })
}

/// The word of this language that begins such a member of a service.
pub(crate) fn member(word: &str) -> Option<&'static str> {
    Some(match word {
        "rpc" | "fn" | "func" | "def" | "method" | "call" | "async" | "query" | "mutation" => "action",
        "event" | "notify" | "notification" | "signal" | "stream" | "subscription" | "emit" => "broadcast",
        _ => return None,
    })
}

/// The annotation of this language that says the same.
pub(crate) fn annotation(word: &str) -> Option<&'static str> {
    Some(match word {
        "secret" | "private" | "redact" | "redacted" | "debug_redact" | "confidential" => "sensitive",
        "maxLength" | "maxlen" | "len" | "length" | "max_length" | "max_len" | "max_size" | "maxItems"
        | "max_items" | "limit" => "max",
        "obsolete" => "deprecated",
        "timeout" => "deadline",
        "durable" => "persist",
        _ => return None,
    })
}

/// A word that other languages put before a declaration or a field, and that says nothing here.
pub(crate) fn is_modifier(word: &str) -> bool {
    matches!(
        word,
        "pub" | "public" | "private" | "export" | "required" | "readonly" | "mut" | "var" | "let" | "val" | "abstract"
    )
}

#[cfg(test)]
mod tests {
    use super::{generic, scalar};

    #[test]
    fn widths_that_there_are_not_become_the_nearest() {
        for (foreign, ours) in
            [("u65", "u64"), ("u256", "u128"), ("i24", "i32"), ("f16", "f32"), ("f128", "f64"), ("u1", "u8")]
        {
            assert_eq!(scalar(foreign), Some(ours), "{foreign}");
        }
        for name in ["u64", "u", "u6x", "x64", "ü65", "uuid", "u99999999999"] {
            assert_eq!(scalar(name), None, "{name}");
        }
    }

    #[test]
    fn angle_brackets_become_our_forms() {
        for (foreign, ours) in [
            ("list<u32>", "[u32]"),
            ("list<u65>", "[u64]"),
            ("map<strng, Ordr>", "{string: Ordr}"),
            ("Vec<u8>", "bytes"),
            ("map<string, list<int64>>", "{string: [i64]}"),
            ("std::collections::HashMap<String, Option<bool>>", "{string: bool?}"),
            ("optional<money.Amount>", "money.Amount?"),
        ] {
            assert_eq!(generic(foreign).as_deref(), Some(ours), "{foreign}");
        }
        for foreign in ["Page<u8>", "map<u8>", "list<u8", "list<>", "<<<<<<<<<<<<>>>>>>>>>>>>"] {
            assert_eq!(generic(foreign), None, "{foreign}");
        }
    }
}
