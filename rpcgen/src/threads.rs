//! Work that is done piece by piece, on several threads where that helps.
//!
//! Knows: who takes which piece, and that results stand in the order of the pieces. Does not know: what the work is.

use std::cmp::Reverse;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A build has other things to do with the processors of a large machine.
const THREADS_MAX: usize = 4;

/// What `make` makes of each piece, in their order. `weights` says how much work each is, by any measure; all of it together is done by
/// one thread unless it is more than `alone_max`, for a thread takes longer to start than a small text to be made.
///
/// What is made must not depend on who makes it: which thread takes a piece is chance.
pub(crate) fn in_order<T: Send>(weights: &[usize], alone_max: usize, make: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let is_much = weights.iter().sum::<usize>() > alone_max;
    let processors = if is_much { thread::available_parallelism().map_or(1, NonZero::get) } else { 1 };
    let threads = processors.min(THREADS_MAX).min(weights.len());
    if threads <= 1 {
        return (0..weights.len()).map(make).collect();
    }
    // The heavy ones first: whoever takes one at the end would let the others wait.
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|index| Reverse(weights[*index]));
    let next = AtomicUsize::new(0);
    let work = || {
        let taken = std::iter::from_fn(|| order.get(next.fetch_add(1, Ordering::Relaxed)).copied());
        taken.map(|index| (index, make(index))).collect::<Vec<(usize, T)>>()
    };
    let mut made = thread::scope(|scope| {
        // Where no thread can be had, this one does it all.
        let others: Vec<_> =
            (1..threads).filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
        let mut made = work();
        for other in others {
            match other.join() {
                Ok(theirs) => made.extend(theirs),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        made
    });
    made.sort_unstable_by_key(|(index, _)| *index);
    made.into_iter().map(|(_, one)| one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_pieces() {
        let weights: Vec<usize> = (0..100).map(|index| index * 7 % 13).collect();
        for alone_max in [0, usize::MAX] {
            let made = in_order(&weights, alone_max, |index| index * 2);
            assert_eq!(made, (0..100).map(|index| index * 2).collect::<Vec<usize>>());
        }
        assert!(in_order(&[], 0, |index| index).is_empty());
    }
}
