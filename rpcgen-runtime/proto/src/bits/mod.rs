//! Guarantee bits: one per message that a receiver accepted, in lane order.
//!
//! Knows: arrays of bits, where they begin, how they are gathered and applied. Does not know: frames, links, time, what a message is.
//!
//! An array says where it begins, so that applying one twice changes nothing, and one that would leave a gap is recognised instead
//! of applied (trap T3).

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use crate::ids::Position;
use crate::marks::mark;
use crate::mutants::mutated;

/// Guarantees for consecutive positions of a lane.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BitArray {
    /// Low 32 bits of the first position: the check that both sides count alike. On a `reliable_ordered` link only the low 16
    /// travel: nothing there can be so late that they would be ambiguous.
    pub base: u32,
    /// The bits.
    pub bits: Bits,
}

/// One bit per position: 1 = I have it, 0 = refused (the reason follows as that action's answer).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Bits {
    /// So many ones.
    Ones(u32),
    /// Some are refused. Bit `i` is bit `i % 8` (lowest first) of byte `i / 8`; unused bits of the last byte are 0.
    Mixed {
        /// How many bits.
        count: u32,
        /// The bits, `count.div_ceil(8)` bytes.
        bytes: Box<[u8]>,
    },
}

impl Bits {
    /// How many bits.
    #[must_use]
    #[inline]
    pub fn count(&self) -> u32 {
        match self {
            Self::Ones(count) | Self::Mixed { count, .. } => *count,
        }
    }

    /// Bit `index`; `true` = guaranteed. Beyond the end: `false`.
    #[must_use]
    #[inline]
    pub fn get(&self, index: u32) -> bool {
        match self {
            Self::Ones(count) => index < *count,
            Self::Mixed { count, bytes } => {
                index < *count && bytes.get(index as usize / 8).is_some_and(|byte| byte >> (index % 8) & 1 == 1)
            }
        }
    }
}

/// How many bits of a base travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum BaseWidth {
    /// On links that are `reliable_ordered`.
    Bits16,
    /// On all others.
    Bits32,
}

/// Where an array's bits begin to be news, and what is wrong with it otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// Bits from this index on are for positions from `guaranteed` on.
    From(u32),
    /// The array begins after the first position without a bit.
    Gap,
}

/// Places an array against the first position without a bit.
// spec: protocol.md 6
#[inline]
pub(crate) fn place(array: &BitArray, guaranteed: Position, width: BaseWidth) -> Placed {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "serial number arithmetic, RFC 1982"
    )]
    let ahead = match width {
        BaseWidth::Bits16 => i64::from((array.base as u16).wrapping_sub(guaranteed.0 as u16) as i16),
        BaseWidth::Bits32 => i64::from(array.base.wrapping_sub(guaranteed.0 as u32) as i32),
    };
    if mutated!(BitsPlacedWithoutBase) {
        return Placed::From(0);
    }
    if ahead > 0 {
        return Placed::Gap;
    }
    let first = u32::try_from(-ahead).unwrap_or(u32::MAX).min(array.bits.count());
    if first == array.bits.count() {
        mark!(BitsNoNews);
    }
    Placed::From(first)
}

/// The receiving side's bits, gathered until something carries them.
///
/// The cursor moves only with frames that are logged: it is a pure function of them. Control frames repeat from a base that the
/// peer has for sure, so that a lost one costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Gathered {
    /// One past the last position with a bit.
    end: Position,
    /// The first position whose bit no logged frame has carried.
    cursor: Position,
    /// How far back bits may still be needed: the size of the pool that the last message was drawn from. Only half of a pool may be
    /// without a guarantee at once, so the peer that sent it had the guarantees for everything further back.
    reach: u64,
    /// Positions with a 0 bit, ascending; those that may still have to be repeated.
    refused: VecDeque<Position>,
}

impl Gathered {
    /// One past the last position with a bit.
    #[inline]
    pub(crate) fn end(&self) -> Position {
        self.end
    }

