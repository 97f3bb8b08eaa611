//! Integers of variable length, as bincode 2's standard configuration lays them out.
//!
//! Knows: bytes and integers. Does not know: what the integers mean; frames and payloads both use it.
//!
//! A value up to 250 is its own byte; 251, 252, 253 and 254 announce 2, 4, 8 and 16 bytes, little-endian; 255 is refused. A signed
//! value is folded first (zigzag: 0, -1, 1, -2 .. become 0, 1, 2, 3 ..). Writers take the shortest form. Readers accept a longer one
//! too, as bincode does, but none that is wider than the type that is read: nothing here compares integers by their bytes.
#![deny(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::arithmetic_side_effects)]

use alloc::vec::Vec;

/// Largest value that is its own byte.
const SINGLE_MAX: u8 = 250;
pub(crate) const MARK_U16: u8 = 251;
pub(crate) const MARK_U32: u8 = 252;
pub(crate) const MARK_U64: u8 = 253;
const MARK_U128: u8 = 254;

/// Bytes of the longest integer that fits in a `u64`.
pub const U64_BYTES_MAX: usize = 9;

/// Why no integer could be read. The input is then where it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum VarintError {
    /// The input ends within the integer. More input may help.
    #[error("the input ends within an integer ({remaining} bytes are left, {needed} are needed)")]
    UnexpectedEnd {
        /// Bytes that the integer takes.
        needed: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// The first byte announces an integer wider than the type, or is 255.
    #[error("an integer begins with {marker}, which is too wide for {bits} bits")]
    TooWide {
        /// The first byte.
        marker: u8,
        /// Bits of the type that was to be read.
        bits: u8,
    },
}

/// Appends `value` in the shortest form.
#[inline]
pub fn write_u64(out: &mut Vec<u8>, value: u64) {
    match u8::try_from(value) {
        Ok(single) if single <= SINGLE_MAX => out.push(single),
        _ => write_long(out, value),
    }
}

/// Values that need a marker. Each is one append of an array, so that room is checked once.
fn write_long(out: &mut Vec<u8>, value: u64) {
    if let Ok(value) = u16::try_from(value) {
        let [a, b] = value.to_le_bytes();
        out.extend_from_slice(&[MARK_U16, a, b]);
    } else if let Ok(value) = u32::try_from(value) {
        let [a, b, c, d] = value.to_le_bytes();
        out.extend_from_slice(&[MARK_U32, a, b, c, d]);
    } else {
        let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
        out.extend_from_slice(&[MARK_U64, a, b, c, d, e, f, g, h]);
    }
}

