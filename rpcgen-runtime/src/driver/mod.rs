//! The loop between a session and the world: the only caller of `poll_output` outside of tests.
//!
//! Knows: one session's side, its live link, its deadline, the faults on purpose of this end. Does not know: what events mean (that
//! is the side's), how links come to be (that is the task's). It never decides and never holds a lock; the session never waits.
//! A batch is the unit of work: one read, many frames, one write.

pub(crate) mod address;
pub(crate) mod clock;
pub(crate) mod framing;
pub(crate) mod inbox;
pub(crate) mod link;
pub(crate) mod tcp;
pub(crate) mod threads;

use std::task::{Context, Poll};

use rpcgen_proto::faults::{FaultCounters, FaultPlan, Faults, Verdict, is_offer};
use rpcgen_proto::frame::{Frame, LinkFrame};
use rpcgen_proto::session::{CloseReason, Input, Output};
use rpcgen_proto::time::Instant;

use self::clock::{Alarm, Clock};
use self::link::{Link, LinkError};
use crate::carried::Carried;

/// After so many frames of one poll other tasks of the thread have their turn.
const FRAMES_PER_POLL_MAX: usize = 1_024;

/// When a task works, and when it lets others go first.
///
/// A task that is woken by the first of many callers would otherwise run before the second has its turn, and send a frame alone.
/// So it goes to the back of the queue once before each round of work: whoever can run, runs first, and the round is a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rounds {
    others_went_first: bool,
}

impl Rounds {
    /// Whether to work now. If not, the task has been sent to the back of the queue.
    pub(crate) fn begin(&mut self, cx: &Context<'_>) -> bool {
        if !std::mem::replace(&mut self.others_went_first, true) {
            cx.waker().wake_by_ref();
            return false;
        }
        true
    }

    /// The round is over. `busy`: there may be more to do at once; it is done after the others have had their turn.
    pub(crate) fn end(&mut self, cx: &Context<'_>, busy: bool) {
        self.others_went_first = busy;
        if busy {
            cx.waker().wake_by_ref();
        }
    }
}

/// One end's session together with what hears its events.
pub(crate) trait Side {
    /// What the session tells its application.
    type Event;

    /// Passes an input on to the session.
    fn handle(&mut self, now: Instant, input: Input<Carried>);

    /// Takes the session's next output.
    fn poll_output(&mut self) -> Output<Carried, Self::Event>;

    /// Hears an event. May command the session: the loop drains on.
    fn on_event(&mut self, now: Instant, event: Self::Event);

    /// Hears that the link is gone, and why; for people.
    fn on_link_lost(&mut self, why: &str);
}

/// A session, its link and its deadline.
pub(crate) struct Driver<S> {
    pub(crate) side: S,
    clock: Clock,
    link: Option<Link>,
    deadline: Option<Instant>,
    alarm: Alarm,
    /// Faults on purpose of what this end sends.
    faults: Option<Faults<Frame<Carried>>>,
}

impl<S: Side> Driver<S> {
    pub(crate) fn new(side: S, clock: Clock, faults: Option<FaultPlan>) -> Self {
        Self {
            side,
            clock,
            link: None,
            deadline: None,
            alarm: Alarm::new(&clock),
            faults: faults.filter(|plan| !plan.is_none()).map(Faults::new),
        }
    }

    pub(crate) fn has_link(&self) -> bool {
        self.link.is_some()
    }

    pub(crate) fn fault_counters(&self) -> FaultCounters {
        self.faults.as_ref().map(Faults::counters).unwrap_or_default()
    }

    /// Whether this end takes its links for lossless and ordered.
    pub(crate) fn is_reliable(&self) -> bool {
        self.faults.is_none()
    }

    /// Runs one of several commands on the side; [`Self::command`] or [`Self::settle`] drains after the last.
    pub(crate) fn command_of_batch(&mut self, command: impl FnOnce(&mut S, Instant)) {
        command(&mut self.side, self.clock.now());
    }

