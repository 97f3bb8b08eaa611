//! Values: defaults and constants are of the type that they are for.
//!
//! Knows: which literal is a value of which type, and turns it into the model's. Does not know: where values stand.

use super::names::unknown_package;
use super::scope::{Declared, Missing, Scope};
use super::walk;
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::model::{Type, TypeId, Value};
use crate::nearest::{nearest, nearest_or_part};
use crate::syntax;
use crate::syntax::ast::{Item, Literal, LiteralKind, Path, Variant};

pub(super) fn check(scope: &Scope<'_>, sink: &mut Sink) {
    for (unit, field) in walk::fields(scope.units) {
        let Some(default) = &field.default else { continue };
        let Some(ty) = scope.ty(unit, &field.ty) else { continue };
        check_value(scope, unit, &ty, default, sink);
    }
}

/// Reports a literal that is no value of `ty`.
pub(super) fn check_value(scope: &Scope<'_>, unit: usize, ty: &Type, literal: &Literal, sink: &mut Sink) {
    if let Err(Some(diagnostic)) = value(scope, unit, ty, literal, sink) {
        sink.push(*diagnostic);
    }
}

/// Why there is no value; `None`: it has been reported by another rule.
type Failure = Option<Box<Diagnostic>>;

/// The value of `literal` as one of `ty`. The sink says how far to look for what was meant; nothing is put in.
pub(super) fn value(
    scope: &Scope<'_>,
    unit: usize,
    ty: &Type,
    literal: &Literal,
    sink: &mut Sink,
) -> Result<Value, Failure> {
    let plain = scope.expand(ty.clone()).ok_or(None)?;
    if let Type::Named(id) = plain {
        return variant(scope, id, literal, sink);
    }
    if let Type::Optional(inner) = &plain {
        let is_none = matches!(&literal.kind, LiteralKind::Path(path) if is_word(path, "none"));
        return if is_none {
            Ok(Value::None)
        } else {
            value(scope, unit, inner, literal, sink).map_err(|why| or_none(literal, why))
        };
    }
    let resolved = resolve(scope, unit, &plain, literal, sink)?;
    let wrong = |help: &str| Some(Box::new(mismatch(&plain, literal, resolved).with_help(help)));
    match (&plain, &resolved.kind) {
        (Type::Bool, LiteralKind::Path(path)) if is_word(path, "true") => Ok(Value::Bool(true)),
        (Type::Bool, LiteralKind::Path(path)) if is_word(path, "false") => Ok(Value::Bool(false)),
        (Type::F32 | Type::F64, kind) => float(&plain, kind).ok_or_else(|| wrong(float_form(&plain, kind))),
        (Type::String { max }, LiteralKind::String(text)) => {
            fits(*max, text.len()).map(|()| Value::String(text.clone())).ok_or_else(|| too_long(*max, literal))
        }
        (Type::Bytes { max }, LiteralKind::Bytes(bytes)) => {
            fits(*max, bytes.len()).map(|()| Value::Bytes(bytes.clone())).ok_or_else(|| too_long(*max, literal))
        }
        (Type::Duration, LiteralKind::Duration(nanoseconds)) => Ok(Value::Duration(*nanoseconds)),
        (Type::AppId, LiteralKind::AppId(number)) => Ok(Value::AppId(*number)),
        (Type::List { .. }, LiteralKind::EmptyList) => Ok(Value::EmptyList),
        (Type::Map { .. }, LiteralKind::EmptyMap) => Ok(Value::EmptyMap),
        (_, LiteralKind::Integer { negative, magnitude }) if integer_range(&plain).is_some() => {
            integer(&plain, *negative, *magnitude).ok_or_else(|| Some(Box::new(out_of_range(&plain, literal))))
        }
        (_, kind) => match meant(&plain, kind).filter(|_| resolved.span == literal.span) {
            Some(ours) => {
                Err(Some(Box::new(mismatch(&plain, literal, resolved).with_fix("write", literal.span, ours))))
            }
            None => Err(wrong(form(&plain))),
        },
    }
}

/// `wait: duration = 3`, `count: u8 = "3"`: what was meant by a value of another type.
fn meant(ty: &Type, kind: &LiteralKind) -> Option<String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match (ty, kind) {
        (Type::Duration, LiteralKind::Integer { negative: false, magnitude }) => Some(format!("{magnitude}s")),
        (Type::Duration, LiteralKind::String(text)) if syntax::is_duration(text) => Some(text.clone()),
        (Type::AppId, LiteralKind::Integer { negative: false, magnitude }) => Some(format!("AppId({magnitude})")),
        (Type::Bool, LiteralKind::Integer { magnitude: 0, .. }) => Some("false".to_owned()),
        (Type::Bool, LiteralKind::Integer { magnitude: 1, .. }) => Some("true".to_owned()),
        (_, LiteralKind::String(text)) if integer_range(ty).is_some() && digits(text) => Some(text.clone()),
        _ => None,
    }
}

