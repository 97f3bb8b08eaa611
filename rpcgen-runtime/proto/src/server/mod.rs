//! What a server group knows beyond one session.

mod admissions;
mod disputes;
mod registry;
mod schema;
mod standing;
mod tombstones;
mod turns;

pub use registry::{Admission, Registry, RegistryConfig, RegistryStats};
pub use schema::Schema;
pub use turns::Turns;
