//! The driver of the clients.
//!
//! Knows: the contract of a client's session. Does not know: which step comes when.

use std::sync::Arc;
use std::time::Duration;

use rpcgen_proto::error::ProtocolError;
use rpcgen_proto::frame::FreshReason;
use rpcgen_proto::ids::{ClientId, Incarnation, LaneKind, MethodId};
use rpcgen_proto::session::{CallHandle, ClientEvent, ClientIdentity, ClientSession, CloseReason, Input, Output};

use super::ledger::{Check, violated};
use super::link::Link;
use super::word::Word;
use super::{Client, FINGERPRINT, SERVICE, Step};
use crate::configuration::{Configuration, Outcome};

/// The one action, and the one broadcast.
pub(super) const METHOD: MethodId = MethodId(0);
/// What comes out of a session at once, at most: some frames for each message that it knows of.
pub(super) const OUTPUTS_MAX: usize = 200;
/// A disconnect has all the time that it wants.
const NO_LIMIT: Duration = Duration::from_secs(100_000);

impl Client {
    pub(super) fn identity(number: u8, life: u8) -> ClientIdentity {
        ClientIdentity {
            client: ClientId(u128::from(number) * 16 + u128::from(life) + 1),
            incarnation: Incarnation(u64::from(life)),
            life: rpcgen_proto::record::Life(0),
            service: SERVICE.to_owned(),
            fingerprint: FINGERPRINT,
            shape: None,
            broadcasts: vec![METHOD],
        }
    }

    pub(super) fn new(rules: &Configuration, number: u8, life: u8) -> Self {
        let identity = Self::identity(number, life);
        let seed = rules.seed + u64::from(number) * 16 + u64::from(life);
        Self {
            session: Arc::new(ClientSession::new(rules.config(), identity, seed)),
            life,
            deadline: None,
            calls: Vec::new(),
            cancellable: Vec::new(),
            is_leaving: false,
        }
    }
}

