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
pub(crate) mod rounds;
pub(crate) mod tcp;
pub(crate) mod threads;
pub(crate) mod watch;

use std::task::{Context, Poll};

use rpcgen_proto::faults::{FaultCounters, FaultPlan, Faults, Verdict, is_offer};
use rpcgen_proto::frame::{Frame, FrameRef, LinkFrame};
use rpcgen_proto::ids::CallNumber;
use rpcgen_proto::record::Mark;
use rpcgen_proto::session::{CloseReason, Input, Output};
use rpcgen_proto::time::Instant;

use self::clock::{Alarm, Clock};
use self::link::{Link, LinkError};
use self::rounds::Portion;
use self::watch::{STALL_MAX, TooSlow, Watch};
use crate::carried::Carried;

/// What frames that lie there together put on record is one commit, but of so many at most.
const FRAMES_PER_COMMIT_MAX: usize = 1_024;

/// One end's session together with what hears its events.
pub(crate) trait Side {
    /// What the session tells its application.
    type Event;
    /// What the session puts on record, if it has a durable log.
    type Record;

    /// Passes an input on to the session.
    fn handle(&mut self, now: Instant, input: Input<Carried>);

    /// Takes the session's next output; frames of messages are lent instead.
    fn poll_output(&mut self, lend: impl FnMut(FrameRef<'_, Carried>)) -> Output<Carried, Self::Event, Self::Record>;

    /// Hears an event. May command the session: the loop drains on.
    fn on_event(&mut self, now: Instant, event: Self::Event);

    /// Puts a record into the durable log. Only of a session that has one.
    fn persist(&mut self, now: Instant, mark: Mark, record: Self::Record);

    /// The answer to this call is needed no more in the durable log.
    fn forget(&mut self, number: CallNumber);

    /// Whether the session has a durable log.
    fn is_on_record(&self) -> bool;

    /// The session is drained: what was put on record since the last time is one commit.
    fn batch_done(&mut self);

    /// Hears that the link is gone, and why; for people.
    fn on_link_lost(&mut self, why: &str);
}

/// A session, its link and its deadline.
pub(crate) struct Driver<S> {
    pub(crate) side: S,
    clock: Clock,
    /// As it was read last.
    now: Instant,
    link: Option<Link>,
    /// The link had nothing to read in this poll of the task, which it will wake.
    is_read: bool,
    deadline: Option<Instant>,
    alarm: Alarm,
    watch: Watch,
    /// Faults on purpose of what this end sends.
    faults: Option<Faults<Frame<Carried>>>,
    /// What the faults did that were in force before.
    past_faults: FaultCounters,
    /// So many frames were taken whose records wait for those of the frames that are there too.
    uncommitted: usize,
}

impl<S: Side> Driver<S> {
    pub(crate) fn new(side: S, clock: Clock, watch: Watch, faults: Option<FaultPlan>) -> Self {
        Self {
            side,
            clock,
            now: clock.now(),
            link: None,
            is_read: false,
            deadline: None,
            alarm: Alarm::new(&clock),
            watch,
            faults: faults.filter(|plan| !plan.is_none()).map(Faults::new),
            past_faults: FaultCounters::default(),
            uncommitted: 0,
        }
    }

    /// Puts other faults in force. The link is cut where they change what it promises: only the handshake agrees on that.
    pub(crate) fn set_faults(&mut self, cx: &mut Context<'_>, plan: Option<FaultPlan>) {
        let was_reliable = self.is_reliable();
        self.past_faults = self.fault_counters();
        self.faults = plan.filter(|plan| !plan.is_none()).map(Faults::new);
        if self.is_reliable() != was_reliable {
            self.cut(cx, "the faults on purpose were changed");
        }
    }

    pub(crate) fn has_link(&self) -> bool {
        self.link.is_some()
    }

    /// Whether there is neither a link nor anything that faults on purpose did.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.link.is_none() && self.faults.is_none() && self.past_faults == FaultCounters::default()
    }

    pub(crate) fn fault_counters(&self) -> FaultCounters {
        let mut counters = self.past_faults;
        counters.add(&self.faults.as_ref().map(Faults::counters).unwrap_or_default());
        counters
    }

    /// Whether this end takes its links for lossless and ordered.
    pub(crate) fn is_reliable(&self) -> bool {
        self.faults.is_none()
    }

    /// The task is polled, so that whatever it waits for has to be asked again.
    pub(crate) fn begin(&mut self) {
        self.is_read = false;
    }

    /// The time when the clock was read last.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Reads the clock, for a round of work: reading it for each call would be a part of its cost.
    pub(crate) fn tick(&mut self) -> Instant {
        self.now = self.clock.now();
        self.now
    }

    /// Drains after a batch of commands that were given to the side itself.
    pub(crate) fn settle(&mut self, cx: &mut Context<'_>) {
        self.drain(cx, self.now);
    }

    /// Runs a command of the application on the side, and drains.
    pub(crate) fn command<R>(&mut self, cx: &mut Context<'_>, command: impl FnOnce(&mut S, Instant) -> R) -> R {
        let now = self.tick();
        let result = command(&mut self.side, now);
        self.drain(cx, now);
        result
    }

    /// Puts a new link in place, then tells the side. An old link is closed and told why.
    pub(crate) fn attach(&mut self, cx: &mut Context<'_>, link: Link, tell: impl FnOnce(&mut S, Instant)) {
        if let Some(old) = self.link.replace(link) {
            old.close_with(cx, "a newer link of this client has taken over");
        }
        self.is_read = false;
        self.watch.reset();
        if let Some(faults) = &mut self.faults {
            faults.link_down();
        }
        self.command(cx, tell);
    }

    /// Drops the live link as if the network had: nothing is said, nothing is flushed.
    pub(crate) fn cut(&mut self, cx: &mut Context<'_>, why: &str) {
        if self.link.take().is_some() {
            self.side.on_link_lost(why);
            let now = self.tick();
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

    /// Works off what came in and what is due, then sends what came of it. Returns how much that was; `0`: there is nothing to do.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> usize {
        let received = self.poll_receive(cx);
        let due = self.poll_deadline(cx);
        let lost = self.poll_flush(cx);
        received + usize::from(due) + usize::from(lost)
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> usize {
        if self.is_read {
            return 0;
        }
        let now = self.now;
        let mut portion = Portion::new(self.side.is_on_record());
        let mut lost = None;
        while let Some(link) = self.link.as_mut().filter(|link| !portion.is_taken(link.unread())) {
            match link.poll_receive(cx) {
                Poll::Pending => {
                    self.is_read = true;
                    break;
                }
                Poll::Ready(Ok(frame)) => {
                    portion.note(link.unread());
                    self.side.handle(now, Input::Received(frame));
                }
                Poll::Ready(Err(error)) => {
                    lost = Some(error);
                    break;
                }
            }
        }
        let count = portion.count();
        if count > 0 {
            // Once for the whole batch: so the first frame that goes back carries the guarantees of all of it.
            self.drain_session(cx, now);
        }
        let is_more = !self.is_read && self.link.as_ref().is_some_and(|link| portion.is_taken(link.unread()));
        self.uncommitted += count;
        if self.uncommitted > 0 && (!is_more || self.uncommitted >= FRAMES_PER_COMMIT_MAX) {
            self.uncommitted = 0;
            self.side.batch_done();
        }
        if let Some(error) = &lost {
            self.lose_link(cx, error);
        }
        count + usize::from(lost.is_some())
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> bool {
        let delayed = self.faults.as_ref().filter(|_| self.link.is_some()).and_then(|faults| faults.deadline());
        let stalled = self.watch.deadline().filter(|_| self.link.is_some());
        let next = [self.deadline, delayed, stalled].into_iter().flatten().min();
        if !self.alarm.poll(cx, &self.clock, self.now, next) {
            return false;
        }
        let now = self.tick();
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.side.handle(now, Input::Timeout);
            self.drain(cx, now);
            // Timers run out where nothing else happens: busy links are spared.
            if let Some(link) = &mut self.link {
                link.rest();
            }
        }
        if stalled.is_some_and(|stalled| stalled <= now) {
            self.lose_link(cx, &TooSlow::Stalled { within: STALL_MAX }.into());
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
        let error = match link.poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                self.watch.reset();
                return false;
            }
            Poll::Pending => {
                let (written, unwritten) = link.written();
                match self.watch.note(self.now, written, unwritten) {
                    Ok(()) => return false,
                    Err(error) => error.into(),
                }
            }
            Poll::Ready(Err(error)) => error,
        };
        self.lose_link(cx, &error);
        true
    }

    /// Lets pass what the faults on purpose let pass.
    fn poll_faults(&mut self) -> Fate {
        let (Some(faults), Some(link)) = (&mut self.faults, &mut self.link) else { return Fate::Lives };
        self.now = self.clock.now();
        let now = self.now;
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
            LinkError::Closed | LinkError::Io(_) | LinkError::TooSlow(_) => drop(link),
        }
        self.side.on_link_lost(&why);
        let now = self.tick();
        self.side.handle(now, Input::LinkDown);
        self.drain(cx, now);
    }

    /// Takes everything out of the session, and has committed what is on record of it: before the frames leave, so that the disk and the
    /// wire work at the same time.
    fn drain(&mut self, cx: &mut Context<'_>, now: Instant) {
        self.drain_session(cx, now);
        self.side.batch_done();
    }

    /// Takes everything out of the session.
    fn drain_session(&mut self, cx: &mut Context<'_>, now: Instant) {
        loop {
            let Self { side, link, faults, .. } = self;
            let output = side.poll_output(|frame| match (&mut *faults, &mut *link) {
                (_, None) => {}
                (None, Some(link)) => link.transmit_frame(frame),
                (Some(faults), Some(_)) => push_faulty(faults, now, frame.to_frame()),
            });
            match output {
                Output::Transmit(frame) => self.transmit(now, frame),
                Output::CloseLink(reason) => {
                    // What was transmitted before goes first, unless the faults hold it back: that is lost with the link.
                    let _ = self.poll_faults();
                    if let Some(link) = self.link.take() {
                        link.close(cx);
                    }
                    self.side.on_link_lost(&describe(&reason));
                    self.side.handle(now, Input::LinkDown);
                }
                Output::Event(event) => self.side.on_event(now, event),
                Output::Persist(mark, record) => self.side.persist(now, mark, record),
                Output::Forget(number) => self.side.forget(number),
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
                push_faulty(faults, now, frame);
            }
            (_, frame) => link.transmit(frame),
        }
    }
}

fn push_faulty(faults: &mut Faults<Frame<Carried>>, now: Instant, frame: Frame<Carried>) {
    let is_offer = is_offer(&frame);
    faults.push(now, frame, is_offer);
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
        CloseReason::LogStopped(why) => format!("the durable log has stopped: {why}"),
    }
}
