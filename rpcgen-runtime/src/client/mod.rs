//! The client: calls go up, answers and broadcasts come down.
//!
//! Knows: what callers hold, and the inbox of the client's task. Does not know: sessions, links; those are the task's.

mod broadcasts;
mod builder;
mod call;
mod calls;
mod cell;
mod found;
mod open_calls;
mod pending;
mod reconnect;
mod records;
mod recovered;
mod task;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpcgen_proto::faults::{FaultCounters, FaultPlan};
use rpcgen_proto::ids::{CallNumber, ClientId, Incarnation};
use rpcgen_proto::session::Stats;
use tokio::sync::oneshot;

pub use self::broadcasts::{BroadcastHandlers, Delivery};
pub use self::builder::ClientBuilder;
use self::call::WhenFull;
pub use self::call::{Answering, Call, Claim, Request};
pub use self::calls::Calls;
use self::cell::CallCell;
pub use self::pending::{PendingCall, Step};
pub use self::recovered::RecoveredCall;
use crate::carried::Carried;
use crate::contract::{Action, ServiceDescriptor};
use crate::driver::clock::Clock;
use crate::driver::inbox::{Inbox, lock};
use crate::durable::{DiskLog, LogStats};
use crate::error::DisconnectReport;

/// What is common to the clients of all services: one session with a server, over one link at a time. Clones share it.
///
/// When the last clone and the last [`Call`] are dropped, what was accepted is still delivered and answered: the client leaves in
/// the background, as [`Client::disconnect`] does with a limit of five minutes, and logs a warning if it had to drop calls. A process, or a
/// tokio runtime, that ends before that takes the rest with it: `disconnect` is how to wait for it.
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
    /// Its log on disk, if it has one.
    log: Option<Arc<DiskLog>>,
}

impl Drop for ClientHandle {
    fn drop(&mut self) {
        // The task may have ended before.
        let _ = self.inbox.push(Command::Leave);
    }
}

/// What the task tells without being asked.
#[derive(Debug)]
struct Shared {
    service: &'static ServiceDescriptor,
    client: ClientId,
    incarnation: Incarnation,
    stats: Mutex<ClientStats>,
    clock: Clock,
    /// How the last link, or attempt at one, ended.
    last_error: Mutex<String>,
    /// Calls of earlier runs that nobody has asked for.
    recovered: Mutex<Vec<Arc<CallCell>>>,
}

/// What a client asks of its task.
#[derive(Debug)]
enum Command {
    Send(Submission),
    Cancel(Arc<CallCell>),
    Disconnect {
        limit: Duration,
        reply: oneshot::Sender<DisconnectReport>,
    },
    CutLink,
    SetFaults(Option<FaultPlan>),
    List(oneshot::Sender<Vec<Arc<CallCell>>>),
    /// The application has the answer.
    Claim(CallNumber),
    /// The log on disk has stopped.
    LogStopped(Arc<str>),
    Leave,
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

    /// Who this client is: with a log on disk for as long as that is there, with one in memory for as long as this lives.
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

    /// How big its log on disk is. Waits for a sync that is under way. `None`: it has none, or it has ended.
    #[must_use]
    pub fn log_stats(&self) -> Option<LogStats> {
        self.handle.log.as_ref()?.stats()
    }

    /// Waits until its log on disk stops after an error of the disk, and says why. The client has ended then: end this process or at least
    /// this client, look at the disk, and make a new one with the same directory, which finds what is durable. Without a log on disk this
    /// never returns.
    pub async fn log_stopped(&self) -> String {
        match &self.handle.log {
            Some(log) => log.until_stopped().await,
            None => std::future::pending().await,
        }
    }

    /// The service that this client calls.
    #[must_use]
    pub fn service(&self) -> &'static ServiceDescriptor {
        self.handle.shared.service
    }

    /// The calls that are accepted and not answered, in the order of their sending: for a page that shows them, with a button that
    /// cancels one. None after the client has disconnected.
    pub async fn pending_calls(&self) -> Vec<PendingCall> {
        let (reply, cells) = oneshot::channel();
        if self.handle.inbox.push(Command::List(reply)).is_err() {
            return Vec::new();
        }
        let cells = cells.await.unwrap_or_default();
        cells.into_iter().map(|cell| PendingCall::new(cell, Arc::clone(&self.handle))).collect()
    }

    /// The calls that earlier runs of this program left in the log on disk ([`ClientBuilder::log`]): without an answer, or with one that
    /// nobody has claimed; in the order of their sending, and each once. They go on whether anybody asks for them or not. A call that is
    /// awaited to its end is claimed and leaves the log; one that is dropped stays, and is found again by the next run.
    ///
    /// The client of a service has the same with the types of its actions.
    pub fn recovered(&self) -> Vec<RecoveredCall> {
        let cells = std::mem::take(&mut *lock(&self.handle.shared.recovered));
        cells.into_iter().map(|cell| RecoveredCall::new(cell, Arc::clone(&self.handle))).collect()
    }

    /// Puts other faults on purpose in force of what this client sends, or none: for tests and demonstrations. The link is cut where the
    /// change makes it lossy or lossless; the client reconnects, and nothing is lost.
    pub fn set_faults(&self, plan: Option<FaultPlan>) {
        // Without a task nothing is sent any more.
        let _ = self.handle.inbox.push(Command::SetFaults(plan));
    }

    /// Drops the live link as if the network had; for tests and demonstrations. The client reconnects, and nothing is lost.
    pub fn cut_link(&self) {
        // Without a task there is no link either.
        let _ = self.handle.inbox.push(Command::CutLink);
    }
}