/// Appends `value` in the shortest form.
#[inline]
pub fn write_u128(out: &mut Vec<u8>, value: u128) {
    match u64::try_from(value) {
        Ok(value) => write_u64(out, value),
        Err(_) => {
            out.push(MARK_U128);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

/// How many bytes [`write_u64`] appends.
#[inline]
#[must_use]
pub const fn len_u64(value: u64) -> usize {
    match value {
        0..=250 => 1,
        251..=0xffff => 3,
        0x1_0000..=0xffff_ffff => 5,
        _ => U64_BYTES_MAX,
    }
}

macro_rules! read {
    ($(#[$meta:meta])* $name:ident, $long:ident, $type:ty, $($marker:ident => $wide:ty),+) => {
        $(#[$meta])*
        ///
        /// # Errors
        /// The input ends within it, or it is wider than the type.
        #[inline]
        pub fn $name(input: &mut &[u8]) -> Result<$type, VarintError> {
            match input.split_first() {
                Some((&single, rest)) if single <= SINGLE_MAX => {
                    *input = rest;
                    Ok(<$type>::from(single))
                }
                _ => $long(input),
            }
        }

        /// Integers that begin with a marker.
        fn $long(input: &mut &[u8]) -> Result<$type, VarintError> {
            let Some((&marker, rest)) = input.split_first() else {
                return Err(VarintError::UnexpectedEnd { needed: 1, remaining: 0 });
            };
            match marker {
                $($marker => {
                    let Some((bytes, rest)) = rest.split_first_chunk() else {
                        let needed = size_of::<$wide>().saturating_add(1);
                        return Err(VarintError::UnexpectedEnd { needed, remaining: input.len() });
                    };
                    *input = rest;
                    Ok(<$type>::from(<$wide>::from_le_bytes(*bytes)))
                })+
                marker => Err(VarintError::TooWide { marker, bits: const { bits_of(size_of::<$type>()) } }),
            }
        }
    };
}

/// Bits of a type of `bytes` bytes.
const fn bits_of(bytes: usize) -> u8 {
    match bytes {
        2 => 16,
        4 => 32,
        8 => 64,
        _ => 128,
    }
}

read! {
    /// Reads an integer of at most 16 bits.
    read_u16, read_long_u16, u16, MARK_U16 => u16
}
read! {
    /// Reads an integer of at most 32 bits.
    read_u32, read_long_u32, u32, MARK_U16 => u16, MARK_U32 => u32
}
read! {
    /// Reads an integer of at most 64 bits.
    read_u64, read_long_u64, u64, MARK_U16 => u16, MARK_U32 => u32, MARK_U64 => u64
}
read! {
    /// Reads an integer of at most 128 bits.
    read_u128, read_long_u128, u128, MARK_U16 => u16, MARK_U32 => u32, MARK_U64 => u64, MARK_U128 => u128
}

macro_rules! zigzag {
    ($fold:ident, $unfold:ident, $signed:ty, $unsigned:ty) => {
        /// Folds the sign into the lowest bit, so that small values of either sign are short.
        #[inline]
        #[must_use]
        pub const fn $fold(value: $signed) -> $unsigned {
            (value.cast_unsigned() << 1) ^ (value >> (<$signed>::BITS - 1)).cast_unsigned()
        }

        /// Undoes the fold.
        #[inline]
        #[must_use]
        pub const fn $unfold(folded: $unsigned) -> $signed {
            (folded >> 1).cast_signed() ^ (folded & 1).cast_signed().wrapping_neg()
        }
    };
}

zigzag!(fold_i16, unfold_i16, i16, u16);
zigzag!(fold_i32, unfold_i32, i32, u32);
zigzag!(fold_i64, unfold_i64, i64, u64);
zigzag!(fold_i128, unfold_i128, i128, u128);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn written(value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        write_u64(&mut out, value);
        out
    }

    #[test]
    fn length_is_what_is_written_at_every_border() {
        for value in [0, 250, 251, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, u64::MAX] {
            let bytes = written(value);
            assert_eq!(bytes.len(), len_u64(value), "{value}");
            let mut input = bytes.as_slice();
            assert_eq!(read_u64(&mut input), Ok(value));
            assert!(input.is_empty());
        }
    }

    #[test]
    fn longer_form_than_needed_is_accepted_up_to_the_width_of_the_type() {
        assert_eq!(read_u16(&mut [251, 5, 0].as_slice()), Ok(5));
        assert_eq!(read_u64(&mut [253, 5, 0, 0, 0, 0, 0, 0, 0].as_slice()), Ok(5));
        assert_eq!(read_u16(&mut [252, 5, 0, 0, 0].as_slice()), Err(VarintError::TooWide { marker: 252, bits: 16 }));
    }

    #[test]
    fn marker_255_is_refused() {
        let mut input = [255_u8; 20].as_slice();
        assert_eq!(read_u128(&mut input), Err(VarintError::TooWide { marker: 255, bits: 128 }));
    }

    #[test]
    fn input_that_ends_within_an_integer_is_left_where_it_was() {
        for cut in 0..9 {
            let bytes = written(u64::MAX).into_iter().take(cut).collect::<Vec<_>>();
            let mut input = bytes.as_slice();
            let needed = if cut == 0 { 1 } else { 9 };
            assert_eq!(read_u64(&mut input), Err(VarintError::UnexpectedEnd { needed, remaining: cut }));
            assert_eq!(input.len(), cut);
        }
    }

    #[test]
    fn folding_and_unfolding_cancel_out_at_every_border() {
        for value in [0, -1, 1, i64::from(i32::MIN), i64::from(i32::MAX), i64::MIN, i64::MAX] {
            assert_eq!(unfold_i64(fold_i64(value)), value);
        }
        assert_eq!(vec![fold_i16(0), fold_i16(-1), fold_i16(1), fold_i16(i16::MIN)], vec![0, 1, 2, u16::MAX]);
        assert_eq!(unfold_i128(fold_i128(i128::MIN)), i128::MIN);
    }
}
