//! Whether a history of the bank has an order: one in which each operation takes effect between its call and its answer, and all answers
//! are what a book kept by one hand would say (linearizability: Herlihy and Wing, 1990).
//!
//! Knows: windows, and what of a window happened before what. Does not know: call keys, runs, how an order is searched for.
//!
//! A history is checked in windows that begin and end while nobody calls: the book at the end of one is where the next begins.

use std::collections::BTreeMap;
use std::fmt::Debug;

use crate::bank::{Book, Op, Ret};
use crate::record::{CallId, Event};
use crate::search::{self, Operation};

/// Operations of a window, at most.
pub const WINDOW_OPS_MAX: usize = 60;
/// Callers of a window, at most.
pub const WINDOW_CALLERS_MAX: usize = 6;

/// Whether the order in which the business did its work is such an order. For a business that wrote it down; the search needs none.
///
/// # Errors
/// Which run does not fit.
pub fn check_witness<K: Debug + PartialEq>(history: &[Event<K, Op, Ret>]) -> Result<(), String> {
    let mut book = Book::default();
    for (at, event) in history.iter().enumerate() {
        let Event::Ran { key, ret, .. } = event else { continue };
        let call = history.iter().find_map(|event| match event {
            Event::Accepted { call, key: accepted } if accepted == key => Some(*call),
            _ => None,
        });
        let call = call.ok_or_else(|| format!("{key:?} ran, and nobody called it"))?;
        let invoked = |event: &Event<K, Op, Ret>| match event {
            Event::Invoked { call: invoked, op, .. } if *invoked == call => Some(op.clone()),
            _ => None,
        };
        let op = history[..at].iter().find_map(invoked).ok_or_else(|| format!("{call:?} ran before it was called"))?;
        let answered = |event: &Event<K, Op, Ret>| match event {
            Event::Returned { call: returned, ret } if *returned == call => Some(ret.clone()),
            _ => None,
        };
        let answer = history[at..].iter().find_map(answered);
        let answer = answer.ok_or_else(|| format!("{call:?} was not answered after it ran"))?;
        if answer != *ret || book.invoke(&op) != answer {
            return Err(format!("{call:?}, {op:?}: {answer:?} is not what the book says"));
        }
    }
    Ok(())
}

/// Checks the windows of a history one after the other: how many there were.
///
/// # Errors
/// Which window has no order, or is too large to be searched, or is no history at all.
pub fn check<K>(history: &[Event<K, Op, Ret>]) -> Result<usize, String> {
    let mut book = Book::default();
    let windows = history.split(|event| matches!(event, Event::Quiet)).filter(|window| !window.is_empty());
    let mut count = 0;
    for window in windows {
        book = check_window(book, window).map_err(|how| format!("window {count}: {how}"))?;
        count += 1;
    }
    Ok(count)
}

/// Checks a window that begins with this book: the book at its end.
fn check_window<K>(book: Book, window: &[Event<K, Op, Ret>]) -> Result<Book, String> {
    let callers = operations_by_caller(window)?;
    let count = callers.iter().map(Vec::len).sum::<usize>();
    if count > WINDOW_OPS_MAX || callers.len() > WINDOW_CALLERS_MAX {
        return Err(format!("{count} operations of {} callers: too many to be searched", callers.len()));
    }
    search::last_book(book, &callers)?.ok_or_else(|| "no order explains the answers".to_owned())
}

/// What each caller of a window did, in its order. Each of these has its answer within the window.
fn operations_by_caller<K>(window: &[Event<K, Op, Ret>]) -> Result<Vec<Vec<Operation>>, String> {
    let mut callers: BTreeMap<usize, Vec<Operation>> = BTreeMap::new();
    for (at, event) in window.iter().enumerate() {
        let Event::Invoked { caller, call, op } = event else { continue };
        let (returned, ret) =
            answer(&window[at..], *call).ok_or_else(|| format!("{call:?} has no answer in its window"))?;
        let of_caller = callers.entry(*caller).or_default();
        if of_caller.last().is_some_and(|last| last.returned > at) {
            return Err(format!("caller {caller} calls ({call:?}) before it has the answer of its last call"));
        }
        of_caller.push(Operation { invoked: at, returned: at + returned, op: op.clone(), ret });
    }
    let answers = window.iter().filter(|event| matches!(event, Event::Returned { .. })).count();
    if answers != callers.values().map(Vec::len).sum::<usize>() {
        return Err("an answer belongs to no call of its window, or is one too many".to_owned());
    }
    Ok(callers.into_values().collect())
}

