//! How a client begins.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpcgen_proto::config::Config;
use rpcgen_proto::faults::FaultPlan;
use rpcgen_proto::ids::{ClientId, Incarnation};
use rpcgen_proto::session::{ClientIdentity, ClientSession};
use tokio::sync::oneshot;

use super::broadcasts::BroadcastHandlers;
use super::task::{self, Task};
use super::{Client, ClientStats, Shared};
use crate::contract::Stub;
use crate::driver::address::Address;
use crate::driver::inbox::Inbox;
use crate::error::ConnectError;
use crate::random;

/// Settings of a client, all with defaults.
pub struct ClientBuilder<S> {
    config: Config,
    handlers: BroadcastHandlers,
    faults: Option<FaultPlan>,
    connect_within: Duration,
    lazily: bool,
    stub: PhantomData<fn() -> S>,
}

impl<S> fmt::Debug for ClientBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("config", &self.config)
            .field("handlers", &self.handlers)
            .finish_non_exhaustive()
    }
}

impl<S: Stub> Default for ClientBuilder<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Stub> ClientBuilder<S> {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            config: Config::default(),
            handlers: BroadcastHandlers::default(),
            faults: None,
            connect_within: Duration::from_secs(10),
            lazily: false,
            stub: PhantomData,
        }
    }

    /// Limits and times of the session.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Which broadcasts this node handles. What has no handler is never sent here.
    #[must_use]
    pub fn broadcasts(mut self, handlers: impl Into<BroadcastHandlers>) -> Self {
        self.handlers = handlers.into();
        self
    }

    /// Faults on purpose, of what this end sends. Off unless asked for.
    #[must_use]
    pub fn faults(mut self, plan: FaultPlan) -> Self {
        self.faults = Some(plan);
        self
    }

    /// How long [`Self::connect`] waits for the first welcome. Default 10 s.
    #[must_use]
    pub fn connect_within(mut self, limit: Duration) -> Self {
        self.connect_within = limit;
        self
    }

    /// Does not wait for a server: calls are accepted from the beginning, and delivered when one is there.
    #[must_use]
    pub fn connect_lazily(mut self) -> Self {
        self.lazily = true;
        self
    }

    /// Connects to `tcp://HOST:PORT` or `thread://NAME`, and goes on doing so whenever the link is lost.
    ///
    /// # Errors
    /// The address makes no sense, the server refuses this client for good, or no welcome came in time; the client has then stopped.
    pub async fn connect(self, address: &str) -> Result<S, ConnectError> {
        let parsed: Address = address.parse()?;
        let identity = ClientIdentity {
            client: ClientId(random::u128()),
            incarnation: Incarnation(random::u64()),
            service: S::SERVICE.name.to_owned(),
            fingerprint: S::SERVICE.fingerprint,
            broadcasts: self.handlers.methods(),
        };
        let shared = Arc::new(Shared {
            inbox: Inbox::new(),
            service: S::SERVICE,
            in_process: matches!(parsed, Address::Thread { .. }),
            stats: Mutex::new(ClientStats::default()),
            last_trouble: Mutex::new(String::new()),
        });
        let session = ClientSession::new(self.config, identity, random::u64());
        let (first_link, linked) = oneshot::channel();
        let task = Task::new(Arc::clone(&shared), session, self.handlers, parsed, self.faults, first_link);
        tokio::spawn(task.run());
        let client = Client::new(shared);
        if self.lazily {
            return Ok(S::from_client(client));
        }
        match tokio::time::timeout(self.connect_within, linked).await {
            Ok(Ok(task::FirstLink::Up)) => Ok(S::from_client(client)),
            Ok(Ok(task::FirstLink::Rejected(reject))) => {
                Err(ConnectError::Rejected { address: address.to_owned(), reject })
            }
            Ok(Err(_)) | Err(_) => {
                let last = client.last_trouble();
                Err(ConnectError::Timeout { address: address.to_owned(), within: self.connect_within, last })
            }
        }
    }
}
