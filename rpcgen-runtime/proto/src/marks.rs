//! Rules of the protocol that whoever tests it wants to see at work, counted by name. A rule that never fired in a test was not tested.
//!
//! Knows: names and counts, of the whole process. Does not know: where a rule is; `mark!` stands there. What can be seen from outside
//! (errors, refusals, events, statistics) needs no mark.
//!
//! Without the feature `marks` nothing of them is left in the program.

/// A rule is at work: `mark!(Name)`.
macro_rules! mark {
    ($name:ident) => {
        $crate::marks::hit($crate::marks::Mark::$name)
    };
}
pub(crate) use mark;

macro_rules! marks {
    ($($name:ident $text:literal)+) => {
        /// A rule.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mark {
            $(#[doc = $text] $name,)+
        }

        impl Mark {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

marks! {
    // Guarantee bits.
    BitsClamped "Bits that the peer has for sure are left out: they reach back no further than the pool."
    BitsMixed "An array says that something is refused."
    BitsNoNews "An array arrives whose bits are all known."
    BitsOwed "Bits and agreements go at once: the sender would soon wait for them."
    FlushAlone "Bits have waited for the flush time and go alone."
    // Gaps and re-sends.
    EarlyWithoutRoom "A message comes before its turn and there is no room to keep it."
    EarlyItsTurn "A message that was kept is processed."
    WhereIsAgain "Missing messages are asked for a second time."
    ResendPaid "A message is sent again out of the stock."
    ResendTwice "A message that a blocked sender waits for goes twice, or one that was lost twice."
    ResendOvertaken "What was sent after a message that was sent again has arrived: it is lost again."
    BlockedByWindow "As much is on its way as a link that loses is known to hold."
    NewsAsked "A message asks how far things are, as half of its window is on its way."
    ResendFree "The stock is used up, and a round trip is over: one goes free."
    ResendTooSoon "A message is asked for that was sent again within the round trip: it is not."
    TailLate "The oldest message's guarantee is late."
    // The pool.
    OrdersDerivedAgain "A session that was packed has a link: it derives the orders of its pools again."
    NextCycle "A pool is used up, and its next cycle begins."
    QuarterKnown "An agreement is repeated."
    QuarterCrossedProposal "An agreement crosses with the proposal that ends its cycle."
    QuarterLost "A new range arrives whose last agreement was lost."
    RangeKnown "A range is repeated."
    RangeLate "A range is repeated long after it was used up."
    RangeAcceptedAgain "The acceptance of a range is repeated."
    BlockedByBytes "A sender waits for its own limit of bytes in flight."
    BlockedAgain "A sender says again that it is out of agreed IDs."
    // Links.
    OvertookWelcome "A frame comes before the welcome on a link that may reorder."
    SignOfLifeAsked "A silent link is asked for a sign of life."
    LinkSilent "A silent link is given up."
    // Calls.
    CancelBeforeSent "A call is cancelled that was never sent."
    CancelSettledByAnswer "The answer comes before the cancel was sent."
    CancelOvertaken "A cancel waits, and its call is over when its turn comes."
    CancelAskedAgain "An open cancel is asked again in a new session."
    GuaranteedByAnswer "An answer comes before the bit of its request."
    SmallerFrames "A new server's frames are too small for a call that was accepted for the last one."
    DroppedAtLimit "A disconnect drops a call at its limit."
    GoodbyeAtLimit "A disconnect says goodbye at its limit."
    GoodbyeAgain "A goodbye is said again in a new session."
    // Actions.
    ActionWaits "An action waits: the handlers of its session are at their limit, or the business is paused."
    AnswerFromRecord "An action of an expired session is answered out of the records."
    ActionAskedAgain "An open action of earlier lanes is asked for again, and takes that place."
    CallKeyReused "An action comes under a number that was another's."
    UnknownWithoutRecord "An action that was sent to a session without a trace is not run."
    ClosedToMessages "A server that shuts down leaves a message to its successor."
    // Broadcasts.
    OfferWithoutRoom "A node has no room for an offer, or no handler."
    OfferRevoked "An offer is taken back after it arrived."
    OfferSettledRevoked "An offer is guaranteed that was taken back."
    GoUnguaranteed "A session ends, and its node may have run a broadcast."
    // How sessions end.
    ExpiryWaitsForHandler "A session is given up, and a handler of it still runs."
    TombstoneTaken "The client of an expired session comes back, and there is a record."
    LanesBeginAfresh "A session goes on, and its lanes begin afresh."
    HelloRepeated "A client that never saw its welcome says hello again."
}

#[cfg(feature = "marks")]
mod counts {
    use core::sync::atomic::{AtomicU64, Ordering};

    use super::Mark;

    static COUNTS: [AtomicU64; Mark::ALL.len()] = [const { AtomicU64::new(0) }; Mark::ALL.len()];

    impl Mark {
        /// How often the rule was at work in this process.
        #[must_use]
        pub fn count(self) -> u64 {
            COUNTS[self as usize].load(Ordering::Relaxed)
        }
    }

    #[inline]
    pub(crate) fn hit(mark: Mark) {
        COUNTS[mark as usize].fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(feature = "marks")]
pub(crate) use counts::hit;

/// Without the feature nothing is counted.
#[cfg(not(feature = "marks"))]
#[inline]
pub(crate) const fn hit(_: Mark) {}
