//! From a trait, or a module around one, to the tree that a `.rpc` text would give.
//!
//! Knows: both forms. Does not know: whether what is said makes sense; the checker does.

use std::collections::{BTreeMap, BTreeSet};

use heck::ToUpperCamelCase;
use proc_macro2::{Ident, Span as RustSpan, TokenStream};
use quote::{ToTokens, quote};
use rpcgen::source::Span;
use rpcgen::syntax::ast::{
    Action, Broadcast, External, Field, FieldList, File, Item, Member, Name, Origin, Path, Service, VariantList,
};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{FnArg, ItemEnum, ItemTrait, Meta, Pat, ReturnType, Signature, TraitItem, TraitItemFn, Type};

use crate::spans::{Problem, Spans};
use crate::types::result_arguments;

/// What a lone response field is called.
const LONE_FIELD: &str = "value";

/// Reads Rust items into a syntax tree, and keeps what it cannot read.
#[derive(Default)]
pub(crate) struct Reader {
    pub(crate) spans: Spans,
    pub(crate) problems: Vec<Problem>,
    /// Types that stand beside the trait.
    pub(crate) declared: BTreeSet<String>,
    /// Enums that stand beside the trait, as long as no action has taken them for its error.
    pub(crate) enums: BTreeMap<String, ItemEnum>,
    /// Types from the scope around, in the order of their first use.
    pub(crate) externals: Vec<External>,
    /// Types that others take the place of.
    pub(crate) replaced: Vec<TokenStream>,
}

impl Reader {
    pub(crate) fn problem(&mut self, span: RustSpan, message: impl Into<String>) {
        self.problems.push(Problem::new(span, message));
    }

    pub(crate) fn refuse(&mut self, at: impl ToTokens, message: impl Into<String>) {
        self.problem(at.span(), message);
    }

    /// A name without `r#`.
    pub(crate) fn name(&mut self, ident: &Ident) -> Name {
        Name::new(ident.unraw().to_string(), self.spans.add(ident.span()))
    }

    /// A file of one package.
    pub(crate) fn file(&mut self, package: &str, items: Vec<Item>) -> File {
        let span = self.spans.add(RustSpan::call_site());
        let names: Vec<Name> = package.split('.').map(|part| Name::new(part, span)).collect();
        let package = names.split_last().map(|(last, prefix)| Path { prefix: prefix.to_vec(), last: last.clone() });
        let externals = std::mem::take(&mut self.externals).into_iter().map(Item::External);
        File { package, items: items.into_iter().chain(externals).collect(), ..File::default() }
    }

