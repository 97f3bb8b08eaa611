//! What a run does: the options of the command line.

use std::time::Duration;

use clap::{Parser, ValueEnum};
use rpcgen_runtime::{Config, FaultPlan};

/// A bank server and its client nodes, under faults. Exits 1 if anything was lost, done twice, or left unanswered.
#[derive(Clone, Debug, Parser)]
#[command(name = "bank", version)]
pub(crate) struct Plan {
    /// Seed of the faults and of the work. Processes and networks have a will of their own: a run is not repeated exactly.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Which share of the frames is dropped, in each direction: 0 to 0.5. Beyond, a message needs so many sends that a run takes hours.
    #[arg(long, default_value_t = 0.1, value_parser = probability, allow_negative_numbers = true)]
    pub(crate) drop: f64,
    /// How many actions all client nodes send together.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) actions: u64,
    /// How many client nodes there are.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) clients: u32,
    /// How often each client node's link is cut.
    #[arg(long, default_value_t = 5)]
    pub(crate) cuts: u32,
    /// How often the bank's process is killed (as by kill -9) in mid-run and started again. It remembers nothing: what was not answered
    /// runs again, and is told so. Broadcasts live as long as their server: they are counted, and not judged.
    /// What a killed bank dropped and sent again is not in the table.
    #[arg(long, default_value_t = 0, conflicts_with = "cross_thread")]
    pub(crate) kill_server: u32,
    /// The same program in one process: the nodes are threads, nothing is encoded.
    #[arg(long)]
    pub(crate) cross_thread: bool,
    /// Which part of a run this process is.
    #[arg(long, hide = true)]
    pub(crate) role: Option<Role>,
    /// Which client node this process is.
    #[arg(long, hide = true, default_value_t = 0)]
    pub(crate) index: u32,
    /// Where the bank is.
    #[arg(long, hide = true, default_value = "")]
    pub(crate) address: String,
}

/// The parts of a run that have a process of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// The bank.
    Server,
    /// A client node.
    Node,
}

fn probability(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=0.5).contains(&value) { Ok(value) } else { Err("must be from 0 to 0.5".to_owned()) }
}

impl Plan {
    /// After so many more answers each a node tells of its progress: often enough for the kills, and for the eye.
    pub(crate) fn answers_told(&self) -> u64 {
        let steps = (u64::from(self.kill_server) + 1) * u64::from(self.clients) * 4;
        (self.actions / steps).clamp(1, 50)
    }

    /// The actions of one client node.
    pub(crate) fn actions_of(&self, index: u32) -> u64 {
        let (each, rest) = (self.actions / u64::from(self.clients), self.actions % u64::from(self.clients));
        each + u64::from(u64::from(index) < rest)
    }

    /// What one end does to the frames that it sends; `None` where nothing is to be dropped.
    pub(crate) fn faults(&self, end: u64) -> Option<FaultPlan> {
        (self.drop > 0.0).then(|| FaultPlan {
            seed: self.seed.wrapping_mul(1_000).wrapping_add(end),
            drop: self.drop,
            drop_broadcast: self.drop,
            ..FaultPlan::default()
        })
    }

    /// Bits wait for less time than by default: where frames are lost, the flush time is how long the last of a burst waits.
    pub(crate) fn config() -> Config {
        Config { flush_after: Duration::from_millis(20), ..Config::default() }
    }
}
