//! Mistakes that a programmer could make in this crate, to be switched on one at a time: whoever hunts for violations has to find each
//! of them, or could not find the real one either.
//!
//! Knows: their names, what they are, which invariant should notice. Does not know: where they are; `mutated!` marks the place.
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
    ($($name:ident $invariant:literal $text:literal)+) => {
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

            /// The invariant of protocol.md, section 12, that should notice.
            #[must_use]
            pub const fn breaks(self) -> &'static str {
                match self { $(Self::$name => $invariant,)+ }
            }
        }
    };
}

impl Mutant {
    /// Whether it is about durable logs: in worlds whose logs are in memory nobody makes it.
    #[must_use]
    pub const fn is_of_durable_logs(self) -> bool {
        let (number, first, last) =
            (self as usize, Self::DurableWhenAsked as usize, Self::VolatileTakenForRolledBack as usize);
        first <= number && number <= last
    }
}

mutants! {
    // Guarantee bits.
    BitsBeginTooLate "bits_match_positions" "The cursor of the guarantee bits is off by one: each array leaves out its first bit."
    BitsCountOneMore "no_false_guarantee" "An array has one bit more than there are accepted messages."
    BitsPlacedWithoutBase "no_false_guarantee" "An array is applied from the first open position on, wherever it begins."
    BitsReachTooShort "bits_match_positions" "Control frames repeat the bits of an eighth of the pool only."
    BitsMoveWithControlFrames "bits_match_positions" "The cursor of the bits moves with frames that are not logged, and so may be lost."
    BitsAfterTheirMessage "well_behaved" "The server processes the message before the bits that ride on it."
    BitsOfEarlyMessagesLost "bits_match_positions" "A message that is kept until its turn loses the bits that rode on it."
    BitsOfResendsAreNew "bits_match_positions" "A message that is sent again carries the newest bits instead of those it carried first."
    RefusalSaysGuaranteed "well_behaved" "A refused message gets a 1 bit."

    // The stream log, re-sends, gaps.
    ReleaseTwoAtOnce "bits_match_positions" "A guarantee releases two messages from the stream log."
    BytesInFlightLeak "no_unbounded_memory" "Bytes in flight are not given back when they are guaranteed."
    ResumeSkipsOne "id_never_ambiguous" "On a new link the sender goes on one message after the one that its peer expects."
    ResumeWithoutReplay "id_never_ambiguous" "On a new link nothing is sent again."
    TailTimerMissing "progress" "The oldest message without a guarantee is never sent again by itself."
    WhereIsStorm "amplification_bounded" "A message that is asked for is sent again at once, however often it was."
    ResendsAreFree "amplification_bounded" "Re-sends are not paid for by guarantees."
    NoFreeResend "progress" "A sender whose re-sends are used up never gets a free one."
    DuplicateAcceptedAgain "lane_order" "A message that was accepted before is accepted again."
    EarlyAcceptedAtOnce "lane_order" "A message that comes before its turn is accepted at once."
    EarlyBytesUnlimited "no_unbounded_memory" "Messages that come early are kept without a limit of bytes."
    DuplicateInSilence "progress" "A duplicate is dropped in silence: a lost guarantee is never repeated."
    FlushTimerMissing "progress" "Guarantees wait for ever for something to ride on."
    ChecksumUnchecked "no_corrupt_delivery" "The checksum of a frame is not compared."

    // The pool.
    QuarterCrcUnchecked "pool_verifiers_agree" "The verifier of a quarter is not compared."
    RangeCrcUnchecked "pool_verifiers_agree" "The verifier of a first range is not compared."
    DrawBeyondAgreed "credit_respected" "IDs are drawn that the receiver has not agreed to."
    WholePoolInUse "credit_respected" "The whole pool may be in use at once: there is no reserve."
    PoolGrowsAtWrongMessage "id_never_ambiguous" "The client takes a new range into use one message too late."
    PoolGrowsBeyondLimit "pool_growth_converges" "A pool is doubled beyond its configured maximum."
    NextCycleSameIds "id_never_ambiguous" "A new cycle uses the IDs of the last one again."
    GrownRangeToldOnce "id_never_ambiguous" "A new range of the up lane is said once only, although the frame may be lost."
    BlockedNeverSaid "no_credit_deadlock" "A sender that is out of agreed IDs does not say so."
    BlockedSaidOnce "no_credit_deadlock" "A sender that is out of agreed IDs says so once only, although the frame may be lost."
    AgreementsToldOnce "no_credit_deadlock" "A receiver whose peer is blocked does not repeat what it has agreed to."

    // Links, sessions, the registry.
    SilenceIsNotDeath "progress" "A link on which nothing arrives any more is kept for ever."
    HandshakeTimerMissing "progress" "A client waits for its welcome for ever."
    ProofUnchecked "one_writer_per_session" "A link takes a session over without a valid proof."
    OldLinkAccepted "one_writer_per_session" "A link with an old number takes a session over."
    ResumeClamped "restore_detected" "A position to resume from that the log does not hold is moved to one that it does."
    ReplacementForgetsPast "at_most_one_execution_per_call_key" "A repeated hello makes a session that knows nothing of an expired one."
    TombstoneForgotten "no_lost_answer" "Of an expired session nothing is kept."
    TombstoneForgetsSentAnswers "no_lost_answer" "A tombstone keeps the answers that wait, but not those on their way."
    ExpiredRunsAgain "at_most_one_execution_per_call_key" "What may have run in an expired session is run again."
    RedeliveryNotSaid "at_most_one_execution_per_call_key" "The business is not told that an action may have run before."
    MaybeSentNotMarked "at_most_one_execution_per_call_key" "An action that is sent again in a new session is not marked so."

    // Calls.
    AcceptedAndForgotten "no_lost_answer" "A server that has no room for an action says that it has it."
    RestartSkipsSent "no_lost_answer" "What was sent in the last session is not sent in the new one."
    RestartSkipsGuaranteed "no_lost_answer" "What was guaranteed in the last session is not sent in the new one."
    RestartOutOfOrder "well_behaved" "In a new session the newest call comes first."
    SlotFreedTooEarly "well_behaved" "A client uses a slot again while the outcome of a cancel may still name it."
    AnswerTakenForgotten "well_behaved" "A server does not note that the client has an answer: its slot is never free."
    CancelOfRunningSaysCancelled "cancel_xor_execute" "The cancel of an action that runs is answered with `Cancelled`."
    CancelAfterCrashSaysCancelled "cancel_xor_execute" "The cancel of what may have run before a crash is answered with `Cancelled`."
    CancelOfSentIsLocal "cancel_xor_execute" "A client cancels by itself what it has sent in an earlier session."
    CancelledStillRuns "cancel_xor_execute" "A cancelled action stays in the queue."
    CancelOutcomeMissing "cancel_xor_execute" "A cancel has no outcome."
    CancelLostAtNewSession "cancel_xor_execute" "An open cancel is not asked again in a new session."
    OverloadedThoughSent "cancel_xor_execute" "An action that may have run in an earlier epoch is refused as if it had not."
    LogLimitIgnored "no_unbounded_memory" "A client accepts calls beyond the limit of its log."
    HandlersUnlimited "no_unbounded_memory" "A server runs more handlers of a session at once than it may."

    // Durable logs.
    DurableWhenAsked "guarantee_implies_logged" "What was asked to be put on record counts as durable at once: a guarantee before the sync."
    BitBeforeRecord "guarantee_implies_logged" "The bit of a message does not wait for the message's record."
    AcceptedBeforeRecord "no_lost_answer" "A call is said to be accepted before it is durable."
    AnsweredBeforeAccepted "no_lost_answer" "The answer of a call that is not on record yet is told: who sent it takes it for accepted."
    AnswerBeforeRecord "answer_implies_completion" "An answer leaves before its record is durable."
    AnswerNotRecorded "no_lost_answer" "A client guarantees answers that it did not put on record."
    GoBeforeAssigned "broadcast_once" "A broadcast is told to go before it is on record that it is."
    GoNotRecorded "broadcast_not_lost" "A node guarantees a go before it has the broadcast on record."
    WelcomeBeforeRecord "resume_within" "A server says welcome before the secret of the new lanes is on record."
    SpeaksBeforeSecret "resume_within" "A client speaks on new lanes before their secret is on its record."
    HelloBeforeSecret "resume_within" "A client proves its session with a secret that is not on its record yet."
    GuaranteeOfAnotherCall "guarantee_implies_logged"
        "A bit that comes after the answer of its action is taken for the call that has the slot now."
    TurnsOverlap "no_lost_answer" "The next of the actions that may have killed the server has its turn while the last one runs."
    LedgerBeforeRecord "answer_implies_completion"
        "New lanes are told what the last ones left although its record is not durable yet."
    NumbersReused "no_foreign_data" "A restarted client counts its calls from the same number as the life before."
    LedgerDropsAnswers "no_lost_answer" "Answers that were not guaranteed are dropped when lanes begin afresh."
    LedgerDropsRunning "at_most_one_execution_per_call_key"
        "Actions that run are forgotten when lanes begin afresh: sent again, they run twice at once."
    ForgottenOnSend "no_lost_answer" "A completion record is given up when its answer is sent, not when it is guaranteed."
    RolledBackRuns "at_most_one_execution_per_call_key"
        "An action that was answered and guaranteed once is run again for a client that was rolled back."
    PoisonWithoutRecord "no_lost_answer"
        "An action that comes again runs before it is on record that it begins: one that kills its server does so for ever."
    SlotBeforeBit "well_behaved" "A client uses a slot again before the bit of the answer in it is told."
    LastSecretKept "one_writer_per_session" "The secret of the lanes before opens a session for ever."
    LowerLifeAccepted "restore_detected" "A client's older copy takes the session."
    RetiredBeforeRecord "no_lost_answer" "A hello says that answers are not needed any more which are not on record yet."
    CancelBeforeRecord "cancel_xor_execute" "The outcome of a cancel is told before its record is durable."
    OpenNotRerun "no_lost_answer" "An action that a server finds open in its log is not run until its client asks for it."
    SentBeforeRefused "no_lost_answer" "A server whose log is full refuses an action that may have run before."
    OtherMomentBegins "restore_detected" "A server begins with a log and a database that are not of the same moment."
    OtherLogTakenForThis "no_lost_answer" "A session of another log is taken for one that has expired if that log was in an earlier life."
    UnsentTakenForSent "no_lost_answer" "A client says of calls that were never sent that they may have been."
    TurnOfEndedKept "no_lost_answer" "A session that ends keeps the turn of those that may have killed the server."
    VolatileTakenForRolledBack "no_lost_answer" "An action without a record that is sent again is taken for one of a rolled back client."

    // Broadcasts.
    GoForgotten "broadcast_not_lost" "A broadcast that a node has guaranteed is not told to go."
    GoingForgotten "broadcast_not_lost" "A broadcast that was told to go is forgotten before that is guaranteed."
    RerunNotSaid "broadcast_once" "A broadcast whose go may have arrived goes elsewhere and it is not said."
    RevokeLost "broadcast_once" "An offer that was taken back is not revoked."
    RevokedStillGoes "broadcast_once" "An offer that was taken back is told to go when it is guaranteed."
    RefusedBroadcastDropped "broadcast_not_lost" "A broadcast that a node refuses is dropped."
    UnassignedDropped "broadcast_not_lost" "A session that ends takes the broadcasts with it that wait for its node."

    // The drain.
    DrainEndsEarly "no_lost_answer" "A client says goodbye while calls are open."
    DrainNeverEnds "drain_terminates" "A formal disconnect has no limit."
    GiveUpListsNothing "no_lost_answer" "What a disconnect drops at its limit is not answered."
    GiveUpSaysCancelled "cancel_xor_execute" "What a disconnect drops at its limit is said not to have run, also if it was sent."
    GoodbyeLostAtNewSession "drain_terminates" "A goodbye that the old session did not take is not said in the new one."
}

#[cfg(feature = "mutants")]
mod switch {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::Mutant;

    /// One more than the number of the mistake that is made; 0: none.
    static ON: AtomicUsize = AtomicUsize::new(0);

    /// Makes this mistake from now on, in every session of the process, and no other.
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
