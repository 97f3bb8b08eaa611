//! Makes a server.
//!
//! Knows: the choices that its user has. Does not know: how the server then lives.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpcgen_proto::config::Config;
use rpcgen_proto::faults::FaultPlan;
use rpcgen_proto::ids::Epoch;
use rpcgen_proto::server::{Registry, RegistryConfig, Schema};

use super::accept::{AcceptLimits, Acceptors, Door};
use super::durable::{Belonging, Found};
use super::room::{Room, ServerLimits};
use super::routing::Router;
use super::served::Served;
use super::session::Counters;
use super::{Hall, Server, Service, Shared, served};
use crate::completion::CompletionStore;
use crate::driver::address::Address;
use crate::driver::clock::Clock;
use crate::durable::{LogProgress, Opening};
use crate::error::ListenError;
use crate::random;

/// Keys by which broadcasts find their nodes, unless told otherwise.
const ORIGIN_KEYS_MAX: usize = 1_000_000;
/// How often log and completion store get a new mark in common, unless told otherwise.
const MARK_EVERY: Duration = Duration::from_secs(3600);
/// Broadcasts that wait for a node, unless told otherwise.
const BROADCASTS_WAITING_MAX: usize = 100_000;

/// Makes a server.
#[derive(Debug)]
pub struct ServerBuilder {
    services: Vec<Service>,
    config: Config,
    registry: RegistryConfig,
    accept_limits: AcceptLimits,
    limits: ServerLimits,
    faults: Option<FaultPlan>,
    origin_keys_max: usize,
    broadcasts_waiting_max: usize,
    beyond_loopback: bool,
    memory_instead_of_disk: bool,
    log: Opening,
    completions: Option<Completions>,
    accepted_mark: Option<u64>,
    mark_every: Duration,
}

/// A store, of whatever kind.
struct Completions(Arc<dyn CompletionStore>);

