//! A call and its three steps: accepted, guaranteed, answered.
//!
//! Knows: where a call stands, who waits for which step. Does not know: sessions; the client's task moves a call on. Dropping a call,
//! or a future of it, never cancels what was accepted: cancelling is [`Call::cancel`]'s alone.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use rpcgen_proto::frame::{CancelOutcome, Refusal};
use rpcgen_proto::ids::{CallNumber, MethodId};
use rpcgen_proto::session::{Answer, CallHandle};

use super::{Client, ClientHandle, Command, Submission};
use crate::carried::{Carried, OpenError};
use crate::contract::Action;
use crate::driver::inbox::lock;
use crate::error::{CallError, NotGuaranteed, SendError};

/// Where a call stands, shared by its caller and the client's task.
#[derive(Debug)]
pub(crate) struct CallCell {
    pub(crate) method: MethodId,
    state: Mutex<CellState>,
}

#[derive(Debug)]
struct CellState {
    phase: Phase,
    is_guaranteed: bool,
    cancel: Option<CancelOutcome>,
    waiters: Waiters,
}

#[derive(Debug)]
enum Phase {
    /// On its way to the session, or waiting for room in its log.
    Submitted,
    /// Its caller went away before it was accepted.
    Withdrawn,
    /// The session did not take it.
    Rejected(SendError),
    /// In the log.
    Accepted(CallHandle),
    /// Answered; the answer waits for its caller.
    Answered(CallNumber, Answer<Carried>),
    /// The caller has the answer.
    Taken(CallNumber),
}

/// What a future of a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Accepted,
    Guaranteed,
    CancelResult,
    Answered,
}

/// Who is woken at which step. Mostly it is one task that waits for one step.
#[derive(Debug, Default)]
struct Waiters {
    first: Option<(Step, Waker)>,
    more: Vec<(Step, Waker)>,
}

impl Waiters {
    fn register(&mut self, step: Step, waker: &Waker) {
        let is_there = |(known_step, known): &(Step, Waker)| *known_step == step && known.will_wake(waker);
        if self.first.iter().chain(&self.more).any(is_there) {
            return;
        }
        if self.first.is_none() {
            self.first = Some((step, waker.clone()));
        } else {
            self.more.push((step, waker.clone()));
        }
    }

    /// Wakes those who wait for `step`.
    fn wake(&mut self, step: Step) {
        if let Some((_, waker)) = self.first.take_if(|(waits_for, _)| *waits_for == step) {
            waker.wake();
        }
        for (_, waker) in self.more.extract_if(.., |(waits_for, _)| *waits_for == step) {
            waker.wake();
        }
    }

    /// Wakes everybody.
    fn wake_all(&mut self) {
        if let Some((_, waker)) = self.first.take() {
            waker.wake();
        }
        for (_, waker) in self.more.drain(..) {
            waker.wake();
        }
    }
}

impl CallCell {
    fn new(method: MethodId) -> Self {
        let state =
            CellState { phase: Phase::Submitted, is_guaranteed: false, cancel: None, waiters: Waiters::default() };
        Self { method, state: Mutex::new(state) }
    }

    /// Whether its caller went away before it was accepted.
    pub(crate) fn is_withdrawn(&self) -> bool {
        matches!(lock(&self.state).phase, Phase::Withdrawn)
    }

    /// The handle of an accepted, unanswered call.
    pub(crate) fn handle(&self) -> Option<CallHandle> {
        match lock(&self.state).phase {
            Phase::Accepted(handle) => Some(handle),
            _ => None,
        }
    }

    /// Step 1.
    pub(crate) fn accepted(&self, handle: CallHandle) {
        let mut state = lock(&self.state);
        state.phase = Phase::Accepted(handle);
        state.waiters.wake(Step::Accepted);
    }

    /// The session did not take it.
    pub(crate) fn rejected(&self, error: SendError) {
        let mut state = lock(&self.state);
        state.phase = Phase::Rejected(error);
        state.waiters.wake_all();
    }

    /// Step 2.
    pub(crate) fn guaranteed(&self) {
        let mut state = lock(&self.state);
        state.is_guaranteed = true;
        state.waiters.wake(Step::Guaranteed);
    }

    /// Step 3.
    pub(crate) fn answered(&self, number: CallNumber, answer: Answer<Carried>) {
        let mut state = lock(&self.state);
        state.is_guaranteed |= proves_guarantee(&answer);
        state.phase = Phase::Answered(number, answer);
        state.waiters.wake_all();
    }

