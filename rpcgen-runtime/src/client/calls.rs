//! Many calls of one caller: handed over together, answered as their answers come.
//!
//! Knows: which call an answer is for, and what is used again. Does not know: where a call stands; that is its cell's.
//!
//! What a call alone costs its caller once each is paid here once for all that go at the same time: the lock of the client's inbox, and
//! waking the client's task and the caller's.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rpcgen_proto::ids::MethodId;

use super::call::WhenFull;
use super::cell::{CallCell, Outcome};
use super::{ClientHandle, Command, PendingCall, Request, Submission};
use crate::carried::Carried;
use crate::contract::Action;
use crate::driver::inbox::{Inbox, Taken};
use crate::error::{CallError, SendError};

/// Where the places of calls that have ended are told.
pub(super) type Answered = Inbox<u32>;

/// While answers are taken, so many new calls are handed over although there are further answers: the client's task has work meanwhile.
const HANDED_OVER_AT: usize = 64;

/// Calls of one action, from one task: a payment run, say. They are handed to the client together and their answers come one by one, in
/// the order in which the server gives them; this costs less than a future for each ([docs/performance.md] has figures).
///
/// ```ignore
/// let mut calls = Calls::new();
/// for order in &orders {
///     calls.push(shop.pay(APP, &order.user, order.amount));
/// }
/// while let Some((index, answer)) = calls.next().await {
///     settle(&orders[index], answer?);
/// }
/// ```
///
/// More may be pushed while answers are taken: a stream with a bounded number outstanding.
///
/// ```ignore
/// loop {
///     while calls.len() < 256 && let Some(order) = orders.next() {
///         calls.push(shop.pay(APP, &order.user, order.amount));
///     }
///     let Some((index, answer)) = calls.next().await else { break };
/// }
/// ```
///
/// Each call has the promise of any other: accepted, guaranteed, answered, once. None is guaranteed because another is, and one that is
/// refused takes none with it. Calls that find the log full wait for room, and while they wait they are in memory: bound [`Calls::len`].
/// Dropped, what was accepted is delivered and run all the same, and what was not is withdrawn. The requests may be of several clients;
/// each client is kept as long as this is, also when all is answered.
///
/// [docs/performance.md]: https://github.com/rpcgen/rpcgen/blob/main/docs/performance.md
#[must_use = "calls are sent when their answers are awaited"]
pub struct Calls<A> {
    places: Vec<Place>,
    free: Vec<u32>,
    answered: Arc<Answered>,
    /// Places whose answers are there and were not taken.
    arrived: VecDeque<u32>,
    unsent: VecDeque<Command>,
    /// Whose they are.
    unsent_of: Option<Arc<ClientHandle>>,
    pushed: usize,
    action: PhantomData<fn() -> A>,
}

/// Where a call is until its answer is taken; then its cell waits for the next call.
struct Place {
    index: usize,
    cell: Arc<CallCell>,
    client: Arc<ClientHandle>,
    is_open: bool,
}

impl<A> fmt::Debug for Calls<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").field("pushed", &self.pushed).field("open", &self.len()).finish_non_exhaustive()
    }
}

impl<A> Default for Calls<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A> Drop for Calls<A> {
    fn drop(&mut self) {
        for place in self.places.iter().filter(|place| place.is_open) {
            place.cell.withdraw();
        }
    }
}

