//! What the business knows of a call, and how its handlers run.
//!
//! Knows: handlers that answer at once, wait, or panic. Does not know: how the answer travels.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use rpcgen_proto::frame::Refusal;
use rpcgen_proto::ids::{CallKey, ClientId, MethodId};
use rpcgen_proto::session::{ActionHandle, Answer};
use tokio::task::JoinSet;

use super::broadcasts::BroadcastSender;
use super::dispatch::{Handler, HandlerKind};
use super::room::Room;
use super::session::SessionContext;
use crate::carried::Carried;
use crate::completion::{self, AnswerCodec, CallRecord, CodecOf};
use crate::contract::{Action, BroadcastStub};
use crate::driver::inbox::lock;
use crate::run::{BoxFuture, Guarded, Panicked, guarded, poll_once};

/// A call, as its handler sees it.
#[derive(Clone)]
pub struct Call {
    pub(super) action: ActionHandle,
    pub(super) key: CallKey,
    pub(super) is_redelivered: bool,
    /// It does not run: it may have killed its server so often, or have run in a session that is forgotten. Only its completion record can
    /// answer it; without one, this.
    pub(super) instead: Option<Refusal>,
    /// Of the method and the request; 0 where nobody keeps completion records.
    pub(super) digest: u64,
    /// `None`: its request was not read yet.
    codec: Option<(MethodId, &'static dyn AnswerCodec)>,
    pub(super) context: Arc<SessionContext>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut call = f.debug_struct("Call");
        call.field("key", &self.key).field("redelivered", &self.is_redelivered).finish_non_exhaustive()
    }
}

impl Call {
    pub(super) fn new(action: ActionHandle, key: CallKey, is_redelivered: bool, context: Arc<SessionContext>) -> Self {
        Self { action, key, is_redelivered, instead: None, digest: 0, codec: None, context }
    }

    pub(super) fn instead_of_running(self, instead: Option<Refusal>) -> Self {
        Self { instead, ..self }
    }

    /// What completion records of it need.
    pub(super) fn identified<A: Action>(mut self, request: &Carried) -> Self {
        let method = MethodId(A::METHOD);
        self.codec = Some((method, CodecOf::<A>::codec()));
        if self.context.shared.completions.is_some() {
            self.digest = request.with_bytes(|bytes| completion::digest(method, bytes));
        }
        self
    }

    /// What a completion record says of this call. For completion stores: `once` of one writes the record in the transaction of the
    /// effect.
    ///
    /// # Panics
    /// The server does not know the store: it would run an action again without asking it.
    #[must_use]
    pub fn record(&self) -> CallRecord {
        assert!(
            self.context.shared.completions.is_some(),
            "the server does not know of the completion store: add `ServerBuilder::completions(store)`"
        );
        let (method, codec) = self.codec.expect("a handler runs with the request that was read");
        CallRecord { key: self.key, method, digest: self.digest, codec }
    }

    /// The call's identity for ever: the key for a completion record of one's own.
    #[must_use]
    pub fn key(&self) -> CallKey {
        self.key
    }

    /// Who calls.
    #[must_use]
    pub fn client(&self) -> ClientId {
        self.key.client
    }

    /// Whether an earlier run may have had its effect: a server lost its memory, or crashed, between the effect and its record.
    #[must_use]
    pub fn redelivered(&self) -> bool {
        self.is_redelivered
    }

    /// Whether the caller asked, too late, that it does not begin. A handler may end early then; its answer counts as any other.
    #[must_use]
    pub fn is_cancel_requested(&self) -> bool {
        self.context.cancels.is_requested(self.action)
    }

    /// Sends broadcasts of a service of this server.
    #[must_use]
    pub fn broadcasts<S: BroadcastStub>(&self) -> S {
        S::from_sender(BroadcastSender::new(Arc::clone(&self.context.shared), S::SERVICE))
    }
}

/// The running actions of one session whose callers want them cancelled. Mostly none.
#[derive(Debug, Default)]
pub(super) struct Cancels {
    count: AtomicUsize,
    requested: Mutex<BTreeSet<ActionHandle>>,
}

impl Cancels {
    pub(super) fn request(&self, action: ActionHandle) {
        let mut requested = lock(&self.requested);
        requested.insert(action);
        self.count.store(requested.len(), Ordering::Release);
    }

    /// The action was answered.
    pub(super) fn forget(&self, action: ActionHandle) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut requested = lock(&self.requested);
        requested.remove(&action);
        self.count.store(requested.len(), Ordering::Release);
    }

    fn is_requested(&self, action: ActionHandle) -> bool {
        self.count.load(Ordering::Acquire) > 0 && lock(&self.requested).contains(&action)
    }
}

/// The handlers of one session that wait for something. They end with the session's task.
#[derive(Debug, Default)]
pub(super) struct Handlers {
    waiting: JoinSet<(ActionHandle, Answer<Carried>)>,
}

impl Handlers {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Runs a handler: here as long as it does not wait, then on a task of its own. Where those of all sessions are at their bound, it
    /// begins when one of them has ended. `Some`: it has answered.
    pub(super) fn run(
        &mut self,
        room: &Room,
        action: ActionHandle,
        key: CallKey,
        method: MethodId,
        make: impl FnOnce() -> Handler,
    ) -> Option<Answer<Carried>> {
        let mut handler = match guarded(make) {
            Ok(Handler(HandlerKind::Runs(handler))) => handler,
            Ok(Handler(HandlerKind::Refuses(refusal))) => return Some(Answer::Refused(refusal)),
            Err(panicked) => return Some(on_panic(key, method, &panicked)),
        };
        if !room.may_begin() {
            let place = room.place();
            self.waiting.spawn(async move {
                let _place = place.await;
                (action, answer_of(handler, key, method).await)
            });
            return None;
        }
        match poll_once(&mut handler) {
            Poll::Ready(Ok(answer)) => Some(answer),
            Poll::Ready(Err(panicked)) => Some(on_panic(key, method, &panicked)),
            Poll::Pending => {
                let place = room.take_place();
                self.waiting.spawn(async move {
                    let _place = place;
                    (action, answer_of(handler, key, method).await)
                });
                None
            }
        }
    }

    /// The next handler that has answered.
    pub(super) fn poll_answered(&mut self, cx: &mut Context<'_>) -> Option<(ActionHandle, Answer<Carried>)> {
        if self.waiting.is_empty() {
            return None;
        }
        loop {
            match self.waiting.poll_join_next(cx) {
                Poll::Ready(Some(Ok(answered))) => return Some(answered),
                // Its panics are caught, and nobody aborts it: the runtime is going down.
                Poll::Ready(Some(Err(_))) => {}
                Poll::Ready(None) | Poll::Pending => return None,
            }
        }
    }
}

/// The answer of a handler that has not ended yet.
async fn answer_of(handler: BoxFuture<Answer<Carried>>, key: CallKey, method: MethodId) -> Answer<Carried> {
    Guarded(handler).await.unwrap_or_else(|panicked| on_panic(key, method, &panicked))
}

fn on_panic(key: CallKey, method: MethodId, panicked: &Panicked) -> Answer<Carried> {
    if let Some(refusal) = panicked.refusal {
        return Answer::Refused(refusal);
    }
    tracing::error!(%key, action = method.0, panic = panicked.text, "a handler panicked");
    Answer::Refused(Refusal::HandlerPanicked)
}