    /// Gives memory back that is not in use.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.refused.shrink_to_fit();
    }

    /// Memory beside itself, in bytes.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.refused.capacity() * size_of::<Position>()
    }

    /// The first position whose bit no logged frame has carried.
    #[inline]
    pub(crate) fn cursor(&self) -> Position {
        self.cursor
    }

    /// The next position's bit, and the size of the pool that its ID was drawn from.
    #[inline]
    pub(crate) fn push(&mut self, guaranteed: bool, pool_size: u32) {
        self.reach = u64::from(if mutated!(BitsReachTooShort) { (pool_size / 8).max(1) } else { pool_size });
        if !guaranteed && !mutated!(RefusalSaysGuaranteed) {
            self.refused.push_back(self.end);
        }
        self.end.0 += 1;
        while self.refused.front().is_some_and(|refused| refused.0 + self.reach < self.end.0) {
            self.refused.pop_front();
        }
    }

    /// The bits for a frame that is logged: all since the last such frame. Returns where they begin.
    #[inline]
    pub(crate) fn take(&mut self) -> (Position, Option<BitArray>) {
        let from =
            self.clamp(Position(self.cursor.0 + u64::from(mutated!(BitsBeginTooLate) && self.cursor < self.end)));
        self.cursor = self.end;
        (from, self.array(from))
    }

    /// The bits for a control frame: all since `base`, which the peer has applied for sure. Moves nothing.
    #[inline]
    pub(crate) fn repeat(&self, base: Position) -> Option<BitArray> {
        self.array(self.clamp(base))
    }

    #[inline]
    fn clamp(&self, from: Position) -> Position {
        let reached = Position(self.end.0.saturating_sub(self.reach));
        if from < reached {
            mark!(BitsClamped);
        }
        from.max(reached)
    }

    #[inline]
    fn array(&self, from: Position) -> Option<BitArray> {
        let count = u32::try_from(self.end.0 - from.0).expect("clamped to the reach");
        if count == 0 {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the low 32 bits are what is meant")]
        let base = from.0 as u32;
        let first_refused = self.refused.partition_point(|refused| *refused < from);
        if first_refused == self.refused.len() {
            return Some(BitArray { base, bits: Bits::Ones(count + u32::from(mutated!(BitsCountOneMore))) });
        }
        mark!(BitsMixed);
        let mut bytes = alloc::vec![0xff_u8; count.div_ceil(8) as usize].into_boxed_slice();
        if !count.is_multiple_of(8)
            && let Some(last) = bytes.last_mut()
        {
            *last = 0xff >> (8 - count % 8);
        }
        for refused in self.refused.range(first_refused..) {
            let index = usize::try_from(refused.0 - from.0).expect("inside of the reach");
            bytes[index / 8] &= !(1 << (index % 8));
        }
        Some(BitArray { base, bits: Bits::Mixed { count, bytes } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(bits: &[bool]) -> Gathered {
        let mut gathered = Gathered::default();
        for bit in bits {
            gathered.push(*bit, 1_000);
        }
        gathered
    }

    #[test]
    fn a_run_of_ones_is_a_run_length() {
        let (from, array) = gathered(&[true; 100]).take();
        assert_eq!(from, Position(0));
        assert_eq!(array, Some(BitArray { base: 0, bits: Bits::Ones(100) }));
    }

    #[test]
    fn refusals_make_a_mixed_array() {
        let (_, array) = gathered(&[true, false, true, true, true, true, true, true, true]).take();
        let array = array.unwrap();
        assert_eq!(array.bits, Bits::Mixed { count: 9, bytes: Box::from([0b1111_1101, 1]) });
        assert!(array.bits.get(0) && !array.bits.get(1) && array.bits.get(8) && !array.bits.get(9));
    }

    #[test]
    fn taking_moves_the_cursor_and_repeating_does_not() {
        let mut bits = gathered(&[true; 5]);
        assert_eq!(bits.repeat(Position(3)).unwrap().bits, Bits::Ones(2));
        assert_eq!(bits.cursor(), Position(0));
        assert_eq!(bits.take().1.unwrap().bits, Bits::Ones(5));
        assert_eq!(bits.take().1, None);
        assert_eq!(bits.cursor(), Position(5));
    }

    #[test]
    fn an_array_applied_twice_is_no_news_and_one_after_a_gap_is_recognised() {
        let array = BitArray { base: 10, bits: Bits::Ones(5) };
        for width in [BaseWidth::Bits16, BaseWidth::Bits32] {
            assert_eq!(place(&array, Position(10), width), Placed::From(0));
            assert_eq!(place(&array, Position(12), width), Placed::From(2));
            assert_eq!(place(&array, Position(15), width), Placed::From(5));
            assert_eq!(place(&array, Position(40), width), Placed::From(5));
            assert_eq!(place(&array, Position(9), width), Placed::Gap);
        }
    }

    #[test]
    fn placing_survives_the_wrap_of_the_base() {
        let array = BitArray { base: 0xffff_fffe, bits: Bits::Ones(5) };
        let after_wrap = Position((1 << 32) + 1);
        assert_eq!(place(&array, after_wrap, BaseWidth::Bits32), Placed::From(3));
        assert_eq!(
            place(&BitArray { base: 0xfffe, bits: Bits::Ones(5) }, Position(0x10001), BaseWidth::Bits16),
            Placed::From(3)
        );
    }

    #[test]
    fn an_array_never_reaches_back_further_than_the_pool() {
        let mut gathered = Gathered::default();
        for number in 0..40_000 {
            gathered.push(number % 3 != 0, 64);
        }
        let array = gathered.repeat(Position(0)).unwrap();
        assert_eq!((array.base, array.bits.count()), (40_000 - 64, 64));
        let (from, array) = gathered.take();
        assert_eq!(from, Position(40_000 - 64));
        assert_eq!(array.unwrap().bits.count(), 64);
    }
}
