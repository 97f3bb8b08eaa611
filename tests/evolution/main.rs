//! What `rpcgen breaking` says, and whether it is true: both versions of every case are generated, compiled and run.
//!
//! Knows: cases, one folder each. Does not know: how a finding is made.
//! `UPDATE=1` rewrites the findings; those that are missing are written, and the test still fails.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its files fails")]

mod findings;
mod interop;
mod links;
mod processes;
mod special;
mod updates;
mod values;

use std::path::{Path, PathBuf};

use rpcgen::model::Model;

/// What a generated message does with bytes: reads them, writes them again.
type Recode = fn(&[u8]) -> Result<Vec<u8>, String>;

/// A message of a version: `Shop action 0 request`, and what reads and writes it.
type Message = (&'static str, Recode);

/// The generated code of both versions of one case.
struct Case {
    name: &'static str,
    old: fn() -> Vec<Message>,
    new: fn() -> Vec<Message>,
}

#[allow(
    clippy::all,
    clippy::nursery,
    clippy::pedantic,
    dead_code,
    deprecated,
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    reason = "as include_rpc!"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/evolution.rs"));
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("evolution/cases")
}

fn model(case: &str, version: &str) -> Model {
    let checked = rpcgen::check(&[folder().join(case).join(format!("{version}.rpc"))]);
    checked.model.unwrap_or_else(|| panic!("{case}: {}", checked.diagnostics.to_human(false)))
}

/// Reads a message and writes it again, as an older or newer peer would that stores what it gets.
fn recode<T: rpcgen_runtime::generated::Encode + rpcgen_runtime::generated::Decode>(
    bytes: &[u8],
) -> Result<Vec<u8>, String> {
    let value: T = rpcgen_proto::payload::from_slice(bytes).map_err(|error| error.to_string())?;
    rpcgen_proto::payload::to_vec(&value).map_err(|error| error.to_string())
}
