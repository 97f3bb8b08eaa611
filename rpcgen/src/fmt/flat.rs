//! Types, values and annotations on one line.
//!
//! Knows: how they are written; numbers and strings as the user spelled them. Does not know: lines.

use crate::source::Span;
use crate::syntax::ast::{Attribute, Literal, LiteralKind, Name, Path, TypeExpr, TypeKind};

/// What spans of a file say.
#[derive(Clone, Copy)]
pub(super) struct Text<'t>(pub(super) &'t str);

impl<'t> Text<'t> {
    pub(super) fn ty(self, ty: &TypeExpr) -> String {
        let plain = match &ty.kind {
            TypeKind::Path(path) => self.path(path),
            // The limits of what is optional stand behind the `?`.
            TypeKind::Optional(inner) => {
                let limits = self.behind(&inner.attributes);
                return format!("{}?{limits}{}", self.bare(inner), self.behind(&ty.attributes));
            }
            _ => self.bare(ty),
        };
        format!("{plain}{}", self.behind(&ty.attributes))
    }

    /// Without the annotations behind it.
    fn bare(self, ty: &TypeExpr) -> String {
        match &ty.kind {
            TypeKind::Path(path) => self.path(path),
            TypeKind::Optional(_) => self.ty(ty),
            TypeKind::List(element) => format!("[{}]", self.ty(element)),
            TypeKind::Array(element, length) => format!("[{}; {}]", self.ty(element), self.literal(length)),
            TypeKind::Map(key, value) => format!("{{{}: {}}}", self.ty(key), self.ty(value)),
        }
    }

    fn behind(self, attributes: &[Attribute]) -> String {
        attributes.iter().map(|attribute| format!(" {}", self.attribute(attribute))).collect()
    }

    pub(super) fn attribute(self, attribute: &Attribute) -> String {
        let arguments: Vec<String> = attribute.arguments.iter().map(|argument| self.literal(argument)).collect();
        // `@fixed()` is `@fixed` to the reader as well.
        let arguments = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
        format!("@{}{arguments}", attribute.name.text)
    }

    pub(super) fn literal(self, literal: &Literal) -> String {
        match &literal.kind {
            LiteralKind::EmptyList => "[]".to_owned(),
            LiteralKind::EmptyMap => "{}".to_owned(),
            LiteralKind::Path(path) => self.path(path),
            LiteralKind::AppId(number) => {
                let inside = self.slice(literal.span).split_once('(').and_then(|(_, rest)| rest.split_once(')'));
                let digits = inside.map(|(digits, _)| digits.trim()).filter(|digits| !digits.contains("//"));
                digits.map_or_else(|| format!("AppId({number})"), |digits| format!("AppId({digits})"))
            }
            _ => self.slice(literal.span).to_owned(),
        }
    }

    pub(super) fn path(self, path: &Path) -> String {
        path.text()
    }

    pub(super) fn names(self, names: &[Name]) -> String {
        names.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn slice(self, span: Span) -> &'t str {
        &self.0[span.start as usize..span.end as usize]
    }
}
