//! Values of one piece: integers, floats, times, IDs.
//!
//! Knows: their bytes. Does not know: what contains them.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::arithmetic_side_effects)]

use alloc::vec::Vec;
use core::convert::Infallible;
use core::time::Duration;

use uuid::Uuid;

use super::{Decode, DecodeError, DecodeProblem, Encode, Reader, Writer};
use crate::ids::AppId;
use crate::varint;

impl Encode for u8 {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.bytes.push(*self);
    }

    #[inline]
    fn encode_all(values: &[Self], out: &mut Writer) {
        out.copy(values);
    }
}

impl Decode for u8 {
    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.take_byte()
    }

    #[inline]
    fn decode_list(count: usize, input: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        input.take(count).map(Into::into)
    }

    #[inline]
    fn decode_array<const N: usize>(input: &mut Reader<'_>) -> Result<[Self; N], DecodeError> {
        input.take_array().copied()
    }
}

impl Encode for i8 {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.bytes.push(self.cast_unsigned());
    }
}

impl Decode for i8 {
    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.take_byte().map(u8::cast_signed)
    }
}

impl Encode for bool {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.bytes.push(u8::from(*self));
    }
}

impl Decode for bool {
    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.take_byte()? {
            0 => Ok(false),
            1 => Ok(true),
            value => Err(DecodeProblem::BadTag { what: "a bool", value }.into()),
        }
    }
}

macro_rules! integer {
    ($($type:ident: $write:ident($value:ident => $to:expr), $read:ident($raw:ident => $from:expr);)+) => {$(
        impl Encode for $type {
            #[inline]
            fn encode(&self, out: &mut Writer) {
                let $value = *self;
                varint::$write(&mut out.bytes, $to);
            }
        }

        impl Decode for $type {
            #[inline]
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let $raw = varint::$read(&mut input.rest)?;
                Ok($from)
            }
        }
    )+};
}

integer! {
    u16: write_u64(value => value.into()), read_u16(raw => raw);
    u32: write_u64(value => value.into()), read_u32(raw => raw);
    u64: write_u64(value => value), read_u64(raw => raw);
    u128: write_u128(value => value), read_u128(raw => raw);
    i16: write_u64(value => varint::fold_i16(value).into()), read_u16(raw => varint::unfold_i16(raw));
    i32: write_u64(value => varint::fold_i32(value).into()), read_u32(raw => varint::unfold_i32(raw));
    i64: write_u64(value => varint::fold_i64(value)), read_u64(raw => varint::unfold_i64(raw));
    i128: write_u128(value => varint::fold_i128(value)), read_u128(raw => varint::unfold_i128(raw));
    AppId: write_u64(value => value.0), read_u64(raw => Self(raw));
}

macro_rules! float {
    ($($type:ident),+) => {$(
        impl Encode for $type {
            #[inline]
            fn encode(&self, out: &mut Writer) {
                out.bytes.extend_from_slice(&self.to_le_bytes());
            }
        }

        impl Decode for $type {
            #[inline]
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self::from_le_bytes(*input.take_array()?))
            }
        }
    )+};
}

float!(f32, f64);

impl Encode for Uuid {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        out.bytes.extend_from_slice(self.as_bytes());
    }
}

impl Decode for Uuid {
    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::from_bytes(*input.take_array()?))
    }
}

impl Encode for Duration {
    #[inline]
    fn encode(&self, out: &mut Writer) {
        self.as_secs().encode(out);
        self.subsec_nanos().encode(out);
    }
}

impl Decode for Duration {
    /// As bincode does, a billion nanoseconds and more are carried over to the seconds.
    #[inline]
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let seconds = Self::from_secs(u64::decode(input)?);
        let nanoseconds = u32::decode(input)?;
        match seconds.checked_add(Self::from_nanos(nanoseconds.into())) {
            Some(duration) => Ok(duration),
            None => Err(DecodeProblem::BadTime { nanoseconds }.into()),
        }
    }
}

impl Encode for Infallible {
    #[inline]
    fn encode(&self, _: &mut Writer) {
        match *self {}
    }
}

impl Decode for Infallible {
    #[inline]
    fn decode(_: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Err(DecodeProblem::Uninhabited.into())
    }
}
