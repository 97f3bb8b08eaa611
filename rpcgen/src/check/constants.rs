//! Constants: of a scalar type, with a value of that type.
//!
//! Knows: which types a constant may have. Does not know: how a value is compared with a type (`defaults`).

use super::defaults;
use super::scope::Scope;
use super::walk;
use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::model::Type;
use crate::syntax::ast::Item;

pub(super) fn check(scope: &Scope<'_>, sink: &mut Sink) {
    for (unit, item) in walk::items(scope.units) {
        let Item::Constant(constant) = item else { continue };
        let Some(ty) = scope.ty(unit, &constant.ty) else { continue };
        let Some(plain) = scope.expand(ty.clone()) else { continue };
        if is_scalar(&plain) {
            defaults::check_value(scope, unit, &ty, &constant.value, sink);
        } else {
            let message = format!("constant `{}` has a type that no constant has", constant.head.name.text);
            let diagnostic = Diagnostic::new(Code::ConstantType, constant.ty.span, message)
                .with_help("a constant is a bool, an integer, a float, a string, bytes, a duration or an AppId");
            sink.push(diagnostic);
        }
    }
}

/// A type that has literals of its own.
fn is_scalar(ty: &Type) -> bool {
    !matches!(
        ty,
        Type::Uuid
            | Type::Timestamp
            | Type::Optional(_)
            | Type::List { .. }
            | Type::Array { .. }
            | Type::Map { .. }
            | Type::Named(_)
    )
}