impl Step<'_> {
    pub(super) fn client(&mut self, client: u8) -> &mut Client {
        &mut self.world.clients[usize::from(client)]
    }

    pub(super) fn client_session(&mut self, client: u8) -> &mut ClientSession<Word> {
        Arc::make_mut(&mut self.client(client).session)
    }

    /// The link that the client has now.
    pub(super) fn link_of_client(&mut self, client: u8) -> Option<&mut Link> {
        let life = self.world.clients[usize::from(client)].life;
        self.world.links.iter_mut().find(|link| link.client == client && link.life == life && link.client_is_here)
    }

    pub(super) fn connect(&mut self, client: u8) -> Check {
        let (now, life) = (self.world.now, self.client(client).life);
        self.world.links.push(Link::new(client, life));
        let reliable_ordered = self.rules.reliable;
        self.client_session(client).handle(now, Input::LinkUp { reliable_ordered });
        self.drain_client(client)
    }

    pub(super) fn client_hears(&mut self, client: u8, input: Input<Word>) -> Check {
        let now = self.world.now;
        let before = self.client(client).session.stats();
        self.client_session(client).handle(now, input);
        self.drain_client(client)?;
        let after = self.client(client).session.stats();
        self.see_repairs(&before, &after);
        Ok(())
    }

    pub(super) fn send(&mut self, client: u8) -> Check {
        let now = self.world.now;
        // What goes to a server that is dead may have run, as far as the client can know.
        let is_dead = self.link_of_client(client).is_some_and(|link| !link.server_is_here);
        let has_crashed = self.world.server.epoch > 1;
        let number = self.world.ledger.accept(is_dead && has_crashed);
        match self.client_session(client).send(now, METHOD, Word::Request(number)) {
            Ok(handle) => {
                let is_cancellable = number < self.rules.cancels;
                let known = self.client(client);
                known.calls.push(number);
                known.cancellable.extend(is_cancellable.then_some(handle));
            }
            Err(error) => return violated("no_lost_answer", format!("call {number} is not accepted: {error}")),
        }
        self.drain_client(client)
    }

    pub(super) fn cancel(&mut self, client: u8) -> Check {
        let now = self.world.now;
        let handle = self.client(client).cancellable.remove(0);
        let number = self.call_of(client, handle);
        if self.client_session(client).cancel(now, handle) {
            self.world.ledger.ask_cancel(number);
        }
        self.drain_client(client)
    }

    pub(super) fn disconnect(&mut self, client: u8) -> Check {
        let now = self.world.now;
        self.client(client).is_leaving = true;
        self.client_session(client).disconnect(now, NO_LIMIT);
        self.drain_client(client)
    }

    /// Takes everything out of a client's session.
    pub(super) fn drain_client(&mut self, client: u8) -> Check {
        for _ in 0..OUTPUTS_MAX {
            match self.client_session(client).poll_output() {
                Output::Transmit(frame) => {
                    self.see_frame(&frame);
                    let reliable = self.rules.reliable;
                    if let Some(link) = self.link_of_client(client) {
                        link.push(LaneKind::Up, frame, reliable);
                    }
                }
                Output::Event(event) => self.on_client_event(client, event)?,
                Output::Persist(..) | Output::Forget(_) => {}
                Output::CloseLink(reason) => {
                    check_close("the client", &reason)?;
                    if let Some(link) = self.link_of_client(client) {
                        link.client_leaves();
                    }
                    let now = self.world.now;
                    self.client_session(client).handle(now, Input::LinkDown);
                }
                Output::Timeout(deadline) => {
                    let known = self.client(client);
                    known.deadline = deadline;
                    return check_inside("client", known.session.check_invariants());
                }
            }
        }
        violated("amplification_bounded", format!("client {client} has always something more to say"))
    }

    fn call_of(&self, client: u8, handle: CallHandle) -> u8 {
        let number = usize::try_from(handle.number.0).unwrap_or(usize::MAX);
        // A number that was never given is that of no call.
        self.world.clients[usize::from(client)].calls.get(number).copied().unwrap_or(u8::MAX)
    }

    fn on_client_event(&mut self, client: u8, event: ClientEvent<Word>) -> Check {
        let outcome = match event {
            ClientEvent::Guaranteed(handle) => {
                let number = self.call_of(client, handle);
                self.world.ledger.guarantee(number)
            }
            ClientEvent::Answered(handle, answer) => {
                let number = self.call_of(client, handle);
                self.client(client).cancellable.retain(|open| *open != handle);
                Some(self.world.ledger.answer(number, &answer)?)
            }
            ClientEvent::CancelResult(handle, outcome) => {
                let number = self.call_of(client, handle);
                Some(self.world.ledger.settle_cancel(number, outcome)?)
            }
            ClientEvent::Broadcast { redelivered, payload, .. } => {
                Some(self.world.ledger.run_news(payload, redelivered)?)
            }
            ClientEvent::Linked { fresh, .. } => match fresh {
                None => Some(Outcome::Resumed),
                Some(FreshReason::NewEpoch) => Some(Outcome::NewEpoch),
                Some(FreshReason::Expired) => Some(Outcome::Expired),
                Some(FreshReason::Asked | FreshReason::Restarted) => None,
            },
            ClientEvent::Rejected(reject) => {
                return violated("one_writer_per_session", format!("client {client} is refused: {}", reject.message));
            }
            ClientEvent::Disconnected { dropped } if dropped.is_empty() => Some(Outcome::Disconnected),
            ClientEvent::Disconnected { dropped } => {
                return violated("drain_drops_nothing", format!("{} calls were dropped", dropped.len()));
            }
            ClientEvent::LinkLost
            | ClientEvent::SchemaFits { .. }
            | ClientEvent::StillPending(_)
            | ClientEvent::Overdue(_)
            | ClientEvent::Accepted(_)
            | ClientEvent::NotAccepted(_)
            | ClientEvent::ServerRestored { .. } => None,
        };
        if let Some(outcome) = outcome {
            self.see(outcome);
        }
        Ok(())
    }
}

/// Nobody here breaks the protocol: an end that says so is wrong.
pub(super) fn check_close(who: &str, reason: &CloseReason) -> Check {
    let CloseReason::Protocol(error) = reason else { return Ok(()) };
    let invariant = match error {
        ProtocolError::PoolOrderDisputed { .. }
        | ProtocolError::AgreementOutOfTurn { .. }
        | ProtocolError::BadRange { .. } => "pool_verifiers_agree",
        ProtocolError::BitsOutOfPlace { .. } | ProtocolError::BitsForUnsent { .. } => "bits_match_positions",
        ProtocolError::UnknownId { .. } | ProtocolError::GapOnReliableLink { .. } => "id_never_ambiguous",
        ProtocolError::WrongSlot { .. } => "answer_matches_call",
        _ => "well_behaved",
    };
    violated(invariant, format!("{who} closes the link: {error}"))
}

/// What a session says of itself, as `name: how`.
pub(super) fn check_inside(who: &str, result: Result<(), rpcgen_proto::session::InvariantViolation>) -> Check {
    let Err(violation) = result else { return Ok(()) };
    let (name, how) = violation.0.split_once(": ").unwrap_or(("check_invariants", violation.0));
    violated(name, format!("at the {who}: {how}"))
}
