//! Guaranteed RPC: once accepted, a call is delivered and answered, once, whatever the network does.
//!
//! A `.rpc` file says what a service can do; the generator makes a trait for its business, a client and types of it. This crate is what
//! they run on.
//!
//! ```ignore
//! pub mod bank { rpcgen_runtime::include_rpc!("bank"); }
//!
//! // The server.
//! let server = Server::builder().serve(bank::server(MyBank)).listen("tcp://127.0.0.1:4500").await?;
//! server.broadcasts::<bank::Broadcasts>().pending_amount(app_id, key, amount).await?; // returns once logged
//!
//! // A client: the short way ...
//! let bank = bank::Client::connect("tcp://127.0.0.1:4500").await?;
//! let key = bank.get_add_funds_key(AppId(7), "alice").await?;
//! // ... and the three steps.
//! let call = bank.get_add_funds_key(AppId(7), "alice").send().await?; // accepted: in my log
//! call.guaranteed().await?; // the server has it
//! match call.await {
//!     Ok(key) => println!("{key}"),
//!     Err(CallError::Failed(error)) => println!("the bank says no: {error}"),
//!     Err(error) => return Err(error.into()),
//! }
//! // Many calls from one task: handed over together, answered as the answers come.
//! let mut calls = Calls::new();
//! for user in &users {
//!     calls.push(bank.get_add_funds_key(AppId(7), user));
//! }
//! while let Some((index, key)) = calls.next().await {
//!     println!("{}: {}", users[index], key?);
//! }
//! bank.disconnect(Duration::from_secs(5)).await;
//! ```
//!
//! The same client works over `tcp://HOST:PORT` and, within a process, over `thread://NAME`; there the typed messages themselves are
//! handed over, nothing is encoded.
//!
//! # What survives what
//!
//! | step | name | survives (logs in memory) | survives (logs on disk) |
//! | --- | --- | --- | --- |
//! | `send().await` | accepted | a lost link, a crash of the server | any crash of either end |
//! | `call.guaranteed().await` | guaranteed | a lost link, this process being away | any crash; the server goes on without the client |
//! | `call.await` | answered | | any crash, until the answer is taken |
//!
//! Logs are in memory unless [`ClientBuilder::log`](client::ClientBuilder::log) and
//! [`ServerBuilder::log`](server::ServerBuilder::log) name a directory, each for its own end. [`Client::recovered`] hands out what an
//! earlier process left.
//!
//! A server that crashed has lost its memory: it runs an unanswered action again, and says so ([`Call::redelivered`]). Over
//! `thread://` the message of an action that had begun went with its handler: such a call ends as [`CallError::Unknown`].
//!
//! Between threads nothing is encoded, and so nothing is measured either: `@max` is not checked there (it guards a process against
//! foreign bytes, and costs as much as encoding), and a message counts as its size without what it keeps on the heap: the limits of
//! [`Config`] in messages bound the logs, those in bytes do not. A request that is too long is refused by `send()` as soon as the same
//! program runs over a network.
//!
//! A handler is polled once in the task of its session, and goes to a task of its own if it waits: do not block in one.
#![forbid(unsafe_code)]

mod blocks;
mod carried;
pub mod client;
pub mod completion;
mod contract;
mod driver;
mod durable;
pub mod error;
#[doc(hidden)]
pub mod generated;
mod interest;
pub mod mock;
mod random;
mod run;
pub mod server;

pub use rpcgen_proto::config::{AdaptiveDeadline, Config};
pub use rpcgen_proto::faults::{FaultCounters, FaultPlan};
pub use rpcgen_proto::frame::{CancelOutcome, Refusal, Reject, RejectReason};
pub use rpcgen_proto::ids::{AppId, CallKey, CallNumber, ClientId, Incarnation};
pub use rpcgen_proto::payload::Timestamp;
pub use rpcgen_proto::server::RegistryConfig;
pub use rpcgen_proto::session::Stats;
pub use uuid::Uuid;

pub use crate::client::{Calls, Client, ClientStats, Delivery, PendingCall, RecoveredCall, Step};
pub use crate::driver::address::{Address, AddressError};
pub use crate::durable::{LogProgress, LogStats};
pub use crate::error::{
    BroadcastError, CallError, ConnectError, DisconnectReport, DroppedCall, ListenError, NotGuaranteed, OpenLogError,
    SendError,
};
pub use crate::interest::{Interest, TooManyTopics};
pub use crate::server::{AcceptLimits, Call, Server, ServerLimits, ServerStats, ShutdownReport};

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
            clippy::nursery,
            clippy::allow_attributes_without_reason,
            rustdoc::all,
            reason = "generated code: nobody can act on it there"
        )]
        mod __rpcgen_generated {
            include!(concat!(env!("OUT_DIR"), "/", $package, ".rs"));
        }
        #[allow(unused_imports, unreachable_pub, reason = "a program need not use all of a service")]
        pub use self::__rpcgen_generated::*;
    };
}
