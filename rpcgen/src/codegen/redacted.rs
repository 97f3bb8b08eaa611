//! `Debug` of what has `@sensitive` fields: it says that there is something, and not what.
//!
//! Knows: names. Does not know: types.

use super::code::{Code, Name, code};
use super::names;
use crate::model::{Field, Variant};

/// `Debug` of a struct; `None` where nothing is sensitive, as it is derived then.
pub(super) fn struct_debug(name: &Name, fields: &[Field]) -> Option<Code> {
    if !fields.iter().any(|field| field.sensitive) {
        return None;
    }
    let text = name.as_str();
    let calls = fields.iter().map(|field| {
        let ident = names::value_ident(&field.name);
        debug_field(field, code!(&self.#ident))
    });
    Some(code! {
        impl ::core::fmt::Debug for #name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_struct(#text)#(#calls)*.finish()
            }
        }
    })
}

/// `Debug` of an enum.
pub(super) fn enum_debug(name: &Name, variants: &[Variant]) -> Code {
    let f = names::local_ident("f", variants.iter().flat_map(|variant| &variant.fields));
    let arms = variants.iter().map(|variant| {
        let ident = names::type_ident(&variant.name);
        let text = ident.as_str();
        if variant.fields.is_empty() {
            return code!(Self::#ident => #f.write_str(#text),);
        }
        let shown = variant.fields.iter().filter(|field| !field.sensitive);
        let bindings = shown.map(|field| names::value_ident(&field.name));
        let rest = variant.fields.iter().any(|field| field.sensitive).then(|| code!(..));
        let calls = variant.fields.iter().map(|field| {
            let ident = names::value_ident(&field.name);
            debug_field(field, code!(#ident))
        });
        code!(Self::#ident { #(#bindings,)* #rest } => #f.debug_struct(#text)#(#calls)*.finish(),)
    });
    code! {
        impl ::core::fmt::Debug for #name {
            fn fmt(&self, #f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self { #(#arms)* }
            }
        }
    }
}

/// One field of a `debug_struct`.
fn debug_field(field: &Field, reference: Code) -> Code {
    let text = names::snake_name(&field.name);
    if field.sensitive {
        code!(.field(#text, &::core::format_args!("<redacted>")))
    } else {
        code!(.field(#text, #reference))
    }
}