/// Through constants; a path that is neither a constant nor a word of this type is unknown.
fn resolve<'l>(
    scope: &'l Scope<'_>,
    unit: usize,
    ty: &Type,
    literal: &'l Literal,
    sink: &mut Sink,
) -> Result<&'l Literal, Failure> {
    let LiteralKind::Path(path) = &literal.kind else { return Ok(literal) };
    if is_word(path, "none") || is_word(path, "true") || is_word(path, "false") {
        return Ok(literal);
    }
    match scope.lookup(unit, path) {
        Ok(Declared::Constant(..)) => scope.literal(unit, literal).ok_or(None),
        Ok(Declared::Lost) | Err(Missing::Lost) => Err(None),
        Err(Missing::Package) => Err(Some(Box::new(unknown_package(scope, unit, path, sink)))),
        Ok(_) | Err(Missing::Name) => Err(Some(Box::new(unknown_value(scope, unit, ty, path, sink)))),
    }
}

fn unknown_value(scope: &Scope<'_>, unit: usize, ty: &Type, path: &Path, sink: &mut Sink) -> Diagnostic {
    let message = format!("there is no constant `{}`", path.text());
    let diagnostic = Diagnostic::new(Code::UnknownValue, path.span(), message);
    let declared_count: usize = scope.units.iter().map(|unit| unit.file.items.len()).sum();
    if !sink.may_compare(2 * declared_count) {
        return diagnostic.with_help(form(ty));
    }
    let home = scope.unit_of(unit, &path.prefix_text()).unwrap_or(unit);
    let constants = || constants(scope, ty).filter(|(other, _)| *other == home).map(|(_, name)| name);
    let words: &[&str] = if *ty == Type::Bool && path.prefix.is_empty() { &["true", "false"] } else { &[] };
    let known: Vec<&str> = words.iter().copied().chain(constants()).collect();
    if let Some(near) = nearest_or_part(&path.last.text, known) {
        return diagnostic.with_fix("did you mean", path.last.span, near);
    }
    if let Some(full) = elsewhere(scope, unit, ty, path) {
        return diagnostic.with_fix("an imported package has it", path.span(), full);
    }
    match ty {
        Type::String { .. } if path.prefix.is_empty() => {
            diagnostic.with_fix("a string stands between quotes", path.span(), format!("\"{}\"", path.last.text))
        }
        _ => diagnostic.with_help(form(ty)),
    }
}

/// The constants that may be a value of `ty`, each with the unit that declares it: a name of another type is not what was meant.
fn constants<'a>(scope: &Scope<'a>, ty: &Type) -> impl Iterator<Item = (usize, &'a str)> {
    walk::items(scope.units).filter_map(move |(unit, item)| {
        let Item::Constant(constant) = item else { return None };
        let other = scope.expand(scope.ty(unit, &constant.ty)?)?;
        are_alike(ty, &other).then_some((unit, constant.head.name.text.as_str()))
    })
}

/// Whether values of one type are written like values of the other.
fn are_alike(left: &Type, right: &Type) -> bool {
    let is_number = |ty: &Type| integer_range(ty).is_some() || matches!(ty, Type::F32 | Type::F64);
    std::mem::discriminant(left) == std::mem::discriminant(right) || is_number(left) && is_number(right)
}

/// The same constant in a direct import.
fn elsewhere(scope: &Scope<'_>, unit: usize, ty: &Type, path: &Path) -> Option<String> {
    let imports: Vec<usize> = scope.units[unit].imports.iter().flatten().copied().collect();
    let mut found = constants(scope, ty).filter(|(home, name)| imports.contains(home) && *name == path.last.text);
    let (home, name) = found.next().filter(|_| path.prefix.is_empty())?;
    Some(format!("{}.{name}", scope.package(home)))
}

/// What other languages call `none` is no misspelled constant.
fn or_none(literal: &Literal, why: Failure) -> Failure {
    let LiteralKind::Path(path) = &literal.kind else { return why };
    let is_none = path.prefix.is_empty()
        && ["null", "none", "nil", "undefined", "nothing"].iter().any(|word| path.last.text.eq_ignore_ascii_case(word));
    let is_unknown = |diagnostic: &Diagnostic| matches!(diagnostic.code, Code::UnknownValue | Code::UnknownVariant);
    if !is_none || !why.as_deref().is_some_and(is_unknown) {
        return why;
    }
    let message = format!("there is no constant `{}`", path.last.text);
    let diagnostic = Diagnostic::new(Code::UnknownValue, literal.span, message);
    Some(Box::new(diagnostic.with_fix("an optional that is absent is", literal.span, "none")))
}

