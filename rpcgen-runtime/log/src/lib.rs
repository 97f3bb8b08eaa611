//! The durable log under the guarantee protocol.
//!
//! One log serves all sessions of a process. It stores opaque records of many streams, makes all that waits durable with one sync,
//! gives everything back after a crash, and keeps its size in proportion to what its owner still needs.
//!
//! Knows: bytes, streams, sequences, disks. Does not know: sessions, messages, clocks, tokio.
//!
//! ```
//! # fn main() -> Result<(), rpcgen_log::LogError> {
//! # let directory = std::env::temp_dir().join(format!("rpcgen-log-doc-{}", std::process::id()));
//! use rpcgen_log::{Config, Found, Log, LogId, RealDisk, StreamId};
//!
//! let stream = StreamId(7);
//! let config = Config::with_segment_bytes(64 << 10);
//! let mut log = Log::open(RealDisk::open(&directory)?, LogId([1; 16]), config.clone(), &mut |_| ())?;
//! let sequence = log.append(stream, b"an accepted call")?;
//! assert!(log.commit()? > sequence); // durable
//! log.close()?;
//!
//! let mut told = Vec::new();
//! let mut log = Log::open(RealDisk::open(&directory)?, LogId([1; 16]), config, &mut |found| {
//!     if let Found::Record { payload, .. } = found {
//!         told.push(payload.to_vec());
//!     }
//! })?;
//! assert_eq!(told, [b"an accepted call"]);
//! log.release(stream, sequence..=sequence)?; // answered: not needed any more
//! # drop(log);
//! # std::fs::remove_dir_all(&directory).unwrap();
//! # Ok(())
//! # }
//! ```

mod config;
mod disk;
mod error;
mod format;
mod front;
mod ids;
mod index;
mod live;
mod log;
pub mod mutants;
mod recovery;
mod scan;
mod segments;
mod shared;
mod survey;
mod sync;
mod tail;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use config::{Config, Room};
pub use disk::{Disk, FileEntry, RealDisk};
pub use error::{Damage, LogError};
pub use format::{FORMAT_VERSION, SECTOR_BYTES};
pub use ids::{Incarnation, LogId, SegmentNumber, Sequence, StreamId};
pub use log::{Log, Space};
pub use scan::{Found, Loss, TornTail};
pub use shared::{Durability, SharedLog};
pub use survey::{Survey, SurveyedSegment, repair, survey};
