//! A run as a line of text: a seed, what was taken away from what it does, and which events are left.
//!
//! Knows: the steps by which a run is made smaller, by name. Does not know: which of them help.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rpcgen_proto::faults::FaultPlan;

use crate::options::Options;

/// Something that is taken away from a run.
#[derive(Clone, Copy)]
pub struct Step {
    /// Its name in a plan.
    pub name: &'static str,
    apply: fn(&mut Options),
}

macro_rules! steps {
    ($($name:literal |$options:ident| $change:expr;)+) => {
        /// All steps, those that take away the most first.
        pub const STEPS: &[Step] = &[$(Step { name: $name, apply: |$options| { $change; } }),+];
    };
}

steps! {
    "no-guests" |options| options.guests.count = 0;
    "one-client" |options| options.clients = 1;
    "two-clients" |options| options.clients = options.clients.min(2);
    "no-up-faults" |options| options.up_faults = FaultPlan::default();
    "no-down-faults" |options| options.down_faults = FaultPlan::default();
    "no-partitions" |options| options.chaos.partition_each = Duration::ZERO;
    "no-freezes" |options| options.chaos.freeze_each = Duration::ZERO;
    "no-stalls" |options| options.chaos.clock_stall_each = Duration::ZERO;
    "no-drift" |options| options.chaos.clocks_drift = false;
    "no-thefts" |options| options.chaos.theft_each = Duration::ZERO;
    "no-server-crashes" |options| options.chaos.server_crash_each = Duration::ZERO;
    "no-restarts" |options| options.chaos.graceful = 0.0;
    "no-aborts" |options| options.chaos.abort = 0.0;
    "no-client-crashes" |options| options.chaos.client_crash_each = Duration::ZERO;
    "no-cuts" |options| options.chaos.cut_each = Duration::ZERO;
    "no-silent-cuts" |options| options.chaos.silent = 0.0;
    "no-pauses" |options| options.chaos.pause_each = Duration::ZERO;
    "no-reroutes" |options| options.chaos.reroute_each = Duration::ZERO;
    "no-absences" |options| options.chaos.away = 0.0;
    "no-lost-welcomes" |options| options.chaos.lose_welcome = 0.0;
    "up-no-drops" |options| options.up_faults.drop = 0.0;
    "up-no-lost-offers" |options| options.up_faults.drop_broadcast = 0.0;
    "up-no-duplicates" |options| options.up_faults.duplicate = 0.0;
    "up-no-reordering" |options| options.up_faults.reorder = 0.0;
    "up-no-delays" |options| options.up_faults.delay = 0.0;
    "up-no-corruption" |options| options.up_faults.corrupt = 0.0;
    "up-no-cuts" |options| options.up_faults.cut_every = 0;
    "down-no-drops" |options| options.down_faults.drop = 0.0;
    "down-no-lost-offers" |options| options.down_faults.drop_broadcast = 0.0;
    "down-no-duplicates" |options| options.down_faults.duplicate = 0.0;
    "down-no-reordering" |options| options.down_faults.reorder = 0.0;
    "down-no-delays" |options| options.down_faults.delay = 0.0;
    "down-no-corruption" |options| options.down_faults.corrupt = 0.0;
    "down-no-cuts" |options| options.down_faults.cut_every = 0;
    "no-broadcasts" |options| options.work.broadcast = 0.0;
    "no-cancels" |options| options.work.cancel = 0.0;
    "no-disconnects" |options| options.work.disconnect = 0.0;
    "no-slow-handlers" |options| options.work.slow = 0.0;
    "no-failures" |options| options.work.fail = 0.0;
    "quick-handlers" |options| options.work.handler_max = Duration::ZERO;
    "actions-1" |options| options.work.actions_max = 1;
    "actions-3" |options| options.work.actions_max = options.work.actions_max.min(3);
    "actions-10" |options| options.work.actions_max = options.work.actions_max.min(10);
    "actions-40" |options| options.work.actions_max = options.work.actions_max.min(40);
    "single-calls" |options| options.work.burst_max = 1;
    "short-100ms" |options| options.chaos.lasts = options.chaos.lasts.min(Duration::from_millis(100));
    "short-1s" |options| options.chaos.lasts = options.chaos.lasts.min(Duration::from_secs(1));
    "short-3s" |options| options.chaos.lasts = options.chaos.lasts.min(Duration::from_secs(3));
    "one-byte" |options| options.work.bytes_max = 1;
    "same-frames" |options| options.small_frames = false;
    "all-sessions" |options| options.sessions_max = 100_000;
    "handed-over" |options| options.through_bytes = false;
    "in-one-piece" |options| options.in_pieces = false;
    "no-way-up" |options| options.latency_up = Duration::ZERO;
    "no-way-down" |options| options.latency_down = Duration::ZERO;
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What everything follows from.
    pub seed: u64,
    /// Names of the steps that are taken.
    pub steps: Vec<&'static str>,
    /// Of the troubles, in the order of their coming: only these happen. `None`: all.
    pub troubles: Option<Vec<u32>>,
    /// Of the links, in the order of their opening: only on these frames are dropped, delayed and so on. `None`: on all.
    pub faulty_links: Option<Vec<u32>>,
}

impl Plan {
    /// The whole run of a seed.
    #[must_use]
    pub const fn of(seed: u64) -> Self {
        Self { seed, steps: Vec::new(), troubles: None, faulty_links: None }
    }

    /// Its options.
    #[must_use]
    pub fn options(&self) -> Options {
        let mut options = Options::of(self.seed);
        for step in STEPS.iter().filter(|step| self.steps.contains(&step.name)) {
            (step.apply)(&mut options);
        }
        options.only_troubles.clone_from(&self.troubles);
        options.only_faulty_links.clone_from(&self.faulty_links);
        options
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seed)?;
        for step in &self.steps {
            write!(f, " {step}")?;
        }
        for (name, numbers) in [("troubles", &self.troubles), ("faulty-links", &self.faulty_links)] {
            if let Some(numbers) = numbers {
                let numbers: Vec<_> = numbers.iter().map(u32::to_string).collect();
                write!(f, " {name}={}", numbers.join(","))?;
            }
        }
        Ok(())
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let seed =
            words.next().and_then(|word| word.parse().ok()).ok_or_else(|| format!("`{text}` begins with no seed"))?;
        let mut plan = Self::of(seed);
        for word in words {
            if let Some(numbers) = word.strip_prefix("troubles=") {
                plan.troubles = Some(parse_numbers(numbers)?);
            } else if let Some(numbers) = word.strip_prefix("faulty-links=") {
                plan.faulty_links = Some(parse_numbers(numbers)?);
            } else {
                let step =
                    STEPS.iter().find(|step| step.name == word).ok_or_else(|| format!("there is no step `{word}`"))?;
                plan.steps.push(step.name);
            }
        }
        Ok(plan)
    }
}

fn parse_numbers(text: &str) -> Result<Vec<u32>, String> {
    let words = text.split(',').filter(|word| !word.is_empty());
    words.map(|word| word.parse().map_err(|_| format!("`{word}` is no number"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_what_it_prints() {
        let text = "377 one-client no-cuts troubles=1,4 faulty-links=";
        let plan: Plan = text.parse().unwrap();
        assert_eq!(plan.to_string(), text);
        assert_eq!(plan.options().clients, 1);
    }

    #[test]
    fn an_unknown_step_is_named() {
        assert_eq!("1 no-such-thing".parse::<Plan>(), Err("there is no step `no-such-thing`".to_owned()));
    }
}
