//! The task of one session as it lies in memory: whole while it has something to do, packed while its client is away.
//!
//! Knows: when there is nothing to do. Does not know: what is to be done.
//!
//! A session is packed when its link is gone and nothing of it runs or rests here, and unpacked by the next command or at its end. One with
//! records in a log on disk stays whole: it hears of them. So does one with faults on purpose.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rpcgen_proto::session::PackedSession;

use super::{Port, SessionTask, Shared};
use crate::carried::Carried;
use crate::driver::clock::Alarm;
use crate::driver::inbox::lock;

/// The task that is spawned.
pub(in super::super) struct Resident {
    port: Arc<Port>,
    /// `None` only while it is changed.
    state: Option<State>,
}

/// Both behind a pointer: a task never becomes smaller.
enum State {
    Whole(Box<SessionTask>),
    Packed(Box<Packed>),
}

/// A session whose client is away. Its counters are with its [`Port`].
struct Packed {
    shared: Arc<Shared>,
    session: PackedSession<Carried>,
    alarm: Alarm,
    number: u64,
    in_process: bool,
}

impl Resident {
    pub(in super::super) fn new(task: SessionTask) -> Self {
        Self { port: Arc::clone(&task.port), state: Some(State::Whole(Box::new(task))) }
    }
}

impl Future for Resident {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                Some(State::Whole(task)) => {
                    if Pin::new(&mut **task).poll(cx).is_ready() {
                        return Poll::Ready(());
                    }
                    if !task.is_packable() {
                        return Poll::Pending;
                    }
                }
                Some(State::Packed(packed)) => {
                    if !packed.is_woken(cx, &this.port) {
                        return Poll::Pending;
                    }
                }
                None => return Poll::Ready(()),
            }
            this.state = this.state.take().map(|state| match state {
                State::Whole(task) => State::Packed(Box::new(task.pack())),
                State::Packed(packed) => State::Whole(Box::new(packed.unpack(&this.port))),
            });
        }
    }
}

impl Drop for Resident {
    /// Also when the server is gone: nobody waits for a task that will not come back. A broadcast that was on its way is dropped, and
    /// with it the word that it was logged, which its sender reads as "closed".
    fn drop(&mut self) {
        drop(self.port.inbox.close_and_take());
    }
}

impl SessionTask {
    fn is_packable(&self) -> bool {
        let side = &self.driver.side;
        side.session.is_packable()
            && self.driver.is_at_rest()
            && side.handlers.is_empty()
            && side.records.is_none()
            && side.resting.is_empty()
            && !side.resting.is_on()
            && !side.draining.is_on()
    }

    fn pack(mut self) -> Packed {
        self.publish();
        let Self { driver, number, .. } = self;
        let side = driver.side;
        let shared = Arc::clone(&side.context.shared);
        let alarm = Alarm::new(&shared.clock);
        Packed { shared, session: side.session.pack(), alarm, number, in_process: side.in_process }
    }
}

impl Packed {
    /// Whether there is something to do.
    fn is_woken(&mut self, cx: &mut Context<'_>, port: &Port) -> bool {
        let clock = self.shared.clock;
        port.inbox.poll_some(cx) || self.alarm.poll(cx, &clock, clock.now(), self.session.ends_at())
    }

    fn unpack(self, port: &Arc<Port>) -> SessionTask {
        let Self { shared, session, number, in_process, .. } = self;
        let counters = *lock(&port.counters);
        let session = session.unpack(shared.clock.now(), shared.config_of(port.service), counters.session);
        let mut task = SessionTask::new(shared, Arc::clone(port), session, None, None, number);
        task.driver.side.in_process = in_process;
        task.driver.side.actions = counters.actions;
        task
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the rest of a session takes beside this is in `docs/evidence/memory.md`; both together have to stay below 2 KiB.
    #[test]
    fn what_is_kept_of_a_parked_session_is_small() {
        assert!(size_of::<Resident>() <= 32, "{}", size_of::<Resident>());
        assert!(size_of::<Packed>() <= 640, "{}", size_of::<Packed>());
        assert!(size_of::<Port>() <= 320, "{}", size_of::<Port>());
    }
}
