//! What a server group knows beyond one session.

mod registry;

pub use registry::{Admission, Registry, RegistryConfig};
