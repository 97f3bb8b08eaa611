//! Which client has which session: admission, proofs, take-over, and what is left of sessions that are over.
//!
//! Knows: identities, secrets, what is left of sessions that ended. Does not know: lanes, links, what a session does.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::hash::{Hash, Hasher};
use core::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::admissions::Admissions;
use super::disputes::Disputes;
use super::schema::{self, Schema};
use super::standing::{Shown, Standing};
use super::tombstones::Tombstones;
use crate::config::{
    ADMISSIONS_BURST, ADMISSIONS_PER_SECOND, FULL_PAUSE, RECORD_BYTES_MAX, RECORDS_FOR, SESSIONS_MAX, TOMBSTONES_FOR,
    TOMBSTONES_MAX,
};
use crate::frame::{FreshReason, Hello, Reject, RejectReason};
use crate::ids::{ClientId, Epoch, LinkNumber, SessionId};
use crate::marks::mark;
use crate::mutants::mutated;
use crate::record::{Life, RecoveredSession};
use crate::session::{EndReason, Ended, Opening, Past, Payload};
use crate::time::Instant;

/// Limits of a registry.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RegistryConfig {
    /// Sessions at once. The newcomer is refused; a session that is there is never evicted. Default 100,000.
    pub sessions_max: usize,
    /// Tombstones of sessions that expired. The oldest without records goes when there are more; its calls then end in `Unknown`. If
    /// all have records, newcomers are refused. Default 100,000.
    pub tombstones_max: usize,
    /// How long a tombstone is kept: up to which number actions may have run. Default 30 days.
    pub tombstones_for: Duration,
    /// Bytes of the answers in tombstones, each with 64 for itself. At the bound newcomers are refused; no answer is evicted. Sessions
    /// that are there may still end, so that the tombstones can grow by what those have logged. Default 1 GiB.
    pub record_bytes_max: usize,
    /// How long the answers in a tombstone are kept. Default 7 days.
    pub records_for: Duration,
    /// Clients that are let in per second, to new sessions or known ones; the others are told when to come again. Default 500.
    pub admissions_per_second: u32,
    /// Clients that are let in at once after a quiet time. Default 1,000.
    pub admissions_burst: u32,
}

impl Default for RegistryConfig {
    fn default() -> Self {
        Self {
            sessions_max: SESSIONS_MAX,
            tombstones_max: TOMBSTONES_MAX,
            tombstones_for: TOMBSTONES_FOR,
            record_bytes_max: RECORD_BYTES_MAX,
            records_for: RECORDS_FOR,
            admissions_per_second: ADMISSIONS_PER_SECOND,
            admissions_burst: ADMISSIONS_BURST,
        }
    }
}

/// Whom a registry refused so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct RegistryStats {
    /// Told to come again later, because more came than are let in per second.
    pub deferred: u64,
    /// Refused, because there are as many sessions or records as there may be.
    pub full: u64,
    /// Refused for a while, because their links were closed by protocol errors again and again.
    pub disputed: u64,
    /// Refused for good: a proof that is missing or wrong, a link that is not the newest.
    pub unproven: u64,
}

/// Counters are not state.
impl PartialEq for RegistryStats {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for RegistryStats {}

impl Hash for RegistryStats {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// What becomes of a hello.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Admission<P> {
    /// Make a new session.
    Open(Box<Opening<P>>),
    /// Give the link to this session.
    Resume(SessionId, Box<Hello>),
    /// Begin the lanes of the session that the opening names afresh, on this link: one of its ends was restarted from its durable log
    /// ([`crate::session::ServerSession::restart`]).
    Restart(Box<Opening<P>>),
    /// Say so and close the link.
    Reject(Reject),
}

/// There is one for each session, parked ones included: what few have is elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Known<P> {
    standing: Standing,
    reason: FreshReason,
    /// For the case that the welcome of that session is lost: forgotten when the client resumes it.
    past: Option<Box<Past<P>>>,
    disputes: Option<Box<Disputes>>,
}

/// Which client has which session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Registry<P> {
    epoch: Epoch,
    services: Vec<Schema>,
    config: RegistryConfig,
    /// Makes session ids, nonces and secrets. Never leaves the registry.
    key: [u8; 32],
    opened: u64,
    sessions: BTreeMap<ClientId, Box<Known<P>>>,
    tombstones: Tombstones<P>,
    admissions: Admissions,
    is_shutting_down: bool,
    stats: RegistryStats,
}

