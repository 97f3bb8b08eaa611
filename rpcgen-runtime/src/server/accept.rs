//! From a connection to a session: who may come in, and which session a link belongs to.
//!
//! Knows: listeners, hellos, how many links there may be. Does not know: what a session does with its link.

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use rpcgen_proto::frame::{Close, Hello, LinkFrame, Reject};
use rpcgen_proto::ids::{ClientId, SessionId};
use rpcgen_proto::server::Admission;
use rpcgen_proto::session::{Opening, ServerSession};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::session::{Command, Counters, Port, Resident, SessionTask};
use super::{Hall, Shared};
use crate::carried::Carried;
use crate::driver::address::{Address, is_loopback_only};
use crate::driver::inbox::{Inbox, lock};
use crate::driver::link::Link;
use crate::driver::threads::ThreadListener;
use crate::error::ListenError;

/// From the connection to the hello, in all.
const HELLO_WITHIN: Duration = Duration::from_secs(5);
/// How long a listener rests after the system refused it a connection (mostly: no file descriptor is free).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How many links a server may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcceptLimits {
    /// Links at once. Default 10,000. Beyond, a newcomer is turned away; nobody who is here is.
    pub links_max: usize,
    /// Links that have not said their hello. Default 256.
    pub half_open_max: usize,
    /// The same, of one address that is not loopback. Default 64.
    pub half_open_per_address_max: usize,
}

impl Default for AcceptLimits {
    fn default() -> Self {
        Self { links_max: 10_000, half_open_max: 256, half_open_per_address_max: 64 }
    }
}

/// Counts who comes in.
#[derive(Debug)]
pub(super) struct Door {
    limits: AcceptLimits,
    live: Arc<Semaphore>,
    half_open: Mutex<HalfOpen>,
    refused: AtomicU64,
}

#[derive(Debug, Default)]
struct HalfOpen {
    count: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Door {
    pub(super) fn new(limits: AcceptLimits) -> Self {
        let live = Arc::new(Semaphore::new(limits.links_max.min(Semaphore::MAX_PERMITS)));
        Self { limits, live, half_open: Mutex::default(), refused: AtomicU64::new(0) }
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn note_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets a link in that has not said its hello; `None`: there are too many.
    fn enter(self: &Arc<Self>, address: Option<IpAddr>) -> Option<HalfOpenGuard> {
        // Whoever is on this machine can do worse than that.
        let address = address.map(|address| address.to_canonical()).filter(|address| !address.is_loopback());
        let mut half_open = lock(&self.half_open);
        let of_address = address.map_or(0, |address| half_open.by_address.get(&address).copied().unwrap_or(0));
        if half_open.count >= self.limits.half_open_max || of_address >= self.limits.half_open_per_address_max {
            return None;
        }
        half_open.count += 1;
        if let Some(address) = address {
            half_open.by_address.insert(address, of_address + 1);
        }
        Some(HalfOpenGuard { door: Arc::clone(self), address })
    }
}

/// One link that has not said its hello.
struct HalfOpenGuard {
    door: Arc<Door>,
    address: Option<IpAddr>,
}

impl Drop for HalfOpenGuard {
    fn drop(&mut self) {
        let mut half_open = lock(&self.door.half_open);
        half_open.count -= 1;
        if let Some(address) = self.address
            && let Some(count) = half_open.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                half_open.by_address.remove(&address);
            }
        }
    }
}

/// An address that was taken.
pub(super) struct Bound {
    /// With the real port.
    address: String,
    listener: Listener,
}

enum Listener {
    Tcp(TcpListener),
    Threads(ThreadListener),
}

/// The listeners of one server.
#[derive(Debug, Default)]
pub(super) struct Acceptors {
    running: Mutex<Vec<Acceptor>>,
}

#[derive(Debug)]
struct Acceptor {
    address: String,
    task: JoinHandle<()>,
}

impl Acceptors {
    pub(super) fn addresses(&self) -> Vec<String> {
        lock(&self.running).iter().map(|acceptor| acceptor.address.clone()).collect()
    }

    /// Begins to accept.
    pub(super) fn accept(&self, shared: &Arc<Shared>, bound: Bound) -> String {
        let address = bound.address;
        let task = match bound.listener {
            Listener::Tcp(listener) => {
                shared.is_on_network.store(true, Ordering::Relaxed);
                tokio::spawn(accept_tcp(Arc::clone(shared), listener))
            }
            Listener::Threads(listener) => tokio::spawn(accept_threads(Arc::clone(shared), listener)),
        };
        lock(&self.running).push(Acceptor { address: address.clone(), task });
        address
    }

    /// Takes an address. Nobody who comes is accepted before [`Self::accept`].
    pub(super) async fn bind(address: Address, beyond_loopback: bool) -> Result<Bound, ListenError> {
        let failed = |source| ListenError::Io { address: address.to_string(), source };
        Ok(match &address {
            Address::Tcp { authority } => {
                let wanted: Vec<SocketAddr> = tokio::net::lookup_host(authority).await.map_err(failed)?.collect();
                if !beyond_loopback && !is_loopback_only(&wanted) {
                    return Err(ListenError::BeyondLoopback { address: address.to_string() });
                }
                let listener = TcpListener::bind(wanted.as_slice()).await.map_err(failed)?;
                let address = format!("tcp://{}", listener.local_addr().map_err(failed)?);
                Bound { address, listener: Listener::Tcp(listener) }
            }
            Address::Thread { name } => {
                let listener = ThreadListener::bind(name).map_err(failed)?;
                Bound { address: address.to_string(), listener: Listener::Threads(listener) }
            }
        })
    }

    /// Stops listening. The addresses are free soon after.
    pub(super) fn abort(&self) {
        for acceptor in lock(&self.running).drain(..) {
            acceptor.task.abort();
        }
    }

