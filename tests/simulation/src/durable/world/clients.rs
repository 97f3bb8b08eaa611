//! What happens at the clients.
//!
//! Knows: their processes, what their applications are told. Does not know: the server.

use rpcgen_proto::frame::{FreshReason, LinkFrame, Refusal, Reject, RejectReason};
use rpcgen_proto::ids::{BroadcastNumber, CallNumber};
use rpcgen_proto::session::{Answer, CallHandle, ClientEvent, CloseReason, Input};
use rpcgen_store::RecoveredClientLog;

use super::World;
use crate::checkers::{Check, violated};
use crate::durable::book::Tag;
use crate::durable::client::{Client, FromClient};
use crate::durable::storage::Death;
use crate::durable::wire::take_due;
use crate::load::Load;

impl World {
    pub(super) fn client_turn(&mut self, index: usize) -> Check {
        let now = self.now;
        let client = &mut self.clients[index];
        let Some(process) = &mut client.process else {
            return if client.begins_at <= now { self.begin_client(index) } else { Ok(()) };
        };
        if process.is_stopped {
            self.kill_client(index, Death::Power);
            return Ok(());
        }
        if process.has_left {
            client.commit(now, std::time::Duration::ZERO);
            self.kill_client(index, Death::Process);
            return Ok(());
        }
        if process.deadline.is_some_and(|deadline| deadline <= now) {
            process.session.handle(now, Input::Timeout);
        }
        let ran: Vec<_> = process.handlers.extract_if(.., |(at, ..)| *at <= now).collect();
        process.tell(now);
        if process.commits_at.is_some_and(|at| at <= now) {
            let later = self.told_in();
            self.clients[index].commit(now, later);
        }
        for (_, number, tag, redelivered) in ran {
            self.count("broadcasts", index);
            self.book.run_broadcast(tag, redelivered)?;
            self.clients[index].ran(now, number, tag);
        }
        let client = &mut self.clients[index];
        if !client.wire.is_up && client.connects_at <= now {
            client.wire.connect();
            if let Some(process) = &mut client.process {
                process.session.handle(now, Input::LinkUp { reliable_ordered: self.options.drop == 0.0 });
            }
        }
        // A process that is not there has no link: what was sent to it is gone.
        while let Some(frame) = take_due(&mut self.clients[index].wire.down, now) {
            if let Some(process) = &mut self.clients[index].process {
                process.session.handle(now, Input::Received(frame));
            }
        }
        self.drain()
    }

    pub(super) fn on_client(&mut self, index: usize, said: FromClient) -> Check {
        let due = self.now + self.options.latency;
        match said {
            FromClient::Frame(frame) => {
                let is_lost = self.is_lost(&frame);
                let client = &mut self.clients[index];
                if matches!(frame, LinkFrame::Hello(_)) {
                    client.greeted_with = client.secret;
                }
                if client.wire.is_up && !is_lost {
                    client.wire.up.push_back((due, frame));
                }
                self.count("frames", index);
                Ok(())
            }
            FromClient::Close(reason) => {
                self.say(|| format!("client {index} closes: {reason:?}"));
                if let CloseReason::Protocol(error) = &reason {
                    return violated("well_behaved", format!("client {index} closes: {error}"));
                }
                self.cut(index);
                Ok(())
            }
            FromClient::Event(event) => self.on_client_event(index, event),
        }
    }

