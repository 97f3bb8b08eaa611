//! Exactly-once effects: completion records beside the effect, in the transaction of the business.
//!
//! Knows: what a completion record says, when the runtime asks for one, what a store has to promise. Does not know: SQL, sessions.
//!
//! A log outside of the database can say that an action was answered, and never whether its effect was committed: a server may die
//! between the two. A record that is written by the effect's own transaction closes that window. `rpcgen-sqlite` and
//! `rpcgen-postgres` are stores; [`sql`] makes one of any other SQL database.
//!
//! Log and database can be of different moments, if one of them was restored. Two things are kept in the database for that: below which
//! number a client has had all answers ([`Found::Retired`]), so that no call has its effect again though its record is gone; and which
//! mark of which log it was last used with ([`KnownLog`]), so that a server says what has happened and does not begin.

mod codec;
mod retired;
pub mod sql;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
pub use rpcgen_log::LogId;
use rpcgen_proto::ids::{CallKey, CallNumber, ClientId, Incarnation, MethodId};
pub use rpcgen_proto::server::{KnownLog, LogMark};

pub use self::codec::{AnswerCodec, AnswerError};
pub(crate) use self::codec::{CodecOf, read};
pub use self::retired::RetiredCalls;

/// What a store's functions return.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Pause before a store is asked again: doubles from the first to the second.
const AGAIN_AFTER: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// Where completion records are kept, as the runtime sees it.
///
/// A record is written by the transaction that has the effect, and by nothing else; it is there exactly if the effect is. A store never
/// drops a record that it was not told to ([`Self::retire`]), whatever room it takes (trap T6).
pub trait CompletionStore: Send + Sync + 'static {
    /// What there is of a call. The runtime asks before it runs an action that may have run before.
    ///
    /// # Errors
    /// The store cannot be asked now, or not any more. The action does not run until it could.
    fn find(&self, key: CallKey) -> StoreFuture<'_, Result<Found, StoreError>>;

    /// The client has the answers of all calls of this life below that number, and will never ask for one again: their records may go,
    /// some at a time, when it suits. What is deleted stays known as [`Found::Retired`], by the same transaction: one number for each life
    /// of a client. Returns at once.
    fn retire(&self, client: ClientId, incarnation: Incarnation, below: CallNumber);

    /// Which mark of this log the store was last used with; `None`: it does not know the log.
    ///
    /// # Errors
    /// The store cannot be asked.
    fn known_log(&self, log: LogId) -> StoreFuture<'_, Result<Option<KnownLog>, StoreError>>;

    /// From now on it is used with this mark of the log, if the one before is still `was` (`None`: none). Returns when that is durable;
    /// `false`: it was used with another one meanwhile, and nothing has changed.
    ///
    /// # Errors
    /// The store cannot be asked; whether it has changed anything is not known.
    fn take_log(&self, log: LogId, was: Option<LogMark>, now: KnownLog) -> StoreFuture<'_, Result<bool, StoreError>>;

    /// Returns when it records nothing more in this process, and says why: what [`Server::stopped`](crate::Server::stopped) hears. A store
    /// that stops also says so in an error event (`tracing`), for servers that nobody watches. Default: never.
    fn stopped(&self) -> StoreFuture<'_, StoreError> {
        Box::pin(std::future::pending())
    }
}

/// What a store has of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// No record: it has no effect.
    Nothing,
    /// It was answered with that.
    Completed(Completion),
    /// It was answered, its client has that answer, and the record is gone: whoever brings it again has an older state of some log. It must
    /// not run.
    Retired,
}

/// A completion record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Of the method and the request: [`digest`].
    pub digest: u64,
    /// What was answered.
    pub answer: RecordedAnswer,
}

/// An answer of the business, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedAnswer {
    /// Whether it is the typed error.
    pub is_failure: bool,
    /// The encoded response or error.
    pub bytes: Bytes,
}

/// Why a store does not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It may later: the database is away, or busy. The same is asked again, at growing intervals.
    #[error("the completion store is not reachable now: {0}")]
    Unavailable(String),
    /// It will not in this process: it failed in a way that leaves open what is on the disk, or another server has taken over. Actions that
    /// need it are not answered any more.
    #[error("the completion store has stopped: {0}")]
    Stopped(String),
}

/// What a handler has to know to write a completion record: [`Call::record`](crate::Call::record). For stores.
#[derive(Clone, Copy)]
pub struct CallRecord {
    /// The identity of the call, for ever.
    pub key: CallKey,
    /// Which action of its service.
    pub method: MethodId,
    /// Of the method and the request.
    pub digest: u64,
    pub(crate) codec: &'static dyn AnswerCodec,
}

impl fmt::Debug for CallRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CallRecord").field(&self.key).finish()
    }
}

impl CallRecord {
    /// The answer as it is kept, and the answer itself.
    ///
    /// # Errors
    /// It breaks a limit of its own type, or is of another type than the handler's.
    pub fn encode<R: Send + 'static>(&self, answer: R) -> Result<(RecordedAnswer, R), AnswerError> {
        let mut slot = Some(answer);
        let recorded = self.codec.encode(&mut slot)?;
        slot.map(|answer| (recorded, answer)).ok_or(AnswerError::OtherType)
    }

    /// A kept answer as the handler returns it.
    ///
    /// # Errors
    /// The record is damaged, or the schema has changed beyond what may change; or `R` is not what the handler returns.
    pub fn decode<R: Send + 'static>(&self, recorded: &RecordedAnswer) -> Result<R, AnswerError> {
        let mut slot: Option<R> = None;
        self.codec.decode(recorded, &mut slot)?;
        slot.ok_or(AnswerError::OtherType)
    }
}

/// Digest of a method and an encoded request: FNV-1a, 64 bits, over the method's number (four bytes, little endian) and the request.
/// It stands in databases: it never changes. It finds mistakes (a copied log, a restored backup), not attacks.
#[must_use]
pub fn digest(method: MethodId, request: &[u8]) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let method = method.0.to_le_bytes();
    method.iter().chain(request).fold(OFFSET, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

/// Pauses between attempts.
#[derive(Clone, Copy, Debug)]
pub struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(AGAIN_AFTER.0)
    }
}

impl Backoff {
    /// Waits; the next time twice as long, a second at most.
    pub async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(AGAIN_AFTER.1);
    }
}

/// Asks until there is an answer. A store that has stopped has none, ever: then this does not return, and the action stays open for the
/// next life of the server.
pub(crate) async fn ask(store: &Arc<dyn CompletionStore>, key: CallKey) -> Found {
    let mut backoff = Backoff::default();
    loop {
        match store.find(key).await {
            Ok(found) => return found,
            Err(error @ StoreError::Unavailable(_)) => {
                tracing::warn!(%key, %error, "an action that may have run waits");
                backoff.wait().await;
            }
            Err(error @ StoreError::Stopped(_)) => {
                tracing::error!(%key, %error, "an action that may have run is not answered");
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_is_the_published_function_and_tells_methods_apart() {
        // Vectors of the function's authors: the empty text is the offset, "a" and "foobar" follow.
        assert_eq!(digest(MethodId(0), b""), {
            let zeros = [0; 4];
            zeros.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, _| hash.wrapping_mul(0x0000_0100_0000_01b3))
        });
        assert_eq!(digest(MethodId(u32::from_le_bytes(*b"foob")), b"ar"), 0x8594_4171_f739_67e8);
        assert_ne!(digest(MethodId(1), b"x"), digest(MethodId(2), b"x"));
    }
}
