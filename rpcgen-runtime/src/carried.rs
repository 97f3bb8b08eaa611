//! What the sessions of this runtime carry: encoded bytes on a network, the typed message itself between threads.
//!
//! Knows: how a message becomes one or the other and comes out again. Does not know: sessions, links, who sends what.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rpcgen_proto::ids::AppId;
use rpcgen_proto::payload::{self, Decode, DecodeError, Encode, EncodeError};
use rpcgen_proto::session::Payload;

use crate::blocks;
use crate::contract::{Action, Broadcast};
use crate::driver::inbox::lock;

/// Anything that travels: a request, a response, a business error, a broadcast.
pub trait Message: Encode + Decode + Send + 'static {}

impl<M: Encode + Decode + Send + 'static> Message for M {}

/// The payload of all sessions.
#[derive(Clone, Debug)]
pub enum Carried {
    /// The encoded message.
    Encoded(Bytes),
    /// The message itself: both ends are in this process.
    Typed(TypedMessage),
}

/// A payload that is larger keeps more than a quarter of its block in use: the copy would cost more than it saves.
const COMPACTED_BYTES_MAX: usize = 16 * 1024;

/// Why nothing came out of a [`Carried`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The typed message was taken out before: an earlier run of its handler has it.
    #[error("the message was handed over before")]
    Taken,
    /// The typed message is of another type: the two ends disagree about the number of a method.
    #[error("the message is of another type")]
    OtherType,
    /// The bytes are not what they should be.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

impl Carried {
    /// The message in the form that the other end takes. Its limits hold in either.
    pub(crate) fn new<M: Message>(message: M, in_process: bool) -> Result<Self, EncodeError> {
        Self::of(message, AppId::default(), in_process)
    }

    /// The same for a request: its app id can be read without opening it.
    pub(crate) fn of_request<A: Action>(request: A, in_process: bool) -> Result<Self, EncodeError> {
        let app_id = request.app_id();
        Self::of(request, app_id, in_process)
    }

    fn of<M: Message>(message: M, app_id: AppId, in_process: bool) -> Result<Self, EncodeError> {
        if in_process {
            check(&message)?;
            Ok(Self::Typed(TypedMessage { message: Arc::new(TakeOnce(Mutex::new(Some(message)))), app_id }))
        } else {
            blocks::encoded(&message).map(Self::Encoded)
        }
    }

    /// The app id of a request.
    pub(crate) fn app_id(&self) -> Result<AppId, DecodeError> {
        match self {
            // It is the first field of every request.
            Self::Encoded(bytes) => payload::from_slice(bytes),
            Self::Typed(typed) => Ok(typed.app_id),
        }
    }

    /// The same for a broadcast. It may have to go to another node although one had it: what is opened is a copy.
    pub(crate) fn of_broadcast<B: Broadcast>(broadcast: B, in_process: bool) -> Result<Self, EncodeError> {
        if in_process {
            check(&broadcast)?;
            Ok(Self::Typed(TypedMessage { message: Arc::new(Kept(Mutex::new(broadcast))), app_id: AppId::default() }))
        } else {
            // It may have to wait for a node.
            blocks::encoded_alone(&broadcast).map(Self::Encoded)
        }
    }

    /// Takes the message of a broadcast out.
    pub(crate) fn open_broadcast<B: Broadcast>(self) -> Result<B, OpenError> {
        match self {
            Self::Encoded(_) => self.open(),
            Self::Typed(typed) => typed.copy(),
        }
    }

    /// Looks at the encoded message: of a typed one that was taken out, at nothing.
    pub(crate) fn with_bytes<R>(&self, look: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Self::Encoded(bytes) => look(bytes),
            Self::Typed(typed) => look(&typed.message.encode().unwrap_or_default()),
        }
    }

    pub(crate) fn is_typed(&self) -> bool {
        matches!(self, Self::Typed(_))
    }

    /// Takes the message out.
    pub(crate) fn open<M: Message>(self) -> Result<M, OpenError> {
        match self {
            Self::Encoded(bytes) => Ok(payload::from_slice(&bytes)?),
            Self::Typed(typed) => typed.take(),
        }
    }

    /// The same in the form that another end takes. `None`: not possible; the typed message was taken out before.
    pub(crate) fn converted(self, in_process: bool) -> Option<Self> {
        match self {
            Self::Typed(typed) if !in_process => typed.message.encode().map(Self::Encoded),
            // What is encoded can be read anywhere.
            carried => Some(carried),
        }
    }
}

