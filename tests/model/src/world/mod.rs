//! A state of a small world: the shipping sessions, the links between them, and the judge.
//!
//! Knows: who is connected to whom. Does not know: which steps there are (`action` does), what makes two states one (`identity` does).

mod action;
mod carry;
mod clients;
mod identity;
mod ledger;
mod link;
mod servers;
mod word;

use std::sync::Arc;

use rpcgen_proto::ids::{Epoch, LaneKind, SessionId};
use rpcgen_proto::server::{Registry, RegistryConfig, Schema};
use rpcgen_proto::session::{ActionHandle, CallHandle, ClientIdentity, ClientSession, LanesView, ServerSession};
use rpcgen_proto::time::Instant;

pub use self::action::{Action, End};
pub use self::ledger::Violation;
use self::ledger::{Check, Ledger, violated};
use self::link::Link;
pub use self::word::Word;
use crate::configuration::{Configuration, Faults, Outcome};

/// Where everything begins: far from the driver's start, which has a meaning of its own.
const BEGINNING: Instant = Instant::from_nanos(1_000_000_000_000);
const SERVICE: &str = "model.Service";
const FINGERPRINT: u64 = 0x6d;

/// A client's process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Client {
    session: Arc<ClientSession<Word>>,
    /// How many processes there were in its place.
    life: u8,
    /// When it wants to be called.
    deadline: Option<Instant>,
    /// Its calls by number: which of the world's each is.
    calls: Vec<u8>,
    /// Calls that may be cancelled.
    cancellable: Vec<CallHandle>,
    is_leaving: bool,
}

/// A session of the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Seat {
    client: u8,
    life: u8,
    id: SessionId,
    session: Arc<ServerSession<Word>>,
    deadline: Option<Instant>,
    /// The number of the last action that began: lane order is their order.
    begun_below: u64,
}

/// A handler that runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Handler {
    session: SessionId,
    action: ActionHandle,
    call: u8,
}

/// The server's process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    epoch: u8,
    registry: Arc<Registry<Word>>,
    seats: Vec<Seat>,
    handlers: Vec<Handler>,
    /// Broadcasts that wait for a node, and whether they may have run.
    unrouted: Vec<(Word, bool)>,
}

impl Server {
    fn new(epoch: u8) -> Self {
        let services = vec![Schema { service: SERVICE.to_owned(), fingerprint: FINGERPRINT, shape: "" }];
        let registry = Registry::new(Epoch(u64::from(epoch)), services, RegistryConfig::default(), [epoch; 32]);
        Self { epoch, registry: Arc::new(registry), seats: Vec::new(), handlers: Vec::new(), unrouted: Vec::new() }
    }
}

/// The identity of the first client of every world.
pub(crate) fn first_client() -> ClientIdentity {
    Client::identity(0, 0)
}

/// The registry of the first server of every world.
pub(crate) fn first_registry() -> Registry<Word> {
    Arc::unwrap_or_clone(Server::new(1).registry)
}

/// A state of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    now: Instant,
    clients: Vec<Client>,
    server: Server,
    links: Vec<Link>,
    /// What may still go wrong.
    left: Faults,
    ledger: Ledger,
    violation: Option<Violation>,
}

/// A world with the rules that it moves by.
pub(crate) struct Step<'a> {
    pub(crate) world: World,
    pub(crate) rules: &'a Configuration,
    /// What was seen on the way.
    pub(crate) seen: u32,
}

impl World {
    /// What does not hold, if anything.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    pub(crate) fn with_violation(mut self, violation: Violation) -> Self {
        self.violation = Some(violation);
        self
    }

    /// The world when its clients are connected and nothing is on its way; with a head start, when all is sent and nothing arrived.
    #[must_use]
    pub fn begin(rules: &Configuration) -> Self {
        Self::begin_at(rules, BEGINNING)
    }

    fn begin_at(rules: &Configuration, now: Instant) -> Self {
        let world = Self {
            now,
            clients: (0..rules.clients).map(|number| Client::new(rules, number, 0)).collect(),
            server: Server::new(1),
            links: Vec::new(),
            left: rules.faults,
            ledger: Ledger::default(),
            violation: None,
        };
        let mut step = Step { world, rules, seen: 0 };
        let result = step.prepare();
        step.settle(result);
        step.world
    }

    /// The state after a step, and what was seen on the way.
    #[must_use]
    pub fn after(&self, rules: &Configuration, action: Action) -> (Self, u32) {
        let mut step = Step { world: self.clone(), rules, seen: 0 };
        let result = step.act(action);
        step.settle(result);
        (step.world, step.seen)
    }
}

impl Step<'_> {
    fn prepare(&mut self) -> Check {
        for client in 0..self.rules.clients {
            self.act(Action::Connect { client })?;
            while let Some(action) = self.world.deliverable() {
                self.act(action)?;
            }
        }
        if self.rules.head_start {
            while self.world.ledger.accepted() < usize::from(self.rules.calls) {
                self.act(Action::Send { client: 0 })?;
            }
            while self.world.ledger.logged() < usize::from(self.rules.broadcasts) {
                self.act(Action::Broadcast)?;
            }
        }
        Ok(())
    }

    fn settle(&mut self, result: Check) {
        let result = result.and_then(|()| self.compare_ends());
        if let Err(violation) = result {
            self.world.violation = Some(violation);
        }
    }

    fn see(&mut self, outcome: Outcome) {
        self.seen |= 1 << outcome as u32;
    }

    /// What both ends say of their lanes fits.
    fn compare_ends(&self) -> Check {
        let world = &self.world;
        for seat in &world.server.seats {
            let client = &world.clients[usize::from(seat.client)];
            let (Some(client), server) = (client.session.view(), seat.session.view()) else { continue };
            if client.session != server.session {
                continue;
            }
            compare_lane(LaneKind::Up, &client, &server)?;
            compare_lane(LaneKind::Down, &server, &client)?;
        }
        Ok(())
    }
}

fn compare_lane(lane: LaneKind, sender: &LanesView, receiver: &LanesView) -> Check {
    if sender.guaranteed > receiver.accepted {
        let how = format!("{lane}: guaranteed below {}, accepted below {}", sender.guaranteed, receiver.accepted);
        return violated("no_false_guarantee", how);
    }
    if receiver.accepted > sender.sent {
        let how = format!("{lane}: accepted below {}, sent below {}", receiver.accepted, sender.sent);
        return violated("no_phantom", how);
    }
    if sender.sent > sender.may_send || sender.may_send > receiver.agreed {
        let how = format!("{lane}: {} sent, {} agreed, {} granted", sender.sent, sender.may_send, receiver.agreed);
        return violated("credit_respected", how);
    }
    Ok(())
}
