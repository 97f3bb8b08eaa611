//! Mistakes on purpose, each hunted through the worlds until one shows it: a checker that finds nothing proves nothing.
//!
//! Knows: the mistakes by name (`rpcgen_proto::mutants`), the worlds. Does not know: where in the core the mistakes are.

use std::time::Duration;

use rpcgen_proto::mutants::{Mutant, switch_on};

use crate::configuration::Configuration;
use crate::explore::explore_near;

/// What became of a mistake.
#[derive(Debug)]
pub struct Hunt {
    /// Which one.
    pub mutant: Mutant,
    /// Where it was found and by what; `None`: it was not.
    pub found: Option<Found>,
    /// States that were looked at, in all worlds together.
    pub states: usize,
    /// How long it took.
    pub took: Duration,
}

/// Where a mistake was found, and by what.
#[derive(Debug)]
pub struct Found {
    /// In which world.
    pub world: &'static str,
    /// What did not hold; or which outcome was never seen although all was looked at.
    pub by: String,
}

/// The mistakes of these names, or all.
///
/// # Errors
/// There is none of that name.
pub fn named(names: &str) -> Result<Vec<Mutant>, String> {
    if names == "all" {
        return Ok(Mutant::ALL.to_vec());
    }
    let find = |name: &str| Mutant::ALL.iter().copied().find(|mutant| mutant.name() == name);
    names.split(',').map(|name| find(name).ok_or_else(|| format!("no mistake `{name}`"))).collect()
}

/// Makes the mistake and looks through the worlds, one after the other, up to so many states of each: most mistakes show near the
/// beginning.
#[must_use]
pub fn hunt(mutant: Mutant, worlds: &[Configuration], states_max: usize) -> Hunt {
    switch_on(Some(mutant));
    let mut hunt = Hunt { mutant, found: None, states: 0, took: Duration::ZERO };
    for world in worlds {
        let report = explore_near(world, states_max);
        hunt.states += report.unique_states;
        hunt.took += report.took;
        let by = match &report.counterexample {
            Some((violation, _)) => Some(violation.invariant.to_owned()),
            None if report.is_complete && !report.missing.is_empty() => {
                Some(format!("never seen: {}", report.missing.join(", ")))
            }
            None => None,
        };
        if let Some(by) = by {
            hunt.found = Some(Found { world: world.name, by });
            break;
        }
    }
    switch_on(None);
    hunt
}