    /// Stops listening, and waits until the addresses are free.
    pub(super) async fn close(&self) {
        let running: Vec<Acceptor> = lock(&self.running).drain(..).collect();
        for acceptor in running {
            acceptor.task.abort();
            // It ends as aborted, which is what was asked for.
            let _ = acceptor.task.await;
        }
    }
}

async fn accept_tcp(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => shared.let_in_tcp(stream, peer),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn accept_threads(shared: Arc<Shared>, mut listener: ThreadListener) {
    while let Ok(link) = listener.accept().await {
        let Ok(permit) = Arc::clone(&shared.door.live).try_acquire_owned() else {
            shared.door.note_refused();
            continue;
        };
        shared.let_in(Link::from_threads(link, permit), None);
    }
}

impl Shared {
    fn let_in_tcp(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let Ok(permit) = Arc::clone(&self.door.live).try_acquire_owned() else {
            tracing::warn!(%peer, "as many links as may be: a connection is turned away");
            return self.door.note_refused();
        };
        match Link::from_tcp(stream, peer, permit) {
            Ok(link) => self.let_in(link, Some(peer.ip())),
            Err(error) => tracing::debug!(%peer, %error, "a connection broke at once"),
        }
    }

    fn let_in(self: &Arc<Self>, link: Link, address: Option<IpAddr>) {
        let Some(guard) = self.door.enter(address) else {
            tracing::warn!(peer = link.peer(), "as many half-open links as may be: a connection is turned away");
            return self.door.note_refused();
        };
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            shared.greet(link).await;
            drop(guard);
        });
    }

    /// Reads the hello and finds the link's session.
    async fn greet(self: Arc<Self>, mut link: Link) {
        let hello = tokio::time::timeout(HELLO_WITHIN, poll_fn(|cx| link.poll_receive(cx))).await;
        let why = match hello {
            Ok(Ok(LinkFrame::Hello(hello))) => return self.admit(link, *hello).await,
            Ok(Ok(_)) => "a link begins with a hello".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no hello came in time".to_owned(),
        };
        self.door.note_refused();
        tracing::debug!(peer = link.peer(), why, "a link is turned away");
        close_with(link, &why).await;
    }

    async fn admit(self: Arc<Self>, link: Link, hello: Hello) {
        let Some((reject, mut link)) = self.place(link, hello) else { return };
        self.door.note_refused();
        tracing::info!(peer = link.peer(), reason = ?reject.reason, "a client is refused: {}", reject.message);
        link.transmit(LinkFrame::Reject(reject));
        // A reject may be large: as long as it is here, its link is one of those that the limits count.
        link.close_slowly().await;
    }

    /// Gives the link to its session, or back with the reason why not.
    fn place(self: &Arc<Self>, link: Link, hello: Hello) -> Option<(Reject, Link)> {
        let mut hall = lock(&self.hall);
        if hall.is_stopped {
            return None;
        }
        match hall.registry.admit(self.clock.now(), hello) {
            Admission::Open(opening) => self.open(hall, *opening, link),
            Admission::Resume(session, hello) => {
                if let Some(port) = hall.ports.get(&session) {
                    // A session that has just ended drops the link; its client comes again and is told.
                    let _ = port.inbox.push(Command::Link(link, hello));
                }
            }
            Admission::Restart(opening) => {
                if let Some(port) = hall.ports.get(&opening.session) {
                    let _ = port.inbox.push(Command::Restart(link, opening));
                }
            }
            Admission::Reject(reject) => return Some((reject, link)),
        }
        None
    }

    /// Begins a session.
    fn open(self: &Arc<Self>, mut hall: MutexGuard<'_, Hall>, opening: Opening<Carried>, link: Link) {
        // The registry admits only to services that it was told of.
        let Some(service) = self.service_index(&opening.hello.service) else { return };
        if let Some(replaced) = opening.replaces.and_then(|session| hall.ports.remove(&session)) {
            hall.past.add(&lock(&replaced.counters));
            let _ = replaced.inbox.push(Command::Replaced);
        }
        let owner = (opening.hello.client, opening.hello.incarnation);
        let records = self.durable.as_ref().map(|durable| durable.open_session(owner.0, owner.1));
        let (port, number) = self.new_port(&mut hall, opening.session, owner.0, service);
        drop(hall);
        self.open_route(&port, &opening.hello);
        let is_reliable = lock(&self.faults).is_none_or(|plan| plan.is_none());
        let config = self.config_of(service);
        let core = ServerSession::open(self.clock.now(), config, opening, is_reliable);
        tokio::spawn(Resident::new(SessionTask::new(Arc::clone(self), port, core, Some(link), records, number)));
    }

    /// The door of a session that begins, and the how manyth session of the server it is.
    pub(super) fn new_port(
        &self,
        hall: &mut Hall,
        session: SessionId,
        client: ClientId,
        service: usize,
    ) -> (Arc<Port>, u64) {
        let (inbox, counters) = (Inbox::new(), Mutex::new(Counters::default()));
        let logged = self.room.share_of_logged();
        let port = Arc::new(Port { session, client, service, inbox, counters, logged });
        hall.ports.insert(session, Arc::clone(&port));
        hall.opened += 1;
        if hall.is_paused {
            let _ = port.inbox.push(Command::PauseBusiness(true));
        }
        (port, hall.opened)
    }
}

async fn close(link: Link) {
    let mut link = Some(link);
    poll_fn(|cx| {
        if let Some(link) = link.take() {
            link.close(cx);
        }
        Poll::Ready(())
    })
    .await;
}

async fn close_with(mut link: Link, message: &str) {
    link.transmit(LinkFrame::Close(Close { message: message.to_owned() }));
    close(link).await;
}
