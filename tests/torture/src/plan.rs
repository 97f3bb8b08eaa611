//! What a run does: the options of the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use rpcgen_runtime::Config;

/// Accounts of the bank.
pub(crate) const ACCOUNTS: u64 = 64;
/// The size of a file of a log: small, so that there are many.
pub(crate) const SEGMENT_BYTES: u64 = 256 << 10;
/// What each has at first.
pub(crate) const FIRST_BALANCE: u64 = 1_000;

/// A bank of real processes, killed at any moment. Exits 1 if anything was lost, done twice, or left in doubt.
#[derive(Clone, Debug, Parser)]
#[command(name = "torture", version)]
pub(crate) struct Plan {
    /// Seed of the faults and of the work.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How often processes are killed (as by kill -9): the server, a client, or all at once.
    #[arg(long, default_value_t = 20)]
    pub(crate) kills: u64,
    /// How often everything loses power: what was not synced is gone. Needs root, a loop device and xfs_io; skipped, loudly, without.
    #[arg(long, default_value_t = 0)]
    pub(crate) power_losses: u64,
    /// Transfers at least; the run goes on until all faults are through as well.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) transfers: u64,
    /// Client processes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) clients: u32,
    /// Transfers of a client that are open at once.
    #[arg(long, default_value_t = 64)]
    pub(crate) open: u32,
    /// Nothing for people on standard output, but the last line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where the files of the run are made, and left if it fails. Default: a temporary folder.
    #[arg(long)]
    pub(crate) folder: Option<PathBuf>,

    /// The bank's database.
    #[arg(long, default_value = "sqlite")]
    pub(crate) database: Database,
    /// A mistake on purpose, to see that it is found.
    #[arg(long)]
    pub(crate) mistake: Option<Mistake>,

    /// Which part of a run this process is.
    #[arg(long, hide = true)]
    pub(crate) role: Option<Role>,
    /// The directory of this process's log.
    #[arg(long, hide = true, default_value = ".")]
    pub(crate) log: PathBuf,
    /// Where the server is, as a client takes it; where the database is, as a server does.
    #[arg(long, hide = true, default_value = "")]
    pub(crate) address: String,
    /// The first reference that this process may use.
    #[arg(long, hide = true, default_value_t = 0)]
    pub(crate) first_reference: u64,
}

/// The parts of a run that have a process of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// The bank.
    Server,
    /// A client.
    Client,
}

/// Databases that the bank can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Database {
    /// A file.
    Sqlite,
    /// A server of the run's own, where PostgreSQL is installed.
    Postgres,
}

impl Database {
    /// As the command line has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// What is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mistake {
    /// The effect is committed, and no record of the answer with it: found by kills.
    NoRecord,
    /// The commit is not synced before the answer: found by power losses.
    NoSync,
    /// The clients' logs are not synced before a call counts as accepted (strace swallows it): found by power losses.
    LogNoSync,
}

impl Mistake {
    /// As the command line has it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NoRecord => "no-record",
            Self::NoSync => "no-sync",
            Self::LogNoSync => "log-no-sync",
        }
    }
}

impl Plan {
    /// How long a server may take to end well.
    pub(crate) const SHUTDOWN_WITHIN: Duration = Duration::from_secs(5);

    /// Guarantees are not waited for, but the last of a burst is repeated after the flush time.
    pub(crate) fn config() -> Config {
        Config { flush_after: Duration::from_millis(20), ..Config::default() }
    }
}
