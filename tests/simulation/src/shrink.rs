//! Makes a failing run smaller: as few kinds of trouble, clients, calls and events as still break the same invariant.
//!
//! Knows: what can be taken away (`plan`). Does not know: why a run fails.

use std::time::{Duration, Instant};

use crate::checkers::Violation;
use crate::hunt::caught;
use crate::plan::{Plan, STEPS};
use crate::run_with;

/// No further try is begun after so long.
const WITHIN: Duration = Duration::from_secs(60);

/// A failing run, made smaller.
#[derive(Debug)]
pub struct Shrunk {
    /// What is left of it.
    pub plan: Plan,
    /// How it fails.
    pub violation: Violation,
    /// Runs that were tried.
    pub tries: u32,
}

/// Makes the failing run of a plan smaller. `None`: it does not fail.
#[must_use]
pub fn shrink(plan: Plan) -> Option<Shrunk> {
    let violation = violation_of(&plan)?;
    let mut shrinker = Shrinker { best: Shrunk { plan, violation, tries: 1 }, began: Instant::now() };
    // What one step makes possible, an earlier one may need.
    while shrinker.take_steps() {}
    shrinker.take_events();
    shrinker.take_steps();
    Some(shrinker.best)
}

fn violation_of(plan: &Plan) -> Option<Violation> {
    caught(|| run_with(plan.options(), false)).violation
}

struct Shrinker {
    best: Shrunk,
    began: Instant,
}

impl Shrinker {
    /// Whether the plan fails in the same way; it is the best one then.
    fn accept(&mut self, plan: Plan) -> bool {
        if self.began.elapsed() > WITHIN {
            return false;
        }
        self.best.tries += 1;
        match violation_of(&plan) {
            Some(violation) if violation.invariant == self.best.violation.invariant => {
                (self.best.plan, self.best.violation) = (plan, violation);
                true
            }
            _ => false,
        }
    }

    /// Takes away what is not needed; whether anything was.
    fn take_steps(&mut self) -> bool {
        let before = self.best.plan.steps.len();
        for step in STEPS {
            if !self.best.plan.steps.contains(&step.name) {
                let mut plan = self.best.plan.clone();
                plan.steps.push(step.name);
                self.accept(plan);
            }
        }
        self.best.plan.steps.len() > before
    }

    /// Takes away single events: troubles first, then the faults of whole links.
    fn take_events(&mut self) {
        let outcome = caught(|| run_with(self.best.plan.options(), false));
        let troubles = (0..outcome.troubles).collect();
        self.minimize(troubles, |plan, kept| plan.troubles = Some(kept));
        let links = (0..outcome.links).collect();
        self.minimize(links, |plan, kept| plan.faulty_links = Some(kept));
    }

    /// Delta debugging (Zeller and Hildebrandt, 2002) by halves, quarters and so on: leaves out ever smaller pieces.
    fn minimize(&mut self, mut kept: Vec<u32>, set: impl Fn(&mut Plan, Vec<u32>)) {
        let mut piece = kept.len().max(1);
        loop {
            let mut from = 0;
            while from < kept.len() {
                let mut fewer = kept.clone();
                fewer.drain(from..(from + piece).min(kept.len()));
                let mut plan = self.best.plan.clone();
                set(&mut plan, fewer.clone());
                if self.accept(plan) {
                    kept = fewer;
                } else {
                    from += piece;
                }
            }
            if piece == 1 {
                return;
            }
            piece = piece.div_ceil(2);
        }
    }
}

impl Shrunk {
    /// The run as a test.
    #[must_use]
    pub fn test(&self) -> String {
        format!(
            "#[test]\nfn {}_holds_in_run_{}() {{\n    let plan: Plan = \"{}\".parse().expect(\"a plan\");\n    \
             assert_eq!(run_with(plan.options(), false).violation, None);\n}}",
            self.violation.invariant, self.plan.seed, self.plan
        )
    }
}
