//! The `rpcgen` command.
//!
//! Knows: which command runs, and what its end means to a shell. Does not know: the language; that is the library's.
#![forbid(unsafe_code)]

mod args;
mod breaking;
mod build;
mod check;
mod completions;
mod document;
mod exit;
mod explain;
mod files;
mod fmt;
mod import;
mod log;
mod lsp;
mod new;

use std::process::ExitCode;

use args::{Args, Command};
use clap::Parser as _;
use exit::End;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return exit::say_usage(&error).into(),
    };
    let end = match args.command {
        Command::Check(args) => check::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Schema(args) => document::schema(&args),
        Command::Doc(args) => document::doc(&args),
        Command::Breaking(args) => breaking::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Log(args) => log::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Lsp(args) => lsp::run(&args),
        Command::New(args) => new::run(&args),
    };
    end.unwrap_or_else(End::Failed).into()
}
