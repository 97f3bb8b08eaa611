//! Why an action may fail: one exhaustive enum per action.
//!
//! Knows: reasons and their words. Does not know: how an error travels.

use super::code::{Code, Name, code};
use super::types::Traits;
use super::{Generator, Scope, docs, names};
use crate::model::{Action, Field, Service, Variant};

impl Generator<'_> {
    /// The error enums of a service.
    pub(super) fn error_enums(&self, service: &Service, scope: Scope) -> Code {
        let failing = service.actions.iter().filter(|action| !action.fails.is_empty());
        failing
            .map(|action| {
                let name = error_ident(action);
                let head = docs::line(&format!("Why `{}` may fail.", action.name));
                let fields = action.fails.iter().flat_map(|reason| &reason.fields).cloned().collect::<Vec<Field>>();
                let traits =
                    Traits { copy: false, default: false, exact: self.facts.are_exact(&fields), ordered: false };
                let item = self.enum_item(&head, &name, &action.fails, scope, None, &traits);
                let codec = self.enum_codec(&name, &action.fails, scope, None);
                let display = self.display(&name, &action.fails);
                code!(#item #display #codec)
            })
            .collect()
    }

    /// `Display` and `Error`.
    pub(super) fn display(&self, name: &Name, reasons: &[Variant]) -> Code {
        let f = names::local_ident("f", reasons.iter().flat_map(|reason| &reason.fields));
        let arms = reasons.iter().map(|reason| {
            let ident = names::type_ident(&reason.name);
            let text = names::words(&reason.name);
            if reason.fields.is_empty() {
                return code!(Self::#ident => #f.write_str(#text),);
            }
            let shown: Vec<Name> = reason
                .fields
                .iter()
                .filter(|field| !field.sensitive)
                .map(|field| names::value_ident(&field.name))
                .collect();
            let rest = (shown.len() < reason.fields.len()).then(|| code!(..));
            let parts: Vec<String> = reason.fields.iter().map(field_format).collect();
            let text = format!("{text} ({})", parts.join(", "));
            // A raw identifier cannot stand in a format string.
            let raw = shown.iter().filter(|ident| ident.as_str().starts_with("r#")).map(|ident| code!(, #ident));
            let shown = &shown;
            code!(Self::#ident { #(#shown,)* #rest } => ::core::write!(#f, #text #(#raw)*),)
        });
        code! {
            impl ::core::fmt::Display for #name {
                fn fmt(&self, #f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    match self { #(#arms)* }
                }
            }
            impl ::core::error::Error for #name {}
        }
    }

    /// The error of an action that can fail.
    pub(super) fn error_type(&self, action: &Action, scope: Scope) -> Option<Code> {
        if let Some(foreign) = action.fails_with {
            return Some(self.type_path(scope, foreign));
        }
        if action.fails.is_empty() {
            return None;
        }
        let name = error_ident(action);
        let up = scope.up_to_service();
        Some(code!(#up #name))
    }

    /// Whether a handler returns a `Result`.
    pub(super) const fn can_fail(action: &Action) -> bool {
        !action.fails.is_empty() || action.fails_with.is_some()
    }
}

fn error_ident(action: &Action) -> Name {
    Name::new(names::error_name(&action.name))
}

/// `limit: {limit:?}`
fn field_format(field: &Field) -> String {
    let (name, ident) = (&field.name, names::value_ident(&field.name));
    if field.sensitive {
        format!("{name}: <redacted>")
    } else if ident.as_str().starts_with("r#") {
        format!("{name}: {{:?}}")
    } else {
        format!("{name}: {{{ident}:?}}")
    }
}
