//! The command line.
//!
//! Knows: names of commands and flags, and their help. Does not know: what they do.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// The compiler of `.rpc` files.
#[derive(Debug, Parser)]
#[command(name = "rpcgen", version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Report everything that is wrong in .rpc files
    Check(CheckArgs),
    /// Write the Rust stubs of .rpc files
    Build(BuildArgs),
    /// Tell what a code such as E020 means, with a wrong and a right example
    Explain(ExplainArgs),
}

/// `rpcgen check`
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The .rpc files
    #[arg(required = true, value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// How findings are shown: human goes to stderr, json to stdout
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// A folder where imports are looked for, after that of the importing file; may be repeated
    #[arg(short = 'I', value_name = "DIR")]
    pub(crate) search_paths: Vec<PathBuf>,
}

/// How findings are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// With the source lines, for people.
    Human,
    /// One document, for programs.
    Json,
}

/// `rpcgen build`
#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// The .rpc files
    #[arg(required = true, value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// Where to write one .rs file for each package
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Write nothing; fail when a file differs from what would be written
    #[arg(long)]
    pub(crate) check: bool,
    /// A folder where imports are looked for, after that of the importing file; may be repeated
    #[arg(short = 'I', value_name = "DIR")]
    pub(crate) search_paths: Vec<PathBuf>,
}

/// `rpcgen explain`
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    /// The code of a finding
    #[arg(value_name = "CODE")]
    pub(crate) code: String,
}
