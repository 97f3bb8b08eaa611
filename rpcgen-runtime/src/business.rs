//! Running what users wrote: a handler is polled once in place, and goes to a task of its own only if it waits.
//!
//! Knows: panics, first polls. Does not know: what a handler answers.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A handler panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

type Boxed<R> = Pin<Box<dyn Future<Output = R> + Send>>;

/// What came of the first poll.
pub(crate) enum Started<R> {
    Done(Result<R, Panicked>),
    /// It waits; spawn it.
    Waiting(Guarded<R>),
}

/// A handler whose panic is a result.
pub(crate) struct Guarded<R>(Boxed<R>);

impl<R> Future for Guarded<R> {
    type Output = Result<R, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx))) {
            Ok(Poll::Ready(result)) => Poll::Ready(Ok(result)),
            Ok(Poll::Pending) => Poll::Pending,
            // It is not polled again, so whatever state it left broken is seen by nobody.
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    }
}

/// Polls the handler once. If it waits, whatever it waits for wakes nobody yet: the caller spawns it, and it is polled again there.
pub(crate) fn start<R>(handler: Boxed<R>) -> Started<R> {
    let mut guarded = Guarded(handler);
    match Pin::new(&mut guarded).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Started::Done(result),
        Poll::Pending => Started::Waiting(guarded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_that_does_not_wait_is_done_at_once() {
        assert!(matches!(start(Box::pin(async { 5 })), Started::Done(Ok(5))));
    }

    #[test]
    fn a_panic_is_a_result_before_and_after_the_first_wait() {
        let early: Boxed<()> = Box::pin(async { panic!("on purpose") });
        assert!(matches!(start(early), Started::Done(Err(Panicked))));
        let late: Boxed<()> = Box::pin(async {
            std::future::poll_fn({
                let mut polled = false;
                move |_| if std::mem::replace(&mut polled, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            panic!("on purpose")
        });
        let Started::Waiting(mut guarded) = start(late) else { panic!("it waits first") };
        let polled = Pin::new(&mut guarded).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Ready(Err(Panicked)));
    }
}
