//! Makes a client.
//!
//! Knows: the choices that a caller has. Does not know: how the client then lives.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpcgen_proto::config::Config;
use rpcgen_proto::faults::FaultPlan;
use rpcgen_proto::ids::{ClientId, Incarnation};
use rpcgen_proto::session::{ClientIdentity, ClientSession};
use tokio::sync::oneshot;

use super::task::{ClientTask, Parts};
use super::{BroadcastHandlers, Client, ClientHandle, ClientStats, Shared};
use crate::contract::Stub;
use crate::driver::address::Address;
use crate::driver::inbox::{Inbox, lock};
use crate::error::ConnectError;
use crate::random;

/// How long `connect` waits for the first welcome, unless told otherwise.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// Connects a client of the service whose stub is `S`.
pub struct ClientBuilder<S> {
    config: Config,
    broadcasts: BroadcastHandlers,
    faults: Option<FaultPlan>,
    /// `None`: lazily.
    connect_within: Option<Duration>,
    memory_instead_of_disk: bool,
    stub: PhantomData<fn() -> S>,
}

impl<S> fmt::Debug for ClientBuilder<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}

impl<S: Stub> Default for ClientBuilder<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Stub> ClientBuilder<S> {
    /// With the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self {
            config: Config::default(),
            broadcasts: BroadcastHandlers::default(),
            faults: None,
            connect_within: Some(CONNECT_WITHIN),
            memory_instead_of_disk: false,
            stub: PhantomData,
        }
    }

    /// Limits and times of the session.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The broadcasts that this node handles.
    #[must_use]
    pub fn broadcasts(mut self, handlers: impl Into<BroadcastHandlers>) -> Self {
        self.broadcasts = handlers.into();
        self
    }

    /// Faults on purpose of what this client sends: for tests and demonstrations.
    #[must_use]
    pub fn faults(mut self, plan: FaultPlan) -> Self {
        self.faults = Some(plan);
        self
    }

    /// How long [`Self::connect`] waits for the first welcome. Default 10 s.
    #[must_use]
    pub fn connect_within(mut self, limit: Duration) -> Self {
        self.connect_within = Some(limit);
        self
    }

    /// [`Self::connect`] returns at once; calls are accepted and wait in the log until a server is there.
    #[must_use]
    pub fn connect_lazily(mut self) -> Self {
        self.connect_within = None;
        self
    }

    /// Takes actions that ask for `@persist(disk)` all the same: they are logged in memory.
    #[must_use]
    pub fn memory_instead_of_disk(mut self) -> Self {
        self.memory_instead_of_disk = true;
        self
    }

    /// Connects to `tcp://HOST:PORT`, or to a server of this process at `thread://NAME`. From then on the client reconnects by
    /// itself, until it is disconnected or a server refuses it for good.
    ///
    /// # Errors
    /// The address makes no sense, no server greeted in time, or it refused for good.
    pub async fn connect(self, address: &str) -> Result<S, ConnectError> {
        let address: Address = address.parse()?;
        if let Some(action) = S::SERVICE.first_on_disk().filter(|_| !self.memory_instead_of_disk) {
            return Err(ConnectError::NoDiskLog { action });
        }
        let within = self.connect_within;
        let (client, greeted) = self.start(address.clone());
        let Some(within) = within else { return Ok(S::from_client(client)) };
        match tokio::time::timeout(within, greeted).await {
            Ok(Ok(Ok(()))) => Ok(S::from_client(client)),
            Ok(Ok(Err(reject))) => Err(ConnectError::Rejected { address: address.to_string(), reject }),
            // Late, or the task ended with its runtime.
            Ok(Err(_)) | Err(_) => {
                let last = lock(&client.handle.shared.last_error).clone();
                Err(ConnectError::Timeout { address: address.to_string(), within, last })
            }
        }
    }

    fn start(self, address: Address) -> (Client, oneshot::Receiver<Result<(), rpcgen_proto::frame::Reject>>) {
        let identity = ClientIdentity {
            client: ClientId(random::u128()),
            incarnation: Incarnation(random::u64()),
            service: S::SERVICE.name.to_owned(),
            fingerprint: S::SERVICE.fingerprint,
            broadcasts: self.broadcasts.methods(),
        };
        let shared = Arc::new(Shared {
            service: S::SERVICE,
            client: identity.client,
            incarnation: identity.incarnation,
            stats: Mutex::new(ClientStats::default()),
            last_error: Mutex::new("no attempt has ended yet".to_owned()),
        });
        let inbox = Arc::new(Inbox::new());
        let in_process = matches!(address, Address::Thread { .. });
        let (greeted, when_greeted) = oneshot::channel();
        let parts = Parts {
            session: ClientSession::new(self.config, identity, random::u64()),
            service: S::SERVICE,
            broadcasts: self.broadcasts,
            faults: self.faults,
            address,
            inbox: Arc::clone(&inbox),
            shared: Arc::clone(&shared),
            greeted,
        };
        tokio::spawn(ClientTask::new(parts));
        (Client { handle: Arc::new(ClientHandle { inbox, shared, in_process }) }, when_greeted)
    }
}
