//! One file for each invariant of docs/protocol.md, section 12, that can be seen from outside.
//!
//! Knows: what was seen. Does not know: the sessions' insides; those say themselves what does not hold.

pub mod amplification_bounded;
mod answer_implies_completion;
mod answer_matches_call;
mod at_most_one_execution_per_call_key;
mod broadcast_not_lost;
mod broadcast_once;
mod cancel_xor_execute;
pub mod credit_respected;
pub mod deterministic;
mod drain_drops_nothing;
mod drain_terminates;
mod guarantee_implies_logged;
pub mod guarantee_within;
mod lane_order;
pub mod no_corrupt_delivery;
pub mod no_credit_deadlock;
pub mod no_false_guarantee;
pub mod no_foreign_data;
mod no_lost_answer;
pub mod no_phantom;
pub mod no_unbounded_memory;
pub mod one_writer_per_session;
pub mod pool_growth_converges;
pub mod pool_verifiers_agree;
pub mod progress;
pub mod quiescent_when_idle;
pub mod restore_detected;
pub mod resume_within;
pub mod well_behaved;

use rpcgen_proto::time::Instant;

use crate::seen::Seen;

/// An invariant that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its name.
    pub invariant: &'static str,
    /// How.
    pub message: String,
}

/// Whether all is well.
pub type Check = Result<(), Violation>;

/// Watches one invariant.
pub trait Checker {
    /// Something happened.
    ///
    /// # Errors
    /// It should not have.
    fn see(&mut self, now: Instant, seen: &Seen) -> Check;

    /// Everything is healed and over.
    ///
    /// # Errors
    /// Something that should have happened did not.
    fn end(&self) -> Check {
        Ok(())
    }
}

/// An invariant that does not hold, as an error.
///
/// # Errors
/// Always.
pub fn violated(invariant: &'static str, message: String) -> Check {
    Err(Violation { invariant, message })
}

/// The value for a number, in a table that grows as needed.
fn entry<T: Clone + Default>(table: &mut Vec<T>, number: u32) -> &mut T {
    let index = number as usize;
    if table.len() <= index {
        table.resize(index + 1, T::default());
    }
    &mut table[index]
}

macro_rules! checkers {
    ($($module:ident :: $checker:ident),+ $(,)?) => {
        /// All that watch.
        #[derive(Debug, Default)]
        pub struct Checkers {
            $($module: $module::$checker,)+
        }

        impl Checkers {
            /// Something happened.
            ///
            /// # Errors
            /// It should not have.
            pub fn see(&mut self, now: Instant, seen: &Seen) -> Check {
                $(self.$module.see(now, seen)?;)+
                Ok(())
            }

            /// Everything is healed and over.
            ///
            /// # Errors
            /// Something that should have happened did not.
            pub fn end(&self) -> Check {
                $(self.$module.end()?;)+
                Ok(())
            }
        }
    };
}

checkers! {
    answer_implies_completion::AnswerImpliesCompletion,
    answer_matches_call::AnswerMatchesCall,
    at_most_one_execution_per_call_key::AtMostOneExecution,
    broadcast_not_lost::BroadcastNotLost,
    broadcast_once::BroadcastOnce,
    cancel_xor_execute::CancelXorExecute,
    drain_drops_nothing::DrainDropsNothing,
    drain_terminates::DrainTerminates,
    guarantee_implies_logged::GuaranteeImpliesLogged,
    lane_order::LaneOrder,
    no_false_guarantee::NoFalseGuarantee,
    no_lost_answer::NoLostAnswer,
}

impl Checkers {
    /// Whether every broadcast that the server still knows has run.
    #[must_use]
    pub fn is_every_broadcast_run(&self) -> bool {
        self.broadcast_not_lost.end().is_ok()
    }
}
