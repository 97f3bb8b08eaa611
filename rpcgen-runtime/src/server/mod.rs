//! The server: actions come up, answers and broadcasts go down.
//!
//! Knows: what its user holds, and what its sessions share. Does not know: what a session does; that is the task's.

mod accept;
mod broadcasts;
mod builder;
mod business;
mod dispatch;
mod drain;
mod durable;
mod records;
mod resting;
mod room;
mod routing;
mod same_moment;
mod served;
mod session;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rpcgen_proto::config::Config;
use rpcgen_proto::faults::{FaultCounters, FaultPlan};
use rpcgen_proto::frame::Hello;
use rpcgen_proto::ids::{ClientId, MethodId, SessionId};
use rpcgen_proto::server::Registry;
use rpcgen_proto::session::{Ended, Stats, Unassigned};

use self::accept::{Acceptors, Door};
use self::broadcasts::Job;
use self::drain::Busy;
use self::durable::Durable;
use self::records::Records;
use self::room::Room;
use self::routing::Router;
use self::served::Served;
use self::session::{Command, Counters, LastWords, Port};
use crate::carried::Carried;
use crate::completion::CompletionStore;
use crate::contract::BroadcastStub;
use crate::driver::address::Address;
use crate::driver::clock::Clock;
use crate::driver::inbox::lock;
use crate::durable::LogStats;
use crate::error::ListenError;

pub use self::accept::AcceptLimits;
pub use self::broadcasts::BroadcastSender;
pub use self::builder::ServerBuilder;
pub use self::business::Call;
pub(crate) use self::dispatch::refuse;
pub use self::dispatch::{Dispatch, Handler, Service, handle, unknown_action};
pub use self::drain::ShutdownReport;
pub use self::room::ServerLimits;

type Routes = Router<Arc<Port>, Job>;

/// A server that listens. Dropping it ends it at once, as a crash would; [`Server::shutdown`] is the formal way.
pub struct Server {
    shared: Arc<Shared>,
    acceptors: Acceptors,
    /// Where plain TCP may listen.
    beyond_loopback: bool,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("addresses", &self.local_addresses()).finish_non_exhaustive()
    }
}

/// What the sessions of a server share. Each lock is held for a look-up and no longer.
pub(crate) struct Shared {
    clock: Clock,
    config: Config,
    faults: Mutex<Option<FaultPlan>>,
    services: Vec<Served>,
    completions: Option<Arc<dyn CompletionStore>>,
    hall: Mutex<Hall>,
    router: Mutex<Routes>,
    /// How many broadcasts wait for a node, so that nobody takes the lock to find none.
    waiting_broadcasts: AtomicUsize,
    /// How many were logged and will not be delivered: the server has stopped.
    lost_broadcasts: AtomicUsize,
    /// Whether a client may be in another process: then broadcasts are encoded by whoever sends them.
    is_on_network: AtomicBool,
    door: Arc<Door>,
    room: Arc<Room>,
    /// With a log on disk: what the sessions share of it.
    durable: Option<Durable>,
}

/// Who is here.
struct Hall {
    registry: Registry<Carried>,
    ports: BTreeMap<SessionId, Arc<Port>>,
    opened: u64,
    /// Of sessions that ended.
    past: Counters,
    is_paused: bool,
    is_stopped: bool,
}

/// What a server did so far.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ServerStats {
    /// Sum of the counters of its sessions, ended ones included.
    pub sessions: Stats,
    /// Faults on purpose of what it sent.
    pub faults: FaultCounters,
    /// Actions that were handed to the business.
    pub actions: u64,
    /// Sessions that there are now.
    pub session_count: usize,
    /// Of those, with a link.
    pub linked_count: usize,
    /// Sessions that there were, those of now included.
    pub sessions_opened: u64,
    /// Links that were turned away: too many, without a proper hello, or refused.
    pub links_refused: u64,
    /// Broadcasts that wait for a node that handles them.
    pub waiting_broadcasts: usize,
    /// Payload bytes of answers and broadcasts in the logs of sessions.
    pub logged_bytes: usize,
}

impl Server {
    /// Makes a server.
    #[must_use]
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// The first address it listens on, as a client takes it: with the real port.
    #[must_use]
    pub fn local_address(&self) -> String {
        self.local_addresses().into_iter().next().unwrap_or_default()
    }

