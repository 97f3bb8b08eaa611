//! Bytes to frames: foreign bytes end here. The byte map is docs/wire.md.
//!
//! Knows: the layout, and its bounds. Does not know: what is legal now. Whatever comes, it is a frame or a named error; nothing is
//! reserved on the word of a peer.
#![deny(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used
)]

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use bytes::{Buf, Bytes, BytesMut};

use super::codec::CHECKSUM_BYTES;
use super::fields::Fields;
use super::layout::{
    flag, fresh_from, hello, is_always_checked, kind, outcome_from, refusal_from, reject_from, rider, welcome,
};
use super::limits::{
    BITS_MAX, MESSAGE_BYTES_MAX, MISSING_RANGES_MAX, SERVICE_BYTES_MAX, SHAPE_BYTES_MAX, STILL_PENDING_MAX,
};
use super::{
    Begin, Body, Close, Frame, FrameCodec, Hello, LinkFrame, MissingRange, PROTOCOL_VERSION, QuarterAgree,
    RangeAccepted, RangeAgree, Reject, Resume, Riders, Sequenced, ServerSchema, Welcome, WireId,
};
use crate::bits::{BitArray, Bits};
use crate::config::HANDSHAKE_BYTES_MAX;
use crate::ids::{
    BroadcastNumber, CallNumber, ClientId, Epoch, Incarnation, LaneKind, LinkNumber, MessageId, MethodId, Position,
    SessionId, Slot,
};
use crate::mutants::mutated;
use crate::record::Life;
use crate::varint::{self, VarintError};

/// Bytes that are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The length itself makes no sense. Where the next frame begins is unknown.
    #[error("the length of a frame: {0}")]
    Length(VarintError),
    /// The frame announces more than is agreed. Nothing of it was kept.
    #[error("a frame announces {length} bytes, at most {limit} are agreed")]
    TooLong {
        /// What it announces.
        length: u64,
        /// The limit.
        limit: u64,
    },
    /// A frame without a head.
    #[error("an empty frame")]
    Empty,
    /// The checksum differs. The frame was taken out of the input: on a link that may corrupt, count it and go on.
    #[error("checksum {found:08x} where {computed:08x} was computed")]
    Corrupt {
        /// What the frame says.
        found: u32,
        /// What its bytes give.
        computed: u32,
    },
    /// The frame ends within a field.
    #[error("the frame ends within {field}")]
    Truncated {
        /// Which one.
        field: &'static str,
    },
    /// A field is an integer that is too wide.
    #[error("{field} is an integer that is too wide")]
    TooWide {
        /// Which one.
        field: &'static str,
    },
    /// The frame goes on after its last field.
    #[error("{count} bytes after the last field")]
    Trailing {
        /// How many bytes.
        count: usize,
    },
    /// A field has a value without a meaning.
    #[error("{value} is no {field}")]
    NoSuch {
        /// Which field.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// A list or text is longer than its bound.
    #[error("{count} {field}, at most {limit} are allowed")]
    TooMany {
        /// Of what.
        field: &'static str,
        /// How many.
        count: u64,
        /// The bound.
        limit: u64,
    },
    /// A text is not UTF-8.
    #[error("{field} is not UTF-8")]
    NotText {
        /// Which one.
        field: &'static str,
    },
}

