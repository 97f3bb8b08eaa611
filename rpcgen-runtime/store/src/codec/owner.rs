//! The record that says whose log it is: so that a directory is never read as what it is not.
//!
//! Knows: roles, the name of a service. Does not know: directories.

use bytes::Bytes;

use super::{DecodeError, RECORD_VERSION, Reader, put_bytes};

const OWNER: u8 = 32;

/// Which end of sessions a log belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// One client of one service.
    Client,
    /// A server, with all its services.
    Server,
}

/// Whose log it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Which end.
    pub role: Role,
    /// Of a client the service that it calls, as `package.Service`: numbers of methods mean something in their service only.
    /// Empty for a server.
    pub service: String,
}

impl Owner {
    /// Appends its bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let role = match self.role {
            Role::Client => 0,
            Role::Server => 1,
        };
        out.extend_from_slice(&[RECORD_VERSION, OWNER, role]);
        put_bytes(out, self.service.as_bytes());
    }

    /// Reads it.
    ///
    /// # Errors
    /// It is none that [`Self::encode`] makes.
    pub fn decode(bytes: Bytes) -> Result<Self, DecodeError> {
        let (kind, mut reader) = Reader::begin(bytes)?;
        if kind != OWNER {
            return Err(DecodeError::Kind(kind));
        }
        let role = if reader.flag("role")? { Role::Server } else { Role::Client };
        let service = reader.text("service")?;
        reader.end(Self { role, service })
    }
}