fn is_word(path: &Path, word: &str) -> bool {
    path.prefix.is_empty() && path.last.text == word
}

fn variant(scope: &Scope<'_>, id: TypeId, literal: &Literal, sink: &mut Sink) -> Result<Value, Failure> {
    let site = &scope.types[id.0 as usize];
    let name = &site.name.text;
    let refuse = |diagnostic: Diagnostic| Err(Some(Box::new(diagnostic)));
    let Item::Enum(item) = site.item else {
        let diagnostic =
            Diagnostic::new(Code::NoLiterals, literal.span, format!("`{name}` is no enum and has no literals"));
        return refuse(diagnostic.with_help("make the field optional: an absent one is then `none`"));
    };
    let variants = &item.variants.variants;
    let names = || variants.iter().map(|variant| variant.head.name.text.as_str());
    let path = match &literal.kind {
        LiteralKind::Path(path) if path.prefix.is_empty() => path,
        kind => {
            let written = match kind {
                LiteralKind::Path(path) => Some(&path.last.text),
                LiteralKind::String(text) => Some(text),
                _ => None,
            };
            let diagnostic = Diagnostic::new(Code::Value, literal.span, format!("this is not a variant of `{name}`"));
            let near = written.filter(|_| sink.may_compare(variants.len())).and_then(|word| nearest(word, names()));
            return refuse(match near {
                Some(near) => diagnostic.with_fix("a variant is written by its name alone", literal.span, near),
                None => {
                    let example = names().next().unwrap_or("variant");
                    diagnostic.with_help(format!("a variant is written by its name alone: `{example}`"))
                }
            });
        }
    };
    let Some(index) = names().position(|variant| variant == path.last.text) else {
        if item.variants.incomplete {
            return Err(None);
        }
        let message = format!("`{name}` has no variant `{}`", path.last.text);
        let diagnostic =
            Diagnostic::new(Code::UnknownVariant, literal.span, message).with_secondary(site.name.span, "the enum");
        if !sink.may_compare(variants.len()) {
            return refuse(diagnostic);
        }
        return refuse(match nearest_or_part(&path.last.text, names()) {
            Some(near) => diagnostic.with_fix("did you mean", literal.span, near),
            None => diagnostic.with_help(variants_of(name, variants)),
        });
    };
    if variants[index].fields.is_some() {
        let message = format!("variant `{}` carries data, which a default cannot", path.last.text);
        let diagnostic = Diagnostic::new(Code::VariantData, literal.span, message);
        return refuse(diagnostic.with_secondary(variants[index].head.name.span, "the variant"));
    }
    Ok(Value::Variant(id, u32::try_from(index).unwrap_or(u32::MAX)))
}

/// The variants that can be defaults, as far as anybody reads.
fn variants_of(name: &str, variants: &[Variant]) -> String {
    const SHOWN_MAX: usize = 8;
    let plain: Vec<String> = variants
        .iter()
        .filter(|variant| variant.fields.is_none())
        .map(|variant| format!("`{}`", variant.head.name.text))
        .collect();
    match plain.as_slice() {
        [] => format!("all variants of `{name}` carry data, which a default cannot"),
        [one] => format!("`{name}` has {one}"),
        [first @ .., last] if plain.len() <= SHOWN_MAX => format!("`{name}` has {} and {last}", first.join(", ")),
        many => format!("`{name}` has {} and {} more", many[..SHOWN_MAX].join(", "), many.len() - SHOWN_MAX),
    }
}

fn float(ty: &Type, kind: &LiteralKind) -> Option<Value> {
    let value = match kind {
        LiteralKind::Float(value) => *value,
        // The nearest float: who writes more digits than it has sees the same as in Rust.
        LiteralKind::Integer { negative, magnitude } => {
            let value = format!("{magnitude}").parse::<f64>().ok()?;
            if *negative { -value } else { value }
        }
        _ => return None,
    };
    (*ty == Type::F64 || value.abs() <= f64::from(f32::MAX)).then_some(Value::Float(value))
}

fn float_form(ty: &Type, kind: &LiteralKind) -> &'static str {
    match kind {
        LiteralKind::Float(_) | LiteralKind::Integer { .. } => "the greatest f32 is about 3.4e38",
        _ => form(ty),
    }
}

