//! What a fuzzer calls: whatever is lost, repeated or made up, a bit is applied to the position that it was given for, once.
//!
//! Knows: both ends of the bits, and the model: a list of what was guaranteed. Does not know: frames' other parts.

use alloc::vec::Vec;

use super::{BaseWidth, BitArray, Gathered, Placed, place};
use crate::config::POOL_SIZE_MAX;
use crate::frame::{Frame, FrameCodec, LinkFrame};
use crate::fuzzing::{Carried, Choices, sealed};
use crate::ids::Position;

/// The peer that sent messages and learns of their guarantees.
struct Sender {
    guaranteed: Position,
    width: BaseWidth,
}

impl Sender {
    /// Applies an array as a session does: in order, from the first bit that is news, never beyond what was sent.
    fn apply(&mut self, array: &BitArray, given: &[bool]) {
        let Placed::From(first) = place(array, self.guaranteed, self.width) else { return };
        assert!(first <= array.bits.count(), "no bit is read that is not there");
        for index in first..array.bits.count() {
            let at = usize::try_from(self.guaranteed.0).expect("a test's positions are few");
            assert!(at < given.len(), "no_false_guarantee: {at} was never accepted");
            assert_eq!(array.bits.get(index), given[at], "bits_match_positions: at {at}");
            self.guaranteed.0 += 1;
        }
    }
}

/// The array as it comes out of the wire's other end.
fn over_the_wire(array: BitArray, width: BaseWidth) -> BitArray {
    let codec = FrameCodec { reliable_ordered: width == BaseWidth::Bits16, frame_bytes_max: 64 * 1_024 };
    let frame: LinkFrame<Carried> = LinkFrame::Frame(Frame { bits: Some(array.clone()), riders: None, message: None });
    let mut bytes = Vec::new();
    codec.encode(&frame, &mut bytes);
    match codec.decode::<Carried>(&mut bytes.as_slice().into()) {
        Ok(Some(LinkFrame::Frame(Frame { bits: Some(bits), .. }))) => bits,
        other => panic!("{array:?} came out as {other:?}"),
    }
}

/// Guarantees are given, gathered, put into arrays, lost, repeated; and arrays come that nobody sent.
///
/// # Panics
/// A bit was applied to another position than its own, or read where there is none.
pub fn fuzz_bits_decode(data: &[u8]) {
    let mut choices = Choices::new(data);
    let width = choices.of([BaseWidth::Bits16, BaseWidth::Bits32]);
    let pool_size = choices.of([4, 8, 100, 1_024, POOL_SIZE_MAX]);
    let (mut gathered, mut given) = (Gathered::default(), Vec::new());
    let mut sender = Sender { guaranteed: Position(0), width };
    let mut kept: Vec<BitArray> = Vec::new();
    while !choices.is_done() {
        match choices.below(6) {
            0 => {
                // Only half of a pool can be without a guarantee: that is the credit.
                for _ in 0..choices.below(16) {
                    if given.len() as u64 - sender.guaranteed.0 < u64::from(pool_size / 2) {
                        let bit = choices.below(4) > 0;
                        gathered.push(bit, pool_size);
                        given.push(bit);
                    }
                }
            }
            1 => kept.extend(gathered.take().1.map(|array| over_the_wire(array, width))),
            2 => {
                let base = Position(sender.guaranteed.0.saturating_sub(choices.below(8) as u64));
                kept.extend(gathered.repeat(base).map(|array| over_the_wire(array, width)));
            }
            3 if !kept.is_empty() => {
                let array = kept.remove(choices.below(kept.len()));
                sender.apply(&array, &given);
            }
            4 if !kept.is_empty() => {
                let array = &kept[choices.below(kept.len())];
                sender.apply(array, &given);
            }
            _ => place_what_nobody_sent(choices.piece(), sender.guaranteed),
        }
    }
    if let Some(rest) = gathered.repeat(sender.guaranteed) {
        sender.apply(&rest, &given);
    }
    assert_eq!(sender.guaranteed.0, given.len() as u64, "a repetition from what is known brings all that is not");
}

/// Any bytes as an array: it is placed inside of itself or recognised as one after a gap.
fn place_what_nobody_sent(body: &[u8], guaranteed: Position) {
    for width in [BaseWidth::Bits16, BaseWidth::Bits32] {
        let codec = FrameCodec { reliable_ordered: width == BaseWidth::Bits16, frame_bytes_max: 64 * 1_024 };
        let bytes = sealed(body);
        let Ok(Some(LinkFrame::Frame(frame))) = codec.decode::<Carried>(&mut bytes.as_slice().into()) else { continue };
        let Some(array) = frame.bits else { continue };
        if let Placed::From(first) = place(&array, guaranteed, width) {
            assert!(first <= array.bits.count(), "no bit is read that is not there");
        }
        let _ = array.bits.get(array.bits.count());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SplitMix64;

    #[test]
    fn random_decisions_never_misplace_a_bit() {
        let mut random = SplitMix64::new(5);
        for _ in 0..2_000 {
            let data: Vec<u8> = (0..random.below(300)).map(|_| random.next_u64().to_le_bytes()[0]).collect();
            fuzz_bits_decode(&data);
        }
    }
}