impl fmt::Debug for Completions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Completions(..)")
    }
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            services: Vec::new(),
            config: Config::default(),
            registry: RegistryConfig::default(),
            accept_limits: AcceptLimits::default(),
            limits: ServerLimits::default(),
            faults: None,
            origin_keys_max: ORIGIN_KEYS_MAX,
            broadcasts_waiting_max: BROADCASTS_WAITING_MAX,
            beyond_loopback: false,
            memory_instead_of_disk: false,
            log: Opening::default(),
            completions: None,
            accepted_mark: None,
            mark_every: MARK_EVERY,
        }
    }

    /// Adds a service: what the `server` function of its generated module returns. One port serves them all. A service may be added
    /// again, with another business implementation for some app ids: [`Service::for_app`].
    #[must_use]
    pub fn serve(mut self, service: Service) -> Self {
        self.services.push(service);
        self
    }

    /// Limits and times of the sessions. Default: [`Config::default`]; each field says its unit, and what too low and too high do.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// How many sessions there may be, and what is kept of those that expired. Default: [`RegistryConfig::default`].
    #[must_use]
    pub fn registry(mut self, config: RegistryConfig) -> Self {
        self.registry = config;
        self
    }

    /// How many links there may be. Default: [`AcceptLimits::default`].
    #[must_use]
    pub fn accept_limits(mut self, limits: AcceptLimits) -> Self {
        self.accept_limits = limits;
        self
    }

    /// What all sessions may take together: handlers that run, bytes that are logged. Default: [`ServerLimits::default`].
    #[must_use]
    pub fn limits(mut self, limits: ServerLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Faults on purpose of what the server sends: for tests and demonstrations. Default: none. Each session has a seed of its own.
    #[must_use]
    pub fn faults(mut self, plan: FaultPlan) -> Self {
        self.faults = Some(plan);
        self
    }

    /// How many keys are kept by which broadcasts find the node that they are for; the oldest is forgotten, and its broadcasts go to
    /// any node. Default 1,000,000.
    #[must_use]
    pub fn origin_keys_max(mut self, count: usize) -> Self {
        self.origin_keys_max = count;
        self
    }

    /// How many broadcasts may wait for a node that handles them; a further one is refused with
    /// [`BroadcastError::Full`](crate::BroadcastError::Full). Default 100,000.
    #[must_use]
    pub fn broadcasts_waiting_max(mut self, count: usize) -> Self {
        self.broadcasts_waiting_max = count;
        self
    }

    /// Lets plain TCP listen where other machines can reach it. Nothing is encrypted, and nobody proves who he is: for a network that
    /// is your own. Default: [`Self::listen`] refuses.
    #[must_use]
    pub fn insecure_plain_tcp_beyond_loopback(mut self) -> Self {
        self.beyond_loopback = true;
        self
    }

    /// Takes actions that ask for `@persist(disk)` all the same: they are logged in memory. Default: [`Self::listen`] refuses.
    #[must_use]
    pub fn memory_instead_of_disk(mut self) -> Self {
        self.memory_instead_of_disk = true;
        self
    }

    /// Keeps a log on disk in this directory, which is made if there is none: a server that is made again with the same directory goes on
    /// with its sessions, runs what has no answer with [`Call::redelivered`](crate::Call::redelivered), and sends again what was not
    /// guaranteed. One directory belongs to one server. All actions are logged there but those with `@persist(memory)`. Default: a log in
    /// memory.
    ///
    /// Never copy or restore such a directory alone: what was done since it was copied is done again. Beside a completion store
    /// ([`Self::completions`]) a directory that was is refused by name, and what is done in `once` of the store is not done again.
    #[must_use]
    pub fn log(mut self, directory: impl Into<PathBuf>) -> Self {
        self.log.directory = directory.into();
        self
    }

    /// The size of a file of the log on disk, in bytes: 16 KiB to 1 GiB, a multiple of 512. The log takes at least three of them; a
    /// frame may be an eighth of one. Only when a log is made: what is there counts. Default 16 MiB, or eight of the largest frames.
    #[must_use]
    pub fn log_segment_bytes(mut self, bytes: u64) -> Self {
        self.log.segment_bytes = Some(bytes);
        self
    }

    /// Hears each second how far the reading of a long log is. Default: it is traced.
    #[must_use]
    pub fn on_log_progress(mut self, hear: impl Fn(LogProgress) + Send + Sync + 'static) -> Self {
        self.log.on_progress = Some(Arc::new(hear));
        self
    }

    /// Where handlers write completion records, in the transactions of their effects: an action that may have run before does not run
    /// before the store was asked, and what it says is the answer. Default: none; an action whose server died in mid-run runs again, and
    /// [`Call::redelivered`](crate::Call::redelivered) says so.
    #[must_use]
    pub fn completions(mut self, store: impl CompletionStore) -> Self {
        self.completions = Some(Completions(Arc::new(store)));
        self
    }

    /// Goes on once with a log and a database that are not of the same moment: where `listen` was refused with
    /// [`OpenLogError::Restored`](crate::OpenLogError::Restored), which names this number. Calls have their effects in the
    /// database once all the same; what is lost is said in docs/exactly-once.md. The number is of that refusal alone: left in a program,
    /// this accepts no later one. Default: none.
    #[must_use]
    pub fn accept_restored_log(mut self, database_mark: u64) -> Self {
        self.accepted_mark = Some(database_mark);
        self
    }

    /// How often log and completion store get a new mark in common: a backup of the log's directory that is older than that is refused
    /// when it is put back ([`OpenLogError::Restored`](crate::OpenLogError::Restored)); a younger one is not told from the right one. Two
    /// syncs of each. Default 1 hour; each opening does it too.
    #[must_use]
    pub fn log_mark_every(mut self, time: Duration) -> Self {
        self.mark_every = time;
        self
    }

    /// Listens on `tcp://HOST:PORT` (port 0: a free one), or for clients of this process on `thread://NAME`. Without a
    /// log on disk it remembers nothing of an earlier one.
    ///
    /// # Errors
    /// The address makes no sense, is taken, or is open to other machines; the log cannot be used; or there is no service, or two
    /// implementations of one for the same app id.
    pub async fn listen(self, address: &str) -> Result<Server, ListenError> {
        let address: Address = address.parse()?;
        let services = served::put_together(self.services).map_err(ListenError::Services)?;
        let on_disk = services.iter().find_map(|service| service.descriptor.first_on_disk());
        if let Some(action) = on_disk.filter(|_| !(self.memory_instead_of_disk || self.log.is_wanted())) {
            return Err(ListenError::NoDiskLog { action });
        }
        // Before the log is opened: a server that cannot listen begins nothing that is in it.
        let bound = Acceptors::bind(address, self.beyond_loopback).await?;
        let (clock, mut config) = (Clock::start(), self.config);
        let schemas: Vec<Schema> = services.iter().map(|service| service.descriptor.schema()).collect();
        let completions = self.completions.map(|store| store.0);
        let found = if self.log.is_wanted() {
            let belonging = Belonging { completions: completions.as_ref(), accepted: self.accepted_mark };
            Some(open_log(self.log, &config, &self.registry, &services, belonging).await?)
        } else {
            None
        };
        let registry = match &found {
            Some(found) => {
                config.frame_bytes_max = config.frame_bytes_max.min(found.payload_bytes_max);
                Registry::recover(clock.now(), found.epoch, schemas, self.registry, random::bytes(), found.known())
            }
            None => Registry::new(Epoch::in_memory(random::u64()), schemas, self.registry, random::bytes()),
        };
        let (durable, recovered) = found.map(|found| (found.durable, found.recovered)).unzip();
        let hall = Hall {
            registry,
            ports: BTreeMap::new(),
            opened: 0,
            past: Counters::default(),
            is_paused: false,
            is_stopped: false,
        };
        let shared = Arc::new(Shared {
            clock,
            config,
            durable,
            faults: Mutex::new(self.faults),
            services,
            completions,
            hall: Mutex::new(hall),
            router: Mutex::new(Router::new(self.origin_keys_max, self.broadcasts_waiting_max)),
            waiting_broadcasts: AtomicUsize::new(0),
            lost_broadcasts: AtomicUsize::new(0),
            is_on_network: AtomicBool::new(false),
            door: Arc::new(Door::new(self.accept_limits)),
            room: Arc::new(Room::new(self.limits)),
        });
        let server = Server { shared, acceptors: Acceptors::default(), beyond_loopback: self.beyond_loopback };
        server.shared.tend_log();
        server.shared.mark_log(self.mark_every);
        if let Some(recovered) = recovered {
            server.shared.go_on(recovered);
        }
        server.acceptors.accept(&server.shared, bound);
        Ok(server)
    }
}

/// Opens the log on disk, and looks whether all that was accepted can be done.
async fn open_log(
    log: Opening,
    config: &Config,
    registry: &RegistryConfig,
    services: &[Served],
    belonging: Belonging<'_>,
) -> Result<Found, ListenError> {
    let directory = log.directory.display().to_string();
    let found = Found::open(log, config.frame_bytes_max, registry, belonging).await?;
    let names: Vec<&str> = services.iter().map(|service| service.descriptor.name).collect();
    match found.service_that_is_not_among(&names) {
        Some(service) => Err(ListenError::ServiceMissing { directory, service: service.to_owned() }),
        None => Ok(found),
    }
}
