//! A call as its caller sees it: accepted, guaranteed, answered.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use rpcgen_proto::frame::{CancelOutcome, Refusal};
use rpcgen_proto::session::Answer;

use super::Client;
use crate::carried::Carried;
use crate::contract::Action;
use crate::driver::inbox::lock;
use crate::error::{CallError, SendError};

/// What the client's task knows of a call, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct CallCell {
    state: Mutex<CallState>,
}

#[derive(Debug, Default)]
pub(super) struct CallState {
    /// Its number, once accepted.
    pub(super) accepted: Option<Result<u64, SendError>>,
    pub(super) guaranteed: bool,
    pub(super) answer: Option<Answer<Carried>>,
    pub(super) answered: bool,
    pub(super) cancel: Option<CancelOutcome>,
    wakers: Vec<Waker>,
}

impl CallCell {
    /// Changes what is known, and wakes who waits for it.
    pub(super) fn update(&self, change: impl FnOnce(&mut CallState)) {
        let mut state = lock(&self.state);
        change(&mut state);
        let wakers = std::mem::take(&mut state.wakers);
        drop(state);
        for waker in wakers {
            waker.wake();
        }
    }

    /// Looks until `look` finds something; registers to be woken otherwise.
    pub(super) fn poll<R>(&self, cx: &Context<'_>, look: impl FnOnce(&mut CallState) -> Option<R>) -> Poll<R> {
        let mut state = lock(&self.state);
        if let Some(found) = look(&mut state) {
            return Poll::Ready(found);
        }
        if !state.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            state.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// A call that is about to be made. Awaiting it calls and waits for the answer; [`Request::send`] shows the steps in between.
#[must_use = "a request does nothing until it is awaited or sent"]
pub struct Request<'a, A: Action> {
    client: &'a Client,
    message: A,
}

impl<A: Action> fmt::Debug for Request<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &A::METHOD).finish_non_exhaustive()
    }
}

impl<'a, A: Action> Request<'a, A> {
    pub(super) fn new(client: &'a Client, message: A) -> Self {
        Self { client, message }
    }

    /// Step 1. Returns when the call is accepted: it is in the client's log, and will be delivered and answered as long as this client
    /// lives, whether or not a server is reachable now. Waits while the log is full.
    ///
    /// # Errors
    /// It was not accepted, and nothing of it remains.
    pub async fn send(self) -> Result<Call<A>, SendError> {
        let cell = self.client.submit(self.message, true)?;
        std::future::poll_fn(|cx| cell.poll(cx, |state| state.accepted.clone())).await?;
        Ok(Call { client: self.client.clone(), cell, action: PhantomData })
    }

    /// As [`Self::send`], but does not wait while the log is full.
    ///
    /// # Errors
    /// Also [`rpcgen_proto::error::SendError::LogFull`].
    pub async fn try_send(self) -> Result<Call<A>, SendError> {
        let cell = self.client.submit(self.message, false)?;
        std::future::poll_fn(|cx| cell.poll(cx, |state| state.accepted.clone())).await?;
        Ok(Call { client: self.client.clone(), cell, action: PhantomData })
    }
}

impl<A: Action> IntoFuture for Request<'_, A> {
    type Output = Result<A::Output, CallError<A::Error>>;
    type IntoFuture = Answering<A>;

    fn into_future(self) -> Self::IntoFuture {
        Answering { client: self.client.clone(), start: Some(self.message), cell: None }
    }
}

/// An accepted call. Dropping it does not cancel the call.
pub struct Call<A> {
    client: Client,
    cell: Arc<CallCell>,
    action: PhantomData<fn() -> A>,
}

impl<A> fmt::Debug for Call<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("number", &self.number()).finish_non_exhaustive()
    }
}

impl<A> Call<A> {
    /// Its call number: counts the calls of this client.
    #[must_use]
    pub fn number(&self) -> u64 {
        match lock(&self.cell.state).accepted {
            Some(Ok(number)) => number,
            _ => 0,
        }
    }
}

impl<A: Action> Call<A> {
    /// Step 2. Returns when the server has taken responsibility.
    ///
    /// # Errors
    /// The call ended without: it was cancelled, refused, or dropped by a disconnect. Awaiting the call says how.
    pub async fn guaranteed(&self) -> Result<(), NotGuaranteed> {
        let look = |state: &mut CallState| {
            if state.guaranteed { Some(Ok(())) } else { state.answered.then_some(Err(NotGuaranteed)) }
        };
        std::future::poll_fn(|cx| self.cell.poll(cx, look)).await
    }

    /// Asks that the call does not begin, and says what happened: [`CancelOutcome::Cancelled`] means that it never ran and never will.
    /// The answer of a call that was cancelled is [`CallError::Cancelled`].
    pub async fn cancel(&self) -> CancelOutcome {
        if self.client.request_cancel(&self.cell).is_err() {
            return CancelOutcome::MaybeExecuted;
        }
        let look = |state: &mut CallState| state.cancel.or_else(|| state.answered.then_some(CancelOutcome::Answered));
        std::future::poll_fn(|cx| self.cell.poll(cx, look)).await
    }
}

impl<A: Action> IntoFuture for Call<A> {
    type Output = Result<A::Output, CallError<A::Error>>;
    type IntoFuture = Answering<A>;

    fn into_future(self) -> Self::IntoFuture {
        Answering { client: self.client, start: None, cell: Some(self.cell) }
    }
}

/// The call ended before it was guaranteed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call ended before the server guaranteed it; await it to see how")]
pub struct NotGuaranteed;

/// Step 3: waits for the answer. Dropping it does not cancel the call.
#[must_use = "futures do nothing unless awaited"]
pub struct Answering<A> {
    client: Client,
    start: Option<A>,
    cell: Option<Arc<CallCell>>,
}

impl<A> fmt::Debug for Answering<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answering").finish_non_exhaustive()
    }
}

/// Nothing in it is pinned: the request is moved out before it is sent.
impl<A> Unpin for Answering<A> {}

impl<A: Action> Future for Answering<A> {
    type Output = Result<A::Output, CallError<A::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(message) = this.start.take() {
            match this.client.submit(message, true) {
                Ok(cell) => this.cell = Some(cell),
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        let Some(cell) = &this.cell else { return Poll::Pending };
        cell.poll(cx, |state| {
            if let Some(Err(error)) = &state.accepted {
                return Some(Err(error.clone().into()));
            }
            state.answer.take().map(open_answer::<A>)
        })
    }
}

fn open_answer<A: Action>(answer: Answer<Carried>) -> Result<A::Output, CallError<A::Error>> {
    let undecodable = |error: &dyn fmt::Display| CallError::Undecodable(error.to_string());
    match answer {
        Answer::Response(payload) => {
            payload.open::<A::Response>().map(A::into_output).map_err(|error| undecodable(&error))
        }
        Answer::Failure(payload) => match payload.open::<A::Error>() {
            Ok(error) => Err(CallError::Failed(error)),
            Err(error) => Err(undecodable(&error)),
        },
        Answer::Refused(Refusal::Cancelled) => Err(CallError::Cancelled),
        Answer::Refused(Refusal::Unknown) => Err(CallError::Unknown),
        Answer::Refused(refusal) => Err(CallError::Refused(refusal)),
    }
}
