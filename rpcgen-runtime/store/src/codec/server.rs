//! Records of a server: what a session asks for, with what only the log knows of it.
//!
//! Knows: their fields. Does not know: what a server does with them.

use bytes::Bytes;
use rpcgen_log::Sequence;
use rpcgen_proto::ids::{CallNumber, ClientId, Incarnation, LinkNumber, MethodId, SessionId};
use rpcgen_proto::record::{Life, RecordedSession};
use rpcgen_proto::server::LogMark;
use rpcgen_proto::session::Answer;
use rpcgen_proto::varint::write_u64;

use super::{DecodeError, RECORD_VERSION, Reader, put_answer, put_bytes};

mod kind {
    pub(super) const SESSION: u8 = 16;
    pub(super) const ACTION: u8 = 17;
    pub(super) const BEGUN: u8 = 18;
    pub(super) const ANSWER: u8 = 19;
    pub(super) const ENDED: u8 = 20;
    pub(super) const BROADCAST: u8 = 21;
    pub(super) const ASSIGNED: u8 = 22;
    pub(super) const CLOCK: u8 = 23;
    pub(super) const MARK: u8 = 24;
}

/// The time of a log: seconds that it was open since it was made, all its lives together. It never runs ahead of a real clock, so what is
/// kept for a time by it is kept for at least that time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogTime(pub u64);

/// A broadcast, as its sender gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroadcastEntry<P> {
    /// Of which service, as `package.Service`.
    pub service: String,
    /// Which one of it.
    pub method: MethodId,
    /// The key of the node that it is for; `None`: any node that handles it.
    pub origin: Option<Vec<u8>>,
    /// The message.
    pub payload: P,
}

/// A record in the log of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerEntry<P> {
    /// A session is opened, or its lanes begin afresh.
    Session(RecordedSession),
    /// An action is accepted.
    Action {
        /// Its number.
        number: CallNumber,
        /// Which action of the service.
        method: MethodId,
        /// Of the request.
        digest: u64,
        /// The request.
        payload: P,
    },
    /// An action is about to run.
    Begun {
        /// Which.
        number: CallNumber,
    },
    /// An action is over.
    Answer {
        /// Which.
        number: CallNumber,
        /// Which action of the service.
        method: MethodId,
        /// Of the request.
        digest: u64,
        /// What is answered.
        answer: Answer<P>,
    },
    /// The session is over.
    Ended {
        /// A tombstone is left.
        expired: bool,
        /// Actions with lower numbers may have run.
        called_below: CallNumber,
        /// When.
        at: LogTime,
    },
    /// A broadcast is logged.
    Broadcast(BroadcastEntry<P>),
    /// A node is about to be told to handle a broadcast.
    Assigned {
        /// The record of the broadcast.
        broadcast: Sequence,
    },
    /// The log was open so long.
    Clock(LogTime),
    /// The completion store has this mark, or is about to.
    Mark {
        /// The how manyth. 0: the store does not know the log yet.
        number: u64,
        /// What the store knows it by.
        mark: LogMark,
    },
}

impl<P: AsRef<[u8]>> ServerEntry<P> {
    /// Appends its bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(RECORD_VERSION);
        match self {
            Self::Session(session) => put_session(out, session),
            Self::Action { number, method, digest, payload } => {
                put_call(out, kind::ACTION, *number, *method, *digest);
                out.extend_from_slice(payload.as_ref());
            }
            Self::Begun { number } => {
                out.push(kind::BEGUN);
                write_u64(out, number.0);
            }
            Self::Answer { number, method, digest, answer } => {
                put_call(out, kind::ANSWER, *number, *method, *digest);
                put_answer(out, answer);
            }
            Self::Ended { expired, called_below, at } => {
                out.extend_from_slice(&[kind::ENDED, (*expired).into()]);
                write_u64(out, called_below.0);
                write_u64(out, at.0);
            }
            Self::Broadcast(broadcast) => {
                out.push(kind::BROADCAST);
                put_bytes(out, broadcast.service.as_bytes());
                write_u64(out, broadcast.method.0.into());
                out.push(broadcast.origin.is_some().into());
                if let Some(origin) = &broadcast.origin {
                    put_bytes(out, origin);
                }
                out.extend_from_slice(broadcast.payload.as_ref());
            }
            Self::Assigned { broadcast } => {
                out.push(kind::ASSIGNED);
                write_u64(out, broadcast.0);
            }
            Self::Clock(at) => {
                out.push(kind::CLOCK);
                write_u64(out, at.0);
            }
            Self::Mark { number, mark } => {
                out.push(kind::MARK);
                write_u64(out, *number);
                out.extend_from_slice(&mark.0);
            }
        }
    }
}

