//! Which client has which session: admission, proofs, take-over, tombstones.
//!
//! Knows: identities, secrets, what is left of sessions that ended. Does not know: lanes, links, what a session does.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::frame::{FreshReason, Hello, PROTOCOL_VERSION, Reject, RejectReason};
use crate::ids::{ClientId, Epoch, Incarnation, LinkNumber, SessionId};
use crate::session::{EndReason, Ended, Opening, Past, proof_holds};
use crate::time::Instant;

/// Limits of a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegistryConfig {
    /// Sessions at once. The newcomer is refused; a session that is there is never evicted. Default 100,000.
    pub sessions_max: usize,
    /// Tombstones of sessions that expired. The oldest goes when a further one comes; its calls then end in `Unknown`. Default 100,000.
    pub tombstones_max: usize,
    /// How long a tombstone with its answers is kept. Default 7 days.
    pub tombstones_for: Duration,
}

impl Default for RegistryConfig {
    fn default() -> Self {
        Self { sessions_max: 100_000, tombstones_max: 100_000, tombstones_for: Duration::from_secs(7 * 24 * 3600) }
    }
}

/// What becomes of a hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission<P> {
    /// Make a new session.
    Open(Box<Opening<P>>),
    /// Give the link to this session.
    Resume(SessionId, Box<Hello>),
    /// Say so and close the link.
    Reject(Reject),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Known<P> {
    session: SessionId,
    incarnation: Incarnation,
    link: LinkNumber,
    secret: [u8; 32],
    /// The nonce of the hello that the session was made for: a client that never saw the welcome says it again.
    client_nonce: u64,
    reason: FreshReason,
    past: Option<Past<P>>,
}

/// Which client has which session.
#[derive(Clone, Debug)]
pub struct Registry<P> {
    epoch: Epoch,
    services: Vec<(String, u64)>,
    config: RegistryConfig,
    /// Makes session ids, nonces and secrets. Never leaves the registry.
    key: [u8; 32],
    opened: u64,
    sessions: BTreeMap<ClientId, Known<P>>,
    tombstones: BTreeMap<(ClientId, Incarnation), Past<P>>,
    /// In the order of their making.
    tombstones_by_age: VecDeque<(Instant, ClientId, Incarnation)>,
    is_shutting_down: bool,
}

impl<P: Clone> Registry<P> {
    /// A registry without sessions. `services`: name and fingerprint of each. `key` makes secrets: it must be unpredictable.
    #[must_use]
    pub fn new(epoch: Epoch, services: Vec<(String, u64)>, config: RegistryConfig, key: [u8; 32]) -> Self {
        Self {
            key,
            epoch,
            services,
            config,
            opened: 0,
            sessions: BTreeMap::new(),
            tombstones: BTreeMap::new(),
            tombstones_by_age: VecDeque::new(),
            is_shutting_down: false,
        }
    }

    /// The server group's epoch.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// How many sessions there are.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Refuses new sessions from now on; known ones may still resume, to take their answers.
    pub fn shutdown(&mut self) {
        self.is_shutting_down = true;
    }

    /// Decides about a hello.
    // spec: protocol.md 8
    pub fn admit(&mut self, now: Instant, hello: Hello) -> Admission<P> {
        if let Some(reject) = self.check_service(&hello) {
            return Admission::Reject(reject);
        }
        self.forget_old_tombstones(now);
        let Some(known) = self.sessions.get_mut(&hello.client) else {
            return self.open(hello, None);
        };
        if known.incarnation != hello.incarnation {
            return Admission::Reject(refuse(
                RejectReason::BadProof,
                "this client id has a session of another incarnation",
            ));
        }
        if hello.link <= known.link {
            return Admission::Reject(refuse(RejectReason::Superseded, "a newer link of this client is here"));
        }
        let is_resume =
            hello.resume.as_ref().is_some_and(|resume| resume.session == known.session && resume.epoch == self.epoch);
        if is_resume && proof_holds(&hello, &known.secret) {
            known.link = hello.link;
            let session = known.session;
            if let Some(past) = &mut known.past {
                past.answers = past.answers.split_off(&hello.retired_below);
            }
            return Admission::Resume(session, Box::new(hello));
        }
        if !is_resume && hello.nonce == known.client_nonce {
            // The welcome of that session never reached the client: it is asking for the same one again.
            let (replaced, reason, past) = (known.session, known.reason, known.past.clone());
            self.sessions.remove(&hello.client);
            return self.open(hello, Some((replaced, reason, past)));
        }
        Admission::Reject(refuse(
            RejectReason::BadProof,
            "this client id has a session, and the proof of it is missing or wrong",
        ))
    }

