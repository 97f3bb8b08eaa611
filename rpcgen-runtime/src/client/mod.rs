//! The client: calls go up, answers and broadcasts come down.
//!
//! Knows: what callers hold, and the inbox of the client's task. Does not know: sessions, links; those are the task's.

mod broadcasts;
mod builder;
mod call;
mod reconnect;
mod task;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpcgen_proto::faults::FaultCounters;
use rpcgen_proto::ids::{ClientId, Incarnation};
use rpcgen_proto::session::Stats;
use tokio::sync::oneshot;

pub use self::broadcasts::BroadcastHandlers;
pub use self::builder::ClientBuilder;
pub use self::call::{Answering, Call, Request};
use self::call::{CallCell, WhenFull};
use crate::carried::Carried;
use crate::contract::{Action, ServiceDescriptor};
use crate::driver::inbox::{Inbox, lock};
use crate::error::DisconnectReport;

/// What is common to the clients of all services: one session with a server, over one link at a time. Clones share it.
///
/// When the last clone and the last open [`Call`] are dropped, the client ends at once and informally: what is unanswered is dropped
/// here, and the server keeps its side until its reconnect timeout. [`Client::disconnect`] is the formal way.
#[derive(Clone, Debug)]
pub struct Client {
    handle: Arc<ClientHandle>,
}

/// What keeps the client's task alive.
#[derive(Debug)]
struct ClientHandle {
    inbox: Arc<Inbox<Command>>,
    shared: Arc<Shared>,
    in_process: bool,
}

impl Drop for ClientHandle {
    fn drop(&mut self) {
        // The task may have ended before.
        let _ = self.inbox.push(Command::Detach);
    }
}

/// What the task tells without being asked.
#[derive(Debug)]
struct Shared {
    service: &'static ServiceDescriptor,
    client: ClientId,
    incarnation: Incarnation,
    stats: Mutex<ClientStats>,
    /// How the last link, or attempt at one, ended.
    last_error: Mutex<String>,
}

/// What a client asks of its task.
#[derive(Debug)]
enum Command {
    Send(Submission),
    Cancel(Arc<CallCell>),
    Disconnect { limit: Duration, reply: oneshot::Sender<DisconnectReport> },
    CutLink,
    Detach,
}

/// A call on its way into the log.
#[derive(Debug)]
struct Submission {
    payload: Carried,
    cell: Arc<CallCell>,
    when_full: WhenFull,
}

/// What a client did so far.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ClientStats {
    /// Counters of its session; they survive links and new sessions.
    pub session: Stats,
    /// Faults on purpose of what it sent.
    pub faults: FaultCounters,
    /// Calls that are accepted and not answered.
    pub open_calls: usize,
    /// Whether a link is up and greeted.
    pub is_linked: bool,
}

impl Client {
    /// A call of an action. Nothing happens until it is awaited or sent.
    pub fn request<A: Action>(&self, action: A) -> Request<'_, A> {
        Request::new(self, action)
    }

    /// Ends the session formally: no new calls; returns when all are answered and everything is guaranteed, or at the limit. The
    /// report lists what was dropped then.
    pub async fn disconnect(&self, limit: Duration) -> DisconnectReport {
        let (reply, report) = oneshot::channel();
        if self.handle.inbox.push(Command::Disconnect { limit, reply }).is_err() {
            return DisconnectReport::default();
        }
        // The task answers before it ends, unless its runtime is gone; then nothing can be said.
        report.await.unwrap_or_default()
    }

    /// Who this client is: with a log in memory, for as long as it lives.
    #[must_use]
    pub fn id(&self) -> ClientId {
        self.handle.shared.client
    }

    /// Which life of its log this is.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        self.handle.shared.incarnation
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> ClientStats {
        *lock(&self.handle.shared.stats)
    }

    /// The service that this client calls.
    #[must_use]
    pub fn service(&self) -> &'static ServiceDescriptor {
        self.handle.shared.service
    }

    /// Drops the live link as if the network had; for tests and demonstrations. The client reconnects, and nothing is lost.
    pub fn cut_link(&self) {
        // Without a task there is no link either.
        let _ = self.handle.inbox.push(Command::CutLink);
    }
}