impl<A> Calls<A> {
    /// None yet.
    pub fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            answered: Arc::new(Answered::new()),
            arrived: VecDeque::new(),
            unsent: VecDeque::new(),
            unsent_of: None,
            pushed: 0,
            action: PhantomData,
        }
    }

    /// How many were pushed and have an answer that was not taken, or none yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Whether every answer was taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Hands over at once what was pushed. [`Calls::next`] does so too, as soon as it has no further answer at hand: this is for who has
    /// other things to do before.
    pub fn send(&mut self) {
        if self.unsent.is_empty() || self.unsent_of.as_ref().is_some_and(|client| client.inbox.append(&mut self.unsent))
        {
            return;
        }
        for command in self.unsent.drain(..) {
            if let Command::Send(submission) = command {
                submission.cell.rejected(SendError::Disconnected);
            }
        }
    }

    /// Step 1 of all: hands over what was pushed, and returns once each is in its client's log, or refused; of one that is refused, its
    /// answer says why.
    pub async fn accepted(&mut self) {
        self.each(|cell, cx| cell.poll_accepted(cx).map(drop)).await;
    }

    /// Step 2 of all: the same, once the server has each in its log, or it has ended without.
    pub async fn guaranteed(&mut self) {
        self.each(|cell, cx| cell.poll_guaranteed(cx).map(drop)).await;
    }

    async fn each(&mut self, poll: impl Fn(&CallCell, &Context<'_>) -> Poll<()>) {
        self.send();
        let mut places = self.places.iter().filter(|place| place.is_open).peekable();
        poll_fn(|cx| {
            while let Some(place) = places.peek() {
                ready!(poll(&place.cell, cx));
                places.next();
            }
            Poll::Ready(())
        })
        .await;
    }

    /// The call of this index seen from outside: it can be shown and cancelled. `None`: there is none, it is not accepted yet, or its
    /// answer was taken.
    #[must_use]
    pub fn observer(&self, index: usize) -> Option<PendingCall> {
        let place = self.places.iter().find(|place| place.is_open && place.index == index)?;
        place.cell.number()?;
        Some(PendingCall::new(Arc::clone(&place.cell), Arc::clone(&place.client)))
    }

    /// A place for a new call of this client.
    fn take_place(&mut self, method: MethodId, client: &Arc<ClientHandle>) -> Arc<CallCell> {
        let index = self.pushed;
        self.pushed += 1;
        let free = self.free.pop();
        let number = free.unwrap_or_else(|| u32::try_from(self.places.len()).expect("so many calls fit in no memory"));
        let fresh = CallCell::placed(method, &self.answered, number);
        let Some(place) = free.and_then(|free| self.places.get_mut(free as usize)) else {
            let cell = Arc::new(fresh);
            let client = Arc::clone(client);
            self.places.push(Place { index, cell: Arc::clone(&cell), client, is_open: true });
            return cell;
        };
        (place.index, place.is_open) = (index, true);
        if !Arc::ptr_eq(&place.client, client) {
            place.client = Arc::clone(client);
        }
        match Arc::get_mut(&mut place.cell) {
            Some(cell) => *cell = fresh,
            // Somebody observes the call that was there before.
            None => place.cell = Arc::new(fresh),
        }
        Arc::clone(&place.cell)
    }

    /// How the call of this place ended. Whoever takes the answer claims it.
    fn take_outcome(&mut self, number: u32) -> Option<(usize, Outcome)> {
        let place = self.places.get_mut(number as usize)?;
        let outcome = place.cell.take_outcome()?;
        place.client.claim(place.client.claimable(&place.cell, &outcome));
        place.is_open = false;
        self.free.push(number);
        Some((place.index, outcome))
    }
}

impl<A: Action> Calls<A> {
    /// Adds a call, and returns its index: how many were pushed before it. It is handed over with the next [`Calls::next`] or
    /// [`Calls::send`]. A request that breaks a limit of its type is not sent; its answer says so.
    pub fn push(&mut self, request: Request<'_, A>) -> usize {
        let (index, client) = (self.pushed, &request.client.handle);
        let cell = self.take_place(MethodId(A::METHOD), client);
        match Carried::of_request(request.action, client.in_process) {
            Ok(payload) => {
                if !self.unsent_of.as_ref().is_some_and(|known| Arc::ptr_eq(known, client)) {
                    self.send();
                    self.unsent_of = Some(Arc::clone(client));
                }
                self.unsent.push_back(Command::Send(Submission { payload, cell, when_full: WhenFull::Wait }));
            }
            Err(error) => cell.rejected(error.into()),
        }
        index
    }

    /// The next answer, with the index of its call; `None`: every answer was taken. To take an answer is to claim it, as awaiting a single
    /// call is. Dropped, the future leaves everything as it was.
    pub async fn next(&mut self) -> Option<(usize, Result<A::Output, CallError<A::Error>>)> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The answers that were not taken yet, in the order in which the calls were pushed.
    pub async fn in_order(mut self) -> Vec<Result<A::Output, CallError<A::Error>>> {
        let mut answers = Vec::with_capacity(self.len());
        while let Some(answer) = self.next().await {
            answers.push(answer);
        }
        answers.sort_unstable_by_key(|(index, _)| *index);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// The same as [`Calls::next`] for who polls by hand: `futures::stream::poll_fn(|cx| calls.poll_next(cx))` is a stream.
    #[expect(clippy::type_complexity, reason = "a name for it would hide what it is")]
    pub fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<(usize, Result<A::Output, CallError<A::Error>>)>> {
        if self.unsent.len() >= HANDED_OVER_AT {
            self.send();
        }
        loop {
            if let Some(number) = self.arrived.pop_front() {
                if let Some((index, outcome)) = self.take_outcome(number) {
                    return Poll::Ready(Some((index, outcome.into_result::<A>())));
                }
                continue;
            }
            self.send();
            if self.is_empty() {
                return Poll::Ready(None);
            }
            if self.answered.poll_take(cx, &mut self.arrived) != Taken::Some {
                return Poll::Pending;
            }
        }
    }
}

impl<'a, A: Action> Extend<Request<'a, A>> for Calls<A> {
    fn extend<I: IntoIterator<Item = Request<'a, A>>>(&mut self, requests: I) {
        for request in requests {
            self.push(request);
        }
    }
}

impl<'a, A: Action> FromIterator<Request<'a, A>> for Calls<A> {
    fn from_iter<I: IntoIterator<Item = Request<'a, A>>>(requests: I) -> Self {
        let mut calls = Self::new();
        calls.extend(requests);
        calls
    }
}