fn put_call(out: &mut Vec<u8>, kind: u8, number: CallNumber, method: MethodId, digest: u64) {
    out.push(kind);
    write_u64(out, number.0);
    write_u64(out, method.0.into());
    out.extend_from_slice(&digest.to_le_bytes());
}

fn put_session(out: &mut Vec<u8>, session: &RecordedSession) {
    out.push(kind::SESSION);
    out.extend_from_slice(&session.client.0.to_le_bytes());
    write_u64(out, session.incarnation.0);
    write_u64(out, session.life.0);
    write_u64(out, session.session.0);
    put_bytes(out, session.service.as_bytes());
    write_u64(out, session.link.0);
    out.extend_from_slice(&session.secret);
    out.push(session.is_used.into());
    out.push(session.last_secret.is_some().into());
    if let Some(secret) = &session.last_secret {
        out.extend_from_slice(secret);
    }
    if session.expired_below > CallNumber(0) {
        write_u64(out, session.expired_below.0);
    }
}

impl<P: From<Bytes>> ServerEntry<P> {
    /// Reads one. Its payload is a slice of `bytes`.
    ///
    /// # Errors
    /// It is none that [`Self::encode`] makes.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let (kind, mut reader) = Reader::begin(bytes)?;
        match kind {
            kind::SESSION => session(reader),
            kind::ACTION => {
                let (number, method, digest) = call(&mut reader)?;
                Ok(Self::Action { number, method, digest, payload: reader.payload() })
            }
            kind::BEGUN => {
                let number = CallNumber(reader.u64("number")?);
                reader.end(Self::Begun { number })
            }
            kind::ANSWER => {
                let (number, method, digest) = call(&mut reader)?;
                Ok(Self::Answer { number, method, digest, answer: reader.answer()? })
            }
            kind::ENDED => {
                let expired = reader.flag("expired")?;
                let called_below = CallNumber(reader.u64("called_below")?);
                let at = LogTime(reader.u64("at")?);
                reader.end(Self::Ended { expired, called_below, at })
            }
            kind::BROADCAST => {
                let service = reader.text("service")?;
                let method = MethodId(reader.u32("method")?);
                let origin = match reader.flag("has an origin")? {
                    true => Some(reader.bytes("origin")?.to_vec()),
                    false => None,
                };
                Ok(Self::Broadcast(BroadcastEntry { service, method, origin, payload: reader.payload() }))
            }
            kind::ASSIGNED => {
                let broadcast = Sequence(reader.u64("broadcast")?);
                reader.end(Self::Assigned { broadcast })
            }
            kind::CLOCK => {
                let at = LogTime(reader.u64("at")?);
                reader.end(Self::Clock(at))
            }
            kind::MARK => {
                let number = reader.u64("number")?;
                let mark = LogMark(reader.array("mark")?);
                reader.end(Self::Mark { number, mark })
            }
            kind => Err(DecodeError::Kind(kind)),
        }
    }
}

fn call(reader: &mut Reader) -> Result<(CallNumber, MethodId, u64), DecodeError> {
    let number = CallNumber(reader.u64("number")?);
    let method = MethodId(reader.u32("method")?);
    let digest = u64::from_le_bytes(reader.array("digest")?);
    Ok((number, method, digest))
}

fn session<P>(mut reader: Reader) -> Result<ServerEntry<P>, DecodeError> {
    let client = ClientId(u128::from_le_bytes(reader.array("client")?));
    let incarnation = Incarnation(reader.u64("incarnation")?);
    let life = Life(reader.u64("life")?);
    let session = SessionId(reader.u64("session")?);
    let service = reader.text("service")?;
    let link = LinkNumber(reader.u64("link")?);
    let secret = reader.array("secret")?;
    let is_used = reader.flag("is used")?;
    let last_secret = if reader.flag("has a last secret")? { Some(reader.array("last secret")?) } else { None };
    // Few have it.
    let expired_below = CallNumber(if reader.is_at_end() { 0 } else { reader.u64("expired below")? });
    reader.end(ServerEntry::Session(RecordedSession {
        client,
        incarnation,
        life,
        session,
        service,
        secret,
        last_secret,
        is_used,
        link,
        expired_below,
    }))
}
