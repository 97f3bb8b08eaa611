//! The broadcasts that a client node hears.
//!
//! Knows: handlers by number, how many run. Does not know: how a broadcast came here; the session says when its handler runs, and that
//! is once.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};

use rpcgen_log::Sequence;
use rpcgen_proto::ids::MethodId;
use rpcgen_proto::record::RecordedBroadcast;
use rpcgen_proto::session::Payload;
use tokio::task::JoinSet;

use crate::carried::{Carried, OpenError};
use crate::contract::Broadcast;
use crate::run::{BoxFuture, Guarded, Panicked, guarded, poll_once};

type Run = Arc<dyn Fn(Delivery, Carried) -> Result<BoxFuture<()>, OpenError> + Send + Sync>;

/// How a broadcast came to its handler: for it what the server's [`Call`](crate::Call) is for an action's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    is_redelivered: bool,
}

impl Delivery {
    pub(super) fn new(is_redelivered: bool) -> Self {
        Self { is_redelivered }
    }

    /// Whether the broadcast may have been handled before: another node was told to handle it, and was gone before it said that it
    /// had heard so. If that node only stood still it may handle the broadcast yet; of all runs one at most is not marked so.
    #[must_use]
    pub fn redelivered(&self) -> bool {
        self.is_redelivered
    }
}

/// Handlers of broadcasts. What has no handler is never sent to this node.
#[derive(Clone, Default)]
pub struct BroadcastHandlers {
    by_method: BTreeMap<MethodId, Run>,
}

impl fmt::Debug for BroadcastHandlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.by_method.keys()).finish()
    }
}

impl BroadcastHandlers {
    /// Adds a handler, in the place of an earlier one for the same broadcast. Up to its first wait it runs on the client's own task:
    /// what computes for long belongs on a task of its own.
    pub fn add<B, F, R>(&mut self, handler: F)
    where
        B: Broadcast,
        F: Fn(Delivery, B) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let run: Run = Arc::new(move |delivery, payload: Carried| -> Result<BoxFuture<()>, OpenError> {
            let message = payload.open_broadcast::<B>()?;
            Ok(Box::pin(handler(delivery, message)))
        });
        self.by_method.insert(MethodId(B::METHOD), run);
    }

    pub(super) fn methods(&self) -> Vec<MethodId> {
        self.by_method.keys().copied().collect()
    }

    /// Begins the handler of a broadcast. `Some`: it waits for something.
    fn begin(&self, arrived: Arrived) -> Option<Guarded<()>> {
        let Arrived { delivery, method, payload, record: _ } = arrived;
        let Some(run) = self.by_method.get(&method) else {
            tracing::error!(broadcast = method.0, "a broadcast without a handler came; it is dropped");
            return None;
        };
        let mut handler = match guarded(|| run(delivery, payload)) {
            Ok(Ok(handler)) => handler,
            Ok(Err(error)) => {
                tracing::error!(broadcast = method.0, %error, "a broadcast cannot be read; it is dropped");
                return None;
            }
            Err(panicked) => {
                complain(method, &panicked);
                return None;
            }
        };
        match poll_once(&mut handler) {
            Poll::Ready(Ok(())) => None,
            Poll::Ready(Err(panicked)) => {
                complain(method, &panicked);
                None
            }
            Poll::Pending => Some(Guarded(handler)),
        }
    }
}

/// A broadcast whose handler is to run.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) delivery: Delivery,
    pub(super) method: MethodId,
    pub(super) payload: Carried,
    /// Where it is on record in the log on disk.
    pub(super) record: Option<Sequence>,
}

/// The handlers of one client that run, and the broadcasts that wait for their turn. Whatever came here is run, also when the client
/// has ended.
#[derive(Debug)]
pub(super) struct Runs {
    handlers: BroadcastHandlers,
    running: JoinSet<Option<Sequence>>,
    /// Those on record whose handlers have run.
    ran: Vec<Sequence>,
    running_max: usize,
    waiting: VecDeque<Arrived>,
    waiting_bytes: usize,
}

impl Runs {
    pub(super) fn new(handlers: BroadcastHandlers, running_max: usize) -> Self {
        let running_max = running_max.max(1);
        Self {
            handlers,
            running: JoinSet::new(),
            ran: Vec::new(),
            running_max,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
        }
    }

    /// Runs what an earlier run of the program was told to handle. What has no handler here any more stays on record.
    pub(super) fn go_on(&mut self, broadcasts: Vec<(Sequence, RecordedBroadcast<Carried>)>) {
        for (sequence, RecordedBroadcast { method, payload, .. }) in broadcasts {
            if self.handlers.by_method.contains_key(&method) {
                self.run(Arrived { delivery: Delivery::new(true), method, payload, record: Some(sequence) });
            } else {
                tracing::warn!(broadcast = method.0, "a broadcast on record has no handler any more; it stays there");
            }
        }
    }

    /// Runs the handler of a broadcast: here as long as it does not wait, then on a task of its own. While as many as may do so run,
    /// it waits for its turn.
    pub(super) fn run(&mut self, arrived: Arrived) {
        if self.running.len() < self.running_max && self.waiting.is_empty() {
            self.begin(arrived);
        } else {
            self.waiting_bytes += arrived.payload.size_bytes();
            self.waiting.push_back(arrived);
        }
    }

    fn begin(&mut self, arrived: Arrived) {
        let (method, record) = (arrived.method, arrived.record);
        let Some(handler) = self.handlers.begin(arrived) else { return self.ran.extend(record) };
        self.running.spawn(async move {
            if let Err(panicked) = handler.await {
                complain(method, &panicked);
            }
            record
        });
    }

    /// Those on record whose handlers have run since the last time.
    pub(super) fn take_ran(&mut self) -> Vec<Sequence> {
        std::mem::take(&mut self.ran)
    }

    /// Handlers that have ended.
    fn poll_ended(&mut self, cx: &mut Context<'_>) {
        // Panics are caught, and nobody aborts a handler: whatever is joined has ended.
        while let Poll::Ready(Some(ended)) = self.running.poll_join_next(cx) {
            self.ran.extend(ended.ok().flatten());
        }
    }

    /// How many wait for their turn, and their bytes: the session counts them against what it may still be offered.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.waiting.len(), self.waiting_bytes)
    }

    /// Gives their turns to those that wait, as far as handlers have ended. `true`: some have had it.
    pub(super) fn poll_turns(&mut self, cx: &mut Context<'_>) -> bool {
        if self.running.is_empty() && self.waiting.is_empty() {
            return false;
        }
        self.poll_ended(cx);
        let waited = self.waiting.len();
        self.begin_waiting();
        // Those that have just begun wake the task as well.
        self.poll_ended(cx);
        self.waiting.len() < waited
    }

    fn begin_waiting(&mut self) {
        while self.running.len() < self.running_max {
            let Some(arrived) = self.waiting.pop_front() else { return };
            self.waiting_bytes -= arrived.payload.size_bytes();
            self.begin(arrived);
        }
    }

    /// The client ends: what waits has its turn all the same.
    pub(super) fn run_the_rest(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let mut rest = std::mem::replace(self, Self::new(BroadcastHandlers::default(), 1));
        tokio::spawn(async move {
            while !rest.waiting.is_empty() {
                rest.begin_waiting();
                rest.running.join_next().await;
            }
        });
    }
}

impl Drop for Runs {
    /// A handler that has begun goes on.
    fn drop(&mut self) {
        self.running.detach_all();
    }
}

fn complain(method: MethodId, panicked: &Panicked) {
    tracing::error!(broadcast = method.0, panic = panicked.text, "the handler of a broadcast panicked");
}
