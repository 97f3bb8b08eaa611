//! The client side: one method per action.
//!
//! Knows: requests. Does not know: how they travel.

use proc_macro2::TokenStream;
use quote::quote;

use super::names::{self, Prelude};
use super::{Generator, Scope, docs};
use crate::model::{Action, Field, Service, Type};

/// Methods that each client has, or that every type has by value and that would come first: an action of such a name gets an underscore.
const OWN_METHODS: [&str; 6] = ["connect", "builder", "disconnect", "runtime", "into", "try_into"];

impl Generator<'_> {
    /// `Client`.
    pub(super) fn client_side(&self, service: &Service, scope: Scope) -> TokenStream {
        let (rpc, Prelude { result, clone, debug, .. }) = (&self.rpc, &self.prelude);
        let text = service.name.as_str();
        let head = docs::line_and(&format!("Calls `{text}`."), &service.docs);
        let methods = service.actions.iter().map(|action| self.client_method(action, scope));
        let connect = docs::line("Connects to a server; see the runtime's `Client` for the forms of addresses.");
        let builder = docs::line("Connects with more say in it.");
        let disconnect =
            docs::line("Waits until all is answered and guaranteed, at most for `limit`; says what was dropped.");
        let runtime = docs::line("What is common to the clients of all services.");
        quote! {
            #head
            #[derive(#clone, #debug)]
            pub struct Client { inner: #rpc::Client }
            impl #rpc::Stub for Client {
                const SERVICE: &'static #rpc::ServiceDescriptor = &SERVICE;
                fn from_client(inner: #rpc::Client) -> Self { Self { inner } }
                fn as_client(&self) -> &#rpc::Client { &self.inner }
            }
            impl Client {
                #connect
                pub async fn connect(address: &str) -> #result<Self, #rpc::ConnectError> {
                    Self::builder().connect(address).await
                }
                #builder
                #[must_use]
                pub fn builder() -> #rpc::ClientBuilder<Self> { #rpc::ClientBuilder::new() }
                #(#methods)*
                #disconnect
                pub async fn disconnect(&self, limit: ::core::time::Duration) -> #rpc::DisconnectReport {
                    self.inner.disconnect(limit).await
                }
                #runtime
                #[must_use]
                pub const fn runtime(&self) -> &#rpc::Client { &self.inner }
            }
        }
    }

    fn client_method(&self, action: &Action, scope: Scope) -> TokenStream {
        let rpc = &self.rpc;
        let docs = docs::doc_or(&action.docs, &format!("Calls `{}`.", action.name));
        let deprecated = docs::deprecated(action.deprecated.as_ref());
        let name = names::method_ident(&action.name, &OWN_METHODS);
        let request = names::type_ident(&action.name);
        let parameters = self.parameters(&action.request, scope);
        let values = self.arguments(&action.request);
        quote! {
            #docs #deprecated
            pub fn #name(&self, #parameters) -> #rpc::Request<'_, actions::#request> {
                self.inner.request(actions::#request { #values })
            }
        }
    }

    /// Parameters for the fields of a message. Strings are taken in any form.
    pub(super) fn parameters(&self, fields: &[Field], scope: Scope) -> TokenStream {
        let into = &self.prelude.into;
        let parameters = fields.iter().map(|field| {
            let (name, ty) = (names::value_ident(&field.name), self.ty(scope, &field.ty));
            if self.is_string(field) { quote!(#name: impl #into<#ty>) } else { quote!(#name: #ty) }
        });
        quote!(#(#parameters),*)
    }

    /// The fields of a message from parameters of the same names.
    pub(super) fn arguments(&self, fields: &[Field]) -> TokenStream {
        let values = fields.iter().map(|field| {
            let name = names::value_ident(&field.name);
            if self.is_string(field) { quote!(#name: #name.into()) } else { quote!(#name) }
        });
        quote!(#(#values),*)
    }

    fn is_string(&self, field: &Field) -> bool {
        matches!(self.resolved(&field.ty), Type::String { .. })
    }
}
