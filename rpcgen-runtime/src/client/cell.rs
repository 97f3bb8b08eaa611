//! Where a call stands, shared by its caller and the client's task.
//!
//! Knows: the phases of a call, who waits for which. Does not know: what is called, sessions.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use rpcgen_proto::frame::{CancelOutcome, Refusal};
use rpcgen_proto::ids::{CallNumber, MethodId};
use rpcgen_proto::session::{Answer, CallHandle};
use rpcgen_proto::time::Instant;
use rpcgen_store::UnclaimedAnswer;

use super::Step;
use super::calls::Answered;
use crate::carried::{Carried, OpenError};
use crate::contract::Action;
use crate::driver::inbox::lock;
use crate::error::{CallError, NotGuaranteed, SendError};

/// Where a call stands, shared by its caller and the client's task.
#[derive(Debug)]
pub(crate) struct CallCell {
    pub(crate) method: MethodId,
    /// What was asked, if an earlier run did.
    request: Option<Box<Carried>>,
    state: Mutex<CellState>,
}

#[derive(Debug)]
struct CellState {
    phase: Phase,
    accepted_at: Option<Instant>,
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
    /// In the session; its record is on its way to the disk.
    Recording(CallHandle),
    /// In the log.
    Accepted(CallHandle),
    /// Answered; the answer waits for its caller.
    Answered(CallNumber, Answer<Carried>),
    /// The caller has the answer.
    Taken(CallNumber),
    /// The client has ended; the call is in its log on disk.
    Kept(CallNumber),
}

/// What a future of a call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wait {
    Accepted,
    Guaranteed,
    CancelResult,
    Answered,
}

/// Who is woken at which step. Mostly it is one task that waits for one step.
#[derive(Debug, Default)]
struct Waiters {
    first: Option<(Wait, Waker)>,
    more: Vec<(Wait, Waker)>,
    /// Of one call among many: where its place is told when it has ended.
    place: Option<(Arc<Answered>, u32)>,
}

impl Waiters {
    /// One that waits from the beginning on.
    fn of(step: Wait, waker: Waker) -> Self {
        Self { first: Some((step, waker)), ..Self::default() }
    }

    fn register(&mut self, step: Wait, waker: &Waker) {
        let is_there = |(known_step, known): &(Wait, Waker)| *known_step == step && known.will_wake(waker);
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
    fn wake(&mut self, step: Wait) {
        if let Some((_, waker)) = self.first.take_if(|(waits_for, _)| *waits_for == step) {
            waker.wake();
        }
        if self.more.is_empty() {
            return;
        }
        for (_, waker) in self.more.extract_if(.., |(waits_for, _)| *waits_for == step) {
            waker.wake();
        }
    }

    /// Wakes everybody: the call has ended.
    fn wake_all(&mut self) {
        if let Some((answered, place)) = self.place.take() {
            // Its caller may be gone.
            let _ = answered.push(place);
        }
        if let Some((_, waker)) = self.first.take() {
            waker.wake();
        }
        for (_, waker) in self.more.drain(..) {
            waker.wake();
        }
    }
}

impl CellState {
    fn accept(&mut self, handle: CallHandle, now: Instant) {
        self.accepted_at = Some(now);
        self.phase = Phase::Accepted(handle);
        self.waiters.wake(Wait::Accepted);
    }

    /// How the call ended, if it has. Its answer is taken once.
    fn take_outcome(&mut self) -> Option<Outcome> {
        Some(match self.phase {
            Phase::Submitted | Phase::Withdrawn | Phase::Recording(_) | Phase::Accepted(_) => return None,
            Phase::Rejected(ref error) => Outcome::Rejected(error.clone()),
            Phase::Taken(_) => Outcome::Taken,
            Phase::Kept(_) => Outcome::Kept,
            Phase::Answered(number, _) => match std::mem::replace(&mut self.phase, Phase::Taken(number)) {
                Phase::Answered(_, answer) => {
                    // Whoever asks later what became of a cancel is told what the answer says.
                    self.cancel.get_or_insert_with(|| answer.cancel_outcome());
                    Outcome::Answer(answer)
                }
                _ => Outcome::Taken,
            },
        })
    }
}

/// How the session took a call.
pub(crate) enum Offered {
    /// Its record is on its way to the disk.
    OnRecord(CallHandle),
    /// It is accepted.
    Accepted(CallHandle, Instant),
}

impl CallCell {
    pub(super) fn new(method: MethodId) -> Self {
        Self::in_phase(method, None, Phase::Submitted, None)
    }

