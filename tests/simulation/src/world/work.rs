//! What the applications do: calls in bursts, cancels, broadcasts, disconnects, handlers fast and slow.
//!
//! Knows: the workload's options. Does not know: links.

use std::time::Duration;

use rpcgen_proto::frame::Refusal;
use rpcgen_proto::session::Answer;

use super::client::METHOD;
use super::server::SMALL_FRAMES;
use super::{Event, World};
use crate::checkers::Check;
use crate::load::{Load, LoadKind};
use crate::seen::{Call, Seen};

/// Calls of one client that are kept for cancelling.
const RECENT_MAX: usize = 64;

/// A refusal's name for the tally.
pub(super) fn name_of(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::Cancelled => "cancelled",
        Refusal::HandlerPanicked => "handler_panicked",
        Refusal::HandlerDropped => "handler_dropped",
        Refusal::Overloaded => "overloaded",
        Refusal::Unknown => "unknown",
        Refusal::AnswerTooLarge => "answer_too_large",
        Refusal::RequestTooLarge => "request_too_large",
        Refusal::Poisoned => "poisoned",
        _ => "other",
    }
}

impl World {
    /// When a client's application does something next.
    pub(super) fn plan_work(&mut self, client: u32) {
        let pause = self.up_to(self.options.work.pause_max);
        self.agenda.add(self.now + pause, Event::Work { client });
    }

    /// A client's application does something.
    pub(super) fn work(&mut self, client: u32) -> Check {
        if self.is_healed {
            return Ok(());
        }
        let burst = 1 + self.random.below(self.options.work.burst_max);
        for _ in 0..burst {
            if self.calls >= self.options.work.actions_max {
                break;
            }
            self.send_call(client)?;
        }
        if !self.is_server_frozen()
            && self.broadcasts < self.options.work.actions_max
            && self.random.chance(self.options.work.broadcast)
        {
            self.log_broadcast()?;
        }
        self.drain_client(client)?;
        if self.random.chance(self.options.work.disconnect) {
            self.disconnect(client, self.options.work.disconnect_within)?;
        }
        self.plan_work(client);
        Ok(())
    }

    fn send_call(&mut self, client: u32) -> Check {
        let call = self.calls;
        let size = self.random.below(self.options.work.bytes_max);
        let known = &mut self.clients[client as usize];
        let now = known.clock.local(self.now);
        let Ok(handle) = known.session.send(now, METHOD, Load::new(LoadKind::Request, call, size)) else {
            return self.cancel_some(client); // The log is full, or it is leaving.
        };
        self.calls += 1;
        known.calls.push(call);
        let node = known.node;
        let place = self.random.below(u32::try_from(RECENT_MAX).unwrap_or(1)) as usize;
        let known = &mut self.clients[client as usize];
        match known.recent.get_mut(place) {
            Some(recent) => *recent = handle,
            None => known.recent.push(handle),
        }
        self.see(Seen::Accepted { call, node })?;
        if self.options.small_frames && size > SMALL_FRAMES / 2 {
            self.see(Seen::Oversized { call })?;
        }
        // Some calls are on their way before the next one is made, others are not.
        if self.random.chance(0.3) {
            self.drain_client(client)?;
        }
        self.cancel_some(client)
    }

    pub(super) fn cancel_some(&mut self, client: u32) -> Check {
        if !self.random.chance(self.options.work.cancel) {
            return Ok(());
        }
        let count = self.clients[client as usize].recent.len();
        let place = self.random.below(u32::try_from(count).unwrap_or(0)) as usize;
        let known = &mut self.clients[client as usize];
        let now = known.clock.local(self.now);
        let Some(handle) = known.recent.get(place).copied() else { return Ok(()) };
        if known.session.cancel(now, handle) {
            let number = usize::try_from(handle.number.0).unwrap_or(usize::MAX);
            let call = known.calls.get(number).copied().unwrap_or(Call::MAX);
            self.tally.trouble("cancels");
            self.see(Seen::CancelAsked { call })?;
        }
        Ok(())
    }

    /// A client is asked to leave.
    pub(super) fn disconnect(&mut self, client: u32, within: Duration) -> Check {
        let known = &mut self.clients[client as usize];
        let now = known.clock.local(self.now);
        let until = now + within;
        if std::mem::replace(&mut known.is_leaving, true) {
            return Ok(());
        }
        let node = known.node;
        self.tally.trouble("disconnects");
        self.see(Seen::DisconnectAsked { node, until })?;
        self.clients[client as usize].session.disconnect(now, within);
        self.drain_client(client)
    }

    /// How long a handler takes, and what it says.
    pub(super) fn handle_action(&mut self, call: Call) -> (Duration, Answer<Load>) {
        let longest = if !self.is_healed && self.random.chance(self.options.work.slow) {
            self.options.work.slow_max
        } else {
            self.options.work.handler_max
        };
        let takes = self.up_to(longest);
        let size = self.random.below(self.options.work.bytes_max);
        let answer = if !self.random.chance(self.options.work.fail) {
            Answer::Response(Load::new(LoadKind::Response, call, size))
        } else if self.random.chance(0.7) {
            Answer::Failure(Load::new(LoadKind::Failure, call, size))
        } else if self.random.chance(0.5) {
            Answer::Refused(Refusal::HandlerPanicked)
        } else {
            Answer::Refused(Refusal::HandlerDropped)
        };
        (takes, answer)
    }
}
