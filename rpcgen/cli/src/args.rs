//! The command line.
//!
//! Knows: names of commands and flags, and their help. Does not know: what they do.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::fmt::FmtArgs;
use crate::log::LogArgs;
use crate::lsp::LspArgs;
use crate::new::NewArgs;

const ENDS: &str = "\
    Ends with 0 if all is well, with 1 if there are findings or something could not be done, \
    with 2 if what was asked for makes no sense.";

/// The compiler of `.rpc` files.
#[derive(Debug, Parser)]
#[command(name = "rpcgen", version, arg_required_else_help = true, after_help = ENDS)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a crate with a service, a server, a client and a test, which builds and passes at once
    New(NewArgs),
    /// Report everything that is wrong in .rpc files
    Check(CheckArgs),
    /// Write the Rust stubs of .rpc files
    Build(BuildArgs),
    /// Put .rpc files into the one style, comments kept
    Fmt(FmtArgs),
    /// Print the checked model as JSON
    Schema(DocumentArgs),
    /// Make an HTML reference of services, one file that needs no other
    Doc(DocArgs),
    /// Tell what a new version of .rpc files would break, and for whom
    Breaking(BreakingArgs),
    /// Turn protobuf services into .rpc files, and tell what is lost
    Import(ImportArgs),
    /// Tell what a code such as E020 means, with a wrong and a right example, or a rule such as field_moved
    Explain(ExplainArgs),
    /// Show what is in the log on disk of a client or a server; verify it, or repair it
    Log(LogArgs),
    /// Print what makes a shell complete this command
    Completions(CompletionsArgs),
    /// Serve an editor, over stdin and stdout: findings, hover, definitions, rename, completion, format
    Lsp(LspArgs),
}

/// `rpcgen check`
#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The .rpc files; a folder stands for all in it
    #[arg(required = true, value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// How findings are shown: human goes to stderr, the others to stdout
    #[arg(long, value_enum, default_value_t = CheckFormat::Human)]
    pub(crate) format: CheckFormat,
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

/// How findings of `rpcgen check` are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// With the source lines, for people.
    Human,
    /// One document, for programs.
    Json,
    /// SARIF 2.1.0, for code hosts.
    Sarif,
}

/// `rpcgen build`
#[derive(Debug, clap::Args)]
pub(crate) struct BuildArgs {
    /// The .rpc files; a folder stands for all in it
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

/// `rpcgen schema`
#[derive(Debug, clap::Args)]
pub(crate) struct DocumentArgs {
    /// The .rpc files; a folder stands for all in it
    #[arg(required = true, value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// The file to write, instead of stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// A folder where imports are looked for, after that of the importing file; may be repeated
    #[arg(short = 'I', value_name = "DIR")]
    pub(crate) search_paths: Vec<PathBuf>,
}

/// `rpcgen doc`
#[derive(Debug, clap::Args)]
pub(crate) struct DocArgs {
    #[command(flatten)]
    pub(crate) document: DocumentArgs,
    /// What stands at the top of the page, instead of the packages' names
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
}

/// `rpcgen breaking`
#[derive(Debug, clap::Args)]
pub(crate) struct BreakingArgs {
    /// The old version, unless --against names it, and the new one: a file, or a folder with all .rpc files in it; the old one may
    /// be git:REVISION:PATH, or git:REVISION for the new one's path
    #[arg(required = true, num_args = 1..=2, value_name = "VERSION")]
    pub(crate) versions: Vec<String>,
    /// The old version: as above
    #[arg(long, value_name = "OLD")]
    pub(crate) against: Option<String>,
    /// End with 1 for cautions too
    #[arg(long)]
    pub(crate) strict: bool,
    /// How findings are shown: human goes to stderr, json to stdout
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(crate) format: Format,
    /// A folder where imports are looked for, after that of the importing file; may be repeated
    #[arg(short = 'I', value_name = "DIR")]
    pub(crate) search_paths: Vec<PathBuf>,
}

/// `rpcgen import`
#[derive(Debug, clap::Args)]
pub(crate) struct ImportArgs {
    /// The .proto files; those of one package together, for a package is one .rpc file
    #[arg(required = true, value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// Where to write one .rpc file for each package
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
    /// Write over .rpc files that are there and differ
    #[arg(long)]
    pub(crate) force: bool,
    /// A folder where imports are looked for, before those above the importing file; may be repeated
    #[arg(short = 'I', value_name = "DIR")]
    pub(crate) search_paths: Vec<PathBuf>,
}

/// `rpcgen explain`
#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    /// The code of a finding, or a rule of `rpcgen breaking`
    #[arg(value_name = "CODE")]
    pub(crate) code: String,
}

/// `rpcgen completions`
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// Whose: for bash, `rpcgen completions bash > ~/.local/share/bash-completion/completions/rpcgen`
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}
