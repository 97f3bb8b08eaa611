//! The business side: the trait that is implemented, and what hands requests to it.
//!
//! Knows: actions and their numbers. Does not know: how requests come.

use proc_macro2::{Literal, TokenStream};
use quote::quote;

use super::names::{self, Prelude};
use super::{Generator, Scope, docs, values};
use crate::model::{Action, Persist, Service};

impl Generator<'_> {
    /// The trait, `server` with `server_shared`, and the dispatcher.
    pub(super) fn server_side(&self, service: &Service, scope: Scope) -> TokenStream {
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
        quote! {
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

    fn business_method(&self, action: &Action, scope: Scope) -> TokenStream {
        let (rpc, Prelude { send, result, .. }) = (&self.rpc, &self.prelude);
        let docs = docs::doc(&action.docs);
        let name = names::value_ident(&action.name);
        let call = names::local_ident("call", &action.request);
        let parameters = action.request.iter().map(|field| {
            let (name, ty) = (names::value_ident(&field.name), self.ty(scope, &field.ty));
            quote!(#name: #ty)
        });
        let output = self.output_type(action, scope);
        let returned = match self.error_type(action, scope) {
            Some(error) => quote!(#result<#output, #error>),
            None => output,
        };
        quote! {
            #docs
            fn #name(&self, #call: &#rpc::ServerCall, #(#parameters),*)
                -> impl #rpc::Future<Output = #returned> + #send;
        }
    }

    fn dispatcher(&self, service: &Service) -> TokenStream {
        let rpc = &self.rpc;
        let name = names::type_ident(&service.name);
        let arms = (0_u32..).zip(&service.actions).map(|(method, action)| {
            let method = Literal::u32_unsuffixed(method);
            let (request, call) = (names::type_ident(&action.name), names::value_ident(&action.name));
            let arguments = action.request.iter().map(|field| {
                let field = names::value_ident(&field.name);
                quote!(request.#field)
            });
            quote! {
                #method => #rpc::handle(call, request, move |call, request: actions::#request| async move {
                    #name::#call(&*business, &call, #(#arguments),*).await
                }),
            }
        });
        let (business, call, request) = if service.actions.is_empty() {
            (quote!(), quote!(_), quote!(_))
        } else {
            (quote!(let business = ::std::sync::Arc::clone(&self.business);), quote!(call), quote!(request))
        };
        let generic = names::generic_ident("B", &[&name]);
        quote! {
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
    pub(super) fn descriptor(&self, service: &Service) -> TokenStream {
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
                    quote!(#some(#deadline))
                },
            );
            let persist = match action.persist {
                None => quote!(#rpc::Persist::Default),
                Some(Persist::Memory) => quote!(#rpc::Persist::Memory),
                Some(Persist::Disk) => quote!(#rpc::Persist::Disk),
            };
            quote!(#rpc::ActionDescriptor { name: #name, deadline: #deadline, persist: #persist })
        });
        let broadcasts = service.broadcasts.iter().map(|broadcast| {
            let (name, to_origin) = (&broadcast.name, broadcast.origin.is_some());
            quote!(#rpc::BroadcastDescriptor { name: #name, to_origin: #to_origin })
        });
        let docs = docs::line(&format!("What both ends know of `{}`.", service.name));
        quote! {
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
fn hexadecimal(number: u64) -> TokenStream {
    let digits = format!("{number:016x}");
    let groups: Vec<&str> = (0..4).filter_map(|group| digits.get(group * 4..group * 4 + 4)).collect();
    format!("0x{}", groups.join("_")).parse().unwrap_or_default()
}
