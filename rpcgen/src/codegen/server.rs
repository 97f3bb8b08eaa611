//! The business side: the trait that is implemented, and what hands requests to it.
//!
//! Knows: actions and their numbers. Does not know: how requests come.

use super::code::{Code, Name, code};
use super::names::{self, Prelude};
use super::{Generator, Scope, docs, values};
use crate::model::{Action, Persist, Service};

impl Generator<'_> {
    /// The trait, `server` with `server_shared`, and the dispatcher.
    pub(super) fn server_side(&self, service: &Service, scope: Scope) -> Code {
        let Prelude { send, sync, .. } = &self.prelude;
        let name = names::type_ident(&service.name);
        let text = service.name.as_str();
        let head =
            docs::line_and(&format!("The business side of `{text}`: implement it, then `server(..)`."), &service.docs);
        let methods = service.actions.iter().map(|action| self.business_method(action, scope));
        let dispatcher = self.dispatcher(service);
        let rpc = &self.rpc;
        let server_docs = docs::line(&format!("A business implementation of `{text}` as a service to be served."));
        let shared_docs = docs::line("The same, of an implementation that others hold too.");
        let business = names::generic_ident("B", &[&name]);
        code! {
            #head
            pub trait #name: #send + #sync + 'static { #(#methods)* }
            #server_docs
            pub fn server<#business: #name>(business: #business) -> #rpc::Service {
                server_shared(::std::sync::Arc::new(business))
            }
            #shared_docs
            pub fn server_shared<#business: #name>(business: ::std::sync::Arc<#business>) -> #rpc::Service {
                #rpc::Service::new(&SERVICE, Dispatcher { business })
            }
            #dispatcher
        }
    }

    fn business_method(&self, action: &Action, scope: Scope) -> Code {
        let (rpc, Prelude { send, result, .. }) = (&self.rpc, &self.prelude);
        let docs = docs::doc(&action.docs);
        let name = names::value_ident(&action.name);
        let call = names::local_ident("call", &action.request);
        let parameters = action.request.iter().map(|field| {
            let (name, ty) = (names::value_ident(&field.name), self.ty(scope, &field.ty));
            code!(#name: #ty)
        });
        let output = self.output_type(action, scope);
        let returned = match self.error_type(action, scope) {
            Some(error) => code!(#result<#output, #error>),
            None => output,
        };
        code! {
            #docs
            fn #name(&self, #call: &#rpc::ServerCall, #(#parameters),*)
                -> impl #rpc::Future<Output = #returned> + #send;
        }
    }

    fn dispatcher(&self, service: &Service) -> Code {
        let rpc = &self.rpc;
        let name = names::type_ident(&service.name);
        let arms = (0_u32..).zip(&service.actions).map(|(method, action)| {
            let (request, call) = (names::type_ident(&action.name), names::value_ident(&action.name));
            let arguments = action.request.iter().map(|field| {
                let field = names::value_ident(&field.name);
                code!(request.#field)
            });
            code! {
                #method => #rpc::handle(call, request, move |call, request: actions::#request| async move {
                    #name::#call(&*business, &call, #(#arguments),*).await
                }),
            }
        });
        let (business, call, request) = if service.actions.is_empty() {
            (code!(), code!(_), code!(_))
        } else {
            (code!(let business = ::std::sync::Arc::clone(&self.business);), code!(call), code!(request))
        };
        let generic = names::generic_ident("B", &[&name]);
        code! {
            struct Dispatcher<#generic> { business: ::std::sync::Arc<#generic> }
            impl<#generic: #name> #rpc::Dispatch for Dispatcher<#generic> {
                fn dispatch(&self, method: u32, #call: #rpc::ServerCall, #request: #rpc::Carried) -> #rpc::Handler {
                    #business
                    match method {
                        #(#arms)*
                        _ => #rpc::unknown_action(),
                    }
                }
            }
        }
    }

    /// `SERVICE`: what both ends know of the service.
    pub(super) fn descriptor(&self, service: &Service) -> Code {
        let (rpc, Prelude { some, none, .. }) = (&self.rpc, &self.prelude);
        let name = format!("{}.{}", self.model.package(service.package).name, service.name);
        let fingerprint = hexadecimal(service.fingerprint);
        let shape = service.shape.split_inclusive('\n');
        let actions = service.actions.iter().map(|action| {
            let name = &action.name;
            let deadline = action.deadline.map_or_else(
                || none.clone(),
                |deadline| {
                    let deadline = values::duration(deadline.into());
                    code!(#some(#deadline))
                },
            );
            let persist = match action.persist {
                None => code!(#rpc::Persist::Default),
                Some(Persist::Memory) => code!(#rpc::Persist::Memory),
                Some(Persist::Disk) => code!(#rpc::Persist::Disk),
            };
            code!(#rpc::ActionDescriptor { name: #name, deadline: #deadline, persist: #persist })
        });
        let broadcasts = service.broadcasts.iter().map(|broadcast| {
            let (name, to_origin) = (&broadcast.name, broadcast.origin.is_some());
            code!(#rpc::BroadcastDescriptor { name: #name, to_origin: #to_origin })
        });
        let docs = docs::line(&format!("What both ends know of `{}`.", service.name));
        code! {
            #docs
            pub static SERVICE: #rpc::ServiceDescriptor = #rpc::ServiceDescriptor {
                name: #name,
                fingerprint: #fingerprint,
                shape: ::std::concat!(#(#shape),*),
                actions: &[#(#actions),*],
                broadcasts: &[#(#broadcasts),*],
            };
        }
    }
}

/// `0x0123_4567_89ab_cdef`
fn hexadecimal(number: u64) -> Name {
    let digits = format!("{number:016x}");
    let groups: Vec<&str> = (0..4).filter_map(|group| digits.get(group * 4..group * 4 + 4)).collect();
    Name::new(format!("0x{}", groups.join("_")))
}
