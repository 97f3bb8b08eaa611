//! Broadcasts on their way through a session to its node.
//!
//! Knows: jobs, a node that is full. Does not know: which node a broadcast should go to (the routes do).

use std::sync::Arc;

use rpcgen_proto::error::SendError;
use rpcgen_proto::ids::{BroadcastNumber, MethodId};
use rpcgen_proto::time::Instant;

use super::super::broadcasts::Job;
use super::ServerSide;
use crate::carried::Carried;
use crate::driver::inbox::lock;

impl ServerSide {
    /// Logs a broadcast for this node, or finds another place for it.
    pub(super) fn log_broadcast(&mut self, now: Instant, mut job: Job) {
        let shared = Arc::clone(&self.context.shared);
        if self.resting.is_on() {
            return self.log_for_later(job);
        }
        let method = job.destination.method;
        let Some(payload) = job.payload.clone().converted(self.in_process) else {
            tracing::error!(broadcast = method.0, "a broadcast's message is gone; it is dropped");
            return shared.give_up(job);
        };
        match self.session.broadcast(now, method, payload, job.redelivered) {
            Ok(number) => {
                if let (Some(records), Some(handle)) = (&mut self.records, job.record.take()) {
                    records.route(number, handle);
                }
                // Before its sender is told, who may be the last one that a server which shuts down waits for.
                self.draining.set_busy(true);
                job.settle(Ok(()));
            }
            Err(SendError::Closing) => {
                shared.close_route(self.port.session);
                shared.route(job);
            }
            Err(error) if !job.is_promised() => job.settle(Err(error.into())),
            // It was logged once: it waits until there is room.
            Err(_) => shared.keep_waiting(job),
        }
    }

    /// The node is full: it would refuse this one as well.
    pub(super) fn log_for_later(&mut self, mut job: Job) {
        let (messages, bytes, config) = (self.resting.len(), self.resting.bytes(), &self.context.shared.config);
        if !job.is_promised() && (messages >= config.log_messages_max || bytes >= config.log_bytes_max) {
            return job.settle(Err(SendError::LogFull { messages, bytes }.into()));
        }
        self.draining.set_busy(true);
        job.settle(Ok(()));
        self.resting.push(job);
    }

    /// The node refused a broadcast that it handles: it has no room. It is left alone for a while.
    pub(super) fn on_refused(
        &mut self,
        number: BroadcastNumber,
        method: MethodId,
        redelivered: bool,
        payload: Carried,
    ) {
        let record = self.records.as_mut().and_then(|records| records.take_route(number));
        let shared = &self.context.shared;
        let job = Job::again(&shared.room, self.port.service, method, payload, redelivered, record);
        if self.session.handles_broadcast(method) {
            self.resting.rest(job);
            lock(&shared.router).set_resting(self.port.session, true);
        } else {
            lock(&shared.router).forget_handler(self.port.session, method);
            shared.route(job);
        }
    }

    /// Offers the node some of what it had no room for.
    pub(super) fn offer_again(&mut self, now: Instant) {
        for job in self.resting.take_some() {
            self.log_broadcast(now, job);
        }
        if self.resting.is_empty() {
            lock(&self.context.shared.router).set_resting(self.port.session, false);
            self.log_waiting(now, usize::MAX);
        }
    }

    /// There is a node, or room: what waits may go.
    pub(super) fn log_waiting(&mut self, now: Instant, count: usize) {
        for job in self.context.shared.take_waiting(self.port.session, count) {
            self.log_broadcast(now, job);
        }
    }
}