    /// A new call whose answer is awaited already.
    pub(super) fn awaited(method: MethodId, waker: Waker) -> Self {
        let waiters = Waiters::of(Wait::Answered, waker);
        let state =
            CellState { phase: Phase::Submitted, accepted_at: None, is_guaranteed: false, cancel: None, waiters };
        Self { method, request: None, state: Mutex::new(state) }
    }

    /// A new call among many.
    pub(super) fn placed(method: MethodId, answered: &Arc<Answered>, place: u32) -> Self {
        let mut cell = Self::new(method);
        let state = cell.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.waiters.place = Some((Arc::clone(answered), place));
        cell
    }

    /// A call that was found in the log, without an answer.
    pub(super) fn open(method: MethodId, request: Carried, handle: CallHandle, now: Instant) -> Self {
        Self::in_phase(method, Some(request), Phase::Accepted(handle), Some(now))
    }

    /// A call that was found in the log, with an answer that nobody has claimed.
    pub(super) fn unclaimed(found: UnclaimedAnswer<Carried>) -> Self {
        let cell = Self::in_phase(found.method, Some(found.request), Phase::Submitted, None);
        cell.answered(found.number, found.answer);
        cell
    }

    fn in_phase(method: MethodId, request: Option<Carried>, phase: Phase, accepted_at: Option<Instant>) -> Self {
        let state = CellState { phase, accepted_at, is_guaranteed: false, cancel: None, waiters: Waiters::default() };
        Self { method, request: request.map(Box::new), state: Mutex::new(state) }
    }

    /// What was asked, if an earlier run did.
    pub(super) fn request(&self) -> Option<Carried> {
        self.request.as_deref().cloned()
    }

    /// Whether its caller went away before it was accepted.
    pub(crate) fn is_withdrawn(&self) -> bool {
        matches!(lock(&self.state).phase, Phase::Withdrawn)
    }

    /// The handle of an accepted, unanswered call.
    pub(crate) fn handle(&self) -> Option<CallHandle> {
        match lock(&self.state).phase {
            Phase::Accepted(handle) | Phase::Recording(handle) => Some(handle),
            _ => None,
        }
    }

    /// Offers the call to the session, unless its caller went away before that: `offer` returns its handle if it is accepted.
    pub(crate) fn offer(
        &self,
        offer: impl FnOnce() -> Result<Offered, SendError>,
    ) -> Result<Option<CallHandle>, SendError> {
        let mut state = lock(&self.state);
        if matches!(state.phase, Phase::Withdrawn) {
            return Ok(None);
        }
        let handle = match offer()? {
            // Step 1 waits for its record.
            Offered::OnRecord(handle) => {
                state.phase = Phase::Recording(handle);
                handle
            }
            Offered::Accepted(handle, now) => {
                state.accept(handle, now);
                handle
            }
        };
        Ok(Some(handle))
    }

    /// Step 1.
    pub(crate) fn accepted(&self, handle: CallHandle, now: Instant) {
        lock(&self.state).accept(handle, now);
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
        state.waiters.wake(Wait::Guaranteed);
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
        state.waiters.wake(Wait::CancelResult);
    }

    /// The client's task has ended without an answer.
    pub(crate) fn abandoned(&self) {
        let mut state = lock(&self.state);
        state.phase = match state.phase {
            Phase::Submitted => Phase::Rejected(SendError::Disconnected),
            Phase::Recording(_) => Phase::Rejected(SendError::LogStopped),
            Phase::Accepted(handle) => Phase::Answered(handle.number, Answer::Refused(Refusal::Unknown)),
            Phase::Withdrawn | Phase::Rejected(_) | Phase::Answered(..) | Phase::Taken(_) | Phase::Kept(_) => return,
        };
        state.waiters.wake_all();
    }

