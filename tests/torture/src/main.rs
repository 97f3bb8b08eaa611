//! Kill anything at any moment, lose nothing: a bank whose server and clients are real processes, over a real database and a real disk.
//!
//! `cargo run --release -p torture -- --kills N --power-losses M --seed S [--json]`. Exits with 1 unless nothing was lost, nothing was
//! done twice, and no call was left in doubt. The last line is JSON.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command talks to its user, and its processes to each other")]

mod bank;
mod client;
mod database;
mod disk;
mod faults;
mod harness;
mod inject;
mod lines;
mod plan;
mod processes;
mod proxy;
mod random;
mod record;
mod server;
mod verdict;

/// The stubs.
mod ledger {
    rpcgen_runtime::include_rpc!("ledger");
}

use std::process::ExitCode;

use clap::Parser as _;

use crate::plan::{Plan, Role};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let plan = Plan::parse();
    let result = match plan.role {
        Some(Role::Server) => server::run(&plan).await.map(|()| true),
        Some(Role::Client) => client::run(&plan).await.map(|()| true),
        None => harness::run(plan).await,
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("torture: {error}");
            ExitCode::from(2)
        }
    }
}
