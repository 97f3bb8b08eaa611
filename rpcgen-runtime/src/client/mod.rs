//! The client's end: a handle that callers share, and the task that owns the session.

mod broadcasts;
mod builder;
mod call;
mod task;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpcgen_proto::faults::FaultCounters;
use rpcgen_proto::session::Stats;
use tokio::sync::oneshot;

pub use self::broadcasts::BroadcastHandlers;
pub use self::builder::ClientBuilder;
use self::call::CallCell;
pub use self::call::{Answering, Call, NotGuaranteed, Request};
use crate::carried::Carried;
use crate::contract::{Action, ServiceDescriptor};
use crate::driver::inbox::{Inbox, lock};
use crate::error::{DisconnectReport, SendError};

/// A call on its way to the session.
#[derive(Debug)]
struct Submission {
    method: u32,
    payload: Carried,
    cell: Arc<CallCell>,
    /// Whether it waits while the log is full.
    waits: bool,
}

/// What callers want of the task.
#[derive(Debug)]
enum Command {
    Send(Submission),
    Cancel(Arc<CallCell>),
    Disconnect(Duration, oneshot::Sender<DisconnectReport>),
    CutLink,
}

/// What the handles and the task share.
#[derive(Debug)]
struct Shared {
    inbox: Inbox<Command>,
    service: &'static ServiceDescriptor,
    in_process: bool,
    stats: Mutex<ClientStats>,
    /// What went wrong with the link last; for people.
    last_trouble: Mutex<String>,
}

/// Counters of a client.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientStats {
    /// Of its session.
    pub session: Stats,
    /// Of the faults on purpose at this end.
    pub faults: FaultCounters,
    /// Whether a link is up.
    pub is_linked: bool,
    /// Calls that are accepted and not answered.
    pub open_calls: usize,
}

/// A client of one service. Clones share one session.
///
/// When the last clone, and the last call made by it, is dropped, the session is left as if this process had ended: what was
/// accepted may or may not be run. [`Client::disconnect`] is the way to leave that drops nothing.
#[derive(Clone, Debug)]
pub struct Client {
    handle: Arc<Handle>,
}

/// Ends the task when the last clone is gone.
#[derive(Debug)]
struct Handle(Arc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.inbox.close();
    }
}

impl Client {
    fn new(shared: Arc<Shared>) -> Self {
        Self { handle: Arc::new(Handle(shared)) }
    }

    /// A call of an action. It is made when the request is awaited or sent.
    pub fn request<A: Action>(&self, message: A) -> Request<'_, A> {
        Request::new(self, message)
    }

    /// Ends the session formally: takes no new calls, waits until all are answered and everything is guaranteed at both ends, and frees
    /// the session at the server. At the limit it drops what is open, and lists it. A client that is disconnected stays so.
    pub async fn disconnect(&self, limit: Duration) -> DisconnectReport {
        let (report, reported) = oneshot::channel();
        if self.handle.0.inbox.push(Command::Disconnect(limit, report)).is_err() {
            return DisconnectReport::default();
        }
        reported.await.unwrap_or_default()
    }

    /// Drops the live link as if the network had. For tests and demonstrations: calls do not notice.
    pub fn cut_link(&self) {
        // A client that has ended has no link to cut.
        let _ = self.handle.0.inbox.push(Command::CutLink);
    }

    /// The counters so far.
    #[must_use]
    pub fn stats(&self) -> ClientStats {
        *lock(&self.handle.0.stats)
    }

    fn last_trouble(&self) -> String {
        lock(&self.handle.0.last_trouble).clone()
    }

    /// The service that this client calls.
    #[must_use]
    pub fn service(&self) -> &'static ServiceDescriptor {
        self.handle.0.service
    }

    fn submit<A: Action>(&self, message: A, waits: bool) -> Result<Arc<CallCell>, SendError> {
        let shared = &self.handle.0;
        let payload = Carried::new(message, shared.in_process)?;
        let cell = Arc::new(CallCell::default());
        let submission = Submission { method: A::METHOD, payload, cell: Arc::clone(&cell), waits };
        shared.inbox.push(Command::Send(submission)).map_err(|_| SendError::Disconnected)?;
        Ok(cell)
    }

    fn request_cancel(&self, cell: &Arc<CallCell>) -> Result<(), SendError> {
        self.handle.0.inbox.push(Command::Cancel(Arc::clone(cell))).map_err(|_| SendError::Disconnected)
    }
}
