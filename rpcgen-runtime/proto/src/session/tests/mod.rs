//! Scripted scenarios of the protocol's rules, each named after the fact that it shows.

mod admission;
mod broadcasts;
mod calls;
mod durable;
mod durable_broadcasts;
mod durable_ledger;
mod durable_pair;
mod durable_secrets;
mod durable_turns;
mod lossy;
mod packed;
mod pair;
mod pools;
mod schemas;
mod sessions;
mod toy_log;
mod traps;
