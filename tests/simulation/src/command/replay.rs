//! One run in detail: what is left of it when it is made smaller, what happened last, and a test to keep.

use std::process::ExitCode;

use simulation::hunt::caught;
use simulation::plan::Plan;
use simulation::run_with;
use simulation::shrink::shrink;

use super::arguments::Arguments;

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let text = arguments.plan.clone().unwrap_or_else(|| arguments.from.unwrap_or(1).to_string());
    let plan = match text.parse::<Plan>() {
        Ok(plan) => plan,
        Err(message) => {
            println!("{message}");
            return ExitCode::from(2);
        }
    };
    if let Some(name) = &arguments.mutant
        && !make_mistake(name)
    {
        println!("there is no mistake `{name}` here; build with --features mutants");
        return ExitCode::from(2);
    }
    explain(plan)
}

#[cfg(feature = "mutants")]
fn make_mistake(name: &str) -> bool {
    use rpcgen_proto::mutants::{Mutant, switch_on};

    let mutant = Mutant::ALL.iter().copied().find(|mutant| mutant.name() == name);
    switch_on(mutant);
    mutant.is_some()
}

#[cfg(not(feature = "mutants"))]
fn make_mistake(_: &str) -> bool {
    false
}

/// Everything that a person needs to find the cause. Code 1 if there is something to find.
pub(super) fn explain(plan: Plan) -> ExitCode {
    let Some(shrunk) = shrink(plan.clone()) else {
        println!("run {plan} breaks no invariant");
        return ExitCode::SUCCESS;
    };
    println!("options: {:#?}", shrunk.plan.options());
    for line in caught(|| run_with(shrunk.plan.options(), true)).trace {
        println!("{line}");
    }
    println!("{}: {}", shrunk.violation.invariant, shrunk.violation.message);
    println!("made smaller in {} tries; for regressions.txt: {}", shrunk.tries, shrunk.plan);
    println!("{}", shrunk.test());
    ExitCode::FAILURE
}
