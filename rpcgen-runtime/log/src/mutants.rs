//! Mistakes that a programmer could make in this crate, to be switched on one at a time: the hunt for violations has to find each of
//! them, or could not find the real one either. The table of catches is docs/evidence/log-mutants.md.
//!
//! Knows: their names and what they are. Does not know: where they are; `mutated!` marks the place.
//!
//! Without the feature `mutants` the answer to "is it on?" is a constant, and nothing of them is left in the program.

/// Whether a mistake is made now: `mutated!(Name)`.
macro_rules! mutated {
    ($name:ident) => {
        $crate::mutants::is_on($crate::mutants::Mutant::$name)
    };
}
pub(crate) use mutated;

macro_rules! mutants {
    ($($name:ident $text:literal)+) => {
        /// A mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mutant {
            $(#[doc = $text] $name,)+
        }

        impl Mutant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What it does wrong, in a sentence.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

mutants! {
    AcknowledgeBeforeSync "A commit is reported as durable without a sync."
    RetrySync "A sync that failed is tried again, and the log carries on."
    PoisonForgotten "After a failed write the log goes on with the next commit."
    RollWithoutSync "A full segment is left without a sync when the next one begins."
    HeaderWithoutSync "A segment gets its name before its header is durable."
    SkipDirectorySync "A segment is written to before its name is durable."
    SharedSector "Batches begin where the last one ended, in the same sector."
    StaleBatchAccepted "A batch of the file's former life is taken for one of this segment."
    BodyWithoutCrc "The CRC over a batch's records is not looked at."
    CutOnRot "Damage in the middle of the last segment is cut like a torn tail."
    SkipDamage "A batch that cannot be read is skipped and the next one taken."
    EndIgnored "A sealed segment that ends too early is accepted."
    MissingSegmentIgnored "A segment that is not there is not missed."
    IncarnationKept "Opening does not count the incarnation up."
    TrustPageCache "What recovery read but nobody proved to be on the disk is not written again."
    NameBeforeCopies "Recovery names its new segment before what it copied there is durable."
    SegmentContinued "Recovery takes an older segment's tail for valid although a later life disowned it."
    RetireEarly "A segment is removed before the copies of what lives in it are durable."
    LiveForgotten "Compaction forgets a live record now and then."
    DeadRevived "Compaction copies what was released, too."
    IdentityLost "A moved record gets a new sequence."
    ReleaseNotWritten "A release is kept in memory only."
    ReserveIgnored "Ordinary records may use the reserve."
}

#[cfg(feature = "mutants")]
mod switch {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::Mutant;

    /// One more than the number of the mistake that is made; 0: none.
    static ON: AtomicUsize = AtomicUsize::new(0);

    /// Makes this mistake from now on, in every log of the process, and no other.
    pub fn switch_on(mutant: Option<Mutant>) {
        ON.store(mutant.map_or(0, |mutant| mutant as usize + 1), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn is_on(mutant: Mutant) -> bool {
        ON.load(Ordering::Relaxed) == mutant as usize + 1
    }
}

#[cfg(feature = "mutants")]
pub(crate) use switch::is_on;
#[cfg(feature = "mutants")]
pub use switch::switch_on;

/// Without the feature no mistake is made.
#[cfg(not(feature = "mutants"))]
#[inline]
pub(crate) const fn is_on(_: Mutant) -> bool {
    false
}
