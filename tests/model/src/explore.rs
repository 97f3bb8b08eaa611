//! Looks through a world with stateright.
//!
//! Knows: stateright's vocabulary. Does not know: what a step does.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stateright::{Checker, HasDiscoveries, Model, Path, Property};

use crate::configuration::{Configuration, OUTCOMES, Outcome};
use crate::world::{Action, Violation, World};

/// Of so many states one is run to its end without further faults.
const FAIR_RUN_EACH: u64 = 64;
/// Steps of such a run, at most: the longest that was seen is far below.
const FAIR_STEPS_MAX: usize = 600;

/// A configuration, as stateright sees it.
pub struct SmallWorld {
    configuration: Configuration,
    /// States beyond so many are not looked at.
    states_max: usize,
    expanded: AtomicUsize,
    seen: Arc<AtomicU32>,
}

impl SmallWorld {
    /// A world that is looked at up to so many states.
    #[must_use]
    pub fn new(configuration: Configuration, states_max: usize) -> Self {
        Self { configuration, states_max, expanded: AtomicUsize::new(0), seen: Arc::default() }
    }

    /// Where nothing more goes wrong from here on, all comes to a good end: no dead state, no run without end.
    fn check_future(&self, world: World) -> World {
        let Some(end) = world.run_fairly(&self.configuration, FAIR_STEPS_MAX) else {
            let how = format!("a run without faults is not over after {FAIR_STEPS_MAX} steps");
            return world.with_violation(Violation { invariant: "progress", how });
        };
        match end.violation().cloned().map_or_else(|| end.check_end(), Err) {
            Ok(()) => world,
            Err(violation) => {
                let how = format!("in a run without further faults: {}", violation.how);
                world.with_violation(Violation { how, ..violation })
            }
        }
    }
}

/// One state in many, always the same ones.
fn is_chosen(world: &World) -> bool {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish().is_multiple_of(FAIR_RUN_EACH)
}

impl Model for SmallWorld {
    type State = World;
    type Action = Action;

    fn init_states(&self) -> Vec<World> {
        vec![World::begin(&self.configuration)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Action>) {
        if self.expanded.fetch_add(1, Ordering::Relaxed) < self.states_max {
            world.actions(&self.configuration, actions);
        }
    }

    fn next_state(&self, world: &World, action: Action) -> Option<World> {
        let (next, seen) = world.after(&self.configuration, action);
        self.seen.fetch_or(seen, Ordering::Relaxed);
        if next.violation().is_some() {
            return Some(next);
        }
        let mut actions = Vec::new();
        next.actions(&self.configuration, &mut actions);
        Some(if actions.is_empty() || is_chosen(&next) { self.check_future(next) } else { next })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("every invariant", |_, world: &World| world.violation().is_none())]
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// Of which configuration.
    pub configuration: Configuration,
    /// States that differ.
    pub unique_states: usize,
    /// Steps that were tried.
    pub steps: usize,
    /// The longest way from the beginning.
    pub depth: usize,
    /// How long it took.
    pub took: Duration,
    /// Whether every state was looked at.
    pub is_complete: bool,
    /// What was seen.
    pub seen: Vec<&'static str>,
    /// What should have been seen and was not.
    pub missing: Vec<&'static str>,
    /// What does not hold, and the way there, in words.
    pub counterexample: Option<(Violation, Vec<String>)>,
}

/// Looks through a world, in so many threads, up to so many states. A violation comes with the shortest way to it.
#[must_use]
pub fn explore(configuration: &Configuration, threads: usize, states_max: usize) -> Report {
    let mut report = explore_quickly(configuration, threads, states_max);
    if report.counterexample.is_some() {
        report.counterexample = shortest(configuration).or(report.counterexample);
    }
    report
}

/// The same; the way to a violation is the one that was found first, which may be long.
fn explore_quickly(configuration: &Configuration, threads: usize, states_max: usize) -> Report {
    let began = Instant::now();
    let model = SmallWorld::new(configuration.clone(), states_max);
    let seen = Arc::clone(&model.seen);
    let checker = model.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_dfs().join();
    report(&checker, &seen, began)
}

/// Looks at the states that are near the beginning, up to so many, all of which are kept in memory.
#[must_use]
pub fn explore_near(configuration: &Configuration, states_max: usize) -> Report {
    let began = Instant::now();
    let model = SmallWorld::new(configuration.clone(), states_max);
    let seen = Arc::clone(&model.seen);
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    report(&checker, &seen, began)
}

fn report(checker: &impl Checker<SmallWorld>, seen: &AtomicU32, began: Instant) -> Report {
    let model = checker.model();
    let expanded = model.expanded.load(Ordering::Relaxed);
    let counterexample = checker.discoveries().into_values().next().and_then(in_words);
    let seen = seen.load(Ordering::Relaxed);
    let has_seen = |outcome: Outcome| seen & (1 << outcome as u32) != 0;
    let word_of = |outcome: Outcome| OUTCOMES.iter().find(|(of, _)| *of == outcome).map_or("", |(_, word)| *word);
    let expected = &model.configuration.expected;
    Report {
        configuration: model.configuration.clone(),
        unique_states: checker.unique_state_count(),
        steps: checker.state_count(),
        depth: checker.max_depth(),
        took: began.elapsed(),
        is_complete: expanded <= model.states_max && counterexample.is_none(),
        seen: OUTCOMES.iter().filter(|(outcome, _)| has_seen(*outcome)).map(|(_, word)| *word).collect(),
        missing: expected.iter().filter(|outcome| !has_seen(**outcome)).map(|outcome| word_of(*outcome)).collect(),
        counterexample,
    }
}

/// States that a search for a shorter way looks at: more would not fit into memory, as it keeps them all.
const SHORTEST_STATES_MAX: usize = 400_000;

fn shortest(configuration: &Configuration) -> Option<(Violation, Vec<String>)> {
    explore_near(configuration, SHORTEST_STATES_MAX).counterexample
}

/// What does not hold at the end of a path, and the path in words.
fn in_words(path: Path<World, Action>) -> Option<(Violation, Vec<String>)> {
    let violation = path.last_state().violation().cloned()?;
    let steps = path.into_vec();
    let words = steps.iter().filter_map(|(world, action)| action.map(|action| world.describe(action))).collect();
    Some((violation, words))
}
