//! Makes a client.
//!
//! Knows: the choices that a caller has. Does not know: how the client then lives.

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpcgen_proto::config::{Config, Durable, HANDSHAKE_BYTES_MAX};
use rpcgen_proto::faults::FaultPlan;
use rpcgen_proto::frame::{FrameCodec, Hello, LinkFrame, PROTOCOL_VERSION, Resume};
use rpcgen_proto::ids::{CallNumber, ClientId, Epoch, Incarnation, LinkNumber, MethodId, Position, SessionId};
use rpcgen_proto::record::Life;
use rpcgen_proto::session::{ClientIdentity, ClientSession};
use tokio::sync::oneshot;

use super::found::{Found, Left};
use super::task::{ClientTask, Parts};
use super::{BroadcastHandlers, Client, ClientHandle, ClientStats, Shared};
use crate::carried::Carried;
use crate::contract::Stub;
use crate::driver::address::Address;
use crate::driver::clock::Clock;
use crate::driver::inbox::{Inbox, lock};
use crate::durable::{LogProgress, Opening};
use crate::error::ConnectError;
use crate::random;

/// How long `connect` waits for the first welcome, unless told otherwise.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How the first welcome went.
type Greeted = oneshot::Receiver<Result<(), rpcgen_proto::frame::Reject>>;

/// Connects a client of the service whose stub is `S`.
pub struct ClientBuilder<S> {
    config: Config,
    broadcasts: BroadcastHandlers,
    faults: Option<FaultPlan>,
    /// `None`: lazily.
    connect_within: Option<Duration>,
    memory_instead_of_disk: bool,
    log: Opening,
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
            log: Opening::default(),
            stub: PhantomData,
        }
    }

    /// Limits and times of the session. Default: [`Config::default`]; each field says its unit, and what too low and too high do.
    #[must_use]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The broadcasts that this node handles. Default: none; what has no handler is never sent here.
    #[must_use]
    pub fn broadcasts(mut self, handlers: impl Into<BroadcastHandlers>) -> Self {
        self.broadcasts = handlers.into();
        self
    }

    /// Faults on purpose of what this client sends: for tests and demonstrations. Default: none.
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

    /// [`Self::connect`] returns at once, and cannot say that nobody is there; calls are accepted and wait in the log until a server is
    /// there. Default: it waits for a welcome.
    #[must_use]
    pub fn connect_lazily(mut self) -> Self {
        self.connect_within = None;
        self
    }

    /// Takes actions that ask for `@persist(disk)` all the same: they are logged in memory. Default: [`Self::connect`] refuses.
    #[must_use]
    pub fn memory_instead_of_disk(mut self) -> Self {
        self.memory_instead_of_disk = true;
        self
    }

    /// Keeps a log on disk in this directory, which is made if there is none: what is accepted survives this process, and a client that is
    /// made again with the same directory goes on with it ([`Client::recovered`]). One directory belongs to one client of one service.
    /// All actions are logged there but those with `@persist(memory)`. Default: a log in memory.
    ///
    /// The directory is the client's identity. Never copy or restore one: the server refuses the copy that comes second.
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

    /// Connects to `tcp://HOST:PORT`, or to a server of this process at `thread://NAME`. From then on the client reconnects by
    /// itself, until it is disconnected or a server refuses it for good.
    ///
    /// # Errors
    /// The address makes no sense, the log cannot be used, no server greeted in time, or it refused for good.
    pub async fn connect(self, address: &str) -> Result<S, ConnectError> {
        let address: Address = address.parse()?;
        if let Some(action) =
            S::SERVICE.first_on_disk().filter(|_| !(self.memory_instead_of_disk || self.log.is_wanted()))
        {
            return Err(ConnectError::NoDiskLog { action });
        }
        self.check_hello()?;
        let within = self.connect_within;
        let (client, greeted) = self.start(address.clone()).await?;
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

    /// A server reads only so much of a client that it does not know.
    fn check_hello(&self) -> Result<(), ConnectError> {
        let broadcasts = self.broadcasts.methods();
        let count = broadcasts.len();
        let bytes = hello_bytes_max(S::SERVICE.name, broadcasts);
        if bytes > HANDSHAKE_BYTES_MAX {
            return Err(ConnectError::HelloTooLarge { broadcasts: count, bytes, limit: HANDSHAKE_BYTES_MAX });
        }
        Ok(())
    }

    async fn start(mut self, address: Address) -> Result<(Client, Greeted), ConnectError> {
        let opening = std::mem::take(&mut self.log);
        let found = if opening.is_wanted() {
            Some(Found::open(opening, self.config.frame_bytes_max, S::SERVICE.name).await?)
        } else {
            None
        };
        let identity = ClientIdentity {
            client: found.as_ref().map_or_else(|| ClientId(random::u128()), Found::client),
            incarnation: Incarnation(if found.is_some() { 0 } else { random::u64() }),
            life: found.as_ref().map_or(Life(0), |found| found.life),
            service: S::SERVICE.name.to_owned(),
            fingerprint: S::SERVICE.fingerprint,
            // Between threads messages are handed over as they are.
            shape: (!address.is_in_process()).then_some(S::SERVICE.shape),
            broadcasts: self.broadcasts.methods(),
        };
        if let Some(found) = &found {
            self.config.durable = Some(Durable { volatile: S::SERVICE.volatile() });
            self.config.frame_bytes_max = self.config.frame_bytes_max.min(found.payload_bytes_max);
        }
        Ok(self.begin(address, identity, found))
    }

    fn begin(self, address: Address, identity: ClientIdentity, found: Option<Found>) -> (Client, Greeted) {
        let clock = Clock::start();
        let (config, log) = (self.config.clone(), found.as_ref().map(Found::log));
        let (client, incarnation) = (identity.client, identity.incarnation);
        let (session, left) = match found {
            Some(found) => found.session(clock.now(), config, identity),
            None => (ClientSession::new(config, identity, random::u64()), Left::default()),
        };
        let shared = Arc::new(Shared {
            service: S::SERVICE,
            client,
            incarnation,
            recovered: Mutex::new(left.cells()),
            stats: Mutex::new(ClientStats::default()),
            clock,
            last_error: Mutex::new("no attempt has ended yet".to_owned()),
        });
        let inbox = Arc::new(Inbox::new());
        let in_process = address.is_in_process();
        let (greeted, when_greeted) = oneshot::channel();
        let parts = Parts {
            session,
            left,
            service: S::SERVICE,
            config: self.config,
            broadcasts: self.broadcasts,
            faults: self.faults,
            address,
            inbox: Arc::clone(&inbox),
            shared: Arc::clone(&shared),
            greeted,
        };
        tokio::spawn(ClientTask::new(parts));
        (Client { handle: Arc::new(ClientHandle { inbox, shared, in_process, log }) }, when_greeted)
    }
}