    /// The client's task has ended without an answer, and the call is in its log on disk.
    pub(crate) fn kept(&self) {
        let mut state = lock(&self.state);
        if let Phase::Accepted(handle) = state.phase {
            state.phase = Phase::Kept(handle.number);
            return state.waiters.wake_all();
        }
        drop(state);
        self.abandoned();
    }

    pub(super) fn poll_accepted(&self, cx: &Context<'_>) -> Poll<Result<(), SendError>> {
        let mut state = lock(&self.state);
        match state.phase {
            Phase::Submitted | Phase::Withdrawn | Phase::Recording(_) => {
                state.waiters.register(Wait::Accepted, cx.waker());
                Poll::Pending
            }
            Phase::Rejected(ref error) => Poll::Ready(Err(error.clone())),
            Phase::Accepted(_) | Phase::Answered(..) | Phase::Taken(_) | Phase::Kept(_) => Poll::Ready(Ok(())),
        }
    }

    /// How far it has come, as one sees it from outside.
    pub(super) fn step(&self) -> Step {
        let state = lock(&self.state);
        match state.phase {
            Phase::Rejected(_) | Phase::Answered(..) | Phase::Taken(_) => Step::Answered,
            _ if state.is_guaranteed => Step::Guaranteed,
            _ => Step::Accepted,
        }
    }

    /// When it was accepted; `None`: it was not.
    pub(super) fn accepted_at(&self) -> Option<Instant> {
        lock(&self.state).accepted_at
    }

    pub(super) fn poll_guaranteed(&self, cx: &Context<'_>) -> Poll<Result<(), NotGuaranteed>> {
        let mut state = lock(&self.state);
        if state.is_guaranteed {
            return Poll::Ready(Ok(()));
        }
        match state.phase {
            Phase::Submitted | Phase::Recording(_) | Phase::Accepted(_) => {
                state.waiters.register(Wait::Guaranteed, cx.waker());
                Poll::Pending
            }
            _ => Poll::Ready(Err(NotGuaranteed)),
        }
    }

    /// A call that ended while its cancel was on the way: its answer says what the cancel's would have said.
    pub(super) fn poll_cancelled(&self, cx: &Context<'_>) -> Poll<CancelOutcome> {
        let mut state = lock(&self.state);
        if let Some(outcome) = state.cancel {
            return Poll::Ready(outcome);
        }
        match &state.phase {
            Phase::Answered(_, answer) => Poll::Ready(answer.cancel_outcome()),
            // Its next life knows more.
            Phase::Kept(_) => Poll::Ready(CancelOutcome::MaybeExecuted),
            _ => {
                state.waiters.register(Wait::CancelResult, cx.waker());
                Poll::Pending
            }
        }
    }

    pub(super) fn poll_answer(&self, cx: &Context<'_>) -> Poll<Outcome> {
        let mut state = lock(&self.state);
        if let Some(outcome) = state.take_outcome() {
            return Poll::Ready(outcome);
        }
        state.waiters.register(Wait::Answered, cx.waker());
        Poll::Pending
    }

    /// How it ended, if it has.
    pub(super) fn take_outcome(&self) -> Option<Outcome> {
        lock(&self.state).take_outcome()
    }

    /// The caller is gone: what is not accepted yet need not be.
    pub(super) fn withdraw(&self) {
        let mut state = lock(&self.state);
        if matches!(state.phase, Phase::Submitted) {
            state.phase = Phase::Withdrawn;
        }
    }

