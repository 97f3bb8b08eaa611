//! The `rpcgen` command.
//!
//! Knows: which command runs, and what its end means to a shell. Does not know: the language; that is the library's.
#![forbid(unsafe_code)]

mod args;
mod build;
mod check;
mod exit;
mod explain;

use std::process::ExitCode;

use args::{Args, Command};
use clap::Parser as _;
use exit::End;

fn main() -> ExitCode {
    // A wrong command line ends here, with 2.
    let end = match Args::parse().command {
        Command::Check(args) => check::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Explain(args) => explain::run(&args),
    };
    end.unwrap_or_else(End::Failed).into()
}
