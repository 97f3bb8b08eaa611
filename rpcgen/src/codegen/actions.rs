//! The requests and responses as they travel.
//!
//! Knows: which fields a message has, how a wire response becomes what a caller gets. Does not know: callers, handlers.

use super::code::{Code, Name, code};
use super::names::{self, Prelude};
use super::types::Traits;
use super::{Generator, Scope, docs};
use crate::model::{Action, Correlation, CorrelationPlace, Field, Service, TypeKind};

impl Generator<'_> {
    /// Responses of two and more fields: what a caller gets is what travels.
    pub(super) fn response_structs(&self, service: &Service, scope: Scope) -> Code {
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
    pub(super) fn actions_module(&self, service: &Service, scope: Scope) -> Code {
        if service.actions.is_empty() {
            return Code::new();
        }
        let docs = docs::line("The requests as they travel.");
        let inner = scope.deeper();
        let items = (0_u32..).zip(&service.actions).map(|(method, action)| {
            let request = self.request_struct(action, inner);
            let response = self.hidden_response_struct(action, inner);
            let door = self.action_impl(service, method, action, inner);
            code!(#request #response #door)
        });
        let foreign = self.model.types.iter().any(|def| matches!(def.kind, TypeKind::External { .. }));
        let glob = foreign.then(|| {
            code!(
                use super::*;
            )
        });
        let items = self.with_import(code!(#(#items)*));
        code!(#docs pub mod actions { #glob #items })
    }

    /// A struct that travels as a body of its own.
    pub(super) fn message(&self, head: &Code, name: &Name, fields: &[Field], scope: Scope) -> Code {
        let traits = Traits { copy: false, default: false, exact: self.facts.are_exact(fields), ordered: false };
        let item = self.struct_item(head, name, fields, scope, None, &traits);
        let codec = self.message_codec(name, fields, scope);
        code!(#item #codec)
    }

    fn request_struct(&self, action: &Action, scope: Scope) -> Code {
        let docs = docs::line_and(&format!("The request of `{}`.", action.name), &action.docs);
        self.message(&docs, &names::type_ident(&action.name), &action.request, scope)
    }

    /// The wire form of a response of one field; a caller gets the field itself.
    fn hidden_response_struct(&self, action: &Action, scope: Scope) -> Code {
        if action.response.len() != 1 {
            return Code::new();
        }
        self.message(&code!(#[doc(hidden)]), &response_ident(action), &action.response, scope)
    }

    fn action_impl(&self, service: &Service, method: u32, action: &Action, scope: Scope) -> Code {
        let (rpc, result) = (&self.rpc, &self.prelude.result);
        let name = names::type_ident(&action.name);
        let up = scope.up_to_service();
        let response = self.response_type(action, scope);
        let output = self.output_type(action, scope);
        let (error, returned) = match self.error_type(action, scope) {
            Some(error) => (error.clone(), code!(#result<#output, #error>)),
            None => (code!(::core::convert::Infallible), output.clone()),
        };
        let into_result = self.result_conversion(action);
        let into_output = match action.response.as_slice() {
            [] => code!(
                fn into_output((): Self::Response) {}
            ),
            [field] => {
                let field = names::value_ident(&field.name);
                code!(fn into_output(response: Self::Response) -> Self::Output { response.#field })
            }
            _ => code!(
                fn into_output(response: Self::Response) -> Self::Output {
                    response
                }
            ),
        };
        let (captured, routing) = self.origin_side(service, action, scope);
        // The checker has seen to it that there is one, and that it is the app's.
        let app = action.request.first().map(|field| names::value_ident(&field.name));
        code! {
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

    fn result_conversion(&self, action: &Action) -> Code {
        let Prelude { ok, result: result_type, .. } = &self.prelude;
        let (parameter, body) = match (action.response.as_slice(), Self::can_fail(action)) {
            ([field], fails) => {
                let (wire, field) = (response_ident(action), names::value_ident(&field.name));
                let body = if fails {
                    code!(result.map(|#field| #wire { #field }))
                } else {
                    code!(#ok(#wire { #field: result }))
                };
                (code!(result), body)
            }
            (_, true) => (code!(result), code!(result)),
            ([], false) => (code!(()), code!(#ok(()))),
            (_, false) => (code!(result), code!(#ok(result))),
        };
        code!(fn into_result(#parameter: Self::Result) -> #result_type<Self::Response, Self::Error> { #body })
    }

    /// What ties broadcasts to the node that sent this action: the captured type, and the functions.
    fn origin_side(&self, service: &Service, action: &Action, scope: Scope) -> (Code, Code) {
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
            if self.facts.type_is_copy(&field.ty) { code!(self.#ident) } else { code!(self.#ident.clone()) }
        });
        let captured_type = code!((#(#types,)*));
        let body = if fields.is_empty() { code!() } else { code!((#(#values,)*)) };
        let keys = tied.iter().map(|(broadcast, ties)| {
            let writes = ties.iter().filter_map(|tie| {
                let value = match tie.place {
                    CorrelationPlace::Request => {
                        let place = captured.iter().position(|index| *index == tie.action_field)?;
                        code!(&captured.#place)
                    }
                    CorrelationPlace::Response => {
                        let field = names::value_ident(&action.response.get(tie.action_field as usize)?.name);
                        code!(&response.#field)
                    }
                };
                Some(code!(#rpc::Encode::encode(#value, out);))
            });
            code!(keys.add(#broadcast, |out| { #(#writes)* });)
        });
        let name = |used: bool, name: &str| {
            if used { Name::new(name) } else { Name::new(format!("_{name}")) }
        };
        let (captured_name, response_name) = (name(!fields.is_empty(), "captured"), name(uses_response, "response"));
        let keys_name = name(!tied.is_empty(), "keys");
        let functions = code! {
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
    pub(super) fn response_type(&self, action: &Action, scope: Scope) -> Code {
        let name = response_ident(action);
        match action.response.len() {
            0 => code!(()),
            1 => code!(#name),
            _ => {
                let up = scope.up_to_service();
                code!(#up #name)
            }
        }
    }

    /// What a caller gets and a handler returns; `scope` is a service's top or its `actions`.
    pub(super) fn output_type(&self, action: &Action, scope: Scope) -> Code {
        match action.response.as_slice() {
            [] => code!(()),
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
fn response_ident(action: &Action) -> Name {
    Name::new(names::response_name(&action.name))
}