    pub(super) fn number(&self) -> Option<CallNumber> {
        match lock(&self.state).phase {
            Phase::Accepted(handle) | Phase::Recording(handle) => Some(handle.number),
            Phase::Answered(number, _) | Phase::Taken(number) | Phase::Kept(number) => Some(number),
            Phase::Submitted | Phase::Withdrawn | Phase::Rejected(_) => None,
        }
    }
}

/// Whether the server must have had the call to answer so.
fn proves_guarantee(answer: &Answer<Carried>) -> bool {
    match answer {
        Answer::Response(_) | Answer::Failure(_) => true,
        Answer::Refused(refusal) => {
            matches!(
                refusal,
                Refusal::HandlerPanicked | Refusal::HandlerDropped | Refusal::AnswerTooLarge | Refusal::Poisoned
            )
        }
    }
}

pub(super) enum Outcome {
    Answer(Answer<Carried>),
    Rejected(SendError),
    Taken,
    Kept,
}

impl Outcome {
    pub(super) fn into_result<A: Action>(self) -> Result<A::Output, CallError<A::Error>> {
        match self {
            Self::Answer(Answer::Response(payload)) => payload.open().map(A::into_output).map_err(unreadable),
            Self::Answer(Answer::Failure(payload)) => Err(payload.open().map_or_else(unreadable, CallError::Failed)),
            Self::Answer(Answer::Refused(Refusal::Unknown)) => Err(CallError::Unknown),
            Self::Answer(Answer::Refused(Refusal::Cancelled)) => Err(CallError::Cancelled),
            Self::Answer(Answer::Refused(refusal)) => Err(CallError::Refused(refusal)),
            Self::Rejected(error) => Err(CallError::NotAccepted(error)),
            Self::Taken => Err(CallError::AnswerTaken),
            Self::Kept => Err(CallError::OnRecord),
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
        cell.accepted(HANDLE, Instant::START);
        assert!(cell.poll_answer(&cx()).is_pending());
        cell.answered(HANDLE.number, Answer::Refused(Refusal::Overloaded));
        assert!(matches!(cell.poll_answer(&cx()), Poll::Ready(Outcome::Answer(_))));
        assert!(matches!(cell.poll_answer(&cx()), Poll::Ready(Outcome::Taken)));
        assert_eq!(cell.number(), Some(CallNumber(7)));
    }

    #[test]
    fn answer_of_the_business_is_a_guarantee() {
        let cell = CallCell::new(MethodId(0));
        cell.accepted(HANDLE, Instant::START);
        assert!(cell.poll_guaranteed(&cx()).is_pending());
        cell.answered(HANDLE.number, Answer::Response(Carried::from(bytes::Bytes::new())));
        assert_eq!(cell.poll_guaranteed(&cx()), Poll::Ready(Ok(())));
    }

    #[test]
    fn refused_call_was_never_guaranteed() {
        let cell = CallCell::new(MethodId(0));
        cell.accepted(HANDLE, Instant::START);
        cell.answered(HANDLE.number, Answer::Refused(Refusal::Overloaded));
        assert_eq!(cell.poll_guaranteed(&cx()), Poll::Ready(Err(NotGuaranteed)));
    }

    #[test]
    fn call_whose_client_ended_is_unknown_if_it_was_accepted() {
        let accepted = CallCell::new(MethodId(0));
        accepted.accepted(HANDLE, Instant::START);
        accepted.abandoned();
        assert_eq!(accepted.poll_cancelled(&cx()), Poll::Ready(CancelOutcome::MaybeExecuted));
        let submitted = CallCell::new(MethodId(0));
        submitted.abandoned();
        assert_eq!(submitted.poll_accepted(&cx()), Poll::Ready(Err(SendError::Disconnected)));
    }

    #[test]
    fn a_cancel_that_is_asked_about_after_the_answer_was_taken_says_what_the_answer_said() {
        for (refusal, outcome) in [
            (Refusal::Cancelled, CancelOutcome::Cancelled),
            (Refusal::Unknown, CancelOutcome::MaybeExecuted),
            (Refusal::HandlerPanicked, CancelOutcome::Answered),
        ] {
            let cell = CallCell::new(MethodId(0));
            cell.accepted(HANDLE, Instant::START);
            cell.answered(HANDLE.number, Answer::Refused(refusal));
            assert!(matches!(cell.poll_answer(&cx()), Poll::Ready(Outcome::Answer(_))));
            assert_eq!(cell.poll_cancelled(&cx()), Poll::Ready(outcome));
        }
    }
}
