//! The requests and responses as they travel.
//!
//! Knows: which fields a message has, how a wire response becomes what a caller gets. Does not know: callers, handlers.

use proc_macro2::{Ident, Literal, TokenStream};
use quote::{format_ident, quote};

use super::names::{self, Prelude};
use super::types::Traits;
use super::{Generator, Scope, docs};
use crate::model::{Action, Correlation, CorrelationPlace, Field, Service, TypeKind};

impl Generator<'_> {
    /// Responses of two and more fields: what a caller gets is what travels.
    pub(super) fn response_structs(&self, service: &Service, scope: Scope) -> TokenStream {
        let several = service.actions.iter().filter(|action| action.response.len() > 1);
        several
            .map(|action| {
                let name = response_ident(action);
                let docs = docs::line(&format!("What `{}` answers.", action.name));
                self.message(&docs, &name, &action.response, scope)
            })
            .collect()
    }

    /// `pub mod actions`.
    pub(super) fn actions_module(&self, service: &Service, scope: Scope) -> TokenStream {
        if service.actions.is_empty() {
            return TokenStream::new();
        }
        let docs = docs::line("The requests as they travel.");
        let inner = scope.deeper();
        let items = (0_u32..).zip(&service.actions).map(|(method, action)| {
            let request = self.request_struct(action, inner);
            let response = self.hidden_response_struct(action, inner);
            let door = self.action_impl(service, method, action, inner);
            quote!(#request #response #door)
        });
        let foreign = self.model.types.iter().any(|def| matches!(def.kind, TypeKind::External { .. }));
        let glob = foreign.then(|| {
            quote!(
                use super::*;
            )
        });
        let items = self.with_import(quote!(#(#items)*));
        quote!(#docs pub mod actions { #glob #items })
    }

    /// A struct that travels as a body of its own.
    pub(super) fn message(&self, head: &TokenStream, name: &Ident, fields: &[Field], scope: Scope) -> TokenStream {
        let traits = Traits { copy: false, default: false, exact: self.facts.are_exact(fields), ordered: false };
        let item = self.struct_item(head, name, fields, scope, None, &traits);
        let codec = self.message_codec(name, fields, scope);
        quote!(#item #codec)
    }

    fn request_struct(&self, action: &Action, scope: Scope) -> TokenStream {
        let docs = docs::line_and(&format!("The request of `{}`.", action.name), &action.docs);
        self.message(&docs, &names::type_ident(&action.name), &action.request, scope)
    }

    /// The wire form of a response of one field; a caller gets the field itself.
    fn hidden_response_struct(&self, action: &Action, scope: Scope) -> TokenStream {
        if action.response.len() != 1 {
            return TokenStream::new();
        }
        self.message(&quote!(#[doc(hidden)]), &response_ident(action), &action.response, scope)
    }

    fn action_impl(&self, service: &Service, method: u32, action: &Action, scope: Scope) -> TokenStream {
        let (rpc, result) = (&self.rpc, &self.prelude.result);
        let name = names::type_ident(&action.name);
        let method = Literal::u32_unsuffixed(method);
        let up = scope.up_to_service();
        let response = self.response_type(action, scope);
        let output = self.output_type(action, scope);
        let (error, returned) = match self.error_type(action, scope) {
            Some(error) => (error.clone(), quote!(#result<#output, #error>)),
            None => (quote!(::core::convert::Infallible), output.clone()),
        };
        let into_result = self.result_conversion(action);
        let into_output = match action.response.as_slice() {
            [] => quote!(
                fn into_output((): Self::Response) {}
            ),
            [field] => {
                let field = names::value_ident(&field.name);
                quote!(fn into_output(response: Self::Response) -> Self::Output { response.#field })
            }
            _ => quote!(
                fn into_output(response: Self::Response) -> Self::Output {
                    response
                }
            ),
        };
        let (captured, routing) = self.origin_side(service, action, scope);
        // The checker has seen to it that there is one, and that it is the app's.
        let app = action.request.first().map(|field| names::value_ident(&field.name));
        quote! {
            impl #rpc::Action for #name {
                const METHOD: u32 = #method;
                type Stub = #up Client;
                type Response = #response;
                type Output = #output;
                type Error = #error;
                type Result = #returned;
                type Captured = #captured;
                fn app_id(&self) -> #rpc::AppId { self.#app }
                #into_result
                #into_output
                #routing
            }
        }
    }

    fn result_conversion(&self, action: &Action) -> TokenStream {
        let Prelude { ok, result: result_type, .. } = &self.prelude;
        let (parameter, body) = match (action.response.as_slice(), Self::can_fail(action)) {
            ([field], fails) => {
                let (wire, field) = (response_ident(action), names::value_ident(&field.name));
                let body = if fails {
                    quote!(result.map(|#field| #wire { #field }))
                } else {
                    quote!(#ok(#wire { #field: result }))
                };
                (quote!(result), body)
            }
            (_, true) => (quote!(result), quote!(result)),
            ([], false) => (quote!(()), quote!(#ok(()))),
            (_, false) => (quote!(result), quote!(#ok(result))),
        };
        quote!(fn into_result(#parameter: Self::Result) -> #result_type<Self::Response, Self::Error> { #body })
    }

    /// What ties broadcasts to the node that sent this action: the captured type, and the functions.
    fn origin_side(&self, service: &Service, action: &Action, scope: Scope) -> (TokenStream, TokenStream) {
        let rpc = &self.rpc;
        let tied: Vec<(u32, Vec<Tie>)> = self.tied_broadcasts(service, action);
        let mut captured: Vec<u32> = Vec::new();
        for tie in tied.iter().flat_map(|(_, ties)| ties) {
            if tie.place == CorrelationPlace::Request && !captured.contains(&tie.action_field) {
                captured.push(tie.action_field);
            }
        }
        let uses_response = tied.iter().flat_map(|(_, ties)| ties).any(|tie| tie.place == CorrelationPlace::Response);
        let fields: Vec<&Field> = captured.iter().filter_map(|index| action.request.get(*index as usize)).collect();
        let types = fields.iter().map(|field| self.ty(scope, &field.ty));
        let values = fields.iter().map(|field| {
            let ident = names::value_ident(&field.name);
            if self.facts.type_is_copy(&field.ty) { quote!(self.#ident) } else { quote!(self.#ident.clone()) }
        });
        let captured_type = quote!((#(#types,)*));
        let body = if fields.is_empty() { quote!() } else { quote!((#(#values,)*)) };
        let keys = tied.iter().map(|(broadcast, ties)| {
            let broadcast = Literal::u32_unsuffixed(*broadcast);
            let writes = ties.iter().filter_map(|tie| {
                let value = match tie.place {
                    CorrelationPlace::Request => {
                        let place = captured.iter().position(|index| *index == tie.action_field)?;
                        let place = Literal::usize_unsuffixed(place);
                        quote!(&captured.#place)
                    }
                    CorrelationPlace::Response => {
                        let field = names::value_ident(&action.response.get(tie.action_field as usize)?.name);
                        quote!(&response.#field)
                    }
                };
                Some(quote!(#rpc::Encode::encode(#value, out);))
            });
            quote!(keys.add(#broadcast, |out| { #(#writes)* });)
        });
        let name = |used: bool, name: &str| {
            if used { format_ident!("{name}") } else { format_ident!("_{name}") }
        };
        let (captured_name, response_name) = (name(!fields.is_empty(), "captured"), name(uses_response, "response"));
        let keys_name = name(!tied.is_empty(), "keys");
        let functions = quote! {
            fn capture(&self) -> Self::Captured { #body }
            fn origin_keys(#captured_name: &Self::Captured, #response_name: &Self::Response, #keys_name: &mut #rpc::OriginKeys) {
                #(#keys)*
            }
        };
        (captured_type, functions)
    }

    /// The broadcasts that go to the origin of an action, each with its ties. The app ID is always the first: a node hears of what
    /// belongs to the app that it acted for, whatever keys another app uses.
    fn tied_broadcasts(&self, service: &Service, action: &Action) -> Vec<(u32, Vec<Tie>)> {
        let tied = (0_u32..).zip(&service.broadcasts).filter_map(|(index, broadcast)| {
            let origin = broadcast.origin.as_ref()?;
            let is_ours = service.actions.get(origin.action as usize).is_some_and(|other| std::ptr::eq(other, action));
            is_ours.then(|| (index, ties(&origin.by)))
        });
        tied.collect()
    }

    /// The wire type of a response.
    pub(super) fn response_type(&self, action: &Action, scope: Scope) -> TokenStream {
        let name = response_ident(action);
        match action.response.len() {
            0 => quote!(()),
            1 => quote!(#name),
            _ => {
                let up = scope.up_to_service();
                quote!(#up #name)
            }
        }
    }

    /// What a caller gets and a handler returns; `scope` is a service's top or its `actions`.
    pub(super) fn output_type(&self, action: &Action, scope: Scope) -> TokenStream {
        match action.response.as_slice() {
            [] => quote!(()),
            [field] => self.ty(scope, &field.ty),
            _ => self.response_type(action, scope),
        }
    }
}

/// A field that ties a broadcast to an action.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Tie {
    /// Index into the broadcast's fields.
    pub(super) broadcast_field: u32,
    pub(super) place: CorrelationPlace,
    /// Index into the request's or the response's fields.
    pub(super) action_field: u32,
}

/// The app ID, which is the first field of both, then the fields that are named.
pub(super) fn ties(by: &[Correlation]) -> Vec<Tie> {
    let app_id = Tie { broadcast_field: 0, place: CorrelationPlace::Request, action_field: 0 };
    let named = by.iter().map(|one| Tie {
        broadcast_field: one.broadcast_field,
        place: one.place,
        action_field: one.action_field,
    });
    std::iter::once(app_id).chain(named.filter(|tie| *tie != app_id)).collect()
}

/// `CreateAccountResponse`
fn response_ident(action: &Action) -> Ident {
    format_ident!("{}", names::response_name(&action.name))
}
