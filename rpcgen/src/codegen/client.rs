//! The client side: one method per action.
//!
//! Knows: requests. Does not know: how they travel.

use super::code::{Code, code};
use super::names::{self, Prelude};
use super::{Generator, Scope, docs};
use crate::model::{Action, Field, Service, Type};

/// Methods that each client has, or that traits in sight everywhere give it, which one of ours would hide: an action of such a name gets an
/// underscore.
const OWN_METHODS: [&str; 10] =
    ["connect", "builder", "disconnect", "recovered", "runtime", "into", "try_into", "clone", "clone_into", "to_owned"];

impl Generator<'_> {
    /// `Client`.
    pub(super) fn client_side(&self, service: &Service, scope: Scope) -> Code {
        let (rpc, Prelude { result, clone, debug, .. }) = (&self.rpc, &self.prelude);
        let text = service.name.as_str();
        let head = docs::line_and(&format!("Calls `{text}`."), &service.docs);
        let methods = service.actions.iter().map(|action| self.client_method(action, scope));
        let connect = docs::line("Connects to a server; see the runtime's `Client` for the forms of addresses.");
        let builder = docs::line("Connects with more say in it.");
        let disconnect =
            docs::line("Waits until all is answered and guaranteed, at most for `limit`; says what was dropped.");
        let (recovered, recovered_call) = self.recovered(service);
        let mock_docs = docs::line(&format!("A stand-in for a server of `{text}`, for tests of what calls it."));
        let runtime = docs::line("What is common to the clients of all services.");
        code! {
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
                #recovered
                #runtime
                #[must_use]
                pub const fn runtime(&self) -> &#rpc::Client { &self.inner }
            }
            #recovered_call
            #mock_docs
            pub async fn mock() -> #rpc::Mock<Client> { #rpc::Mock::start().await }
        }
    }

    /// The method that gives the calls of earlier runs, and `RecoveredCall`. Nothing for a service without actions.
    fn recovered(&self, service: &Service) -> (Code, Code) {
        if service.actions.is_empty() {
            return (Code::new(), Code::new());
        }
        let (rpc, Prelude { option, debug, some, none, ok, err, vec, .. }) = (&self.rpc, &self.prelude);
        let method_docs = docs::line(
            "The calls that earlier runs of this program left in the log on disk; see the runtime's `Client::recovered`.",
        );
        let docs = docs::line(
            "A call that an earlier run of this program left in the log on disk: to be awaited, or cancelled.",
        );
        let names: Vec<_> = service.actions.iter().map(|action| names::type_ident(&action.name)).collect();
        let variants = service.actions.iter().zip(&names).map(|(action, name)| {
            let line = docs::line(&format!("Of `{}`.", action.name));
            code!(#line #name(#rpc::Call<actions::#name>))
        });
        let tries = names.iter().map(|name| {
            code! {
                let call = match call.into_call::<actions::#name>() {
                    #ok(call) => return #some(Self::#name(call)),
                    #err(call) => call,
                };
            }
        });
        let method = code! {
            #method_docs
            pub fn recovered(&self) -> #vec<RecoveredCall> {
                #rpc::typed(&self.inner, RecoveredCall::of)
            }
        };
        let call = code! {
            #docs
            #[derive(#debug)]
            #[must_use = "a recovered call that is dropped stays in the log"]
            pub enum RecoveredCall {
                #(#variants,)*
            }
            impl RecoveredCall {
                fn of(call: #rpc::RecoveredCall) -> #option<Self> {
                    #(#tries)*
                    let _ = call;
                    #none
                }
            }
        };
        (method, call)
    }

    fn client_method(&self, action: &Action, scope: Scope) -> Code {
        let rpc = &self.rpc;
        let docs = docs::doc_or(&action.docs, &format!("Calls `{}`.", action.name));
        let deprecated = docs::deprecated(action.deprecated.as_ref());
        let name = names::method_ident(&action.name, &OWN_METHODS);
        let request = names::type_ident(&action.name);
        let parameters = self.parameters(&action.request, scope);
        let values = self.arguments(&action.request);
        code! {
            #docs #deprecated
            pub fn #name(&self, #parameters) -> #rpc::Request<'_, actions::#request> {
                self.inner.request(actions::#request { #values })
            }
        }
    }

    /// Parameters for the fields of a message. Strings are taken in any form.
    pub(super) fn parameters(&self, fields: &[Field], scope: Scope) -> Code {
        let into = &self.prelude.into;
        let parameters = fields.iter().map(|field| {
            let (name, ty) = (names::value_ident(&field.name), self.ty(scope, &field.ty));
            if self.is_string(field) { code!(#name: impl #into<#ty>) } else { code!(#name: #ty) }
        });
        code!(#(#parameters),*)
    }

    /// The fields of a message from parameters of the same names.
    pub(super) fn arguments(&self, fields: &[Field]) -> Code {
        let values = fields.iter().map(|field| {
            let name = names::value_ident(&field.name);
            if self.is_string(field) { code!(#name: #name.into()) } else { code!(#name) }
        });
        code!(#(#values),*)
    }

    fn is_string(&self, field: &Field) -> bool {
        matches!(self.resolved(&field.ty), Type::String { .. })
    }
}
