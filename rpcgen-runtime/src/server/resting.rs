//! Broadcasts that a full node refused, until they are offered to it again.
//!
//! Knows: jobs, a pause. Does not know: sessions, why the node is full.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use rpcgen_proto::session::Payload;
use tokio::time::Sleep;

use super::broadcasts::Job;

/// How long a full node is left alone. Shorter: more offers that are refused; longer: its broadcasts wait although it has room.
const PAUSE: Duration = Duration::from_secs(1);
/// How many are offered after a pause; one more follows for each that is taken.
const OFFERED_AFTER_PAUSE: usize = 64;

/// What one node had no room for.
#[derive(Debug, Default)]
pub(super) struct Resting {
    jobs: VecDeque<Job>,
    bytes: usize,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Resting {
    /// Whether the node is left alone now.
    pub(super) fn is_on(&self) -> bool {
        self.pause.is_some()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Payload bytes of all.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The node refused this one: the pause begins, unless it has.
    pub(super) fn rest(&mut self, job: Job) {
        self.push(job);
        self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(PAUSE)));
    }

    /// Keeps one that would be refused.
    pub(super) fn push(&mut self, job: Job) {
        self.bytes += job.payload.size_bytes();
        self.jobs.push_back(job);
    }

    /// `true`, once: the pause is over.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> bool {
        let is_over = self.pause.as_mut().is_some_and(|pause| pause.as_mut().poll(cx).is_ready());
        if is_over {
            self.pause = None;
        }
        is_over
    }

    /// What to try after a pause.
    pub(super) fn take_some(&mut self) -> Vec<Job> {
        (0..OFFERED_AFTER_PAUSE).map_while(|_| self.pop()).collect()
    }

    /// One more, if the node has taken another.
    pub(super) fn take_next(&mut self) -> Option<Job> {
        if self.is_on() { None } else { self.pop() }
    }

    /// The session is over: everything.
    pub(super) fn take(&mut self) -> VecDeque<Job> {
        std::mem::take(self).jobs
    }

    fn pop(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.bytes -= job.payload.size_bytes();
        Some(job)
    }
}
