//! Makes a server.
//!
//! Knows: the choices that its user has. Does not know: how the server then lives.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};

use rpcgen_proto::config::Config;
use rpcgen_proto::faults::FaultPlan;
use rpcgen_proto::ids::Epoch;
use rpcgen_proto::server::{Registry, RegistryConfig};

use super::accept::{AcceptLimits, Acceptors, Door};
use super::routing::Router;
use super::session::Counters;
use super::{Hall, Server, Service, Shared};
use crate::driver::address::Address;
use crate::driver::clock::Clock;
use crate::error::ListenError;
use crate::random;

/// Keys by which broadcasts find their nodes, unless told otherwise.
const ORIGIN_KEYS_MAX: usize = 1_000_000;
/// Broadcasts that wait for a node, unless told otherwise.
const BROADCASTS_WAITING_MAX: usize = 100_000;

/// Makes a server.
#[derive(Debug)]
pub struct ServerBuilder {
    services: Vec<Service>,
    config: Config,
    registry: RegistryConfig,
    limits: AcceptLimits,
    faults: Option<FaultPlan>,
    origin_keys_max: usize,
    broadcasts_waiting_max: usize,
    beyond_loopback: bool,
    memory_instead_of_disk: bool,
}

impl ServerBuilder {
    pub(super) fn new() -> Self {
        Self {
            services: Vec::new(),
            config: Config::default(),
            registry: RegistryConfig::default(),
            limits: AcceptLimits::default(),
            faults: None,
            origin_keys_max: ORIGIN_KEYS_MAX,
            broadcasts_waiting_max: BROADCASTS_WAITING_MAX,
            beyond_loopback: false,
            memory_instead_of_disk: false,
        }
    }

    /// Adds a service: what the `server` function of its generated module returns. One port serves them all.
    #[must_use]
    pub fn serve(mut self, service: Service) -> Self {
        self.services.push(service);
        self
    }

    /// Limits and times of the sessions.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// How many sessions there may be, and what is kept of those that expired.
    #[must_use]
    pub fn registry(mut self, config: RegistryConfig) -> Self {
        self.registry = config;
        self
    }

    /// How many links there may be.
    #[must_use]
    pub fn accept_limits(mut self, limits: AcceptLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Faults on purpose of what the server sends: for tests and demonstrations. Each session has a seed of its own.
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

    /// How many broadcasts may wait for a node that handles them. Default 100,000.
    #[must_use]
    pub fn broadcasts_waiting_max(mut self, count: usize) -> Self {
        self.broadcasts_waiting_max = count;
        self
    }

    /// Lets plain TCP listen where other machines can reach it. Nothing is encrypted, and nobody proves who he is: for a network that
    /// is your own.
    #[must_use]
    pub fn insecure_plain_tcp_beyond_loopback(mut self) -> Self {
        self.beyond_loopback = true;
        self
    }

    /// Takes actions that ask for `@persist(disk)` all the same: they are logged in memory.
    #[must_use]
    pub fn memory_instead_of_disk(mut self) -> Self {
        self.memory_instead_of_disk = true;
        self
    }

    /// Listens on `tcp://HOST:PORT` (port 0: a free one), or for clients of this process on `thread://NAME`. The server begins a new
    /// epoch: it remembers nothing of an earlier one.
    ///
    /// # Errors
    /// The address makes no sense, is taken, or is open to other machines; or there are two services of one name, or none.
    pub async fn listen(self, address: &str) -> Result<Server, ListenError> {
        let address: Address = address.parse()?;
        self.check_services()?;
        let on_disk = self.services.iter().find_map(|service| service.descriptor.first_on_disk());
        if let Some(action) = on_disk.filter(|_| !self.memory_instead_of_disk) {
            return Err(ListenError::NoDiskLog { action });
        }
        let names =
            self.services.iter().map(|service| (service.descriptor.name.to_owned(), service.descriptor.fingerprint));
        let registry = Registry::new(Epoch(random::u64()), names.collect(), self.registry, random::bytes());
        let hall = Hall {
            registry,
            ports: BTreeMap::new(),
            opened: 0,
            past: Counters::default(),
            is_paused: false,
            is_stopped: false,
        };
        let shared = Arc::new(Shared {
            clock: Clock::start(),
            config: self.config,
            faults: self.faults,
            services: self.services,
            hall: Mutex::new(hall),
            router: Mutex::new(Router::new(self.origin_keys_max, self.broadcasts_waiting_max)),
            waiting_broadcasts: AtomicUsize::new(0),
            is_on_network: AtomicBool::new(false),
            door: Arc::new(Door::new(self.limits)),
        });
        let server = Server { shared, acceptors: Acceptors::default(), beyond_loopback: self.beyond_loopback };
        server.acceptors.listen(&server.shared, address, server.beyond_loopback).await?;
        Ok(server)
    }

    fn check_services(&self) -> Result<(), ListenError> {
        if self.services.is_empty() {
            return Err(ListenError::Services(
                "a server without a service: add one with `ServerBuilder::serve`".to_owned(),
            ));
        }
        for (index, service) in self.services.iter().enumerate() {
            let name = service.descriptor.name;
            if self.services.iter().skip(index + 1).any(|other| other.descriptor.name == name) {
                return Err(ListenError::Services(format!("the service `{name}` is served twice")));
            }
        }
        Ok(())
    }
}
