//! What people bring along from other languages.
//!
//! Knows: words of protobuf, Thrift, Rust, Go, TypeScript and their like, and what this language has instead. Does not know: where they
//! stand, what is said of them.

/// The built-in type that a foreign name means.
pub(crate) fn scalar(name: &str) -> Option<&'static str> {
    Some(match name {
        "String" | "str" | "text" | "Text" | "varchar" => "string",
        "int" | "int32" | "sint32" | "integer" | "Int" | "Integer" | "sfixed32" => "i32",
        "long" | "int64" | "sint64" | "Long" | "sfixed64" | "isize" => "i64",
        "short" | "int16" => "i16",
        "int8" => "i8",
        "uint" | "uint32" | "fixed32" => "u32",
        "uint64" | "usize" | "fixed64" => "u64",
        "uint16" => "u16",
        "float" | "float32" | "Float" => "f32",
        "double" | "float64" | "Double" | "number" => "f64",
        "boolean" | "Boolean" | "Bool" => "bool",
        "byte" | "uint8" | "char" => "u8",
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
        return is_name.then(|| scalar(text).unwrap_or(text).to_owned());
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

/// At the commas that stand in no angle brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'<' => depth += 1,
            b'>' => depth = depth.saturating_sub(1),
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
        "let" | "static" | "define" | "final" => "const",
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

/// A word that other languages put before a declaration or a field, and that says nothing here.
pub(crate) fn is_modifier(word: &str) -> bool {
    matches!(
        word,
        "pub" | "public" | "private" | "export" | "required" | "readonly" | "mut" | "var" | "let" | "val" | "abstract"
    )
}

#[cfg(test)]
mod tests {
    use super::generic;

    #[test]
    fn angle_brackets_become_our_forms() {
        for (foreign, ours) in [
            ("list<u32>", "[u32]"),
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
