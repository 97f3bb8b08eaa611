//! What a token of a literal stands for.
//!
//! Knows: numbers, units of time, escapes. Does not know: the type that the literal is meant for.

use super::ast::LiteralKind;
use crate::diagnostic::Code;

/// Why a literal cannot be read.
pub(super) type Wrong = (Code, String);

fn wrong(why: impl Into<String>) -> Wrong {
    (Code::Literal, why.into())
}

fn bad_escape(why: impl Into<String>) -> Wrong {
    (Code::Escape, why.into())
}

/// A number, with or without a unit; what is wrong with it otherwise.
pub(super) fn number(text: &str) -> Result<LiteralKind, Wrong> {
    if without_type(text).is_some() {
        return Err(wrong("a number has no type behind it"));
    }
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let clean = digits.replace('_', "");
    if let Some(hex) = clean.strip_prefix("0x") {
        return radix(hex, 16, negative);
    }
    if let Some(binary) = clean.strip_prefix("0b") {
        return radix(binary, 2, negative);
    }
    let unit = clean.trim_start_matches(|c: char| c.is_ascii_digit());
    let has_exponent = unit.strip_prefix(['e', 'E']).is_some_and(|exponent| !exponent.starts_with(char::is_alphabetic));
    if has_exponent || unit.starts_with('.') {
        return float(&clean, negative);
    }
    if unit.is_empty() {
        radix(&clean, 10, negative)
    } else {
        duration(&clean[..clean.len() - unit.len()], unit, negative)
    }
}

/// The number of `1u32`, as Rust writes it.
pub(super) fn without_type(text: &str) -> Option<&str> {
    let is_hex = text.trim_start_matches('-').starts_with("0x");
    NUMBERS.iter().filter(|ty| !is_hex || !ty.starts_with('f')).find_map(|ty| {
        let number = text.strip_suffix(ty)?;
        number.ends_with(|c: char| c.is_ascii_hexdigit() || c == '_').then_some(number.trim_end_matches('_'))
    })
}

/// What stands behind numbers in Rust.
const NUMBERS: [&str; 14] =
    ["u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64"];

fn radix(digits: &str, radix: u32, negative: bool) -> Result<LiteralKind, Wrong> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(wrong(format!("these are not digits of base {radix}")));
    }
    let magnitude = u128::from_str_radix(digits, radix).map_err(|_| wrong("no integer has so many digits"))?;
    Ok(LiteralKind::Integer { negative, magnitude })
}

fn float(clean: &str, negative: bool) -> Result<LiteralKind, Wrong> {
    let value: f64 = clean.parse().map_err(|_| wrong("this is not a number"))?;
    if !value.is_finite() {
        return Err(wrong("no float is so large"));
    }
    Ok(LiteralKind::Float(if negative { -value } else { value }))
}

fn duration(digits: &str, unit: &str, negative: bool) -> Result<LiteralKind, Wrong> {
    let nanoseconds: u128 = match unit {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60 * 1_000_000_000,
        "h" => 3_600 * 1_000_000_000,
        "d" => 86_400 * 1_000_000_000,
        _ => {
            return Err((
                Code::TimeUnit,
                format!("`{unit}` is not a unit of time; the units are ns, us, ms, s, m, h, d"),
            ));
        }
    };
    if negative {
        return Err(wrong("a duration is not negative"));
    }
    let count: u128 = digits.parse().map_err(|_| wrong("no duration is longer than 213503 days"))?;
    let total = count.checked_mul(nanoseconds).filter(|total| *total <= u128::from(u64::MAX));
    total.map(LiteralKind::Duration).ok_or_else(|| wrong("no duration is longer than 213503 days"))
}

/// Whether a text is a duration, as it would be without quotes.
pub(crate) fn is_duration(text: &str) -> bool {
    matches!(number(text), Ok(LiteralKind::Duration(_)))
}

/// `3sec`, `2minutes`, `1.5s`: a duration as it is written here.
pub(super) fn duration_of(text: &str) -> Option<String> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (count, unit) = text.split_at(unit_at);
    let unit = unit.to_ascii_lowercase();
    let (unit, finer) = match unit.strip_suffix('s').filter(|short| short.len() > 1).unwrap_or(&unit) {
        "ns" | "nano" | "nanosec" | "nanosecond" => ("ns", ""),
        "us" | "usec" | "micro" | "microsec" | "microsecond" => ("us", "ns"),
        "ms" | "msec" | "milli" | "millisec" | "millisecond" => ("ms", "us"),
        "s" | "sec" | "second" => ("s", "ms"),
        "m" | "min" | "minute" => ("m", ""),
        "h" | "hr" | "hour" => ("h", ""),
        "d" | "day" => ("d", ""),
        _ => return None,
    };
    let ours = match count.split_once('.') {
        None => format!("{count}{unit}"),
        Some((whole, part)) if part.len() <= 3 => {
            let thousandths = format!("{whole}{part:0<3}");
            format!("{}{finer}", thousandths.trim_start_matches('0'))
        }
        Some(_) => return None,
    };
    is_duration(&ours).then_some(ours)
}

