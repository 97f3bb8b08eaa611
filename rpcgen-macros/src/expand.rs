//! From an attribute and its item to what stands in its place.
//!
//! Knows: the pipeline: tree, checker, model, generator. Does not know: how a trait is read.

use std::collections::BTreeSet;

use heck::ToSnakeCase;
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use rpcgen::codegen::{self, Form, Settings};
use rpcgen::diagnostic::Severity;
use rpcgen::model::{Model, PackageId, TypeId, TypeKind};
use rpcgen::source::SourceMap;
use rpcgen::syntax::ast::{File, Item};

use crate::from_trait::{Reader, package_of};
use crate::spans::Problem;

/// What an attribute's item becomes.
#[derive(Debug, Default)]
pub(crate) struct Expansion {
    /// Empty if there is a problem.
    pub(crate) tokens: TokenStream,
    /// What is wrong, at its place.
    pub(crate) problems: Vec<Problem>,
}

impl Expansion {
    fn failed(problems: Vec<Problem>) -> Self {
        Self { tokens: TokenStream::new(), problems }
    }

    /// The items, or what makes rustc say what is wrong.
    pub(crate) fn into_tokens(self) -> TokenStream {
        let errors = self.problems.iter().map(Problem::to_tokens);
        let tokens = &self.tokens;
        quote!(#(#errors)* #tokens)
    }
}

/// `#[service]`
pub(crate) fn service(arguments: TokenStream, item: TokenStream) -> Expansion {
    let mut reader = Reader::default();
    let package = package_of(arguments, &mut reader);
    match syn::parse2(item) {
        Ok(syn::Item::Trait(item)) => {
            let package = package.unwrap_or_else(|| item.ident.to_string().to_snake_case());
            let service = Item::Service(reader.service(&item));
            let file = reader.file(&package, vec![service]);
            let replaced = replaced(&mut reader);
            let mut expansion = finish(reader, file);
            if expansion.problems.is_empty() {
                expansion.tokens.extend(replaced);
            }
            expansion
        }
        Ok(syn::Item::Mod(item)) => module(reader, package, item),
        Ok(other) => {
            reader.refuse(&other, "`#[service]` stands on a trait or a module");
            Expansion::failed(reader.problems)
        }
        Err(error) => {
            reader.problem(error.span(), error.to_string());
            Expansion::failed(reader.problems)
        }
    }
}

fn module(mut reader: Reader, package: Option<String>, item: syn::ItemMod) -> Expansion {
    let syn::ItemMod { attrs, vis, mod_token, ident, content, .. } = item;
    let Some((_, items)) = content else {
        reader.refuse(&ident, "the module's items must stand here");
        return Expansion::failed(reader.problems);
    };
    let package = package.unwrap_or_else(|| syn::ext::IdentExt::unraw(&ident).to_string());
    let (items, kept) = reader.module_items(&items);
    let file = reader.file(&package, items);
    let mut expansion = finish(reader, file);
    let inside = expansion.tokens;
    let allow =
        (!kept.is_empty()).then(|| quote!(#[allow(unused_imports, reason = "they may have been for what was read")]));
    expansion.tokens = quote!(#(#attrs)* #allow #vis #mod_token #ident { #kept #inside });
    expansion
}

/// `#[message]`
pub(crate) fn message(arguments: TokenStream, item: TokenStream) -> Expansion {
    let mut reader = Reader::default();
    let is_error = match arguments.to_string().as_str() {
        "" => false,
        "error" => true,
        _ => {
            reader.refuse(&arguments, "the only argument is `error`");
            false
        }
    };
    let read = match syn::parse2(item) {
        Ok(syn::Item::Struct(item)) => {
            if is_error {
                reader.refuse(&item.ident, "an error is an enum");
            }
            reader.declared.insert(item.ident.to_string());
            Some(reader.struct_item(&item))
        }
        Ok(syn::Item::Enum(item)) => {
            reader.declared.insert(item.ident.to_string());
            Some(reader.enum_item(&item))
        }
        Ok(other) => {
            reader.refuse(other.to_token_stream(), "`#[message]` stands on a struct or an enum");
            None
        }
        Err(error) => {
            reader.problem(error.span(), error.to_string());
            None
        }
    };
    let file = reader.file("message", read.into_iter().collect());
    let replaced = replaced(&mut reader);
    let (model, problems) = checked(reader, file);
    let Some(model) = model else { return Expansion::failed(problems) };
    let mut expansion = generated(&model);
    let own = model.types.iter().zip(0..).find(|(def, _)| !matches!(def.kind, TypeKind::External { .. }));
    if let Some((_, id)) = own.filter(|_| is_error) {
        expansion.tokens.extend(codegen::error_traits(&model, TypeId(id), &settings()));
    }
    expansion.tokens.extend(replaced);
    expansion
}

/// Names the types that others take the place of, so that rustc takes no import of them for unused. They are those of the scope around,
/// which need not have them: a name that is not found in the block is looked for in the module around it.
fn replaced(reader: &mut Reader) -> Option<TokenStream> {
    let mut seen = BTreeSet::new();
    let mut types = std::mem::take(&mut reader.replaced);
    types.retain(|ty| seen.insert(ty.to_string()));
    (!types.is_empty()).then(|| {
        quote! {
            #[allow(unused, clippy::all, clippy::pedantic, reason = "they only say that imports are used")]
            const _: () = {
                mod built_in {
                    use ::rpcgen_runtime::generated::{AppId, Timestamp, Uuid};
                    use ::std::collections::BTreeMap;
                    use ::std::time::Duration;
                    const _: () = {
                        use super::*;
                        fn written(#(_: #types),*) {}
                    };
                }
            };
        }
    })
}

fn finish(reader: Reader, file: File) -> Expansion {
    let (model, problems) = checked(reader, file);
    model.map_or_else(|| Expansion::failed(problems), |model| generated(&model))
}

/// The model, unless there is a problem. What could not be read is left out where the checker does not miss it.
fn checked(reader: Reader, file: File) -> (Option<Model>, Vec<Problem>) {
    let Reader { spans, mut problems, .. } = reader;
    let rpcgen::Checked { model, diagnostics, .. } = rpcgen::check_tree(file, SourceMap::default());
    let errors = diagnostics.list().iter().filter(|diagnostic| diagnostic.code.severity() == Severity::Error);
    problems.extend(errors.map(|diagnostic| spans.problem(diagnostic)));
    (model.filter(|_| problems.is_empty()), problems)
}

fn generated(model: &Model) -> Expansion {
    match codegen::generate_tokens(model, PackageId(0), &settings()) {
        Ok(tokens) => Expansion { tokens, problems: Vec::new() },
        Err(error) => Expansion::failed(vec![Problem::new(proc_macro2::Span::call_site(), error.to_string())]),
    }
}

/// What is generated stands among a user's own items.
pub(crate) fn settings() -> Settings {
    Settings { form: Form::InPlace, ..Settings::default() }
}

#[cfg(test)]
mod tests;
