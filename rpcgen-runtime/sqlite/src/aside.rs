//! What could not be committed, and is to be tried again.
//!
//! Knows: when. Does not know: why.

use std::time::{Duration, Instant};

use crate::job::Job;

/// Pause before something is tried again: at first, and at most.
const AGAIN_AFTER: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(500));

/// Jobs that wait. They have their room: there are no more of them than of others.
#[derive(Default)]
pub(crate) struct Aside {
    jobs: Vec<Job>,
    /// `None`: nothing is to be tried again.
    due: Option<Instant>,
    pause: Duration,
}

impl Aside {
    /// How long until something is to be tried again.
    pub(crate) fn due_in(&self) -> Option<Duration> {
        self.due.map(|due| due.saturating_duration_since(Instant::now()))
    }

    /// To be tried now.
    pub(crate) fn take(&mut self) -> Vec<Job> {
        self.due = None;
        std::mem::take(&mut self.jobs)
    }

    /// Not all was committed. What is tried in vain once more has to wait for longer; what comes anew, for as long as the others.
    pub(crate) fn put(&mut self, jobs: Vec<Job>, is_again: bool) {
        self.jobs.extend(jobs);
        if self.due.is_none() {
            self.pause = if is_again { (self.pause * 2).min(AGAIN_AFTER.1) } else { AGAIN_AFTER.0 };
            self.due = Some(Instant::now() + self.pause);
        }
    }

    pub(crate) fn into_jobs(self) -> Vec<Job> {
        self.jobs
    }
}