    /// What became of a cancel.
    pub(crate) fn cancel_result(&self, outcome: CancelOutcome) {
        let mut state = lock(&self.state);
        state.cancel = Some(outcome);
        state.waiters.wake(Step::CancelResult);
    }

    /// The client's task has ended without an answer.
    pub(crate) fn abandoned(&self) {
        let mut state = lock(&self.state);
        state.phase = match state.phase {
            Phase::Submitted => Phase::Rejected(SendError::Disconnected),
            Phase::Accepted(handle) => Phase::Answered(handle.number, Answer::Refused(Refusal::Unknown)),
            Phase::Withdrawn | Phase::Rejected(_) | Phase::Answered(..) | Phase::Taken(_) => return,
        };
        state.waiters.wake_all();
    }

    fn poll_accepted(&self, cx: &Context<'_>) -> Poll<Result<(), SendError>> {
        let mut state = lock(&self.state);
        match state.phase {
            Phase::Submitted | Phase::Withdrawn => {
                state.waiters.register(Step::Accepted, cx.waker());
                Poll::Pending
            }
            Phase::Rejected(ref error) => Poll::Ready(Err(error.clone())),
            Phase::Accepted(_) | Phase::Answered(..) | Phase::Taken(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_guaranteed(&self, cx: &Context<'_>) -> Poll<Result<(), NotGuaranteed>> {
        let mut state = lock(&self.state);
        if state.is_guaranteed {
            return Poll::Ready(Ok(()));
        }
        match state.phase {
            Phase::Submitted | Phase::Accepted(_) => {
                state.waiters.register(Step::Guaranteed, cx.waker());
                Poll::Pending
            }
            _ => Poll::Ready(Err(NotGuaranteed)),
        }
    }

    /// A call that ended while its cancel was on the way: its answer says what the cancel's would have said.
    fn poll_cancelled(&self, cx: &Context<'_>) -> Poll<CancelOutcome> {
        let mut state = lock(&self.state);
        if let Some(outcome) = state.cancel {
            return Poll::Ready(outcome);
        }
        match &state.phase {
            Phase::Answered(_, Answer::Refused(Refusal::Cancelled)) => Poll::Ready(CancelOutcome::Cancelled),
            Phase::Answered(_, Answer::Refused(Refusal::Unknown)) => Poll::Ready(CancelOutcome::MaybeExecuted),
            Phase::Answered(..) | Phase::Taken(_) => Poll::Ready(CancelOutcome::Answered),
            _ => {
                state.waiters.register(Step::CancelResult, cx.waker());
                Poll::Pending
            }
        }
    }

    fn poll_answer(&self, cx: &Context<'_>) -> Poll<Outcome> {
        let mut state = lock(&self.state);
        match state.phase {
            Phase::Submitted | Phase::Withdrawn | Phase::Accepted(_) => {
                state.waiters.register(Step::Answered, cx.waker());
                Poll::Pending
            }
            Phase::Rejected(ref error) => Poll::Ready(Outcome::Rejected(error.clone())),
            Phase::Taken(_) => Poll::Ready(Outcome::Taken),
            Phase::Answered(number, _) => match std::mem::replace(&mut state.phase, Phase::Taken(number)) {
                Phase::Answered(_, answer) => Poll::Ready(Outcome::Answer(answer)),
                _ => Poll::Ready(Outcome::Taken),
            },
        }
    }

    /// The caller is gone: what is not accepted yet need not be.
    fn withdraw(&self) {
        let mut state = lock(&self.state);
        if matches!(state.phase, Phase::Submitted) {
            state.phase = Phase::Withdrawn;
        }
    }

    fn number(&self) -> Option<CallNumber> {
        match lock(&self.state).phase {
            Phase::Accepted(handle) => Some(handle.number),
            Phase::Answered(number, _) | Phase::Taken(number) => Some(number),
            Phase::Submitted | Phase::Withdrawn | Phase::Rejected(_) => None,
        }
    }
}

/// Whether the server must have had the call to answer so.
fn proves_guarantee(answer: &Answer<Carried>) -> bool {
    match answer {
        Answer::Response(_) | Answer::Failure(_) => true,
        Answer::Refused(refusal) => {
            matches!(refusal, Refusal::HandlerPanicked | Refusal::HandlerDropped | Refusal::AnswerTooLarge)
        }
    }
}

enum Outcome {
    Answer(Answer<Carried>),
    Rejected(SendError),
    Taken,
}

impl Outcome {
    fn into_result<A: Action>(self) -> Result<A::Output, CallError<A::Error>> {
        match self {
            Self::Answer(Answer::Response(payload)) => payload.open().map(A::into_output).map_err(unreadable),
            Self::Answer(Answer::Failure(payload)) => Err(payload.open().map_or_else(unreadable, CallError::Failed)),
            Self::Answer(Answer::Refused(Refusal::Unknown)) => Err(CallError::Unknown),
            Self::Answer(Answer::Refused(Refusal::Cancelled)) => Err(CallError::Cancelled),
            Self::Answer(Answer::Refused(refusal)) => Err(CallError::Refused(refusal)),
            Self::Rejected(error) => Err(CallError::NotAccepted(error)),
            Self::Taken => Err(CallError::AnswerTaken),
        }
    }
}

fn unreadable<E>(error: OpenError) -> CallError<E> {
    match error {
        OpenError::Malformed(error) => CallError::Undecodable(error.to_string()),
        // Between threads an answer is opened here and nowhere else, with the type that its action has.
        OpenError::Taken | OpenError::OtherType => CallError::AnswerTaken,
    }
}

/// A call that is not sent yet. Await it for its answer, or take the three steps one by one with [`Request::send`].
#[must_use = "a request does nothing until it is awaited or sent"]
pub struct Request<'a, A> {
    client: &'a Client,
    action: A,
}

impl<A> fmt::Debug for Request<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").finish_non_exhaustive()
    }
}