    /// All addresses it listens on.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<String> {
        self.acceptors.addresses()
    }

    /// Listens on a further address, and returns it with the real port.
    ///
    /// # Errors
    /// As [`ServerBuilder::listen`].
    pub async fn listen_also(&self, address: &str) -> Result<String, ListenError> {
        let address: Address = address.parse()?;
        let bound = Acceptors::bind(address, self.beyond_loopback).await?;
        Ok(self.acceptors.accept(&self.shared, bound))
    }

    /// Sends broadcasts of one of its services.
    #[must_use]
    pub fn broadcasts<S: BroadcastStub>(&self) -> S {
        S::from_sender(BroadcastSender::new(Arc::clone(&self.shared), S::SERVICE))
    }

    /// Stops handing actions to the business, or goes on. What waits can be cancelled. For tests and demonstrations.
    pub fn pause_business(&self, paused: bool) {
        let mut hall = lock(&self.shared.hall);
        hall.is_paused = paused;
        hall.tell_all(|| Command::PauseBusiness(paused));
    }

    /// Puts other faults on purpose in force of what the server sends, or none: for tests and demonstrations. Links are cut where the
    /// change makes them lossy or lossless; their clients reconnect, and nothing is lost.
    pub fn set_faults(&self, plan: Option<FaultPlan>) {
        *lock(&self.shared.faults) = plan;
        lock(&self.shared.hall).tell_all(|| Command::SetFaults(plan));
    }

    /// How big its log on disk is. Waits for a sync that is under way. `None`: it has none.
    #[must_use]
    pub fn log_stats(&self) -> Option<LogStats> {
        self.shared.durable.as_ref()?.log().stats()
    }

    /// Waits until its log on disk stops after an error of the disk, and says why. Nothing is guaranteed, answered or taken any more then,
    /// its sessions have ended, and links are turned away: end this server, look at the disk, and make a new one with the same directory,
    /// which finds what is durable. Without a log on disk this never returns.
    pub async fn log_stopped(&self) -> String {
        match &self.shared.durable {
            Some(durable) => durable.log().until_stopped().await,
            None => std::future::pending().await,
        }
    }

    /// Waits until it cannot go on, and says why: its log on disk has stopped ([`Self::log_stopped`]), or its completion store has
    /// ([`CompletionStore::stopped`]), because of an error that will not pass or because another server has taken over. Calls that need
    /// what has stopped are not answered any more: end this server; what was guaranteed is its next life's, or the other's. Without a
    /// log on disk and a store this never returns.
    pub async fn stopped(&self) -> String {
        let store = async {
            match &self.shared.completions {
                Some(store) => store.stopped().await.to_string(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            why = self.log_stopped() => why,
            why = store => why,
        }
    }

    /// What it did so far.
    #[must_use]
    pub fn stats(&self) -> ServerStats {
        self.shared.stats()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.acceptors.abort();
        self.shared.stop(LastWords::Omit, || None);
        if let Some(durable) = &self.shared.durable {
            durable.log().close();
        }
    }
}

impl Hall {
    fn tell_all(&self, command: impl Fn() -> Command) {
        for port in self.ports.values() {
            // A session that has just ended need not know.
            let _ = port.inbox.push(command());
        }
    }
}

impl Shared {
    fn service_index(&self, name: &str) -> Option<usize> {
        self.services.iter().position(|service| service.descriptor.name == name)
    }

    /// The node is there, and handles what its hello says.
    fn open_route(&self, port: &Arc<Port>, hello: &Hello) {
        // Numbers that the service does not have are nobody's: no memory for them.
        let known = self.services.get(port.service).map_or(0, |service| service.descriptor.broadcasts.len());
        let handled = hello.broadcasts.iter().filter(|method| (method.0 as usize) < known);
        let handled: Vec<MethodId> = handled.copied().collect();
        lock(&self.router).open(port.session, port.client, port.service, handled, Arc::clone(port));
    }

    /// The limits and times of a session of this service.
    fn config_of(&self, service: usize) -> Config {
        let mut config = Config { has_completions: self.completions.is_some(), ..self.config.clone() };
        config.durable = self.durable.as_ref().map(|_| rpcgen_proto::config::Durable {
            volatile: self.services.get(service).map(|service| service.descriptor.volatile()).unwrap_or_default(),
        });
        config
    }

    /// A session came to its end. Returns the broadcasts that it leaves.
    fn session_ended(
        &self,
        port: &Port,
        mut ended: Ended<Carried>,
        records: Option<Records>,
    ) -> Vec<Unassigned<Carried>> {
        let unassigned = std::mem::take(&mut ended.unassigned);
        let mut hall = lock(&self.hall);
        // Before anybody can come back to what is left of it.
        if let (Some(durable), Some(records)) = (&self.durable, records) {
            durable.close_session(ended.client, ended.incarnation, records);
        }
        hall.registry.ended(self.clock.now(), ended);
        hall.forget(port);
        drop(hall);
        self.end_turns_of(port.session);
        unassigned
    }

    /// A link of this client was closed by a protocol error.
    fn disputed(&self, client: ClientId) {
        lock(&self.hall).registry.disputed(self.clock.now(), client);
    }

    /// A frame has come on the lanes of a client with a durable log.
    fn used(&self, client: ClientId) {
        lock(&self.hall).registry.used(client);
    }

    /// Ends all sessions at once. `waiting`: what each session drops when it has given up what it had.
    fn stop(&self, last_words: LastWords, waiting: impl Fn() -> Option<Busy>) {
        // First, so that no broadcast that comes from now on counts as logged.
        let waited = lock(&self.router).stop();
        self.waiting_broadcasts.store(0, Ordering::Relaxed);
        self.note_lost(waited);
        let mut hall = lock(&self.hall);
        hall.is_stopped = true;
        hall.tell_all(|| Command::Stop(last_words, waiting()));
        let ports = std::mem::take(&mut hall.ports);
        for port in ports.into_values() {
            hall.past.add(&lock(&port.counters));
        }
    }

    fn stats(&self) -> ServerStats {
        let hall = lock(&self.hall);
        let (mut sum, mut linked) = (hall.past, 0);
        for port in hall.ports.values() {
            let counters = lock(&port.counters);
            sum.add(&counters);
            linked += usize::from(counters.is_linked);
        }
        ServerStats {
            sessions: sum.session,
            faults: sum.faults,
            actions: sum.actions,
            session_count: hall.ports.len(),
            linked_count: linked,
            sessions_opened: hall.opened,
            links_refused: self.door.refused(),
            waiting_broadcasts: lock(&self.router).waiting_count(),
            logged_bytes: self.room.logged_bytes(),
        }
    }
}

impl Hall {
    fn forget(&mut self, port: &Port) {
        if self.ports.get(&port.session).is_some_and(|known| std::ptr::eq(&**known, port)) {
            self.ports.remove(&port.session);
            self.past.add(&lock(&port.counters));
        }
    }
}