/// The characters of `"..."`, given with its quotes.
pub(super) fn string(quoted: &str) -> Result<String, Wrong> {
    let mut out = String::new();
    unescape(inside(quoted), false, &mut |c| out.push(c))?;
    Ok(out)
}

/// The bytes of `b"..."`, given with its `b` and quotes.
pub(super) fn bytes(quoted: &str) -> Result<Vec<u8>, Wrong> {
    let inside = inside(quoted.strip_prefix('b').unwrap_or(quoted));
    if !inside.is_ascii() {
        return Err(bad_escape("bytes are written as ASCII characters and `\\xNN`"));
    }
    let mut out = Vec::new();
    // With `bytes` set no character above 255 comes out.
    unescape(inside, true, &mut |c| out.push(u8::try_from(u32::from(c)).unwrap_or(u8::MAX)))?;
    Ok(out)
}

fn inside(quoted: &str) -> &str {
    quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted)
}

fn unescape(text: &str, bytes: bool, push: &mut dyn FnMut(char)) -> Result<(), Wrong> {
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            push(c);
            continue;
        }
        match rest.next() {
            Some('n') => push('\n'),
            Some('r') => push('\r'),
            Some('t') => push('\t'),
            Some('0') => push('\0'),
            Some(same @ ('\\' | '"')) => push(same),
            Some('x') if bytes => push(char::from(byte(&mut rest)?)),
            Some('u') if !bytes => push(scalar(&mut rest)?),
            Some(other) => return Err(bad_escape(format!("`\\{}` is not an escape", other.escape_default()))),
            None => return Err(bad_escape("a `\\` with nothing behind it")),
        }
    }
    Ok(())
}

fn byte(rest: &mut std::str::Chars<'_>) -> Result<u8, Wrong> {
    let digits: String = rest.by_ref().take(2).collect();
    let hex = digits.len() == 2 && digits.chars().all(|c| c.is_ascii_hexdigit());
    let value = if hex { u8::from_str_radix(&digits, 16).ok() } else { None };
    value.ok_or_else(|| bad_escape("`\\x` takes two hexadecimal digits"))
}

fn scalar(rest: &mut std::str::Chars<'_>) -> Result<char, Wrong> {
    let wrong = || bad_escape("`\\u` is written `\\u{1f4b0}`, with the number of a character");
    let inside = rest.as_str().strip_prefix('{').ok_or_else(wrong)?;
    let (digits, behind) = inside.split_once('}').ok_or_else(wrong)?;
    if digits.is_empty() || digits.len() > 6 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    *rest = behind.chars();
    u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_bases_units_and_underscores() {
        assert_eq!(number("0xff"), Ok(LiteralKind::Integer { negative: false, magnitude: 255 }));
        assert_eq!(number("-1_000"), Ok(LiteralKind::Integer { negative: true, magnitude: 1000 }));
        assert_eq!(number("3s"), Ok(LiteralKind::Duration(3_000_000_000)));
        assert_eq!(number("-1.5e3"), Ok(LiteralKind::Float(-1500.0)));
        assert_eq!(number("2e3"), Ok(LiteralKind::Float(2000.0)));
    }

    #[test]
    fn types_behind_numbers_are_found() {
        for (text, expected) in
            [("1u32", Some("1")), ("-1_i8", Some("-1")), ("1.5f32", Some("1.5")), ("0xffu8", Some("0xff"))]
        {
            assert_eq!(without_type(text), expected, "{text}");
        }
        for text in ["1", "3s", "0x1f32", "u32", "1e3"] {
            assert_eq!(without_type(text), None, "{text}");
        }
    }

    #[test]
    fn durations_of_other_languages_take_our_units() {
        for (theirs, ours) in [
            ("3sec", Some("3s")),
            ("1second", Some("1s")),
            ("2mins", Some("2m")),
            ("10Hours", Some("10h")),
            ("250millis", Some("250ms")),
            ("1.5s", Some("1500ms")),
            ("0.25ms", Some("250us")),
            ("1.5h", None),
            ("3x", None),
            ("7", None),
        ] {
            assert_eq!(duration_of(theirs).as_deref(), ours, "{theirs}");
        }
    }

    #[test]
    fn numbers_out_of_reach_are_refused() {
        for text in ["0x", "0b2", "1e999", "3sec", "-3s", "1x", "9".repeat(60).as_str(), "99999999999999999999d"] {
            assert!(number(text).is_err(), "{text}");
        }
    }

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(string(r#""a\n\"\u{e4}""#), Ok("a\n\"ä".to_owned()));
        assert_eq!(bytes(r#"b"a\x00\xff""#), Ok(vec![b'a', 0, 255]));
        for text in [r#""\q""#, r#""\u{110000}""#, r#""\u{+1}""#, r#""\x41""#] {
            assert!(string(text).is_err(), "{text}");
        }
        assert!(bytes(r#"b"\xf""#).is_err());
    }
}