    /// Drains after a batch of commands.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>) {
        let now = self.clock.now();
        self.drain(cx, now);
    }

    /// Runs a command of the application on the side, and drains.
    pub(crate) fn command<R>(&mut self, cx: &mut Context<'_>, command: impl FnOnce(&mut S, Instant) -> R) -> R {
        let now = self.clock.now();
        let result = command(&mut self.side, now);
        self.drain(cx, now);
        result
    }

    /// Puts a new link in place, then tells the side. An old link is closed and told why.
    pub(crate) fn attach(&mut self, cx: &mut Context<'_>, link: Link, tell: impl FnOnce(&mut S, Instant)) {
        if let Some(old) = self.link.replace(link) {
            old.close_with(cx, "a newer link of this client has taken over");
        }
        if let Some(faults) = &mut self.faults {
            faults.link_down();
        }
        self.command(cx, tell);
    }

    /// Drops the live link as if the network had: nothing is said, nothing is flushed.
    pub(crate) fn cut(&mut self, cx: &mut Context<'_>, why: &str) {
        if self.link.take().is_some() {
            self.side.on_link_lost(why);
            let now = self.clock.now();
            self.side.handle(now, Input::LinkDown);
            self.drain(cx, now);
        }
    }

    /// Closes the live link, with a last word that says why.
    pub(crate) fn close_link(&mut self, cx: &mut Context<'_>, why: &str) {
        if let Some(link) = self.link.take() {
            link.close_with(cx, why);
        }
    }

    /// Works off what came in and what is due, then sends what came of it. `true`: there may be more to do at once.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let received = self.poll_receive(cx);
        let due = self.poll_deadline(cx);
        let lost = self.poll_flush(cx);
        received || due || lost
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> bool {
        let now = self.clock.now();
        let mut count = 0;
        let mut lost = None;
        while count < FRAMES_PER_POLL_MAX
            && let Some(link) = &mut self.link
        {
            match link.poll_receive(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(frame)) => {
                    self.side.handle(now, Input::Received(frame));
                    count += 1;
                }
                Poll::Ready(Err(error)) => {
                    lost = Some(error);
                    break;
                }
            }
        }
        if count > 0 {
            // Once for the whole batch: so the first frame that goes back carries the guarantees of all of it.
            self.drain(cx, now);
        }
        if let Some(error) = &lost {
            self.lose_link(cx, error);
        }
        count > 0 || lost.is_some()
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> bool {
        let delayed = self.faults.as_ref().filter(|_| self.link.is_some()).and_then(|faults| faults.deadline());
        let next = [self.deadline, delayed].into_iter().flatten().min();
        if !self.alarm.poll(cx, &self.clock, next) {
            return false;
        }
        let now = self.clock.now();
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.side.handle(now, Input::Timeout);
            self.drain(cx, now);
        }
        true
    }

    /// Sends the batch. `true`: the link was lost over it.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> bool {
        if self.poll_faults() == Fate::Cut {
            // What left before the cut is on its way.
            if let Some(link) = &mut self.link {
                let _ = link.poll_flush(cx);
            }
            self.cut(cx, "cut on purpose");
            return true;
        }
        let Some(link) = &mut self.link else { return false };
        match link.poll_flush(cx) {
            Poll::Pending | Poll::Ready(Ok(())) => false,
            Poll::Ready(Err(error)) => {
                self.lose_link(cx, &error);
                true
            }
        }
    }

    /// Lets pass what the faults on purpose let pass.
    fn poll_faults(&mut self) -> Fate {
        let (Some(faults), Some(link)) = (&mut self.faults, &mut self.link) else { return Fate::Lives };
        let now = self.clock.now();
        while let Some(verdict) = faults.poll(now) {
            match verdict {
                Verdict::Send(frame) => link.transmit(LinkFrame::Frame(frame)),
                Verdict::Corrupt(frame) => {
                    link.transmit_corrupted(&LinkFrame::Frame(frame), |encoded| faults.flip_bit(encoded));
                }
                Verdict::Cut => return Fate::Cut,
            }
        }
        Fate::Lives
    }

    fn lose_link(&mut self, cx: &mut Context<'_>, error: &LinkError) {
        let Some(link) = self.link.take() else { return };
        let why = error.to_string();
        match error {
            // The other end learns what it sent, and only this link ends.
            LinkError::Malformed(_) => link.close_with(cx, &why),
            LinkError::Closed | LinkError::Io(_) => drop(link),
        }
        self.side.on_link_lost(&why);
        let now = self.clock.now();
        self.side.handle(now, Input::LinkDown);
        self.drain(cx, now);
    }

    /// Takes everything out of the session.
    fn drain(&mut self, cx: &mut Context<'_>, now: Instant) {
        loop {
            match self.side.poll_output() {
                Output::Transmit(frame) => self.transmit(now, frame),
                Output::CloseLink(reason) => {
                    if let Some(link) = self.link.take() {
                        link.close(cx);
                    }
                    self.side.on_link_lost(&describe(&reason));
                    self.side.handle(now, Input::LinkDown);
                }
                Output::Event(event) => self.side.on_event(now, event),
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    fn transmit(&mut self, now: Instant, frame: LinkFrame<Carried>) {
        let Some(link) = &mut self.link else { return };
        match (&mut self.faults, frame) {
            // The handshake and the last words are exempt.
            (Some(faults), LinkFrame::Frame(frame)) => {
                let is_offer = is_offer(&frame);
                faults.push(now, frame, is_offer);
            }
            (_, frame) => link.transmit(frame),
        }
    }
}

/// What becomes of the link.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Lives,
    Cut,
}

fn describe(reason: &CloseReason) -> String {
    match reason {
        CloseReason::Done => "the session has ended".to_owned(),
        CloseReason::Protocol(error) => format!("the other end broke the protocol: {error}"),
        CloseReason::Silent => "nothing was heard for too long".to_owned(),
        CloseReason::HandshakeTimeout => "no welcome came in time".to_owned(),
        CloseReason::Superseded => "a newer link of the same session has taken over".to_owned(),
        CloseReason::Refused(why) => format!("the other end refused: {why}"),
    }
}
