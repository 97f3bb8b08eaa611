//! What a new version of a schema would break, and for whom.
//!
//! Knows: two models and the rules. Does not know: text, files, the bytes of any value.
//!
//! Fields, variants, actions and broadcasts are found by their names and compared by their places, as the wire has the places alone.
//! Types are compared where they are used: the name of a type is not on the wire.

mod baseline;
mod compare;
mod members;
mod render;
mod rules;

use std::collections::BTreeSet;

pub use baseline::{Baseline, BaselineError, Git};
pub use render::Report;
pub use rules::{Failing, Level, Party, RULES, Rule, rule};

use crate::model::Model;

/// One change that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule it breaks.
    pub rule: &'static Rule,
    /// One sentence without a full stop.
    pub message: String,
    /// Who notices. Never empty.
    pub breaks: BTreeSet<Party>,
    /// What it is in the old version: a key of [`crate::source::Places`].
    pub old: Option<String>,
    /// What it is in the new version; for what is gone, what it was in.
    pub new: Option<String>,
}

/// What `new` breaks of `old`, in the order of the new version's declarations.
pub fn compare(old: &Model, new: &Model) -> Vec<Finding> {
    compare::Comparison::new(old, new).run()
}