impl<'a, A: Action> Request<'a, A> {
    pub(super) fn new(client: &'a Client, action: A) -> Self {
        Self { client, action }
    }

    /// Step 1: returns once the call is in this client's log. From then on it is delivered and answered, as long as this process
    /// lives; also while no link is up. Waits while the log is full.
    ///
    /// # Errors
    /// Nothing of the call remains; the error says why.
    pub async fn send(self) -> Result<Call<A>, SendError> {
        self.accept(WhenFull::Wait).await
    }

    /// The same, and [`LogFull`](rpcgen_proto::error::SendError::LogFull) instead of waiting while the log is full.
    ///
    /// # Errors
    /// Nothing of the call remains; the error says why.
    pub async fn try_send(self) -> Result<Call<A>, SendError> {
        self.accept(WhenFull::Refuse).await
    }

    async fn accept(self, when_full: WhenFull) -> Result<Call<A>, SendError> {
        let pending = Submitted { call: Some(submit(self.client, self.action, when_full)?) };
        poll_fn(|cx| pending.cell().map_or(Poll::Ready(Ok(())), |cell| cell.poll_accepted(cx))).await?;
        pending.into_call()
    }
}

impl<'a, A: Action> IntoFuture for Request<'a, A> {
    type Output = Result<A::Output, CallError<A::Error>>;
    type IntoFuture = Answering<'a, A>;

    fn into_future(self) -> Answering<'a, A> {
        Answering { request: Some(self), call: None }
    }
}

/// What to do with a call that finds the log full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenFull {
    Wait,
    Refuse,
}

fn submit<A: Action>(client: &Client, action: A, when_full: WhenFull) -> Result<Call<A>, SendError> {
    let payload = Carried::new(action, client.handle.in_process)?;
    let cell = Arc::new(CallCell::new(MethodId(A::METHOD)));
    let submission = Submission { payload, cell: Arc::clone(&cell), when_full };
    let handle = Arc::clone(&client.handle);
    if handle.inbox.push(Command::Send(submission)).is_err() {
        return Err(SendError::Disconnected);
    }
    Ok(Call { cell, handle, action: PhantomData })
}

/// A submitted call whose caller still waits for step 1; dropped before that, it is withdrawn.
struct Submitted<A> {
    call: Option<Call<A>>,
}

impl<A> Submitted<A> {
    fn cell(&self) -> Option<&CallCell> {
        self.call.as_ref().map(|call| &*call.cell)
    }

    fn into_call(mut self) -> Result<Call<A>, SendError> {
        self.call.take().ok_or(SendError::Disconnected)
    }
}

impl<A> Drop for Submitted<A> {
    fn drop(&mut self) {
        if let Some(call) = &self.call {
            call.cell.withdraw();
        }
    }
}

/// An accepted call. Await it for its answer; dropping it changes nothing about it.
#[must_use = "await the call for its answer"]
pub struct Call<A> {
    cell: Arc<CallCell>,
    /// A call keeps its client: what was accepted is answered although every [`Client`] was dropped.
    handle: Arc<ClientHandle>,
    action: PhantomData<fn() -> A>,
}

