//! The server's end: listeners, admission, one task per session.

mod accept;
mod broadcasts;
mod builder;
mod dispatch;
mod routing;
mod session;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpcgen_proto::config::Config;
use rpcgen_proto::faults::{FaultCounters, FaultPlan};
use rpcgen_proto::ids::SessionId;
use rpcgen_proto::server::Registry;
use rpcgen_proto::session::Stats;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

pub use self::broadcasts::BroadcastSender;
use self::broadcasts::Outgoing;
pub use self::builder::ServerBuilder;
pub use self::dispatch::{Call, Dispatch, Handler, Outcome, Service, handle, unknown_action};
use self::routing::Routing;
use self::session::{SessionCommand, SessionHandle, SessionStats};
use crate::carried::Carried;
use crate::contract::BroadcastStub;
use crate::driver::clock::Clock;
use crate::driver::inbox::lock;
use crate::error::ListenError;

/// What the listeners, the sessions' tasks and the handles share.
pub(crate) struct Shared {
    services: Vec<Service>,
    config: Config,
    clock: Clock,
    faults: Option<FaultPlan>,
    beyond_loopback: bool,
    registry: Mutex<Registry<Carried>>,
    sessions: Mutex<BTreeMap<SessionId, Arc<SessionHandle>>>,
    routing: Mutex<Routing<Outgoing>>,
    /// Links that have not said hello yet.
    half_open: Arc<Semaphore>,
    /// Links that are up.
    live: Arc<Semaphore>,
    past: Mutex<(Stats, FaultCounters)>,
    session_ended: Notify,
    links_opened: Mutex<u64>,
}

impl Shared {
    fn service_index(&self, name: &str) -> Option<usize> {
        self.services.iter().position(|service| service.descriptor.name == name)
    }

    fn add_past(&self, stats: &SessionStats) {
        let mut past = lock(&self.past);
        past.0.add(&stats.session);
        past.1.add(&stats.faults);
        drop(past);
        self.session_ended.notify_waiters();
    }

    fn tell_all(&self, command: fn() -> SessionCommand) {
        let sessions: Vec<_> = lock(&self.sessions).values().cloned().collect();
        for session in sessions {
            // One that ended meanwhile needs no telling.
            let _ = session.inbox.push(command());
        }
    }

    /// The plan for one more link's faults: each has a seed of its own.
    fn next_faults(&self) -> Option<FaultPlan> {
        let mut plan = self.faults?;
        let mut opened = lock(&self.links_opened);
        *opened += 1;
        plan.seed = plan.seed.wrapping_add(opened.wrapping_mul(0x1_0000));
        Some(plan)
    }
}

/// Counters of a server: the sums over all its sessions, past ones included.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerStats {
    /// Of the sessions.
    pub sessions: Stats,
    /// Of the faults on purpose at this end.
    pub faults: FaultCounters,
    /// Sessions that there are now.
    pub session_count: usize,
    /// Of those, with a link.
    pub linked_count: usize,
    /// Broadcasts that wait for a node that handles them.
    pub waiting_broadcasts: usize,
}

/// What a shutdown left undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// Sessions that were not idle at the limit.
    pub cut_short: usize,
}

/// A running server. Dropping it ends it at once, as if the process had ended; [`Server::shutdown`] is the way that fails no call.
pub struct Server {
    shared: Arc<Shared>,
    addresses: Vec<String>,
    listeners: Vec<JoinHandle<()>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Server {
    /// A server to be set up.
    #[must_use]
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// The first address that it listens on, with the port that the system chose.
    #[must_use]
    pub fn local_address(&self) -> String {
        self.addresses.first().cloned().unwrap_or_default()
    }

    /// Listens on a further address.
    ///
    /// # Errors
    /// As [`ServerBuilder::listen`].
    pub async fn listen_also(&mut self, address: &str) -> Result<String, ListenError> {
        let (address, listener) = accept::listen(&self.shared, address).await?;
        self.addresses.push(address.clone());
        self.listeners.push(listener);
        Ok(address)
    }

    /// Sends the broadcasts of a service.
    #[must_use]
    pub fn broadcasts<S: BroadcastStub>(&self) -> S {
        S::from_sender(BroadcastSender::new(Arc::clone(&self.shared), S::SERVICE))
    }

    /// Stops handing actions to the business, or goes on. What waits can be cancelled. Holds for the sessions that there are now.
    pub fn pause_business(&self, paused: bool) {
        if paused {
            self.shared.tell_all(|| SessionCommand::PauseBusiness(true));
        } else {
            self.shared.tell_all(|| SessionCommand::PauseBusiness(false));
        }
    }

    /// The counters so far.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        let past = *lock(&self.shared.past);
        let mut stats = ServerStats {
            sessions: past.0,
            faults: past.1,
            waiting_broadcasts: lock(&self.shared.routing).waiting_count(),
            ..ServerStats::default()
        };
        for handle in lock(&self.shared.sessions).values() {
            let session = *lock(&handle.stats);
            stats.sessions.add(&session.session);
            stats.faults.add(&session.faults);
            stats.session_count += 1;
            stats.linked_count += usize::from(session.is_linked);
        }
        stats
    }

    /// Takes nothing new, answers what it has, and ends; at the limit it ends as it is. Calls that it did not take stay in their
    /// clients' logs, for the next server.
    pub async fn shutdown(mut self, limit: Duration) -> ShutdownReport {
        for listener in self.listeners.drain(..) {
            listener.abort();
        }
        lock(&self.shared.registry).shutdown();
        self.shared.tell_all(|| SessionCommand::Shutdown);
        let all_ended = async {
            loop {
                let ended = self.shared.session_ended.notified();
                if lock(&self.shared.sessions).is_empty() {
                    return;
                }
                ended.await;
            }
        };
        let is_drained = tokio::time::timeout(limit, all_ended).await.is_ok();
        let cut_short = if is_drained { 0 } else { lock(&self.shared.sessions).len() };
        ShutdownReport { cut_short }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for listener in self.listeners.drain(..) {
            listener.abort();
        }
        self.shared.tell_all(|| SessionCommand::End);
    }
}