impl FrameCodec {
    /// Takes the next frame out of the input; `None`: more bytes are needed, and nothing was taken. Payloads share the input's memory.
    ///
    /// # Errors
    /// The bytes are no frame. After [`DecodeError::Length`], [`DecodeError::TooLong`] and [`DecodeError::Empty`] the input is where
    /// it was and no frame can follow; after every other error the frame is gone and the next one begins.
    pub fn decode<P: From<Bytes>>(&self, input: &mut BytesMut) -> Result<Option<LinkFrame<P>>, DecodeError> {
        let Some(Extent { prefix, length, head }) = self.extent(input)? else {
            return Ok(None);
        };
        let end = prefix.saturating_add(length);
        let (mut frame, payload) = match self.read(head, input.get(prefix..end).unwrap_or_default()) {
            Ok(read) => read,
            Err(error) => {
                input.advance(end);
                return Err(error);
            }
        };
        // The payload is cut out of the input where it lies. Whatever else the frame says is not kept.
        if let LinkFrame::Frame(Frame { message: Some(message), .. }) = &mut frame
            && let Some(of_message) = message.body.payload_mut()
        {
            // One cut of the input; the piece is made smaller, which costs less than to move the input on.
            let mut piece = input.split_to(end).freeze();
            piece.truncate(prefix.saturating_add(payload.end));
            piece.advance(prefix.saturating_add(payload.start));
            *of_message = P::from(piece);
        } else {
            input.advance(end);
        }
        Ok(Some(frame))
    }

    /// Reads what one frame says, but for its payload: that is told by where it is.
    #[inline]
    fn read<P: From<Bytes>>(&self, head: u8, bytes: &[u8]) -> Result<(LinkFrame<P>, Range<usize>), DecodeError> {
        let covered = if !self.reliable_ordered || is_always_checked(head & kind::MASK) {
            check(bytes).or_else(|error| if mutated!(ChecksumUnchecked) { Ok(unchecked(bytes)) } else { Err(error) })?
        } else {
            bytes
        };
        let mut fields = Fields { rest: covered, payload_bytes: 0 };
        fields.u8("the head")?;
        let frame = match head {
            kind::HELLO => LinkFrame::Hello(Box::new(fields.hello()?)),
            kind::WELCOME => LinkFrame::Welcome(Box::new(fields.welcome()?)),
            kind::REJECT => LinkFrame::Reject(fields.reject()?),
            kind::CLOSE => LinkFrame::Close(Close { message: fields.text("message bytes", MESSAGE_BYTES_MAX)? }),
            _ => LinkFrame::Frame(self.frame(head, &mut fields)?),
        };
        if !fields.rest.is_empty() {
            return Err(DecodeError::Trailing { count: fields.rest.len() });
        }
        Ok((frame, covered.len().saturating_sub(fields.payload_bytes)..covered.len()))
    }

    /// Where the next frame ends, once it is here as a whole.
    #[inline]
    fn extent(&self, input: &BytesMut) -> Result<Option<Extent>, DecodeError> {
        let mut rest: &[u8] = input;
        let length = match varint::read_u64(&mut rest) {
            Ok(length) => length,
            Err(VarintError::UnexpectedEnd { .. }) => return Ok(None),
            Err(error) => return Err(DecodeError::Length(error)),
        };
        if length == 0 {
            return Err(DecodeError::Empty);
        }
        let mut limit = self.length_max();
        let head = rest.first().copied();
        // Where a link may corrupt, the head says nothing before the checksum is right.
        if self.reliable_ordered && head.is_some_and(|head| is_always_checked(head & kind::MASK)) {
            limit = limit.min(HANDSHAKE_BYTES_MAX as u64);
        }
        if length > limit {
            return Err(DecodeError::TooLong { length, limit });
        }
        let prefix = input.len().saturating_sub(rest.len());
        // It fits: the limit is far below what an usize holds.
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(head.filter(|_| rest.len() >= length).map(|head| Extent { prefix, length, head }))
    }

    #[inline]
    fn frame<P: From<Bytes>>(&self, head: u8, fields: &mut Fields<'_>) -> Result<Frame<P>, DecodeError> {
        let bits = if head & flag::BITS == 0 { None } else { Some(fields.bits(self.reliable_ordered)?) };
        let riders = if head & flag::RIDERS == 0 { None } else { Some(Box::new(fields.riders()?)) };
        let kind = head & !(flag::BITS | flag::RIDERS);
        if kind == kind::CONTROL {
            let message = None;
            return Ok(Frame { bits, riders, message });
        }
        let id = if self.reliable_ordered {
            WireId::Short(fields.u8("the message id")?)
        } else {
            WireId::Full(MessageId(u32::from_le_bytes(fields.array("the message id")?)))
        };
        let body = fields.body(kind)?;
        Ok(Frame { bits, riders, message: Some(Sequenced { id, body }) })
    }
}