impl<A> fmt::Debug for Call<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("number", &self.cell.number()).finish_non_exhaustive()
    }
}

impl<A: Action> Call<A> {
    /// Step 2: returns once the server has the call in its log.
    ///
    /// # Errors
    /// The call ended without that; awaiting it says how.
    pub async fn guaranteed(&self) -> Result<(), NotGuaranteed> {
        poll_fn(|cx| self.cell.poll_guaranteed(cx)).await
    }

    /// Asks that the call does not begin, and returns what became of that. Also after [`CancelOutcome::Executing`] the call's answer
    /// comes.
    pub async fn cancel(&self) -> CancelOutcome {
        if self.handle.inbox.push(Command::Cancel(Arc::clone(&self.cell))).is_err() {
            self.cell.abandoned();
        }
        poll_fn(|cx| self.cell.poll_cancelled(cx)).await
    }

    /// The call's number: with the client's id and incarnation it is its identity for ever.
    #[must_use]
    pub fn number(&self) -> CallNumber {
        self.cell.number().unwrap_or_default()
    }
}

impl<A: Action> Future for Call<A> {
    type Output = Result<A::Output, CallError<A::Error>>;

    /// Step 3. Awaited again after that, it says [`CallError::AnswerTaken`].
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.cell.poll_answer(cx).map(Outcome::into_result::<A>)
    }
}

/// The answer of a [`Request`] that was not sent by hand.
#[must_use = "futures do nothing unless polled"]
pub struct Answering<'a, A: Action> {
    request: Option<Request<'a, A>>,
    call: Option<Submitted<A>>,
}

impl<A: Action> fmt::Debug for Answering<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answering").finish_non_exhaustive()
    }
}

/// Nothing in it is ever pinned.
impl<A: Action> Unpin for Answering<'_, A> {}

impl<A: Action> Future for Answering<'_, A> {
    type Output = Result<A::Output, CallError<A::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(Request { client, action }) = this.request.take() {
            match submit(client, action, WhenFull::Wait) {
                Ok(call) => this.call = Some(Submitted { call: Some(call) }),
                Err(error) => return Poll::Ready(Err(error.into())),
            }
        }
        match this.call.as_ref().and_then(Submitted::cell) {
            Some(cell) => cell.poll_answer(cx).map(Outcome::into_result::<A>),
            None => Poll::Ready(Err(CallError::AnswerTaken)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLE: CallHandle = CallHandle { number: CallNumber(7), index: 0 };

    fn cx() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    #[test]
    fn answer_is_taken_once() {
        let cell = CallCell::new(MethodId(0));
        cell.accepted(HANDLE);
        assert!(cell.poll_answer(&cx()).is_pending());
        cell.answered(HANDLE.number, Answer::Refused(Refusal::Overloaded));
        assert!(matches!(cell.poll_answer(&cx()), Poll::Ready(Outcome::Answer(_))));
        assert!(matches!(cell.poll_answer(&cx()), Poll::Ready(Outcome::Taken)));
        assert_eq!(cell.number(), Some(CallNumber(7)));
    }

    #[test]
    fn answer_of_the_business_is_a_guarantee() {
        let cell = CallCell::new(MethodId(0));
        cell.accepted(HANDLE);
        assert!(cell.poll_guaranteed(&cx()).is_pending());
        cell.answered(HANDLE.number, Answer::Response(Carried::from(bytes::Bytes::new())));
        assert_eq!(cell.poll_guaranteed(&cx()), Poll::Ready(Ok(())));
    }

    #[test]
    fn refused_call_was_never_guaranteed() {
        let cell = CallCell::new(MethodId(0));
        cell.accepted(HANDLE);
        cell.answered(HANDLE.number, Answer::Refused(Refusal::Overloaded));
        assert_eq!(cell.poll_guaranteed(&cx()), Poll::Ready(Err(NotGuaranteed)));
    }

    #[test]
    fn call_whose_client_ended_is_unknown_if_it_was_accepted() {
        let accepted = CallCell::new(MethodId(0));
        accepted.accepted(HANDLE);
        accepted.abandoned();
        assert_eq!(accepted.poll_cancelled(&cx()), Poll::Ready(CancelOutcome::MaybeExecuted));
        let submitted = CallCell::new(MethodId(0));
        submitted.abandoned();
        assert_eq!(submitted.poll_accepted(&cx()), Poll::Ready(Err(SendError::Disconnected)));
    }
}
