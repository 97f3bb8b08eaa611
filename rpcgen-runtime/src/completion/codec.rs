//! From a handler's answer to what is kept of it, and back, for whoever does not know the action's types.
//!
//! Knows: the types of one action. Does not know: where records are kept.

use std::any::Any;
use std::marker::PhantomData;

use rpcgen_proto::payload::{self, DecodeError, EncodeError};

use super::RecordedAnswer;
use crate::contract::{Action, HandlerResult as _};

/// An answer cannot be kept, or what was kept cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// A handler completes with something else than it returns.
    #[error("a handler completed its call with another type than it returns; give back what `once` gives, as it is")]
    OtherType,
    /// The answer breaks a limit of its own type.
    #[error("the answer cannot be encoded: {0}")]
    Encode(#[from] EncodeError),
    /// What was kept is not an answer of this action.
    #[error("a completion record cannot be read: {0}")]
    Decode(#[from] DecodeError),
}

/// Turns the answers of one action into what is kept of them. The slots are `Option<R>`, where a handler of the action returns `R`.
pub trait AnswerCodec: Send + Sync {
    /// Encodes the answer in the slot, and leaves it there.
    ///
    /// # Errors
    /// There is none, or it is of another type, or breaks a limit.
    fn encode(&self, slot: &mut dyn Any) -> Result<RecordedAnswer, AnswerError>;

    /// Puts the answer into the slot.
    ///
    /// # Errors
    /// It is a slot for something else, or the record cannot be read.
    fn decode(&self, recorded: &RecordedAnswer, slot: &mut dyn Any) -> Result<(), AnswerError>;
}

/// The codec of the action `A`.
pub(crate) struct CodecOf<A>(PhantomData<fn() -> A>);

impl<A: Action> CodecOf<A> {
    pub(crate) const fn codec() -> &'static dyn AnswerCodec {
        &Self(PhantomData)
    }
}

impl<A: Action> AnswerCodec for CodecOf<A> {
    fn encode(&self, slot: &mut dyn Any) -> Result<RecordedAnswer, AnswerError> {
        let slot = slot.downcast_mut::<Option<A::Result>>().ok_or(AnswerError::OtherType)?;
        let answer = slot.take().ok_or(AnswerError::OtherType)?;
        let result = A::into_result(answer);
        let bytes = match &result {
            Ok(response) => payload::to_vec(response)?,
            Err(error) => payload::to_vec(error)?,
        };
        let recorded = RecordedAnswer { is_failure: result.is_err(), bytes: bytes.into() };
        *slot = Some(A::Result::from_result(result.map(A::into_output)));
        Ok(recorded)
    }

    fn decode(&self, recorded: &RecordedAnswer, slot: &mut dyn Any) -> Result<(), AnswerError> {
        let slot = slot.downcast_mut::<Option<A::Result>>().ok_or(AnswerError::OtherType)?;
        *slot = Some(A::Result::from_result(read::<A>(recorded)?.map(A::into_output)));
        Ok(())
    }
}

/// The answer as it travels.
pub(crate) fn read<A: Action>(recorded: &RecordedAnswer) -> Result<Result<A::Response, A::Error>, DecodeError> {
    Ok(if recorded.is_failure {
        Err(payload::from_slice(&recorded.bytes)?)
    } else {
        Ok(payload::from_slice(&recorded.bytes)?)
    })
}