impl Payload for Carried {
    fn size_bytes(&self) -> usize {
        match self {
            Self::Encoded(bytes) => bytes.len(),
            Self::Typed(typed) => typed.message.size_bytes(),
        }
    }

    fn compacted(self) -> Self {
        match self {
            Self::Encoded(bytes) if bytes.len() <= COMPACTED_BYTES_MAX => Self::Encoded(Bytes::copy_from_slice(&bytes)),
            carried => carried,
        }
    }

    /// A typed message is never on record, so that nothing of it is compared.
    fn digest(&self) -> u64 {
        match self {
            Self::Encoded(bytes) => rpcgen_proto::digest::of(bytes),
            Self::Typed(_) => 0,
        }
    }
}

impl AsRef<[u8]> for Carried {
    /// The encoded message. A typed one has no bytes: it never goes on a network link as it is.
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Encoded(bytes) => bytes,
            Self::Typed(_) => {
                debug_assert!(false, "a typed message was put on a network link");
                &[]
            }
        }
    }
}

impl From<Bytes> for Carried {
    fn from(bytes: Bytes) -> Self {
        Self::Encoded(bytes)
    }
}

/// Between threads nothing is encoded, and what breaks a limit is refused all the same: the stubs keep one promise.
fn check<M: Encode>(message: &M) -> Result<(), EncodeError> {
    if M::HAS_LIMITS { blocks::check(message) } else { Ok(()) }
}

/// A message that is handed over between threads as it is. The sender's log keeps this handle for re-sends; the first one who takes
/// the message out has it, without a copy. A broadcast is copied: it may have to go to a second node.
#[derive(Clone)]
pub struct TypedMessage {
    message: Arc<dyn AnyMessage>,
    /// Of a request; without a meaning otherwise.
    app_id: AppId,
}

impl TypedMessage {
    fn take<M: Message>(&self) -> Result<M, OpenError> {
        let cell = (&*self.message as &dyn Any).downcast_ref::<TakeOnce<M>>().ok_or(OpenError::OtherType)?;
        lock(&cell.0).take().ok_or(OpenError::Taken)
    }

    fn copy<B: Broadcast>(&self) -> Result<B, OpenError> {
        let kept = (&*self.message as &dyn Any).downcast_ref::<Kept<B>>().ok_or(OpenError::OtherType)?;
        Ok(lock(&kept.0).clone())
    }
}

impl fmt::Debug for TypedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TypedMessage(..)")
    }
}

trait AnyMessage: Any + Send + Sync {
    fn encode(&self) -> Option<Bytes>;
    fn size_bytes(&self) -> usize;
}

struct TakeOnce<M>(Mutex<Option<M>>);

impl<M: Message> AnyMessage for TakeOnce<M> {
    fn encode(&self) -> Option<Bytes> {
        let message = lock(&self.0);
        blocks::encoded_alone(message.as_ref()?).ok()
    }

    /// Without what the message keeps on the heap, which nobody knows without encoding it: between threads the limits of messages
    /// bound the logs (`log_messages_max`, `slots`), and those of bytes do not.
    fn size_bytes(&self) -> usize {
        size_of::<M>()
    }
}

/// A message that can be opened again.
struct Kept<M>(Mutex<M>);

impl<M: Message> AnyMessage for Kept<M> {
    fn encode(&self) -> Option<Bytes> {
        blocks::encoded_alone(&*lock(&self.0)).ok()
    }

    fn size_bytes(&self) -> usize {
        size_of::<M>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_message_comes_out_once() {
        let carried = Carried::new(String::from("a"), true).unwrap();
        assert!(matches!(carried.clone().open::<u64>(), Err(OpenError::OtherType)));
        assert_eq!(carried.clone().open::<String>().unwrap(), "a");
        assert!(matches!(carried.open::<String>(), Err(OpenError::Taken)));
    }

    #[test]
    fn typed_message_encodes_itself_when_its_next_reader_is_elsewhere() {
        let carried = Carried::new(String::from("a"), true).unwrap();
        let encoded = carried.clone().converted(false).unwrap();
        assert_eq!(encoded.as_ref(), [1, b'a']);
        assert_eq!(encoded.converted(true).unwrap().open::<String>().unwrap(), "a");
        assert_eq!(carried.open::<String>().unwrap(), "a");
    }
}
