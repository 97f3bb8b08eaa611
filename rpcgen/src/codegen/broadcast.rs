//! Broadcasts: what travels, who handles them, who sends them.
//!
//! Knows: broadcasts and their numbers. Does not know: how they are routed; the runtime compares origin keys.

use super::code::{Code, code};
use super::names::{self, Prelude};
use super::{Generator, Scope, actions, docs};
use crate::model::{Broadcast, Service};

/// Methods that the handlers have, or that traits in sight everywhere give to them and to the sender.
const OWN_METHODS: [&str; 6] = ["new", "into", "try_into", "clone", "clone_into", "to_owned"];

impl Generator<'_> {
    /// The broadcasts as they travel.
    pub(super) fn broadcast_structs(&self, service: &Service, scope: Scope) -> Code {
        (0_u32..)
            .zip(&service.broadcasts)
            .map(|(method, broadcast)| self.broadcast_struct(method, broadcast, scope))
            .collect()
    }

    fn broadcast_struct(&self, method: u32, broadcast: &Broadcast, scope: Scope) -> Code {
        let (rpc, Prelude { option, none, vec, .. }) = (&self.rpc, &self.prelude);
        let name = names::type_ident(&broadcast.name);
        let head = docs::line_and(&format!("The broadcast `{}`.", broadcast.name), &broadcast.docs);
        let message = self.message(&head, &name, &broadcast.fields, scope);
        let key = match &broadcast.origin {
            None => none.clone(),
            Some(origin) => {
                let writes = actions::ties(&origin.by).into_iter().filter_map(|tie| {
                    let field = names::value_ident(&broadcast.fields.get(tie.broadcast_field as usize)?.name);
                    Some(code!(#rpc::Encode::encode(&self.#field, &mut out);))
                });
                code! {
                    let mut out = #rpc::Writer::new();
                    #(#writes)*
                    out.finish().ok()
                }
            }
        };
        code! {
            #message
            impl #rpc::Broadcast for #name {
                const METHOD: u32 = #method;
                fn origin_key(&self) -> #option<#vec<u8>> { #key }
            }
        }
    }

    /// `Handlers`.
    pub(super) fn broadcast_handlers(&self, service: &Service) -> Code {
        if service.broadcasts.is_empty() {
            return Code::new();
        }
        let (rpc, Prelude { default, debug, from, fn_trait, send, sync, .. }) = (&self.rpc, &self.prelude);
        let methods = service.broadcasts.iter().map(|broadcast| {
            let (name, message) =
                (names::method_ident(&broadcast.name, &OWN_METHODS), names::type_ident(&broadcast.name));
            let docs = docs::doc_or(&broadcast.docs, &format!("Handles `{}`.", broadcast.name));
            let (handler, running) = (names::generic_ident("F", &[&message]), names::generic_ident("R", &[&message]));
            code! {
                #docs
                pub fn #name<#handler, #running>(mut self, handler: #handler) -> Self
                where
                    #handler: #fn_trait(#rpc::Delivery, #message) -> #running + #send + #sync + 'static,
                    #running: #rpc::Future<Output = ()> + #send + 'static,
                {
                    self.inner.add::<#message, _, _>(handler);
                    self
                }
            }
        });
        let head = docs::line("Which broadcasts this node handles: what has no handler is never sent here.");
        let new = docs::line("Handles nothing yet.");
        code! {
            #head
            #[derive(#debug, #default)]
            #[must_use]
            pub struct Handlers { inner: #rpc::BroadcastHandlers }
            impl Handlers {
                #new
                pub fn new() -> Self { Self::default() }
                #(#methods)*
            }
            impl #from<Handlers> for #rpc::BroadcastHandlers {
                fn from(handlers: Handlers) -> Self { handlers.inner }
            }
        }
    }

    /// `Broadcasts`.
    pub(super) fn broadcast_sender(&self, service: &Service, scope: Scope) -> Code {
        if service.broadcasts.is_empty() {
            return Code::new();
        }
        let (rpc, Prelude { clone, debug, result, .. }) = (&self.rpc, &self.prelude);
        let methods = service.broadcasts.iter().map(|broadcast| {
            let (name, message) =
                (names::method_ident(&broadcast.name, &OWN_METHODS), names::type_ident(&broadcast.name));
            let docs = docs::doc_or(&broadcast.docs, &format!("Sends `{}`.", broadcast.name));
            let gap = docs::line("");
            let promise = docs::line("Returns once logged.");
            let deprecated = docs::deprecated(broadcast.deprecated.as_ref());
            let parameters = self.parameters(&broadcast.fields, scope);
            let values = self.arguments(&broadcast.fields);
            code! {
                #docs #gap #promise #deprecated
                pub async fn #name(&self, #parameters) -> #result<(), #rpc::BroadcastError> {
                    self.inner.send(#message { #values }).await
                }
            }
        });
        let head = docs::line(&format!("Sends the broadcasts of `{}`.", service.name));
        code! {
            #head
            #[derive(#clone, #debug)]
            pub struct Broadcasts { inner: #rpc::BroadcastSender }
            impl #rpc::BroadcastStub for Broadcasts {
                const SERVICE: &'static #rpc::ServiceDescriptor = &SERVICE;
                fn from_sender(inner: #rpc::BroadcastSender) -> Self { Self { inner } }
            }
            impl Broadcasts { #(#methods)* }
        }
    }
}
