//! A small generator whose values never change: both ends of a session derive the same orders from it, and a simulation is replayed
//! from its seed.
//!
//! SplitMix64, from Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014. Not for secrets: its state can
//! be computed from its output.

/// The generator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// Equal seeds give equal values, in every version.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    #[must_use]
    pub const fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, each equally likely (Lemire: "Fast Random Integer Generation in an Interval", 2019). 0 for a bound
    /// of 0.
    #[must_use]
    pub const fn below(&mut self, bound: u32) -> u32 {
        if bound == 0 {
            return 0;
        }
        loop {
            let product = (self.next_u64() >> 32) * bound as u64;
            #[expect(clippy::cast_possible_truncation, reason = "the low half decides whether the high half is fair")]
            let low = product as u32;
            // The remainder is below the bound: mostly the division is not needed to know.
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return (product >> 32) as u32;
            }
        }
    }

    /// `true` with this probability; never for 0 and below, always for 1 and above.
    #[must_use]
    pub fn chance(&mut self, probability: f64) -> bool {
        // 53 bits are what an f64 holds exactly.
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let unit = (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        unit < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_paper_for_ever() {
        let mut generator = SplitMix64::new(1_234_567);
        let values = [generator.next_u64(), generator.next_u64(), generator.next_u64()];
        assert_eq!(values, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn bounded_values_stay_below_and_reach_every_value() {
        let mut generator = SplitMix64::new(7);
        let mut seen = [false; 6];
        for _ in 0..1_000 {
            seen[generator.below(6) as usize] = true;
        }
        assert_eq!(seen, [true; 6]);
        assert_eq!(generator.below(0), 0);
        assert_eq!(generator.below(1), 0);
    }

    #[test]
    fn chance_keeps_to_its_probability() {
        let mut generator = SplitMix64::new(7);
        let hits = (0..10_000).filter(|_| generator.chance(0.1)).count();
        assert!((900..1_100).contains(&hits), "{hits} of 10,000");
        assert!(!generator.chance(0.0));
        assert!(generator.chance(1.0));
    }
}