    fn on_client_event(&mut self, index: usize, event: ClientEvent<Load>) -> Check {
        self.say(|| format!("client {index}: {event:?}"));
        match event {
            ClientEvent::Linked { fresh, .. } => {
                if fresh == Some(FreshReason::Expired) {
                    self.count("sessions_expired", index);
                    self.book.note_volatile_unknown(self.clients[index].identity);
                }
                self.hasten_trouble(0.4);
                self.check_let_in(index, fresh.is_some())
            }
            ClientEvent::Accepted(call) => {
                let tag = self.clients[index].tag(call.number);
                self.book.call(tag).is_accepted = true;
                self.count("accepted", index);
                if self.random.chance(0.25) { self.check_accepted(index, call.number) } else { Ok(()) }
            }
            ClientEvent::NotAccepted(_) => {
                self.count("not_accepted", index);
                Ok(())
            }
            ClientEvent::Guaranteed(call) => {
                let tag = self.clients[index].tag(call.number);
                self.count("guaranteed", index);
                self.book.call(tag).is_guaranteed = true;
                self.note_promise(index, tag);
                self.check_guaranteed(tag)
            }
            ClientEvent::Answered(call, answer) => {
                self.count("answered", index);
                self.check_answered(index, call.number)?;
                self.answered(index, call.number, &answer)?;
                self.hasten_trouble(0.03);
                // Some applications claim at once, others after their next restart.
                if self.random.chance(0.7) {
                    self.claim(index, call.number);
                }
                Ok(())
            }
            ClientEvent::CancelResult(call, outcome) => {
                let tag = self.clients[index].tag(call.number);
                self.count("cancels", index);
                self.book.cancel_outcome(tag, outcome)
            }
            ClientEvent::Broadcast { number, redelivered, payload, .. } => {
                self.on_broadcast(index, number, payload.tag(), redelivered);
                Ok(())
            }
            ClientEvent::ServerRestored { .. } => {
                self.count("restored_server_noticed", index);
                if self.book.server_restored {
                    return Ok(());
                }
                violated("truncate_below_peer", format!("client {index} takes the server for a restored one"))
            }
            ClientEvent::SchemaFits { .. } => {
                self.count("other_schemas_fitted", index);
                Ok(())
            }
            ClientEvent::Disconnected { dropped } => self.on_disconnected(index, &dropped),
            ClientEvent::Rejected(reject) if reject.is_final() => self.on_final_reject(index, reject.reason),
            ClientEvent::Rejected(reject) => self.on_reject(index, &reject),
            _ => Ok(()),
        }
    }

    /// It is to come again later.
    fn on_reject(&mut self, index: usize, reject: &Reject) -> Check {
        let is_restored = reject.reason == RejectReason::ServerRestored;
        if is_restored && !self.book.server_restored {
            return violated("truncate_below_peer", format!("client {index} is told: {}", reject.message));
        }
        if is_restored {
            self.count("restored_server_noticed", index);
        }
        Ok(())
    }

    /// It has left. What is on record and was dropped is the next life's.
    fn on_disconnected(&mut self, index: usize, dropped: &[CallHandle]) -> Check {
        let (now, identity) = (self.now, self.clients[index].identity);
        let Some(process) = self.clients[index].process.as_mut().filter(|process| !process.is_stopped) else {
            return Ok(());
        };
        process.has_left = true;
        process.commits_at.get_or_insert(now);
        self.count(if dropped.is_empty() { "left" } else { "left_with_open_calls" }, index);
        // It said goodbye, unless it keeps something: then the session is nobody's, and there is no secret to show.
        let is_kept = |call: &CallHandle| {
            !self.book.calls.get(&self.clients[index].tag(call.number)).is_some_and(|call| call.is_volatile)
        };
        if !dropped.iter().any(is_kept) {
            self.let_in.entry(self.clients[index].id).or_default().1 = None;
        }
        if self.book.has_rivals(identity) { Ok(()) } else { self.book.left(identity, dropped) }
    }

    /// Its handler takes a while.
    fn on_broadcast(&mut self, index: usize, number: BroadcastNumber, tag: Tag, redelivered: bool) {
        let at = self.now + self.up_to(self.options.handler_max);
        self.hasten_trouble(0.2);
        let client = &mut self.clients[index];
        client.unrun.insert(tag);
        if let Some(process) = &mut client.process {
            process.handlers.push((at, number, tag, redelivered));
        }
    }

