//! From a listener to a session: accept, hello, admission.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpcgen_proto::frame::{LinkFrame, Reject, RejectReason};
use rpcgen_proto::server::Admission;
use tokio::net::TcpListener;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinHandle;

use super::Shared;
use super::session::{SessionCommand, SessionHandle, SessionStats, SessionTask};
use crate::driver::address::{Address, is_loopback_only};
use crate::driver::inbox::{Inbox, lock};
use crate::driver::link::{Link, LinkError};
use crate::driver::threads::ThreadListener;
use crate::error::ListenError;

/// From accept to hello, in all: who dribbles is closed.
const HELLO_WITHIN: Duration = Duration::from_secs(5);
/// After an accept that failed (out of file descriptors, mostly) the next one waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Listens, and returns the real address and the task that accepts.
pub(super) async fn listen(server: &Arc<Shared>, address: &str) -> Result<(String, JoinHandle<()>), ListenError> {
    let parsed: Address = address.parse()?;
    let failed = |source: io::Error| ListenError::Io { address: address.to_owned(), source };
    match parsed {
        Address::Tcp { authority } => {
            let targets: Vec<_> = tokio::net::lookup_host(&authority).await.map_err(failed)?.collect();
            if !server.beyond_loopback && !is_loopback_only(&targets) {
                return Err(ListenError::BeyondLoopback { address: address.to_owned() });
            }
            let listener = TcpListener::bind(targets.as_slice()).await.map_err(failed)?;
            let real = format!("tcp://{}", listener.local_addr().map_err(failed)?);
            let server = Arc::clone(server);
            Ok((real, tokio::spawn(accept_tcp(server, listener))))
        }
        Address::Thread { name } => {
            let listener = ThreadListener::bind(&name).map_err(failed)?;
            let server = Arc::clone(server);
            Ok((address.to_owned(), tokio::spawn(accept_threads(server, listener))))
        }
    }
}

async fn accept_tcp(server: Arc<Shared>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(permits) = Permits::take(&server) else { continue };
                match Link::from_tcp(stream, peer, permits.live) {
                    Ok(link) => drop(tokio::spawn(greet(Arc::clone(&server), link, permits.half_open))),
                    Err(error) => tracing::debug!(%peer, %error, "a link was gone before it was greeted"),
                }
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn accept_threads(server: Arc<Shared>, mut listener: ThreadListener) {
    while let Ok(link) = listener.accept().await {
        let Some(permits) = Permits::take(&server) else { continue };
        let link = Link::from_threads(link, permits.live);
        tokio::spawn(greet(Arc::clone(&server), link, permits.half_open));
    }
}

/// What a new link counts against. Over the limits it is closed at once: the newcomer is refused, nobody is evicted.
struct Permits {
    half_open: OwnedSemaphorePermit,
    live: OwnedSemaphorePermit,
}

impl Permits {
    fn take(server: &Shared) -> Option<Self> {
        let half_open = Arc::clone(&server.half_open).try_acquire_owned().ok()?;
        let live = Arc::clone(&server.live).try_acquire_owned().ok()?;
        Some(Self { half_open, live })
    }
}

async fn greet(server: Arc<Shared>, mut link: Link, half_open: OwnedSemaphorePermit) {
    let peer = link.peer().to_owned();
    let hello = tokio::time::timeout(HELLO_WITHIN, std::future::poll_fn(|cx| link.poll_receive(cx))).await;
    drop(half_open);
    let hello = match hello {
        Ok(Ok(LinkFrame::Hello(hello))) => hello,
        Ok(Ok(_)) => return say_malformed(link, &peer, "the first frame is no hello").await,
        Ok(Err(LinkError::Malformed(error))) => return say_malformed(link, &peer, &error.to_string()).await,
        Ok(Err(error)) => return tracing::debug!(peer, %error, "a link was gone before its hello"),
        Err(_) => return tracing::debug!(peer, "no hello in time"),
    };
    let service = server.service_index(&hello.service);
    let admission = lock(&server.registry).admit(server.clock.now(), hello);
    match (admission, service) {
        (Admission::Open(opening), Some(service)) => {
            if let Some(replaced) = opening.replaces
                && let Some(old) = lock(&server.sessions).remove(&replaced)
            {
                let _ = old.inbox.push(SessionCommand::End);
            }
            let handle = Arc::new(SessionHandle { inbox: Inbox::new(), stats: Mutex::new(SessionStats::default()) });
            lock(&server.sessions).insert(opening.session, Arc::clone(&handle));
            let faults = server.next_faults();
            let task = SessionTask::open(Arc::clone(&server), handle, service, *opening, link, faults);
            task.run().await;
        }
        (Admission::Resume(session, hello), _) => {
            let handle = lock(&server.sessions).get(&session).cloned();
            // A session that is ending takes no link; the client tries again and is told that it has ended.
            if let Some(handle) = handle {
                let _ = handle.inbox.push(SessionCommand::Link(link, hello));
            }
        }
        (Admission::Reject(reject), _) => say(link, reject).await,
        (Admission::Open(_), None) => {}
    }
}

async fn say_malformed(link: Link, peer: &str, why: &str) {
    tracing::warn!(peer, why, "malformed hello");
    say(link, Reject { reason: RejectReason::Malformed, message: why.to_owned() }).await;
}

/// Says why and closes.
async fn say(mut link: Link, reject: Reject) {
    link.transmit(LinkFrame::Reject(reject));
    std::future::poll_fn(|cx| link.poll_flush(cx).map(drop)).await;
    link.close_gently().await;
}
