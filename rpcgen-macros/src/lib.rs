//! `#[service]` on a trait: guaranteed RPC stubs without an IDL file.
//!
//! Knows: how a service is written in Rust. Does not know: checks and generation; a trait becomes the same syntax tree as a `.rpc` text,
//! and what follows is one and the same.
//!
//! ```ignore
//! #[rpcgen_macros::service]
//! mod bank {
//!     /// The bank server.
//!     trait Bank {
//!         /// A fresh key to send coins to.
//!         #[action(returns(key), persist = disk)]
//!         async fn get_add_funds_key(app_id: AppId, user: String) -> Result<AddFundsKey, GetAddFundsKeyError>;
//!
//!         #[broadcast(origin = get_add_funds_key, by(key))]
//!         async fn pending_amount(app_id: AppId, key: AddFundsKey, amount: u64);
//!     }
//!
//!     type AddFundsKey = String;
//!     enum GetAddFundsKeyError { NoSuchUser }
//! }
//! ```
//!
//! On a bare trait, types that it names come from the scope around it: [`macro@message`] makes such types.
#![forbid(unsafe_code)]

mod attributes;
mod expand;
mod from_items;
mod from_trait;
mod spans;
mod types;

use proc_macro::TokenStream;

/// Stubs of a service, from a trait or from a module with a trait and the types that it needs.
///
/// `#[service(package = "bank")]` names the package; without it, it is the module's name, or the trait's in snake_case.
///
/// | in the trait | is |
/// | --- | --- |
/// | `#[action] async fn name(app_id: AppId, ..) -> T;` | an action; `Result<T, E>` if it can fail; a tuple has several fields |
/// | `#[action(returns(a, b))]` | names of the response's fields; one alone is called `value` |
/// | `#[action(persist = disk, deadline = Duration::from_secs(3))]` | its options |
/// | `#[broadcast] async fn name(app_id: AppId, ..);` | a broadcast to any node that handles it |
/// | `#[broadcast(origin = action, by(field, ..))]` | a broadcast to the node that sent the action |
/// | `#[rpc(default = 7, max = 64, sensitive)]` on a parameter or field | its default, its bound, and that it is never printed |
/// | `#[rpc(fixed)]` on a struct | no length on the wire, no evolution |
/// | `#[deprecated(note = "..")]` | as in Rust |
#[proc_macro_attribute]
pub fn service(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand::service(attribute.into(), item.into()).into_tokens().into()
}

/// A struct or an enum that messages can hold: public, with the codec and the derives of a type from a `.rpc` file.
///
/// `#[message(error)]` on an enum adds `Display` and `Error`: for the `E` of an action's `Result<T, E>`. `#[rpc(..)]` is as in
/// [`macro@service`].
#[proc_macro_attribute]
pub fn message(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand::message(attribute.into(), item.into()).into_tokens().into()
}
