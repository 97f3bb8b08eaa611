//! The runtime of guaranteed RPC: once a call is accepted, it is delivered and answered, once, whatever the network does.
//!
//! Stubs come from `rpcgen` (a `.rpc` file, or `#[rpcgen_macros::service]` on a trait). With those of a service `bank`:
//!
//! ```rust,ignore
//! impl bank::Bank for MyBank {
//!     async fn get_add_funds_key(&self, call: &Call, app_id: AppId, user: String) -> Result<String, GetAddFundsKeyError> { .. }
//! }
//! let server = Server::builder().serve(bank::server(MyBank)).listen("tcp://127.0.0.1:4500").await?;
//!
//! let bank = bank::Client::connect("tcp://127.0.0.1:4500").await?;
//! let key = bank.get_add_funds_key(AppId(7), "alice").await?;            // the short way
//!
//! let call = bank.get_add_funds_key(AppId(7), "alice").send().await?;    // 1 accepted: in my log
//! call.guaranteed().await?;                                              // 2 the server has taken responsibility
//! let key = call.await?;                                                 // 3 answered
//! ```
//!
//! | address | what travels |
//! | --- | --- |
//! | `tcp://HOST:PORT` | encoded messages; loopback only, unless the server says otherwise in so many words |
//! | `thread://NAME` | the messages themselves, between threads of this process |
//!
//! A session survives its links: a lost one is replaced, both ends say where they are, and go on from there. With the memory logs of
//! this version it does not survive the client's process; a server that lost its memory is sent what is unanswered again, and its
//! handlers see [`Call::redelivered`].
//!
//! A handler is polled once in the task of its session, and in a task of its own if it waits: do not block in one.
#![forbid(unsafe_code)]

mod business;
mod carried;
pub mod client;
mod contract;
mod driver;
pub mod error;
#[doc(hidden)]
pub mod generated;
mod random;
pub mod server;

pub use client::{Client, ClientStats};
pub use driver::address::{Address, AddressError};
pub use error::{BroadcastError, CallError, ConnectError, DisconnectReport, ListenError, SendError};
pub use rpcgen_proto::config::Config;
pub use rpcgen_proto::faults::{FaultCounters, FaultPlan};
pub use rpcgen_proto::frame::{CancelOutcome, Refusal};
pub use rpcgen_proto::ids::{AppId, CallKey, ClientId};
pub use rpcgen_proto::payload::Timestamp;
pub use server::{Call, Server, ServerStats, ShutdownReport};
pub use uuid::Uuid;

/// Includes the stubs that `rpcgen::compile` generated in a build script: `pub mod bank { rpcgen_runtime::include_rpc!("bank"); }`.
#[macro_export]
macro_rules! include_rpc {
    ($package:literal) => {
        #[allow(
            dead_code,
            deprecated,
            missing_docs,
            unreachable_pub,
            unused_qualifications,
            clippy::all,
            clippy::pedantic,
            clippy::allow_attributes_without_reason,
            rustdoc::all,
            reason = "generated code: nobody can act on it there"
        )]
        mod generated {
            include!(concat!(env!("OUT_DIR"), "/", $package, ".rs"));
        }
        #[allow(unused_imports, unreachable_pub, reason = "a program need not use all of a service")]
        pub use generated::*;
    };
}
