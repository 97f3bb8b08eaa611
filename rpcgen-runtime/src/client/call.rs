//! A call and its three steps: accepted, guaranteed, answered.
//!
//! Knows: where a call stands, who waits for which step. Does not know: sessions; the client's task moves a call on. Dropping a call,
//! or a future of it, never cancels what was accepted: cancelling is [`Call::cancel`]'s alone.

use std::fmt;
use std::future::{Future, IntoFuture, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rpcgen_proto::frame::CancelOutcome;
use rpcgen_proto::ids::{CallNumber, MethodId};

use super::cell::{CallCell, Outcome};
use super::{Client, ClientHandle, Command, PendingCall, Submission};
use crate::carried::Carried;
use crate::contract::Action;
use crate::error::{CallError, NotGuaranteed, SendError};

/// A call that is not sent yet. Await it for its answer, or take the three steps one by one with [`Request::send`].
#[must_use = "a request does nothing until it is awaited or sent"]
pub struct Request<'a, A> {
    pub(super) client: &'a Client,
    pub(super) action: A,
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

    /// Step 1: returns once the call is in this client's log. From then on it is delivered and answered: with a log on disk
    /// ([`ClientBuilder::log`](super::ClientBuilder::log)) whatever happens to this process, else as long as it lives; also while no
    /// link is up, and also if the [`Call`] that it returns and every clone of the client are dropped: the client then leaves in the
    /// background (see [`Client`]). Waits while the log is full; dropped while it waits, the call is withdrawn, and nothing of it
    /// remains (with a log on disk: unless its record is on its way there already).
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
    submit_with(client, action, when_full, CallCell::new(MethodId(A::METHOD)))
}

fn submit_with<A: Action>(
    client: &Client,
    action: A,
    when_full: WhenFull,
    cell: CallCell,
) -> Result<Call<A>, SendError> {
    let payload = Carried::of_request(action, client.handle.in_process)?;
    let cell = Arc::new(cell);
    let submission = Submission { payload, cell: Arc::clone(&cell), when_full };
    let handle = Arc::clone(&client.handle);
    if handle.inbox.push(Command::Send(submission)).is_err() {
        return Err(SendError::Disconnected);
    }
    Ok(Call::new(cell, handle))
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

/// An accepted call. Await it for its answer. Dropping it changes nothing about it: it is delivered and run all the same.
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

impl<A> Call<A> {
    pub(super) fn new(cell: Arc<CallCell>, handle: Arc<ClientHandle>) -> Self {
        Self { cell, handle, action: PhantomData }
    }

    /// Whoever takes the answer claims it: it is needed no more in the client's log.
    fn poll_claimed(&self, cx: &Context<'_>) -> Poll<Outcome> {
        let outcome = self.cell.poll_answer(cx);
        if let Poll::Ready(outcome) = &outcome {
            self.handle.claim(self.handle.claimable(&self.cell, outcome));
        }
        outcome
    }
}

impl ClientHandle {
    /// What is in the log on disk until it is claimed.
    pub(super) fn claimable(&self, cell: &CallCell, outcome: &Outcome) -> Option<CallNumber> {
        self.log.as_ref().filter(|_| matches!(outcome, Outcome::Answer(_))).and_then(|_| cell.number())
    }

    pub(super) fn claim(&self, number: Option<CallNumber>) {
        if let Some(number) = number {
            // A client that has ended leaves it in the log, and the next one hands it out again.
            let _ = self.inbox.push(Command::Claim(number));
        }
    }
}

/// An answer that was taken and is still in the client's log on disk ([`Call::unclaimed`]).
#[must_use = "an answer that is not claimed is found again by the next run"]
pub struct Claim {
    /// `None`: there is nothing to claim.
    number: Option<CallNumber>,
    handle: Arc<ClientHandle>,
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Claim {
    /// What the answer was for has been done: it leaves the log, on the disk within 50 ms.
    pub fn claim(self) {
        self.handle.claim(self.number);
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

    /// Step 3 without claiming the answer: with a log on disk it stays there until [`Claim::claim`] is called, and a process that is killed
    /// before it has done what the answer is for finds it again ([`Client::recovered`]): maybe twice, never not at all. To await the
    /// call itself is to claim at once: who is killed between taking an answer and acting on it may not find it again. Dropped, the claim
    /// leaves the answer in the log.
    pub async fn unclaimed(self) -> (Result<A::Output, CallError<A::Error>>, Claim) {
        let outcome = poll_fn(|cx| self.cell.poll_answer(cx)).await;
        let number = self.handle.claimable(&self.cell, &outcome);
        (outcome.into_result::<A>(), Claim { number, handle: self.handle })
    }

    /// What was asked, if it was an earlier run of this program that asked ([`Client::recovered`]): its answer may mean nothing without
    /// that. `None`: this run did, and knows; or the request cannot be read any more, as its type has changed since.
    #[must_use]
    pub fn recovered_request(&self) -> Option<A> {
        let request = self.cell.request()?.open();
        request
            .inspect_err(
                |error| tracing::error!(number = self.number().0, %error, "a recovered request cannot be read"),
            )
            .ok()
    }

    /// Asks that the call does not begin, and returns what became of that. Also after [`CancelOutcome::Executing`] the call's answer
    /// comes.
    pub async fn cancel(&self) -> CancelOutcome {
        self.observer().cancel().await
    }

    /// The call seen from outside: it can be shown and cancelled by one who does not await its answer.
    #[must_use]
    pub fn observer(&self) -> PendingCall {
        PendingCall::new(Arc::clone(&self.cell), Arc::clone(&self.handle))
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
        self.poll_claimed(cx).map(Outcome::into_result::<A>)
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
            // It is woken when the answer comes: there is none before the client's task has had its turn.
            let cell = CallCell::awaited(MethodId(A::METHOD), cx.waker().clone());
            return match submit_with(client, action, WhenFull::Wait, cell) {
                Ok(call) => {
                    this.call = Some(Submitted { call: Some(call) });
                    Poll::Pending
                }
                Err(error) => Poll::Ready(Err(error.into())),
            };
        }
        let Some(call) = this.call.as_mut().and_then(|submitted| submitted.call.as_mut()) else {
            return Poll::Ready(Err(CallError::AnswerTaken));
        };
        let outcome = std::task::ready!(call.poll_claimed(cx));
        // It has its answer, and need not be withdrawn.
        drop(this.call.take().map(Submitted::into_call));
        Poll::Ready(outcome.into_result::<A>())
    }
}
