//! Runs a handler where it is, as long as it does not wait.
//!
//! Knows: futures that may panic. Does not know: what they handle.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use rpcgen_proto::frame::Refusal;

/// A handler's future.
pub(crate) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A panic of a handler, as a text for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Panicked {
    pub(crate) text: String,
    /// It was no panic: a part of the runtime that the handler called answers in its place.
    pub(crate) refusal: Option<Refusal>,
}

impl Panicked {
    fn new(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied().map(str::to_owned);
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no text".to_owned());
        Self { text, refusal: payload.downcast_ref::<Refusal>().copied() }
    }
}

/// Calls a function of a user's; a panic ends it alone.
pub(crate) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| Panicked::new(&*payload))
}

/// Polls a handler once. Most handlers never wait: they need no task of their own, and nobody to wake.
pub(crate) fn poll_once<T>(future: &mut BoxFuture<T>) -> Poll<Result<T, Panicked>> {
    poll_guarded(future, &mut Context::from_waker(Waker::noop()))
}

fn poll_guarded<T>(future: &mut BoxFuture<T>, cx: &mut Context<'_>) -> Poll<Result<T, Panicked>> {
    match guarded(|| future.as_mut().poll(cx)) {
        Ok(poll) => poll.map(Ok),
        Err(panicked) => Poll::Ready(Err(panicked)),
    }
}

/// The rest of a handler that waits.
pub(crate) struct Guarded<T>(pub(crate) BoxFuture<T>);

impl<T> Future for Guarded<T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        poll_guarded(&mut self.0, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_of_a_handler_becomes_a_text() {
        let mut future: BoxFuture<()> = Box::pin(async { panic!("no {}", "money") });
        assert_eq!(poll_once(&mut future), Poll::Ready(Err(Panicked { text: "no money".to_owned(), refusal: None })));
    }
}
