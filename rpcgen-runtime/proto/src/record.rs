//! What sessions put on record, and what they begin from after a restart: the vocabulary between a session and a durable log.
//!
//! Knows: what a record says. Does not know: how one is stored, when it is released, disks. Said in calls, never in positions: a
//! process that restarts keeps its calls and begins its lanes afresh (decision 0026).

use alloc::string::String;
use alloc::vec::Vec;

use crate::ids::{BroadcastNumber, CallNumber, ClientId, Epoch, Incarnation, LinkNumber, MethodId, SessionId};
use crate::session::Answer;

/// Counts the records that a session asked for, from 1: `Input::Persisted(mark)` says that all up to this one are durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub u64);

/// One life of a client's durable log, from 1. 0: the client has no durable log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Life(pub u64);

/// A client may open its log so many times, less one: the rest of a call number counts the calls of one life.
pub const LIVES_MAX: u64 = 1 << 24;
/// Calls of one life.
pub const CALLS_PER_LIFE: u64 = 1 << 40;

impl Life {
    /// The first call number of this life: higher than all of earlier ones, whatever was forgotten of them.
    #[must_use]
    pub const fn first_number(self) -> CallNumber {
        CallNumber(self.0.wrapping_mul(CALLS_PER_LIFE))
    }
}

/// What a client session puts on record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ClientRecord<P> {
    /// Lanes begin: replaces the last one. Nothing is said on the new lanes before it is durable.
    Session(Established),
    /// A call is accepted once this is durable.
    Call(RecordedCall<P>),
    /// How a call ended; until the application claims it.
    Answer {
        /// Which call.
        number: CallNumber,
        /// How.
        answer: Answer<P>,
    },
    /// The server said go: this node will run the handler, whatever happens to it.
    Broadcast(RecordedBroadcast<P>),
}

impl<P> ClientRecord<P> {
    /// Whether a full log may refuse it ([`crate::session::Input::NoSpace`]). All others complete what was accepted: they take the
    /// log's reserve, and wait for space if even that is used up.
    #[must_use]
    pub const fn is_refusable(&self) -> bool {
        matches!(self, Self::Call(_))
    }
}

/// What a server told of a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Established {
    /// Which.
    pub session: SessionId,
    /// Life of the server group's log that began its lanes.
    pub epoch: Epoch,
    /// Key of the proofs of these lanes.
    pub secret: [u8; 32],
    /// In which life of the client's log its lanes began: calls of later lives were never sent on any.
    pub life: Life,
}

/// A call that is on record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordedCall<P> {
    /// Its number, for ever.
    pub number: CallNumber,
    /// Which action of the service.
    pub method: MethodId,
    /// The request.
    pub payload: P,
}

/// A broadcast that a node was told to handle.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordedBroadcast<P> {
    /// Which one of the session.
    pub number: BroadcastNumber,
    /// Which one of the service.
    pub method: MethodId,
    /// It may have run on another node before.
    pub redelivered: bool,
    /// The message.
    pub payload: P,
}

/// What a client begins from after a restart. Without any: a first life.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecoveredClient<P> {
    /// The session, if a welcome was on record.
    pub established: Option<Established>,
    /// Calls without an answer, in order of their numbers. Those with one are the application's, not the session's.
    pub calls: Vec<RecordedCall<P>>,
}

impl<P> Default for RecoveredClient<P> {
    fn default() -> Self {
        Self { established: None, calls: Vec::new() }
    }
}

/// What a server session puts on record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ServerRecord<P> {
    /// A session is opened, or its lanes begin afresh: replaces the last one.
    Session(RecordedSession),
    /// An action is guaranteed once this is durable.
    Action {
        /// Its number, for ever.
        number: CallNumber,
        /// Which action of the service.
        method: MethodId,
        /// Of the method and the request: a re-sent action with another one is an error, never answered with this one's answer.
        digest: u64,
        /// It may have run before: nobody can say of it that it did not. So a full log does not refuse it.
        sent_before: bool,
        /// The request.
        payload: P,
    },
    /// An action is about to run. Written by the driver, as its answer to [`crate::session::ServerEvent::Begin`]; a session never asks for
    /// it.
    Begun {
        /// Which action.
        number: CallNumber,
    },
    /// An action is over: its completion record. Takes the place of its `Action` and its `Begun`s.
    Answer {
        /// Which action.
        number: CallNumber,
        /// Which action of the service.
        method: MethodId,
        /// Of the request.
        digest: u64,
        /// What is answered.
        answer: Answer<P>,
    },
    /// A broadcast is about to be told to go to this session's node.
    Assigned {
        /// Which one of the session, as [`crate::session::ServerSession::broadcast`] said; no other of the session ever has it.
        number: BroadcastNumber,
    },
    /// The session is over.
    Ended {
        /// Whether something may be asked for later: the answers that were not guaranteed stay.
        expired: bool,
        /// Actions with lower numbers may have run.
        called_below: CallNumber,
    },
}

impl<P> ServerRecord<P> {
    /// Whether a full log refuses it ([`crate::session::Input::NoSpace`]). All others complete what was accepted, or go on with what may
    /// have begun: they take the log's reserve, and wait for space if that is used up.
    #[must_use]
    pub const fn is_refusable(&self) -> bool {
        matches!(self, Self::Action { sent_before: false, .. })
    }

    /// Whether the session can go on without it: where it can never be written, too long for the log, say.
    #[must_use]
    pub const fn is_dispensable(&self) -> bool {
        matches!(self, Self::Action { .. })
    }
}

/// A server session, as it is on record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordedSession {
    /// Whose.
    pub client: ClientId,
    /// In which life of a client without a durable log; 0 with one.
    pub incarnation: Incarnation,
    /// In which life of the client's durable log; 0 without one.
    pub life: Life,
    /// Which.
    pub session: SessionId,
    /// The service, as `package.Service`.
    pub service: String,
    /// Key of the proofs of the present lanes.
    pub secret: [u8; 32],
    /// Of the lanes before, until a frame has come on the present ones.
    pub last_secret: Option<[u8; 32]>,
    /// A frame has come, on these lanes or earlier ones: whoever wants the session has to prove that it is theirs.
    pub is_used: bool,
    /// The newest link that was let in.
    pub link: LinkNumber,
    /// It goes on from one that had expired: what was sent before, has a lower number and is not on record may have run, and must not run.
    /// The highest number: nothing was left of that one. 0: there was none.
    pub expired_below: CallNumber,
}

/// What a server session begins from after a restart: without a link, all its lanes gone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecoveredSession<P> {
    /// Who and which.
    pub session: RecordedSession,
    /// What is not over at the client, in order of numbers.
    pub actions: Vec<RecoveredAction<P>>,
    /// One more than the highest number of an action that was on record.
    pub called_below: CallNumber,
    /// It had expired: a tombstone.
    pub expired: bool,
}

/// An action that a server found in its log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecoveredAction<P> {
    /// Its number, for ever.
    pub number: CallNumber,
    /// Which action of the service.
    pub method: MethodId,
    /// Of the request.
    pub digest: u64,
    /// How far it came.
    pub state: RecoveredState<P>,
}

impl<P> RecoveredAction<P> {
    /// Whether it has its answer.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        matches!(self.state, RecoveredState::Answered(_))
    }
}

/// How far an action came before the server ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RecoveredState<P> {
    /// It has no answer: it is run again.
    Open {
        /// The request.
        payload: P,
        /// How often it was on record that it begins. It may have begun without.
        begun: u32,
    },
    /// Its answer was not guaranteed by the client.
    Answered(Answer<P>),
}