    fn answered(&mut self, index: usize, number: CallNumber, answer: &Answer<Load>) -> Check {
        let client = &self.clients[index];
        let (tag, begins) = (client.tag(number), self.server.begins.get(&(client.id, number)));
        self.book.call(tag).begins = begins.copied().unwrap_or(0);
        if self.clients[index].process.as_ref().is_some_and(|process| process.is_stopped) {
            self.book.note_volatile_unknown(self.clients[index].identity);
        }
        if let Answer::Refused(refusal) = answer {
            self.count(refusal_name(*refusal), index);
        }
        self.book.answer(tag, answer)
    }

    fn claim(&mut self, index: usize, number: CallNumber) {
        let client = &mut self.clients[index];
        let tag = client.tag(number);
        if let Some(process) = &mut client.process
            && let Some(store) = &mut process.store
        {
            store.claim(number);
            process.commits_at.get_or_insert(self.now);
        }
        self.book.call(tag).claimed = true;
    }

    /// A copy that came second: its operator begins anew.
    fn on_final_reject(&mut self, index: usize, reason: RejectReason) -> Check {
        if !self.clients[index].has_rivals && !self.book.server_restored {
            return violated("restore_detected", format!("client {index} is refused for good: {reason:?}"));
        }
        self.count("copies_refused", index);
        self.kill_client(index, Death::Process);
        self.replace_client(index);
        Ok(())
    }

    /// Another client takes the place of one that is no more.
    fn replace_client(&mut self, index: usize) {
        let client = &mut self.clients[index];
        self.abandoned[client.identity] = true;
        self.book.excuse_broadcasts(std::mem::take(&mut client.unrun));
        let identity = self.abandoned.len();
        self.abandoned.push(false);
        let new = Client::new(identity, client.has_log);
        let old = std::mem::replace(client, new);
        client.begins_at = self.now;
        client.wire.number = old.wire.number;
        client.storage.set_full(self.full_until.is_some());
    }

    pub(super) fn kill_client(&mut self, index: usize, death: Death) {
        self.say(|| format!("client {index} dies: {death:?}"));
        self.count(if death == Death::Power { "client_power_losses" } else { "client_crashes" }, index);
        let (random, pause) = (self.random.next_u64(), self.up_to(std::time::Duration::from_millis(500)));
        let client = &mut self.clients[index];
        let was_alive = client.process.take().is_some();
        client.storage.die(death, random);
        client.begins_at = self.now + pause;
        if !client.has_log && was_alive {
            self.count("memory_clients_died", index);
            self.replace_client(index);
        }
        self.cut(index);
    }

    fn begin_client(&mut self, index: usize) -> Check {
        let (seed, now) = (self.random.next_u64(), self.now);
        let client = &mut self.clients[index];
        let before = client.storage.life;
        let recovered = match client.begin(now, &self.options, seed) {
            Ok(Some(recovered)) => recovered,
            Ok(None) => return Ok(()),
            Err(error) => return self.on_bad_begin(error, |world, at| world.clients[index].begins_at = at),
        };
        self.check_recovered_client(index, before, &recovered)?;
        self.take_recovered(index, recovered)
    }

    /// The application takes what earlier lives left.
    fn take_recovered(&mut self, index: usize, recovered: RecoveredClientLog<Load>) -> Check {
        for answer in recovered.answers {
            self.count("answers_found", index);
            self.answered(index, answer.number, &answer.answer)?;
            self.claim(index, answer.number);
        }
        for (sequence, broadcast) in recovered.broadcasts {
            self.count("broadcasts_found", index);
            self.book.run_broadcast(broadcast.payload.tag(), true)?;
            let client = &mut self.clients[index];
            client.unrun.remove(&broadcast.payload.tag());
            if let Some(store) = client.process.as_mut().and_then(|process| process.store.as_mut()) {
                store.ran(sequence);
            }
        }
        Ok(())
    }
}

fn refusal_name(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Cancelled => "cancelled",
        Refusal::Poisoned => "poisoned",
        Refusal::Unknown => "unknown",
        Refusal::NoSpace => "no_space",
        Refusal::CallKeyReused => "call_key_reused",
        _ => "refused",
    }
}