    /// The items of a module around a trait; what is not of the language is given back as it is.
    pub(crate) fn module_items(&mut self, items: &[syn::Item]) -> (Vec<Item>, TokenStream) {
        for item in items {
            match item {
                syn::Item::Struct(item) => drop(self.declared.insert(item.ident.to_string())),
                syn::Item::Type(item) => drop(self.declared.insert(item.ident.to_string())),
                syn::Item::Enum(item) => {
                    self.declared.insert(item.ident.to_string());
                    self.enums.insert(item.ident.to_string(), item.clone());
                }
                _ => {}
            }
        }
        // Services come first, as they take the enums that are their actions' errors.
        let services: Vec<Item> = items
            .iter()
            .filter_map(|item| match item {
                syn::Item::Trait(item) => Some(Item::Service(self.service(item))),
                _ => None,
            })
            .collect();
        let mut read = Vec::new();
        let mut kept = TokenStream::new();
        for item in items {
            match item {
                syn::Item::Struct(item) => read.push(self.struct_item(item)),
                syn::Item::Type(item) => read.push(self.alias_item(item)),
                syn::Item::Const(item) => read.push(self.constant_item(item)),
                syn::Item::Enum(item) if self.enums.contains_key(&item.ident.to_string()) => {
                    read.push(self.enum_item(item))
                }
                syn::Item::Enum(_) | syn::Item::Trait(_) => {}
                syn::Item::Use(item) => kept.extend(quote!(#item)),
                other => self.refuse(
                    other,
                    "a service's module holds traits, structs, enums, type aliases, constants and imports",
                ),
            }
        }
        read.extend(services);
        (read, kept)
    }

    /// A trait.
    pub(crate) fn service(&mut self, item: &ItemTrait) -> Service {
        self.no_generics(&item.generics);
        if !item.supertraits.is_empty() {
            self.refuse(&item.supertraits, "the generated trait has its own bounds");
        }
        let name = self.name(&item.ident);
        let head = self.head(name, &item.attrs, &[]);
        let mut members = Vec::new();
        for member in &item.items {
            match member {
                TraitItem::Fn(function) => members.push(self.member(function)),
                other => self.refuse(other, "a service has actions and broadcasts, which are functions"),
            }
        }
        Service { head, members }
    }

    fn member(&mut self, function: &TraitItemFn) -> Member {
        let is = |name: &str| function.attrs.iter().any(|attribute| attribute.path().is_ident(name));
        let signature = &function.sig;
        if let Some(body) = &function.default {
            self.refuse(body, "this end only says what there is; the business is what implements the generated trait");
        }
        if signature.asyncness.is_none() {
            self.refuse(signature.fn_token, "an action or broadcast is an `async fn`");
        }
        self.no_generics(&signature.generics);
        match (is("action"), is("broadcast")) {
            (true, false) => self.action(function),
            (false, true) => self.broadcast(function),
            _ => {
                self.refuse(
                    &signature.ident,
                    "say what it is: `#[action]` (answered) or `#[broadcast]` (from the server to one node)",
                );
                Member::Lost(self.name(&signature.ident))
            }
        }
    }

    fn action(&mut self, function: &TraitItemFn) -> Member {
        let signature = &function.sig;
        let name = self.name(&signature.ident);
        let mut head = self.head(name, &function.attrs, &["action"]);
        let mut returns = None;
        for argument in self.arguments(&function.attrs, "action") {
            if argument.path().is_ident("returns") {
                returns = Some(self.names(&argument));
            } else {
                head.attributes.extend(self.annotation(&argument));
            }
        }
        let request = self.parameters(signature);
        let (output, error) = match &signature.output {
            ReturnType::Default => (None, None),
            ReturnType::Type(_, ty) => match result_arguments(ty) {
                Some((output, error)) => (Some(output), Some(error)),
                None => (Some(ty.as_ref()), None),
            },
        };
        let response = self.response(output, returns);
        let (fails, fails_with) = error.map_or((None, None), |error| self.error(&signature.ident, error));
        Member::Action(Action { head, request, response, fails, fails_with })
    }

    /// The fields of a response: a tuple has several.
    fn response(&mut self, output: Option<&Type>, names: Option<Vec<Name>>) -> Option<FieldList> {
        let output = output?;
        let types: Vec<&Type> = match output {
            Type::Tuple(tuple) => tuple.elems.iter().collect(),
            one => vec![one],
        };
        if types.is_empty() {
            return None;
        }
        let names = match (names, types.len()) {
            (Some(names), count) if names.len() == count => names,
            (None, 1) => vec![Name::new(LONE_FIELD, self.spans.add(output.span()))],
            (_, count) => {
                self.refuse(output, format!("name the {count} fields of this response: `#[action(returns(a, b))]`"));
                return Some(FieldList { fields: Vec::new(), span: self.spans.add(output.span()), incomplete: true });
            }
        };
        let read: Vec<Option<Field>> =
            names.into_iter().zip(types).map(|(name, ty)| self.field(name, &[], ty)).collect();
        Some(field_list(read, self.spans.add(output.span())))
    }

    /// The error of an action: an enum beside the trait, taken over as the action's reasons, or a type from the scope around.
    fn error(&mut self, action: &Ident, error: &Type) -> (Option<VariantList>, Option<Path>) {
        let Type::Path(path) = error else {
            self.refuse(error, "an error is an enum");
            return (None, None);
        };
        let declared = path.path.get_ident().map(ToString::to_string).filter(|name| self.declared.contains(name));
        let Some(name) = declared else {
            return (None, Some(self.named_type(&path.path)));
        };
        let wanted = format!("{}Error", action.unraw().to_string().to_upper_camel_case());
        if name != wanted {
            self.refuse(error, format!("the error of an action has its name: call it `{wanted}`"));
            return (None, None);
        }
        match self.enums.remove(&name) {
            Some(item) => {
                let known = self.head(Name::new(name, Span::default()), &item.attrs, &[]);
                drop(known);
                (Some(self.variants(&item)), None)
            }
            None => {
                self.refuse(error, "an error is an enum");
                (None, None)
            }
        }
    }

    fn broadcast(&mut self, function: &TraitItemFn) -> Member {
        let signature = &function.sig;
        let name = self.name(&signature.ident);
        let mut head = self.head(name, &function.attrs, &["broadcast"]);
        let problems_count = self.problems.len();
        let (mut origin, mut by) = (None, Vec::new());
        for argument in self.arguments(&function.attrs, "broadcast") {
            match argument.path().get_ident().map(ToString::to_string).as_deref() {
                Some("origin") => origin = self.names(&argument).pop(),
                Some("by") => by = self.names(&argument),
                _ => head.attributes.extend(self.annotation(&argument)),
            }
        }
        let all_read = self.problems.len() == problems_count;
        if let ReturnType::Type(_, ty) = &signature.output {
            self.refuse(ty, "a broadcast is not answered");
        }
        let origin = match (origin, by.is_empty()) {
            (Some(action), false) => Some(Origin { action, by }),
            (None, true) => None,
            _ => {
                if all_read {
                    self.refuse(&signature.ident, "`origin = ACTION` and `by(FIELD, ..)` go together");
                }
                None
            }
        };
        Member::Broadcast(Broadcast { head, fields: self.parameters(signature), origin })
    }

    fn parameters(&mut self, signature: &Signature) -> FieldList {
        let mut fields: Vec<Option<Field>> = Vec::new();
        for input in &signature.inputs {
            let FnArg::Typed(parameter) = input else {
                self.refuse(input, "there is no `self` here: these are the fields of a message");
                continue;
            };
            let Pat::Ident(pattern) = parameter.pat.as_ref() else {
                self.refuse(&parameter.pat, "a field has a name");
                fields.push(None);
                continue;
            };
            let name = self.name(&pattern.ident);
            let field = self.field(name, &parameter.attrs, &parameter.ty);
            fields.push(field);
        }
        field_list(fields, self.spans.add(signature.paren_token.span.join()))
    }
}

/// What could be read of some fields; that one is missing has been reported.
pub(crate) fn field_list(read: Vec<Option<Field>>, span: Span) -> FieldList {
    let incomplete = read.iter().any(Option::is_none);
    FieldList { fields: read.into_iter().flatten().collect(), span, incomplete }
}

/// Whether the arguments of the outer attribute name a package.
pub(crate) fn package_of(arguments: TokenStream, reader: &mut Reader) -> Option<String> {
    if arguments.is_empty() {
        return None;
    }
    let parsed: syn::Result<Meta> = syn::parse2(arguments.clone());
    if let Ok(Meta::NameValue(pair)) = &parsed
        && pair.path.is_ident("package")
        && let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(name), .. }) = &pair.value
    {
        return Some(name.value());
    }
    reader.problem(arguments.span(), "the only argument is `package = \"name\"`");
    None
}
