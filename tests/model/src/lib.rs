//! The shipping sessions in a model checker: every order of events in small worlds.
//!
//! Knows: stateright, and how a world is looked through. Does not know: the rules of the protocol; the sessions are those that ship.

pub mod configuration;
pub mod configurations;
pub mod explore;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod report;
pub mod world;
pub mod wraps;
