//! How a server begins.

use std::fmt;
use std::sync::{Arc, Mutex};

use rpcgen_proto::config::Config;
use rpcgen_proto::faults::FaultPlan;
use rpcgen_proto::ids::Epoch;
use rpcgen_proto::server::{Registry, RegistryConfig};
use tokio::sync::{Notify, Semaphore};

use super::dispatch::Service;
use super::routing::Routing;
use super::{Server, Shared};
use crate::driver::clock::Clock;
use crate::error::ListenError;
use crate::random;

/// Links that have not said hello yet.
const HALF_OPEN_MAX: usize = 256;
/// Links that are up.
const LIVE_MAX: usize = 10_000;
/// Origins that broadcasts are routed by.
const ORIGINS_MAX: usize = 1_000_000;
/// Broadcasts that wait for a node.
const WAITING_BROADCASTS_MAX: usize = 100_000;

/// Settings of a server, all with defaults.
pub struct ServerBuilder {
    services: Vec<Service>,
    config: Config,
    registry: RegistryConfig,
    faults: Option<FaultPlan>,
    beyond_loopback: bool,
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerBuilder")
            .field("services", &self.services)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Default for ServerBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ServerBuilder {
    /// The defaults, and no service.
    #[must_use]
    pub fn new() -> Self {
        Self {
            services: Vec::new(),
            config: Config::default(),
            registry: RegistryConfig::default(),
            faults: None,
            beyond_loopback: false,
        }
    }

    /// Serves a service. Several may be served on one address.
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

    /// How many sessions there may be, and what is kept of those that ended.
    #[must_use]
    pub fn registry(mut self, config: RegistryConfig) -> Self {
        self.registry = config;
        self
    }

    /// Faults on purpose, of what this end sends. Off unless asked for.
    #[must_use]
    pub fn faults(mut self, plan: FaultPlan) -> Self {
        self.faults = Some(plan).filter(|plan| !plan.is_none());
        self
    }

    /// Lets plain TCP listen where other machines can reach it. What travels is then neither secret nor authenticated: anybody can read
    /// it, change it, and call.
    #[must_use]
    pub fn insecure_plain_tcp_beyond_loopback(mut self) -> Self {
        self.beyond_loopback = true;
        self
    }

    /// Listens on `tcp://HOST:PORT` (port 0: a free one) or `thread://NAME`.
    ///
    /// # Errors
    /// The address makes no sense, is taken, or is plain TCP that others than this machine could reach.
    pub async fn listen(self, address: &str) -> Result<Server, ListenError> {
        let names = self
            .services
            .iter()
            .map(|service| (service.descriptor.name.to_owned(), service.descriptor.fingerprint))
            .collect();
        let shared = Arc::new(Shared {
            registry: Mutex::new(Registry::new(Epoch(random::u64()), names, self.registry, random::key())),
            services: self.services,
            config: self.config.normalized(),
            clock: Clock::start(),
            faults: self.faults,
            beyond_loopback: self.beyond_loopback,
            sessions: Mutex::default(),
            routing: Mutex::new(Routing::new(ORIGINS_MAX, WAITING_BROADCASTS_MAX)),
            half_open: Arc::new(Semaphore::new(HALF_OPEN_MAX)),
            live: Arc::new(Semaphore::new(LIVE_MAX)),
            past: Mutex::default(),
            session_ended: Notify::new(),
            links_opened: Mutex::new(0),
        });
        let mut server = Server { shared, addresses: Vec::new(), listeners: Vec::new() };
        server.listen_also(address).await?;
        Ok(server)
    }
}
