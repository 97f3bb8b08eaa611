//! The command line.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{bank, front};

/// A bank, its front nodes, and a page for people. Without `--mode`: a bank and three front nodes, each a process of its own, on this
/// machine.
#[derive(Debug, Parser)]
#[command(name = "bank-web", version, args_conflicts_with_subcommands = true)]
pub struct CommandLine {
    /// Something else than to serve.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What to run.
    #[command(flatten)]
    pub serve: Serve,
}

/// Something else than to serve.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The whole of it under load, drops and kills; the last line is its report as JSON.
    Soak(crate::soak::Plan),
}

/// What a process may be. One may be several at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// The bank.
    Bank,
    /// A front node.
    Front,
}

/// What to run, and where.
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// What this process is; may be given several times. Default: it starts one process for the bank and one for each front node.
    #[arg(long)]
    pub mode: Vec<Mode>,
    /// Where everything is kept.
    #[arg(long, default_value = "target/bank-web")]
    pub data: PathBuf,
    /// The first of twenty ports: the bank's; then the pages', from 9 on the bank's control port and the front nodes' for each other.
    #[arg(long, default_value_t = 8080, value_parser = clap::value_parser!(u16).range(1..=65_500))]
    pub ports: u16,
    /// How many front nodes there are.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=8))]
    pub fronts: u16,
    /// Which of them this process is, from 1. Default: 1.
    #[arg(long, requires = "mode", value_parser = clap::value_parser!(u16).range(1..=8))]
    pub node: Option<u16>,
    /// A front node that is away for longer, in seconds, is given up: what was for it goes to another.
    #[arg(long, default_value_t = 3.0, value_parser = seconds)]
    pub give_up_after: f64,
    /// Which share of the frames is dropped, in each direction, to begin with: 0 to 0.9.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    pub drop: f64,
    /// End when stdin is closed: when whoever started it has gone.
    #[arg(long, hide = true)]
    pub until_stdin_closes: bool,
}

fn number_within(text: &str, range: RangeInclusive<f64>) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    let (least, most) = (range.start(), range.end());
    if range.contains(&value) { Ok(value) } else { Err(format!("must be from {least} to {most}")) }
}

fn seconds(text: &str) -> Result<f64, String> {
    number_within(text, 0.1..=3_600.0)
}

/// A pause between two things that happen again and again, in seconds.
pub(crate) fn pause(text: &str) -> Result<f64, String> {
    number_within(text, 0.0..=3_600.0)
}

/// Which share of the frames may be dropped: with more than that nothing moves.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    number_within(text, 0.0..=0.9)
}

impl Serve {
    /// Where the page of a front node is.
    #[must_use]
    pub fn page(&self, node: u16) -> String {
        format!("127.0.0.1:{}", self.ports + node)
    }

    /// The name of a front node.
    #[must_use]
    pub fn name(node: u16) -> String {
        format!("front-{node}")
    }

    fn bank_address(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.ports)
    }

    fn control_address(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.ports + 9)
    }

    fn neighbour_address(&self, node: u16) -> String {
        format!("tcp://127.0.0.1:{}", self.ports + 10 + node)
    }

    /// The bank's part.
    #[must_use]
    pub fn bank(&self) -> bank::Settings {
        bank::Settings {
            address: self.bank_address(),
            control: self.control_address(),
            data: self.data.join("bank"),
            reconnect_timeout: Duration::from_secs_f64(self.give_up_after),
            drop: self.drop,
        }
    }

    /// A front node's part.
    #[must_use]
    pub fn front(&self, node: u16) -> front::Settings {
        let others = (1..=self.fronts).filter(|other| *other != node);
        front::Settings {
            name: Self::name(node),
            bank: self.bank_address(),
            control: self.control_address(),
            address: self.neighbour_address(node),
            neighbours: others.map(|other| (Self::name(other), self.neighbour_address(other))).collect(),
            data: self.data.join(Self::name(node)),
            store: self.data.join("shared.sqlite"),
            drop: self.drop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn option_before_the_soak_is_not_silently_ignored() {
        let refused = CommandLine::try_parse_from(["bank-web", "--ports", "9000", "soak"]).unwrap_err().to_string();
        assert!(refused.contains("--ports"), "{refused}");
        assert!(CommandLine::try_parse_from(["bank-web", "soak", "--ports", "9000"]).is_ok());
        assert!(CommandLine::try_parse_from(["bank-web", "--ports", "9000"]).is_ok());
        assert!(CommandLine::try_parse_from(["bank-web", "--node", "2"]).is_err());
        for pause in ["nan", "inf", "-1", "soon"] {
            let option = format!("--wish-every={pause}");
            assert!(CommandLine::try_parse_from(["bank-web", "soak", &option]).is_err(), "{pause}");
        }
    }
}