impl<P: Payload> Registry<P> {
    /// A registry without sessions. `key` makes secrets: it must be unpredictable.
    #[must_use]
    pub fn new(epoch: Epoch, services: Vec<Schema>, config: RegistryConfig, key: [u8; 32]) -> Self {
        let admissions = Admissions::new(config.admissions_per_second, config.admissions_burst);
        Self {
            key,
            epoch,
            services,
            config,
            opened: 0,
            sessions: BTreeMap::new(),
            tombstones: Tombstones::default(),
            admissions,
            is_shutting_down: false,
            stats: RegistryStats::default(),
        }
    }

    /// A registry that goes on from a durable log: its sessions are known, without a link, and what is left of those that had expired.
    /// `epoch` is [`Epoch::of_log`] of the life that began when the log was opened.
    #[must_use]
    pub fn recover<'a>(
        now: Instant,
        epoch: Epoch,
        services: Vec<Schema>,
        config: RegistryConfig,
        key: [u8; 32],
        recovered: impl IntoIterator<Item = &'a RecoveredSession<P>>,
    ) -> Self
    where
        P: 'a,
    {
        let mut registry = Self::new(epoch, services, config, key);
        for session in recovered {
            let (client, standing) = (session.session.client, Standing::of(&session.session));
            if session.expired {
                let key = (client, standing.incarnation);
                let newest = (standing.life, standing.link);
                registry.tombstones.add(now, key, newest, Some(Past::of(session)), Some(standing), &registry.config);
            } else {
                let reason = FreshReason::NewEpoch;
                registry.sessions.insert(client, Box::new(Known { standing, reason, past: None, disputes: None }));
            }
        }
        registry
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
        if let Some(reject) = schema::check(&self.services, &hello) {
            return Admission::Reject(reject);
        }
        self.tombstones.forget_old(now, &self.config);
        let Some(known) = self.sessions.get(&hello.client) else {
            return self.open(now, hello);
        };
        let shown = match known.standing.judge(&hello, self.epoch) {
            Ok(shown) => shown,
            Err(why) => return self.reject_unproven(why),
        };
        if let Some(pause) = known.disputes.as_ref().and_then(|disputes| disputes.refused_for(now)) {
            self.stats.disputed += 1;
            let message = "links of this client were closed by protocol errors again and again";
            return Admission::Reject(Reject::new(RejectReason::TooManyErrors, message, pause));
        }
        let is_same_epoch = hello.resume.as_ref().is_some_and(|resume| resume.epoch == self.epoch);
        match shown {
            Shown::Secret if is_same_epoch && hello.life == known.standing.life => self.resume(now, hello),
            Shown::Nonce if hello.life == Life(0) && !self.is_durable() => self.open_again(now, hello),
            _ => self.restart(now, hello, shown),
        }
    }

    fn is_durable(&self) -> bool {
        self.epoch.log_life().is_some()
    }

    fn reject_unproven(&mut self, (reason, message): (RejectReason, &str)) -> Admission<P> {
        self.stats.unproven += 1;
        let pause = if reason == RejectReason::ServerRestored { FULL_PAUSE } else { Duration::ZERO };
        Admission::Reject(Reject::new(reason, message, pause))
    }

    /// One of the ends was restarted from its durable log, or the welcome of the first lanes is lost: the session goes on, and its
    /// lanes begin afresh, with a new secret.
    // spec: protocol.md 8
    fn restart(&mut self, now: Instant, hello: Hello, shown: Shown) -> Admission<P> {
        mark!(LanesBeginAfresh);
        if let Err(reject) = self.let_in(now) {
            return Admission::Reject(reject);
        }
        let Some(known) = self.sessions.remove(&hello.client) else { return self.open(now, hello) };
        let is_same_epoch = hello.resume.as_ref().is_none_or(|resume| resume.epoch == self.epoch);
        let reason = match shown {
            Shown::Nonce | Shown::Unused => known.reason,
            Shown::Secret | Shown::LastSecret if is_same_epoch => FreshReason::Restarted,
            Shown::Secret | Shown::LastSecret => FreshReason::NewEpoch,
        };
        let client = hello.client;
        let opening = self.make(hello, reason, known.past.map(|past| *past), Some((&known.standing, shown)));
        if let Some(again) = self.sessions.get_mut(&client) {
            again.disputes = known.disputes;
            again.reason = known.reason;
        }
        Admission::Restart(Box::new(Opening { past: None, ..opening }))
    }

    /// A frame has come on the present lanes of a client's session ([`crate::session::ServerEvent::Used`]): the secret of the lanes
    /// before is of no use any more.
    pub fn used(&mut self, client: ClientId) {
        if let Some(known) = self.sessions.get_mut(&client) {
            known.standing.is_used = true;
            if !mutated!(LastSecretKept) {
                known.standing.last_secret = None;
            }
        }
    }

    /// The proof holds.
    fn resume(&mut self, now: Instant, hello: Hello) -> Admission<P> {
        if let Err(reject) = self.let_in(now) {
            return Admission::Reject(reject);
        }
        let Some(known) = self.sessions.get_mut(&hello.client) else { return self.open(now, hello) };
        known.standing.link = hello.link;
        known.past = None;
        Admission::Resume(known.standing.session, Box::new(hello))
    }

    /// The welcome of its session never reached the client: it is asking for the same one again.
    fn open_again(&mut self, now: Instant, hello: Hello) -> Admission<P> {
        mark!(HelloRepeated);
        if let Err(reject) = self.may_open(now) {
            return Admission::Reject(reject);
        }
        let Some(known) = self.sessions.remove(&hello.client) else { return self.open(now, hello) };
        let client = hello.client;
        let (reason, past) =
            if mutated!(ReplacementForgetsPast) { (FreshReason::Asked, None) } else { (known.reason, known.past) };
        let opening = self.make(hello, reason, past.map(|past| *past), None);
        let opening = Opening { replaces: Some(known.standing.session), ..opening };
        if let Some(again) = self.sessions.get_mut(&client) {
            again.disputes = known.disputes;
        }
        Admission::Open(Box::new(opening))
    }

    fn may_open(&mut self, now: Instant) -> Result<(), Reject> {
        if self.is_shutting_down {
            return Err(Reject::new(RejectReason::ShuttingDown, "this server is shutting down", Duration::ZERO));
        }
        self.let_in(now)
    }

    fn let_in(&mut self, now: Instant) -> Result<(), Reject> {
        self.admissions.let_in(now).map_err(|pause| {
            self.stats.deferred += 1;
            Reject::new(RejectReason::Overloaded, "more clients come than are let in per second", pause)
        })
    }

    /// The counters so far.
    #[must_use]
    pub fn stats(&self) -> RegistryStats {
        self.stats
    }

    /// A link of this client was closed because one end broke the protocol in the eyes of the other. Who does so again and again is
    /// refused for a while.
    // spec: protocol.md 8
    pub fn disputed(&mut self, now: Instant, client: ClientId) {
        if let Some(known) = self.sessions.get_mut(&client) {
            known.disputes.get_or_insert_default().note(now);
        }
    }

    /// Links are counted, and the lower number loses for good (trap T20).
    fn superseded(&mut self) -> Reject {
        self.stats.unproven += 1;
        Reject::new(RejectReason::Superseded, "a newer link of this client is here", Duration::ZERO)
    }

    fn open(&mut self, now: Instant, hello: Hello) -> Admission<P> {
        let revived = self.tombstones.standing((hello.client, hello.incarnation)).cloned();
        // It was on its way for longer than its session lived, and another one of its client: who sent it is on a newer link.
        let newest = self.tombstones.newest_link((hello.client, hello.incarnation));
        if revived.is_none()
            && newest.is_some_and(|newest| (hello.life, hello.link) <= newest)
            && !mutated!(OldLinkAccepted)
        {
            return Admission::Reject(self.superseded());
        }
        let shown = match revived.as_ref().map(|standing| standing.judge(&hello, self.epoch)).transpose() {
            Ok(shown) => shown,
            // What this server remembers of the session is over, and older than what the client knows: another begins beside it.
            Err((RejectReason::ServerRestored, _)) => return self.open_beside(now, hello),
            Err(why) => return self.reject_unproven(why),
        };
        let (reason, past) = self.reason_of(&hello);
        // A client with a tombstone frees what it takes.
        let has_room = past.is_some() || self.tombstones.has_room(&self.config);
        let opened = if has_room && self.sessions.len() < self.config.sessions_max {
            self.may_open(now)
        } else {
            self.stats.full += 1;
            let message = "this server has as many sessions and records as it may have";
            Err(Reject::new(RejectReason::Overloaded, message, FULL_PAUSE))
        };
        match opened {
            Ok(()) => {
                self.tombstones.take((hello.client, hello.incarnation));
                Admission::Open(Box::new(self.make(hello, reason, past, revived.as_ref().zip(shown))))
            }
            Err(reject) => Admission::Reject(reject),
        }
    }

    fn open_beside(&mut self, now: Instant, hello: Hello) -> Admission<P> {
        match self.may_open(now) {
            Ok(()) => Admission::Open(Box::new(self.make(hello, FreshReason::NewEpoch, None, None))),
            Err(reject) => Admission::Reject(reject),
        }
    }

    fn make(
        &mut self,
        hello: Hello,
        reason: FreshReason,
        past: Option<Past<P>>,
        goes_on: Option<(&Standing, Shown)>,
    ) -> Opening<P> {
        self.opened += 1;
        let session =
            goes_on.map_or_else(|| SessionId(self.derive("session").first_u64()), |(standing, _)| standing.session);
        let secret = self.derive("secret").0;
        let last_secret = goes_on.and_then(|(standing, shown)| match shown {
            Shown::LastSecret => standing.last_secret.as_deref().copied(),
            // Also where nothing was shown: whoever has it may still be the right one.
            Shown::Secret | Shown::Nonce | Shown::Unused => Some(standing.secret),
        });
        let is_used = goes_on.is_some_and(|(standing, _)| standing.is_used);
        let standing = Standing {
            session,
            incarnation: hello.incarnation,
            life: hello.life,
            link: hello.link,
            secret,
            last_secret: last_secret.map(Box::new),
            is_used,
            client_nonce: Some(hello.nonce),
        };
        let known = Known { standing, reason, past: past.clone().map(Box::new), disputes: None };
        self.sessions.insert(hello.client, Box::new(known));
        let (epoch, nonce) = (self.epoch, self.derive("nonce").first_u64());
        Opening { epoch, session, secret, last_secret, is_used, nonce, reason, hello, past, replaces: None }
    }

    /// HMAC-SHA-256 of a purpose and of the number of the session: none of its values tells of another.
    fn derive(&self, purpose: &str) -> Derived {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        mac.update(&self.opened.to_le_bytes());
        Derived(mac.finalize().into_bytes().into())
    }

    /// Why the session is new, and what is left of the one before.
    fn reason_of(&self, hello: &Hello) -> (FreshReason, Option<Past<P>>) {
        match &hello.resume {
            None => (FreshReason::Asked, None),
            Some(resume) if !self.is_of_this_log(resume.epoch) => (FreshReason::NewEpoch, None),
            Some(_) => {
                let past = self.tombstones.get((hello.client, hello.incarnation)).cloned();
                if past.is_some() {
                    mark!(TombstoneTaken);
                }
                (FreshReason::Expired, past)
            }
        }
    }

    /// Whether what was known in that epoch is known still, or was forgotten when its time was over.
    fn is_of_this_log(&self, epoch: Epoch) -> bool {
        let is_lower = epoch.log_life().is_some() && epoch.log_life() < self.epoch.log_life();
        epoch == self.epoch || epoch.is_earlier_life_of(self.epoch) || is_lower && mutated!(OtherLogTakenForThis)
    }

    /// A session ended. What is left of an expired one is kept for its client; of any, which link was its newest.
    pub fn ended(&mut self, now: Instant, ended: Ended<P>) {
        let is_known = self.sessions.get(&ended.client).is_some_and(|known| known.standing.session == ended.session);
        let known = if is_known { self.sessions.remove(&ended.client) } else { None };
        let newest = |known: &Known<P>| (known.standing.life, known.standing.link);
        let newest = known.as_deref().map_or((Life(0), LinkNumber(0)), newest);
        if ended.reason == EndReason::Expired && !mutated!(TombstoneForgotten) {
            // A session that is on record goes on under its name: so its records stay where they are.
            let standing = known.map(|known| known.standing).filter(|_| self.is_durable());
            self.tombstones.add(
                now,
                (ended.client, ended.incarnation),
                newest,
                Some(ended.past),
                standing,
                &self.config,
            );
        } else if is_known && !mutated!(OldLinkAccepted) {
            self.tombstones.add(now, (ended.client, ended.incarnation), newest, None, None, &self.config);
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