/// Where the answer of a call is, and what it says.
fn answer<K>(events: &[Event<K, Op, Ret>], of: CallId) -> Option<(usize, Ret)> {
    events.iter().enumerate().find_map(|(at, event)| match event {
        Event::Returned { call, ret } if *call == of => Some((at, ret.clone())),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

    use super::*;

    impl SequentialSpec for Book {
        type Op = Op;
        type Ret = Ret;

        fn invoke(&mut self, op: &Op) -> Ret {
            Self::invoke(self, op)
        }
    }

    use crate::record::CallId;

    fn invoked(caller: usize, call: usize, op: Op) -> Event<u8, Op, Ret> {
        Event::Invoked { caller, call: CallId(call), op }
    }

    fn returned(call: usize, ret: Ret) -> Event<u8, Op, Ret> {
        Event::Returned { call: CallId(call), ret }
    }

    fn with_account(rest: Vec<Event<u8, Op, Ret>>) -> Vec<Event<u8, Op, Ret>> {
        let mut history = vec![invoked(0, 0, Op::Create(1)), returned(0, Ret::Created), Event::Quiet];
        history.extend(rest);
        history
    }

    #[test]
    fn concurrent_operations_may_take_effect_in_either_order() {
        for (first, second) in [(5, 12), (12, 7)] {
            let history = with_account(vec![
                invoked(0, 1, Op::Add(1, 5)),
                invoked(1, 2, Op::Add(1, 7)),
                returned(2, Ret::Balance(second)),
                returned(1, Ret::Balance(first)),
            ]);
            assert_eq!(check(&history), Ok(2));
        }
    }

    #[test]
    fn a_read_that_forgets_what_was_answered_before_it_began_is_refused() {
        let history = |seen| {
            with_account(vec![
                invoked(0, 1, Op::Add(1, 5)),
                returned(1, Ret::Balance(5)),
                invoked(1, 2, Op::Balance(1)),
                returned(2, Ret::Balance(seen)),
            ])
        };
        assert_eq!(check(&history(5)), Ok(2));
        assert_eq!(check(&history(0)), Err("window 1: no order explains the answers".to_owned()));
    }

    #[test]
    fn an_amount_that_is_paid_in_twice_is_refused() {
        let history = with_account(vec![invoked(0, 1, Op::Add(1, 5)), returned(1, Ret::Balance(10))]);
        assert!(check(&history).is_err());
    }

    #[test]
    fn an_answer_without_its_call_or_a_call_without_its_answer_is_refused() {
        let unanswered = with_account(vec![invoked(0, 1, Op::Add(1, 5))]);
        assert_eq!(check(&unanswered).unwrap_err(), "window 1: CallId(1) has no answer in its window");
        let uncalled = with_account(vec![returned(1, Ret::Balance(5))]);
        assert!(check(&uncalled).unwrap_err().contains("belongs to no call"));
    }

    #[test]
    fn a_window_that_could_take_for_ever_is_refused() {
        let many = (0..=WINDOW_CALLERS_MAX)
            .flat_map(|caller| [invoked(caller, caller, Op::Balance(9)), returned(caller, Ret::NoSuchUser)]);
        assert!(check(&many.collect::<Vec<_>>()).unwrap_err().contains("too many"));
    }

    /// Operations take effect when they are called or when they are answered; some answers are wrong.
    fn small_history(random: &mut impl FnMut(u64) -> u64) -> Vec<Event<u8, Op, Ret>> {
        let (mut history, mut book) = (Vec::new(), Book::default());
        let (mut calls, mut open) = (0, [const { None::<(usize, Op, Option<Ret>)> }; 3]);
        while calls < 9 || open.iter().any(Option::is_some) {
            let caller = random(3) as usize;
            match open[caller].take() {
                Some((call, op, early)) => {
                    let right = early.unwrap_or_else(|| book.invoke(&op));
                    let ret = if random(16) == 0 { Ret::Balance(random(3)) } else { right };
                    history.push(returned(call, ret));
                }
                None if calls < 9 => {
                    let user = random(2) as u8;
                    let op =
                        [Op::Create(user), Op::Add(user, 1 + random(2)), Op::Balance(user)][random(3) as usize].clone();
                    history.push(invoked(caller, calls, op.clone()));
                    let early = (random(2) == 0).then(|| book.invoke(&op));
                    open[caller] = Some((calls, op, early));
                    calls += 1;
                }
                None => {}
            }
        }
        history
    }

    #[test]
    fn small_histories_are_judged_as_stateright_judges_them() {
        let mut state = 1_u64;
        // Knuth's constants, MMIX.
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut judged = [0, 0];
        for _ in 0..2_000 {
            let history = small_history(&mut random);
            let mut tester = LinearizabilityTester::new(Book::default());
            let mut caller_of = Vec::new();
            for event in &history {
                match event {
                    Event::Invoked { caller, op, .. } => {
                        caller_of.push(*caller);
                        tester.on_invoke(*caller, op.clone()).unwrap();
                    }
                    Event::Returned { call, ret } => {
                        tester.on_return(caller_of[call.0], ret.clone()).unwrap();
                    }
                    _ => {}
                }
            }
            let ordered = tester.serialized_history().is_some();
            assert_eq!(check(&history).is_ok(), ordered, "{history:?}");
            judged[usize::from(ordered)] += 1;
        }
        assert!(judged[0] > 200 && judged[1] > 200, "refused and accepted: {judged:?}");
    }
}
