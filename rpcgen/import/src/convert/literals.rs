//! Defaults of proto2 as values of the language.
//!
//! Knows: how both write numbers, strings and bytes. Does not know: fields.

use prost_types::field_descriptor_proto::Type;

/// A default of a scalar type; `None` where the language has no such value.
pub(super) fn literal(ty: Type, value: &str) -> Option<String> {
    match ty {
        Type::String => Some(string(value)),
        Type::Bytes => bytes(value),
        // `inf` and `nan` are none of the language's.
        Type::Double | Type::Float => {
            value.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| format!("{number:?}"))
        }
        Type::Bool => Some(value.to_owned()),
        Type::Enum | Type::Message | Type::Group => None,
        _ => value.parse::<i128>().ok().map(|number| number.to_string()),
    }
}

fn string(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            _ if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out + "\""
}

/// The parser leaves bytes with escapes of its own: `\n`, `\"`, `\\`, `\001`, `\xff`.
fn bytes(value: &str) -> Option<String> {
    let mut out = String::from("b\"");
    let mut rest = value.chars().peekable();
    while let Some(c) = rest.next() {
        let byte = match c {
            '\\' => match rest.next()? {
                'n' => b'\n',
                'r' => b'\r',
                't' => b'\t',
                'x' => {
                    let digits: String = std::iter::from_fn(|| rest.next_if(char::is_ascii_hexdigit)).take(2).collect();
                    u8::from_str_radix(&digits, 16).ok()?
                }
                first @ '0'..='7' => {
                    let more = std::iter::from_fn(|| rest.next_if(|c| ('0'..='7').contains(c))).take(2);
                    let digits: String = std::iter::once(first).chain(more).collect();
                    u8::from_str_radix(&digits, 8).ok()?
                }
                quoted @ ('\\' | '\'' | '"') => u8::try_from(quoted).ok()?,
                _ => return None,
            },
            _ if c.is_ascii() && !c.is_ascii_control() => u8::try_from(c).ok()?,
            _ => return None,
        };
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    Some(out + "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_the_language_has_are_written_in_its_way() {
        assert_eq!(literal(Type::String, "a\"\\\n\u{7}").as_deref(), Some("\"a\\\"\\\\\\n\\u{7}\""));
        assert_eq!(literal(Type::Bytes, r"a\001\xff\n\\\'").as_deref(), Some(r#"b"a\x01\xff\x0a\\'""#));
        assert_eq!(literal(Type::Sint64, "-5").as_deref(), Some("-5"));
        assert_eq!(literal(Type::Double, "1").as_deref(), Some("1.0"));
        assert_eq!(literal(Type::Float, "inf"), None);
    }
}