/// Where the next frame is in the input.
struct Extent {
    /// Bytes of its length.
    prefix: usize,
    /// Bytes after its length.
    length: usize,
    head: u8,
}

/// What the checksum at the end covers, if that is right.
fn check(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    let Some((covered, found)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(DecodeError::Truncated { field: "the checksum" });
    };
    let (found, computed) = (u32::from_le_bytes(*found), crc32fast::hash(covered));
    if found != computed {
        return Err(DecodeError::Corrupt { found, computed });
    }
    Ok(covered)
}

/// What a checksum would cover.
fn unchecked(bytes: &[u8]) -> &[u8] {
    bytes.get(..bytes.len().saturating_sub(CHECKSUM_BYTES)).unwrap_or_default()
}

impl Fields<'_> {
    fn call(&mut self) -> Result<(Slot, u16), DecodeError> {
        Ok((Slot(self.u32("the slot")?), self.u16_fixed("the check")?))
    }

    fn method(&mut self) -> Result<MethodId, DecodeError> {
        self.u32("the method").map(MethodId)
    }

    fn broadcast_number(&mut self) -> Result<BroadcastNumber, DecodeError> {
        self.u64("the broadcast's number").map(BroadcastNumber)
    }

    /// Everything that is left. It is noted and not taken: it stays empty until it is cut out of the input.
    fn payload<P: From<Bytes>>(&mut self) -> P {
        self.payload_bytes = self.rest.len();
        self.rest = &[];
        P::from(Bytes::new())
    }

    fn bits(&mut self, reliable_ordered: bool) -> Result<BitArray, DecodeError> {
        let field = "guarantee bits";
        let base = if reliable_ordered { u32::from(self.u16_fixed(field)?) } else { self.u32_fixed(field)? };
        let counted = self.u64(field)?;
        let count = u32::try_from(counted >> 1)
            .ok()
            .filter(|count| *count <= BITS_MAX)
            .ok_or_else(|| DecodeError::TooMany { field, count: counted >> 1, limit: u64::from(BITS_MAX) })?;
        if count == 0 {
            return Err(DecodeError::NoSuch { field: "count of guarantee bits", value: 0 });
        }
        if counted & 1 == 0 {
            let bits = Bits::Ones(count);
            return Ok(BitArray { base, bits });
        }
        let bytes: Box<[u8]> = Box::from(self.slice(field, count.div_ceil(8) as usize)?);
        let used = count % 8;
        let last = bytes.last().copied().unwrap_or(0);
        if used != 0 && last >> used != 0 {
            return Err(DecodeError::NoSuch { field: "last byte of guarantee bits", value: u64::from(last) });
        }
        let bits = Bits::Mixed { count, bytes };
        Ok(BitArray { base, bits })
    }

    fn riders(&mut self) -> Result<Riders, DecodeError> {
        let mut riders = Riders::default();
        let present = self.u8("riders")?;
        if present == 0 {
            return Err(DecodeError::NoSuch { field: "set of riders", value: 0 });
        }
        if present & rider::QUARTER != 0 {
            riders.quarter = Some(self.quarter()?);
        }
        if present & rider::RANGE != 0 {
            riders.range = Some(self.range()?);
        }
        if present & rider::RANGE_ACCEPTED != 0 {
            riders.range_accepted = Some(RangeAccepted {
                cycle: self.u32("the accepted cycle")?,
                crc: self.u32_fixed("the accepted cycle's verifier")?,
            });
        }
        riders.blocked = present & rider::BLOCKED != 0;
        if present & rider::WHERE_IS != 0 {
            riders.where_is = self.list("missing ranges", MISSING_RANGES_MAX, Self::missing_range)?;
        }
        if present & rider::STILL_PENDING != 0 {
            riders.still_pending = self.list("pending calls", STILL_PENDING_MAX, Self::call)?;
        }
        riders.heartbeat = match (present & rider::ALIVE != 0, present & rider::ALIVE_ASKS != 0) {
            (false, false) => None,
            (true, false) => Some(false),
            (false, true) => Some(true),
            (true, true) => {
                let value = u64::from(present);
                return Err(DecodeError::NoSuch { field: "set of riders", value });
            }
        };
        Ok(riders)
    }

    /// A list that has at least one element.
    fn list<T>(
        &mut self,
        field: &'static str,
        limit: usize,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        let count = self.count(field, limit)?;
        if count == 0 {
            return Err(DecodeError::NoSuch { field, value: 0 });
        }
        (0..count).map(|_| element(self)).collect()
    }

    fn missing_range(&mut self) -> Result<MissingRange, DecodeError> {
        Ok(MissingRange {
            first: Position(self.u64("a missing position")?),
            count: self.u32("a count of missing positions")?,
        })
    }

    fn quarter(&mut self) -> Result<QuarterAgree, DecodeError> {
        let field = "the agreed quarter";
        let both = self.u64(field)?;
        let cycle = u32::try_from(both >> 2).map_err(|_| DecodeError::TooWide { field })?;
        // Two bits are left.
        let quarter = u8::try_from(both & 3).unwrap_or(0);
        let crc = self.u32_fixed(field)?;
        Ok(QuarterAgree { cycle, quarter, crc })
    }

    fn range(&mut self) -> Result<RangeAgree, DecodeError> {
        Ok(RangeAgree {
            lane: self.number("lane of a range", |number| match number {
                0 => Some(LaneKind::Up),
                1 => Some(LaneKind::Down),
                _ => None,
            })?,
            cycle: self.u32("the range's cycle")?,
            from: Position(self.u64("the range's first position")?),
            start: MessageId(self.u32_fixed("the range's first id")?),
            size: self.u32("the range's size")?,
            crc: self.u32_fixed("the range's verifier")?,
        })
    }

    /// What a message says. `kind` has the flag of its kind, if it is set; there is no other left.
    #[inline]
    fn body<P: From<Bytes>>(&mut self, kind: u8) -> Result<Body<P>, DecodeError> {
        const ACTION_AGAIN: u8 = kind::ACTION | flag::AGAIN;
        const ACTION_NUMBERED_AGAIN: u8 = kind::ACTION_NUMBERED | flag::AGAIN;
        const OFFER_AGAIN: u8 = kind::OFFER | flag::AGAIN;
        Ok(match kind {
            kind::ACTION | ACTION_AGAIN => Body::Action {
                slot: Slot(self.u32("the slot")?),
                number: None,
                method: self.method()?,
                maybe_sent: kind == ACTION_AGAIN,
                payload: self.payload(),
            },
            kind::ACTION_NUMBERED | ACTION_NUMBERED_AGAIN => Body::Action {
                slot: Slot(self.u32("the slot")?),
                number: Some(CallNumber(self.u64("the call number")?)),
                method: self.method()?,
                maybe_sent: kind == ACTION_NUMBERED_AGAIN,
                payload: self.payload(),
            },
            kind::OFFER | OFFER_AGAIN => Body::Offer {
                number: self.broadcast_number()?,
                method: self.method()?,
                redelivered: kind == OFFER_AGAIN,
                payload: self.payload(),
            },
            kind::GO => Body::Go { number: self.broadcast_number()? },
            kind::REVOKE => Body::Revoke { number: self.broadcast_number()? },
            kind::GOODBYE => Body::Goodbye,
            kind::CANCEL..=kind::CANCEL_RESULT => self.about_call(kind)?,
            _ => {
                let value = u64::from(kind);
                return Err(DecodeError::NoSuch { field: "head", value });
            }
        })
    }

    /// What names its call by slot and check.
    fn about_call<P: From<Bytes>>(&mut self, kind: u8) -> Result<Body<P>, DecodeError> {
        let (slot, check) = self.call()?;
        Ok(match kind {
            kind::CANCEL => Body::Cancel { slot, check },
            kind::RESPONSE => Body::Response { slot, check, payload: self.payload() },
            kind::FAILURE => Body::Failure { slot, check, payload: self.payload() },
            kind::REFUSAL => Body::Refusal { slot, check, reason: self.number("refusal", refusal_from)? },
            _ => Body::CancelResult { slot, check, outcome: self.number("outcome of a cancel", outcome_from)? },
        })
    }

    fn hello(&mut self) -> Result<Hello, DecodeError> {
        let version = self.u16_fixed("the version")?;
        let is_later = version > PROTOCOL_VERSION;
        let flags = self.flags("flags of a hello", if is_later { u8::MAX } else { hello::KNOWN })?;
        let mut read = Hello {
            version,
            reliable_ordered: flags & hello::RELIABLE_ORDERED != 0,
            service: self.text("bytes of the service's name", SERVICE_BYTES_MAX)?,
            fingerprint: self.u64_fixed("the fingerprint")?,
            client: ClientId(u128::from_le_bytes(self.array("the client id")?)),
            incarnation: Incarnation(self.u64_fixed("the incarnation")?),
            life: if flags & hello::LIFE == 0 { Life(0) } else { Life(self.u64("the life")?) },
            link: LinkNumber(self.u64("the link's number")?),
            nonce: self.u64_fixed("the nonce")?,
            retired_below: CallNumber(self.u64("the retired call numbers")?),
            broadcasts: Vec::new(),
            resume: None,
        };
        // Each takes a byte at least: what is left of the frame is their bound.
        let count = self.count("handled broadcasts", self.rest.len())?;
        read.broadcasts = (0..count).map(|_| self.method()).collect::<Result<_, _>>()?;
        if flags & hello::RESUME != 0 {
            read.resume = Some(Resume {
                session: SessionId(self.u64_fixed("the session")?),
                epoch: Epoch(self.u64_fixed("the epoch")?),
                proof: self.array("the proof")?,
                down_expected: Position(self.u64("the expected position")?),
                sent_below: CallNumber(self.u64("the sent call numbers")?),
            });
        }
        if is_later {
            self.rest = &[]; // Later versions only append, so that this one can still tell them what it speaks.
        }
        Ok(read)
    }

    fn welcome(&mut self) -> Result<Welcome, DecodeError> {
        let flags = self.flags("flags of a welcome", welcome::KNOWN)?;
        Ok(Welcome {
            reliable_ordered: flags & welcome::RELIABLE_ORDERED != 0,
            epoch: Epoch(self.u64_fixed("the epoch")?),
            session: SessionId(self.u64_fixed("the session")?),
            slots: self.u32("the count of slots")?,
            frame_bytes_max: self.u32("the largest frame")?,
            begin: if flags & welcome::RESUMED != 0 {
                Begin::Resumed { up_expected: Position(self.u64("the expected position")?) }
            } else {
                Begin::Fresh {
                    reason: self.number("reason for a new session", fresh_from)?,
                    nonce: self.u64_fixed("the nonce")?,
                    secret: self.array("the secret")?,
                    up: self.range()?,
                    down: self.range()?,
                }
            },
        })
    }

    fn reject(&mut self) -> Result<Reject, DecodeError> {
        let mut read = Reject {
            reason: self.number("reason of a reject", reject_from)?,
            pause: Duration::from_millis(self.u64("the pause")?),
            message: self.text("message bytes", MESSAGE_BYTES_MAX)?,
            schema: None,
        };
        if !self.rest.is_empty() {
            let fingerprint = self.u64_fixed("the server's fingerprint")?;
            let shape = self.text("bytes of the server's shape", SHAPE_BYTES_MAX)?;
            read.schema = Some(Box::new(ServerSchema { fingerprint, shape }));
        }
        Ok(read)
    }
}
