//! Each call ran once, and was answered once, with what its run answered. Complete, and linear in the length of the history: call keys
//! are unique, so nothing has to be searched.
//!
//! Knows: events. Does not know: what an operation does.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

use crate::record::{CallId, Event};

/// What does not hold, by the names of docs/protocol.md, section 12.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// Which invariant.
    pub invariant: &'static str,
    /// How.
    pub how: String,
}

fn wrong<T>(invariant: &'static str, how: String) -> Result<T, Wrong> {
    Err(Wrong { invariant, how })
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// Calls.
    pub calls: usize,
    /// Runs of the business.
    pub runs: usize,
    /// Runs that were said to be a repetition.
    pub redelivered: usize,
    /// Calls that were answered.
    pub answered: usize,
}

struct Known<R> {
    call: Option<CallId>,
    answers: Vec<R>,
}

/// Checks a whole history: at its end every call has been answered.
///
/// # Errors
/// The first thing that does not hold.
pub fn check<K, O, R>(history: &[Event<K, O, R>]) -> Result<Sums, Wrong>
where
    K: Clone + Debug + Eq + Hash,
    R: Clone + Debug + PartialEq,
{
    let mut sums = Sums::default();
    let mut keys: HashMap<CallId, Option<K>> = HashMap::new();
    let mut known: HashMap<K, Known<R>> = HashMap::new();
    let mut answered: HashMap<CallId, R> = HashMap::new();
    for event in history {
        match event {
            Event::Invoked { call, .. } => {
                sums.calls += 1;
                keys.insert(*call, None);
            }
            Event::Accepted { call, key } => {
                keys.insert(*call, Some(key.clone()));
                let of_key = known.entry(key.clone()).or_insert_with(|| Known { call: None, answers: Vec::new() });
                if let Some(other) = of_key.call.replace(*call) {
                    return wrong(
                        "at_most_one_execution_per_call_key",
                        format!("{other:?} and {call:?} share {key:?}"),
                    );
                }
            }
            Event::Ran { key, redelivered, ret } => {
                sums.runs += 1;
                sums.redelivered += usize::from(*redelivered);
                // It may run before its caller has heard that it was accepted.
                let of_key = known.entry(key.clone()).or_insert_with(|| Known { call: None, answers: Vec::new() });
                if !of_key.answers.is_empty() && !redelivered {
                    return wrong("at_most_one_execution_per_call_key", format!("{key:?} ran again"));
                }
                of_key.answers.push(ret.clone());
            }
            Event::Returned { call, ret } => {
                sums.answered += 1;
                let Some(Some(key)) = keys.get(call) else {
                    return wrong("no_phantom", format!("{call:?} is answered and was not accepted"));
                };
                let ran = known.get(key).is_some_and(|known| known.answers.contains(ret));
                if !ran {
                    return wrong("answer_implies_completion", format!("{call:?} has {ret:?}, which no run answered"));
                }
                if answered.insert(*call, ret.clone()).is_some() {
                    return wrong("no_lost_answer", format!("{call:?} is answered twice"));
                }
            }
            Event::Quiet => {}
        }
    }
    check_end(sums, &keys, &known, &answered)
}

fn check_end<K, R>(
    sums: Sums,
    keys: &HashMap<CallId, Option<K>>,
    known: &HashMap<K, Known<R>>,
    answered: &HashMap<CallId, R>,
) -> Result<Sums, Wrong>
where
    K: Debug,
{
    // The first in order, so that equal histories are refused with equal words.
    if let Some(lost) = keys.keys().filter(|call| !answered.contains_key(*call)).min() {
        return wrong("no_lost_answer", format!("{lost:?} has no answer"));
    }
    let phantoms = known.iter().filter(|(_, known)| known.call.is_none());
    if let Some(phantom) = phantoms.map(|(key, _)| format!("{key:?}")).min() {
        return wrong("no_phantom", format!("{phantom} ran, and nobody called it"));
    }
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Plain = Event<u32, &'static str, u32>;

    fn good() -> Vec<Plain> {
        vec![
            Event::Invoked { caller: 0, call: CallId(0), op: "add" },
            Event::Invoked { caller: 1, call: CallId(1), op: "add" },
            Event::Ran { key: 10, redelivered: false, ret: 1 },
            Event::Accepted { call: CallId(0), key: 10 },
            Event::Accepted { call: CallId(1), key: 11 },
            Event::Ran { key: 11, redelivered: false, ret: 2 },
            Event::Returned { call: CallId(1), ret: 2 },
            Event::Returned { call: CallId(0), ret: 1 },
        ]
    }

    fn refused(change: impl FnOnce(&mut Vec<Plain>)) -> &'static str {
        let mut history = good();
        change(&mut history);
        check(&history).expect_err("it is corrupted").invariant
    }

    #[test]
    fn a_history_in_which_each_call_ran_once_is_accepted() {
        assert_eq!(check(&good()), Ok(Sums { calls: 2, runs: 2, redelivered: 0, answered: 2 }));
    }

    #[test]
    fn each_corruption_of_a_history_is_refused_by_name() {
        let again = Event::Ran { key: 10, redelivered: false, ret: 1 };
        assert_eq!(refused(|history| history.insert(4, again)), "at_most_one_execution_per_call_key");
        assert_eq!(refused(|history| history.truncate(7)), "no_lost_answer");
        assert_eq!(refused(|history| history.push(history[7].clone())), "no_lost_answer");
        assert_eq!(refused(|history| history[5] = Event::Quiet), "answer_implies_completion");
        assert_eq!(refused(|history| history.swap(5, 6)), "answer_implies_completion");
        let phantom = Event::Ran { key: 12, redelivered: false, ret: 3 };
        assert_eq!(refused(|history| history.push(phantom)), "no_phantom");
        let shared = Event::Accepted { call: CallId(1), key: 10 };
        assert_eq!(refused(|history| history[4] = shared), "at_most_one_execution_per_call_key");
    }

    #[test]
    fn a_second_run_that_is_said_to_be_one_is_accepted() {
        let mut history = good();
        history.insert(4, Event::Ran { key: 10, redelivered: true, ret: 1 });
        assert_eq!(check(&history).map(|sums| sums.redelivered), Ok(1));
    }
}