/// The size of the largest hello that a client of this service may have to say.
fn hello_bytes_max(service: &str, broadcasts: Vec<MethodId>) -> usize {
    let resume = Resume {
        session: SessionId(u64::MAX),
        epoch: Epoch(u64::MAX),
        proof: [u8::MAX; 32],
        down_expected: Position(u64::MAX),
        sent_below: CallNumber(u64::MAX),
    };
    let hello = Hello {
        version: PROTOCOL_VERSION,
        service: service.to_owned(),
        fingerprint: u64::MAX,
        client: ClientId(u128::MAX),
        incarnation: Incarnation(u64::MAX),
        life: Life(u64::MAX),
        link: LinkNumber(u64::MAX),
        reliable_ordered: true,
        nonce: u64::MAX,
        resume: Some(resume),
        retired_below: CallNumber(u64::MAX),
        broadcasts,
    };
    let mut bytes = Vec::new();
    FrameCodec::handshake().encode(&LinkFrame::<Carried>::Hello(Box::new(hello)), &mut bytes);
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hello_of_a_node_that_handles_a_thousand_broadcasts_fits_and_of_one_that_handles_two_thousand_does_not() {
        let bytes_of = |count| hello_bytes_max("bank.Bank", (0..count).map(MethodId).collect());
        assert!(bytes_of(1_000) <= HANDSHAKE_BYTES_MAX, "{}", bytes_of(1_000));
        assert!(bytes_of(2_000) > HANDSHAKE_BYTES_MAX, "{}", bytes_of(2_000));
    }
}
