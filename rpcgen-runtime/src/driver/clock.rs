//! The clock and the alarm of a task: what the pure core must not have.
//!
//! Knows: tokio's time (so that its paused time works in tests), the core's. Does not know: what the alarm is for.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rpcgen_proto::time::Instant;
use tokio::time::Sleep;

/// Turns tokio's instants into the core's: nanoseconds since this clock began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: tokio::time::Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: tokio::time::Instant::now() }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::START + self.start.elapsed()
    }

    fn absolute(&self, at: Instant) -> tokio::time::Instant {
        // Tokio's instants do not reach as far as ours; nobody waits for longer than that anyway.
        const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
        self.start + (at - Instant::START).min(FAR)
    }
}

/// One alarm that moves often: it is armed anew only when it would ring too late, and when it rang too early.
#[derive(Debug)]
pub(crate) struct Alarm {
    sleep: Pin<Box<Sleep>>,
    armed_for: Option<Instant>,
    /// Whom it wakes then.
    wakes: Option<Waker>,
}

impl Alarm {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self { sleep: Box::pin(tokio::time::sleep_until(clock.start)), armed_for: None, wakes: None }
    }

    /// `true`: `deadline` has come. Otherwise the task is woken then, or earlier.
    /// `now` is a moment ago.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        clock: &Clock,
        mut now: Instant,
        deadline: Option<Instant>,
    ) -> bool {
        let Some(deadline) = deadline else { return false };
        loop {
            if deadline <= now {
                return true;
            }
            if self.armed_for.is_none_or(|armed_for| armed_for > deadline || armed_for <= now) {
                self.sleep.as_mut().reset(clock.absolute(deadline));
                (self.armed_for, self.wakes) = (Some(deadline), None);
            }
            if self.wakes.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                return false;
            }
            // A task without budget is told to wait before the timer has heard of it: then it is asked again.
            let is_heard = tokio::task::coop::has_budget_remaining();
            match self.sleep.as_mut().poll(cx) {
                Poll::Pending => {
                    self.wakes = is_heard.then(|| cx.waker().clone());
                    return false;
                }
                // It rang for an earlier deadline, or this one has just come.
                Poll::Ready(()) => {
                    self.armed_for = None;
                    now = clock.now();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    /// Handlers that run on a session's task may use its budget up before the alarm is looked at.
    #[tokio::test]
    async fn an_alarm_that_is_set_by_a_task_without_budget_rings() {
        let ring = tokio::spawn(async {
            let clock = Clock::start();
            let (mut alarm, deadline) = (Alarm::new(&clock), clock.now() + Duration::from_millis(10));
            let mut is_first = true;
            std::future::poll_fn(|cx| {
                if std::mem::take(&mut is_first) {
                    while pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
                }
                let is_due = alarm.poll(cx, &clock, clock.now(), Some(deadline));
                if is_due { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        });
        tokio::time::timeout(Duration::from_secs(60), ring).await.expect("it rings").unwrap();
    }
}
