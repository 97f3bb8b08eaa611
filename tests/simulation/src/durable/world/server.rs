//! What happens at the server.
//!
//! Knows: its process, its handlers. Does not know: clients, but for their links.

use std::time::Duration;

use rpcgen_proto::frame::{LinkFrame, Refusal};
use rpcgen_proto::ids::SessionId;
use rpcgen_proto::session::{ActionHandle, Answer, CloseReason, Input};

use super::World;
use crate::checkers::{Check, violated};
use crate::durable::book::Tag;
use crate::durable::database::{BadBegin, Found};
use crate::durable::server::FromServer;
use crate::durable::storage::Death;
use crate::durable::wire::take_due;
use crate::load::{Load, LoadKind};

impl World {
    pub(super) fn server_turn(&mut self) -> Check {
        let now = self.now;
        let Some(process) = &mut self.server.process else {
            // Nobody is there.
            let greeted: Vec<_> =
                (0..self.clients.len()).filter(|index| !self.clients[*index].wire.up.is_empty()).collect();
            greeted.into_iter().for_each(|index| self.cut(index));
            return if self.server.begins_at <= now { self.begin_server() } else { Ok(()) };
        };
        if process.is_stopped {
            self.kill_server(Death::Power);
            return Ok(());
        }
        for seat in process.seats.values_mut().filter(|seat| seat.deadline.is_some_and(|deadline| deadline <= now)) {
            seat.session.handle(now, Input::Timeout);
        }
        let done: Vec<_> = process.handlers.extract_if(.., |(at, ..)| *at <= now).collect();
        for (_, session, action, tag) in done {
            self.finish(session, action, tag)?;
        }
        if let Some(process) = &mut self.server.process {
            process.tell(now);
            if process.commits_at.is_some_and(|at| at <= now) {
                let later = self.told_in();
                self.server.commit(now, later);
            }
        }
        for index in 0..self.clients.len() {
            let link = (index, self.clients[index].wire.number);
            while let Some(frame) = take_due(&mut self.clients[index].wire.up, now) {
                self.arrive(link, frame);
            }
        }
        self.drain()
    }

    fn arrive(&mut self, link: (usize, u64), frame: LinkFrame<Load>) {
        let now = self.now;
        if let LinkFrame::Hello(hello) = frame {
            if let Some(reject) = self.server.admit(now, &self.options, *hello, link) {
                let due = now + self.options.latency;
                self.clients[link.0].wire.down.push_back((due, LinkFrame::Reject(reject)));
            }
            return;
        }
        let Some(process) = &mut self.server.process else { return };
        if let Some(seat) = process.seats.values_mut().find(|seat| seat.link == Some(link)) {
            seat.session.handle(now, Input::Received(frame));
        }
    }

    pub(super) fn on_server(&mut self, said: FromServer) -> Check {
        match said {
            FromServer::Frame((index, number), frame) => {
                let (due, is_lost) = (self.now + self.options.latency, self.is_lost(&frame));
                let wire = &mut self.clients[index].wire;
                if wire.is_up && wire.number == number && !is_lost {
                    wire.down.push_back((due, frame));
                }
                self.count("frames", index);
                Ok(())
            }
            FromServer::Close((index, number), reason) => {
                self.say(|| format!("the server closes the link of client {index}: {reason:?}"));
                if let CloseReason::Protocol(error) = &reason
                    && !self.book.server_restored
                {
                    return violated("well_behaved", format!("the server closes: {error}"));
                }
                if self.clients[index].wire.number == number {
                    self.cut(index);
                }
                Ok(())
            }
            FromServer::Run { session, action, load, redelivered } => self.on_run(session, action, load, redelivered),
        }
    }

    fn on_run(&mut self, session: SessionId, action: ActionHandle, load: Load, redelivered: bool) -> Check {
        let tag = load.tag();
        // What a handler does before its transaction does not happen again either.
        let found = if redelivered { self.server.find(session, action.number) } else { Found::Nothing };
        if found != Found::Nothing {
            self.say(|| format!("call {tag} does not run as {}: {found:?}", action.number));
            self.count("answered_by_database", tag as usize);
            self.server.finish(self.now, session, action, answer_of(found, tag));
            return Ok(());
        }
        self.say(|| format!("call {tag} runs as {}, redelivered: {redelivered}", action.number));
        self.count("runs", tag as usize);
        *self.counts.entry("redelivered").or_default() += u64::from(redelivered);
        self.book.run(tag, redelivered)?;
        if self.book.call(tag).is_poison {
            self.count("aborts", tag as usize);
            self.server_dies = true;
            return self.check_blame(session, action.number);
        }
        let takes = self.up_to(self.options.handler_max);
        if takes.is_zero() {
            self.finish(session, action, tag)?;
        } else if let Some(process) = &mut self.server.process {
            process.handlers.push((self.now + takes, session, action, tag));
        }
        Ok(())
    }

    /// A handler has come to its end: to the transaction with its effect, where there is a database.
    fn finish(&mut self, session: SessionId, action: ActionHandle, tag: Tag) -> Check {
        let key = self.server.key_of(session, action.number);
        let found = match self.server.database.as_mut().zip(key) {
            Some((database, key)) => database.once(key, tag),
            None => Found::Nothing,
        };
        self.check_effect(tag)?;
        self.book.complete(tag);
        self.server.finish(self.now, session, action, answer_of(found, tag));
        Ok(())
    }

    pub(super) fn kill_server(&mut self, death: Death) {
        self.say(|| format!("the server dies: {death:?}"));
        self.count(if death == Death::Power { "server_power_losses" } else { "server_crashes" }, 0);
        let (random, pause) = (self.random.next_u64(), self.up_to(Duration::from_millis(500)));
        self.server.process = None;
        self.server.storage.die(death, random);
        self.server.begins_at = self.now + pause;
        (0..self.clients.len()).for_each(|index| self.cut(index));
    }

    fn begin_server(&mut self) -> Check {
        let (random, before) = (self.random.next_u64(), self.server.storage.life);
        let (moments, accepted) = (self.moments(), self.accepted.take());
        match self.server.begin(self.now, &self.options, random, accepted) {
            Ok(found) => {
                self.check_moment(moments.as_ref(), accepted.is_some())?;
                self.note_older_states();
                self.check_recovered_server(before, &found)
            }
            Err(BadBegin::Failed(error)) => self.on_bad_begin(error, |world, at| world.server.begins_at = at),
            Err(BadBegin::Refused(other)) => {
                self.check_refused(moments.as_ref())?;
                self.on_refused(other);
                Ok(())
            }
            Err(BadBegin::CutShort) => {
                self.count("openings_cut_short", 0);
                self.server.storage.die(Death::Process, 0);
                // It had been accepted, and nothing of it has begun: who started it starts it again.
                self.accepted = accepted;
                self.server.begins_at = self.now + Duration::from_millis(1);
                Ok(())
            }
        }
    }
}

fn answer_of(found: Found, tag: Tag) -> Answer<Load> {
    match found {
        Found::Completed(completed) if completed != tag => Answer::Refused(Refusal::CallKeyReused),
        Found::Nothing | Found::Completed(_) => Answer::Response(Load::new(LoadKind::Response, tag, 16)),
        Found::Retired => Answer::Refused(Refusal::Unknown),
    }
}