/// The greatest value and how far below zero the least one is.
fn integer_range(ty: &Type) -> Option<(u128, u128)> {
    let unsigned = |bits: u32| Some((u128::MAX >> (128 - bits), 0));
    let signed = |bits: u32| Some((u128::MAX >> (129 - bits), 1 << (bits - 1)));
    match ty {
        Type::U8 => unsigned(8),
        Type::U16 => unsigned(16),
        Type::U32 => unsigned(32),
        Type::U64 => unsigned(64),
        Type::U128 => unsigned(128),
        Type::I8 => signed(8),
        Type::I16 => signed(16),
        Type::I32 => signed(32),
        Type::I64 => signed(64),
        Type::I128 => signed(128),
        _ => None,
    }
}

fn integer(ty: &Type, negative: bool, magnitude: u128) -> Option<Value> {
    let (greatest, below_zero) = integer_range(ty)?;
    if !negative || magnitude == 0 {
        return (magnitude <= greatest).then_some(Value::Unsigned(magnitude));
    }
    (magnitude <= below_zero).then(|| Value::Negative(0_i128.wrapping_sub_unsigned(magnitude)))
}

fn out_of_range(ty: &Type, literal: &Literal) -> Diagnostic {
    let (greatest, below_zero) = integer_range(ty).unwrap_or_default();
    let least = if below_zero == 0 { "0".to_owned() } else { format!("-{below_zero}") };
    Diagnostic::new(Code::OutOfRange, literal.span, format!("this is not a value of {}", describe(ty)))
        .with_help(format!("the least one is {least}, the greatest {greatest}"))
}

fn fits(max: Option<u64>, length: usize) -> Option<()> {
    max.is_none_or(|max| u64::try_from(length).is_ok_and(|length| length <= max)).then_some(())
}

fn too_long(max: Option<u64>, literal: &Literal) -> Failure {
    let message = format!("this has more bytes than its `@max` of {}", max.unwrap_or_default());
    Some(Box::new(Diagnostic::new(Code::TooLong, literal.span, message)))
}

fn mismatch(ty: &Type, literal: &Literal, resolved: &Literal) -> Diagnostic {
    let code =
        if matches!(ty, Type::Uuid | Type::Timestamp | Type::Array { .. }) { Code::NoLiterals } else { Code::Value };
    let diagnostic = Diagnostic::new(code, literal.span, format!("this is not a value of {}", describe(ty)));
    if resolved.span == literal.span {
        diagnostic
    } else {
        diagnostic.with_secondary(resolved.span, "the value of the constant")
    }
}

fn describe(ty: &Type) -> String {
    match ty {
        Type::Optional(_) => "an optional".to_owned(),
        Type::List { .. } => "a list".to_owned(),
        Type::Array { .. } => "an array".to_owned(),
        Type::Map { .. } => "a map".to_owned(),
        scalar => super::scope::BUILT_IN
            .iter()
            .find(|(_, built_in)| std::mem::discriminant(built_in) == std::mem::discriminant(scalar))
            .map_or_else(String::new, |(name, _)| format!("type `{name}`")),
    }
}

/// How a value of a type is written.
fn form(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "a bool is `true` or `false`",
        Type::String { .. } => "a string is written `\"text\"`",
        Type::Bytes { .. } => "bytes are written `b\"text\\x00\"`",
        Type::Duration => "a duration is written `3s`; the units are ns, us, ms, s, m, h, d",
        Type::AppId => "an AppId is written `AppId(7)`",
        Type::Optional(_) => {
            "the only default of an optional is `none`, and it needs none: an absent one is `none` anyway"
        }
        Type::List { .. } => "the only default of a list is `[]`",
        Type::Map { .. } => "the only default of a map is `{}`",
        Type::Uuid | Type::Timestamp | Type::Array { .. } => "this type has no literals: make the field optional",
        Type::F32 | Type::F64 => "a float is written `1.5`, `2` or `1e-3`",
        _ => "an integer is written `7`, `-7`, `1_000` or `0xff`",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_the_range_of_their_type() {
        assert_eq!(integer(&Type::I8, true, 128), Some(Value::Negative(-128)));
        assert_eq!(integer(&Type::I8, true, 129), None);
        assert_eq!(integer(&Type::I8, false, 128), None);
        assert_eq!(integer(&Type::U128, false, u128::MAX), Some(Value::Unsigned(u128::MAX)));
        assert_eq!(integer(&Type::I128, true, 1 << 127), Some(Value::Negative(i128::MIN)));
        assert_eq!(integer(&Type::U8, true, 0), Some(Value::Unsigned(0)));
    }
}
