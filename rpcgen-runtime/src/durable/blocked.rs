//! Records for which the disk has no space, not even in the reserve, and which cannot be refused.
//!
//! Knows: their order, when to try again. Does not know: what they say. What waits for them waits: nothing is promised meanwhile.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use rpcgen_proto::record::Mark;
use tokio::time::Sleep;

/// How long a full disk is left alone: each attempt asks it for a whole segment.
const PAUSE: Duration = Duration::from_millis(100);

/// Records that wait for space.
pub(crate) struct Blocked<R> {
    queue: VecDeque<(Mark, R)>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl<R> Default for Blocked<R> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), pause: None }
    }
}

impl<R> Blocked<R> {
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// It waits, after all that do.
    pub(crate) fn push(&mut self, mark: Mark, record: R) {
        if self.queue.is_empty() {
            tracing::warn!("the disk is full: what was accepted waits until there is space");
        }
        self.queue.push_back((mark, record));
        self.rest();
    }

    /// There was no space again: it is the first to be tried next time.
    pub(crate) fn put_back(&mut self, mark: Mark, record: R) {
        self.queue.push_front((mark, record));
        self.rest();
    }

    fn rest(&mut self) {
        self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(PAUSE)));
    }

    /// One that is to be tried now; if it has no space, [`Self::put_back`]. Otherwise the task is woken when one is.
    pub(crate) fn take_due(&mut self, cx: &mut Context<'_>) -> Option<(Mark, R)> {
        if self.pause.as_mut().is_some_and(|pause| pause.as_mut().poll(cx).is_pending()) {
            return None;
        }
        self.pause = None;
        self.queue.pop_front()
    }
}
