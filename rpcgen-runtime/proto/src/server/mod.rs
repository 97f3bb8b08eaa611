//! What a server group knows beyond one session.

mod admissions;
mod disputes;
mod moment;
mod registry;
mod schema;
mod standing;
mod tombstones;
mod turns;

pub use moment::{KnownLog, LogMark, NextMark, OtherMoment};
pub use registry::{Admission, Registry, RegistryConfig, RegistryStats};
pub use schema::Schema;
pub use turns::Turns;
