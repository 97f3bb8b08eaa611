//! The search for an order: depth first, and no configuration is looked into twice (Wing and Gong, "Testing and verifying concurrent
//! objects", 1993; the memory of configurations: Lowe, "Testing for linearizability", 2017).
//!
//! Knows: what a caller did one after the other, and the book. Does not know: windows, events.
//!
//! What is left to do from a configuration (how far each caller is, and the book) does not depend on how it was reached. Without that
//! memory, a wrong answer among a dozen operations that commute takes the search through every order of them.

use std::collections::HashSet;

use crate::bank::{Book, Op, Ret};

/// Configurations that are looked into, at most: some hundred bytes each.
pub(crate) const CONFIGURATIONS_MAX: usize = 1_000_000;

/// An operation that was answered. Its times are places in a history.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    /// When it was called.
    pub(crate) invoked: usize,
    /// When it was answered.
    pub(crate) returned: usize,
    /// What was wanted.
    pub(crate) op: Op,
    /// What was answered.
    pub(crate) ret: Ret,
}

/// How far each caller is, and the book there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Configuration {
    done: Vec<usize>,
    book: Book,
}

/// The book after an order that explains every answer, if there is one.
///
/// # Errors
/// There are more than [`CONFIGURATIONS_MAX`] configurations.
pub(crate) fn last_book(book: Book, callers: &[Vec<Operation>]) -> Result<Option<Book>, String> {
    let first = Configuration { done: vec![0; callers.len()], book };
    let mut seen = HashSet::from([first.clone()]);
    let mut open = vec![first];
    while let Some(configuration) = open.pop() {
        let next: Vec<_> = next_operations(&configuration.done, callers).collect();
        if next.is_empty() {
            return Ok(Some(configuration.book));
        }
        for (caller, operation) in next {
            let mut after = configuration.clone();
            after.done[caller] += 1;
            if after.book.invoke(&operation.op) != operation.ret || !seen.insert(after.clone()) {
                continue;
            }
            if seen.len() > CONFIGURATIONS_MAX {
                return Err(format!("more than {CONFIGURATIONS_MAX} configurations: too many to be searched"));
            }
            open.push(after);
        }
    }
    Ok(None)
}

/// The operations that may take effect next: those that were called before any that is not done was answered.
fn next_operations<'a>(
    done: &[usize],
    callers: &'a [Vec<Operation>],
) -> impl Iterator<Item = (usize, &'a Operation)> + use<'a> {
    let waiting =
        callers.iter().zip(done).enumerate().filter_map(|(caller, (own, done))| Some((caller, own.get(*done)?)));
    let waiting: Vec<_> = waiting.collect();
    let first_answer = waiting.iter().map(|(_, operation)| operation.returned).min();
    waiting.into_iter().filter(move |(_, operation)| Some(operation.invoked) < first_answer)
}