    fn check_service(&self, hello: &Hello) -> Option<Reject> {
        if hello.version != PROTOCOL_VERSION {
            let message = alloc::format!(
                "this server speaks version {PROTOCOL_VERSION} of the protocol, the client {}",
                hello.version
            );
            return Some(Reject { reason: RejectReason::Version, message });
        }
        let Some((_, fingerprint)) = self.services.iter().find(|(name, _)| *name == hello.service) else {
            let names: Vec<&str> = self.services.iter().map(|(name, _)| name.as_str()).collect();
            let message = alloc::format!("no service `{}` here; there is: {}", hello.service, names.join(", "));
            return Some(Reject { reason: RejectReason::UnknownService, message });
        };
        (*fingerprint != hello.fingerprint).then(|| Reject {
            reason: RejectReason::SchemaMismatch,
            message: alloc::format!(
                "the schema of `{}` differs: server {fingerprint:016x}, client {:016x}; build both from one .rpc file",
                hello.service,
                hello.fingerprint
            ),
        })
    }

    fn open(&mut self, hello: Hello, replaces: Option<(SessionId, FreshReason, Option<Past<P>>)>) -> Admission<P> {
        if self.is_shutting_down {
            return Admission::Reject(refuse(RejectReason::ShuttingDown, "this server is shutting down"));
        }
        if self.sessions.len() >= self.config.sessions_max {
            return Admission::Reject(refuse(
                RejectReason::Overloaded,
                "this server has as many sessions as it may have",
            ));
        }
        let (replaces, reason, past) = match replaces {
            Some((session, reason, past)) => (Some(session), reason, past),
            None => {
                let (reason, past) = self.reason_of(&hello);
                (None, reason, past)
            }
        };
        self.opened += 1;
        let session = SessionId(self.derive("session").first_u64());
        let secret = self.derive("secret").0;
        let known = Known {
            session,
            incarnation: hello.incarnation,
            link: hello.link,
            secret,
            client_nonce: hello.nonce,
            reason,
            past: past.clone(),
        };
        self.sessions.insert(hello.client, known);
        let (epoch, nonce) = (self.epoch, self.derive("nonce").first_u64());
        Admission::Open(Box::new(Opening { epoch, session, secret, nonce, reason, hello, past, replaces }))
    }

    /// HMAC-SHA-256 of a purpose and of the number of the session: none of its values tells of another.
    fn derive(&self, purpose: &str) -> Derived {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        mac.update(&self.opened.to_le_bytes());
        Derived(mac.finalize().into_bytes().into())
    }

    fn reason_of(&mut self, hello: &Hello) -> (FreshReason, Option<Past<P>>) {
        match &hello.resume {
            None => (FreshReason::Asked, None),
            Some(resume) if resume.epoch != self.epoch => (FreshReason::NewEpoch, None),
            Some(_) => {
                let mut past = self.tombstones.remove(&(hello.client, hello.incarnation));
                if let Some(past) = &mut past {
                    past.answers = past.answers.split_off(&hello.retired_below);
                }
                (FreshReason::Expired, past)
            }
        }
    }

    /// A session ended. What is left of an expired one is kept for its client.
    pub fn ended(&mut self, now: Instant, ended: Ended<P>) {
        if self.sessions.get(&ended.client).is_some_and(|known| known.session == ended.session) {
            self.sessions.remove(&ended.client);
        }
        if ended.reason != EndReason::Expired {
            return;
        }
        let key = (ended.client, ended.incarnation);
        self.tombstones.insert(key, ended.past);
        self.tombstones_by_age.push_back((now, key.0, key.1));
        while self.tombstones_by_age.len() > self.config.tombstones_max {
            self.forget_oldest_tombstone();
        }
    }

    fn forget_old_tombstones(&mut self, now: Instant) {
        while self
            .tombstones_by_age
            .front()
            .is_some_and(|(made, ..)| now.saturating_since(*made) >= self.config.tombstones_for)
        {
            self.forget_oldest_tombstone();
        }
    }

    fn forget_oldest_tombstone(&mut self) {
        if let Some((_, client, incarnation)) = self.tombstones_by_age.pop_front() {
            let is_renewed = self.tombstones_by_age.iter().any(|(_, c, i)| (*c, *i) == (client, incarnation));
            if !is_renewed {
                self.tombstones.remove(&(client, incarnation));
            }
        }
    }
}

struct Derived([u8; 32]);

impl Derived {
    fn first_u64(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        u64::from_le_bytes(first)
    }
}

fn refuse(reason: RejectReason, message: &str) -> Reject {
    Reject { reason, message: String::from(message) }
}
