//! Opening the log of a directory.
//!
//! Knows: directories, what to say when one cannot be opened. Does not know: what is in a log.

use std::cmp::Ordering;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rpcgen_log::{Config, Log, LogError, LogId, RealDisk};
use rpcgen_proto::server::OtherMoment;
use rpcgen_store::{FoundRecords, StoreError};

use crate::driver::clock::Clock;
use crate::random;

/// The size of a file of the log, unless told otherwise.
const SEGMENT_BYTES: u64 = 16 << 20;
/// A record is at most so much of a segment.
const RECORDS_PER_SEGMENT: u64 = 8;
/// How often the reading of a long log is reported.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Why a durable log cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenLogError {
    /// Somebody else has it.
    #[error(
        "the log in {directory} is in use by another process, or by another client or server of this one; end that one first, or give \
         each a directory of its own"
    )]
    InUse {
        /// The directory.
        directory: String,
    },
    /// Something that was durable cannot be read. Nothing was changed.
    #[error(
        "the log in {directory} is damaged ({damage}); nothing was changed. `rpcgen log {directory} verify` shows all of the damage; \
         `rpcgen log {directory} repair` makes a log of what can be read, and says what is lost"
    )]
    Damaged {
        /// The directory.
        directory: String,
        /// File, offset, sequence, and what is wrong there.
        damage: String,
    },
    /// It is the log of something else.
    #[error("{directory}: {why}")]
    OtherOwner {
        /// The directory.
        directory: String,
        /// Whose it is.
        why: String,
    },
    /// It is not the one that the database of the completion records was last used with. Nothing of it was begun.
    #[error(
        "{} Put back what was in use last, or restore directory and database from the same moment. To go on without, begin with an empty \
         directory, or say `ServerBuilder::accept_restored_log({})`; docs/exactly-once.md says what is lost then",
        which_is_older(directory, *log_mark, *database_mark), OtherMoment { log_mark: *log_mark, database_mark: *database_mark }.number()
    )]
    Restored {
        /// The directory.
        directory: String,
        /// The number of its last mark; 0: it has none.
        log_mark: u64,
        /// The number of the mark that the database was last used with; 0: it does not know this log.
        database_mark: u64,
    },
    /// The disk has no space to begin with.
    #[error("the disk has no space for the log in {directory}: {bytes} bytes are needed to begin with")]
    NoSpace {
        /// The directory.
        directory: String,
        /// How many.
        bytes: u64,
    },
    /// Anything else.
    #[error("the log in {directory} cannot be opened: {why}")]
    Failed {
        /// The directory.
        directory: String,
        /// Why not.
        why: String,
    },
}

fn which_is_older(directory: &str, log_mark: u64, database_mark: u64) -> String {
    let marks = format!(
        "the database was last used with mark {database_mark} of this log, and the log's last one is {log_mark}"
    );
    match log_mark.cmp(&database_mark) {
        Ordering::Less => {
            format!(
                "the log in {directory} was restored from a backup older than the database, or is an old copy: {marks}."
            )
        }
        Ordering::Equal => {
            format!("the log in {directory} is a copy, and the database is used with another one: {marks}.")
        }
        Ordering::Greater => {
            format!(
                "the database is older than the log in {directory}, restored from a backup, or another one: {marks}."
            )
        }
    }
}

/// How far the reading of a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogProgress {
    /// Bytes of records that were read.
    pub bytes_read: u64,
    /// Bytes of the log's files: what is read is at most this.
    pub bytes: u64,
    /// Records that are needed still, as far as was read.
    pub records: usize,
}

/// Hears how far the reading of a log is.
pub(crate) type OnProgress = Arc<dyn Fn(LogProgress) + Send + Sync>;

/// Which log to open, and how. Of the default, none.
#[derive(Clone, Default)]
pub(crate) struct Opening {
    pub(crate) directory: PathBuf,
    pub(crate) segment_bytes: Option<u64>,
    pub(crate) on_progress: Option<OnProgress>,
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// A log that is open, and what it told.
#[derive(Debug)]
pub(crate) struct OpenedLog<T> {
    pub(crate) log: Log<RealDisk>,
    /// What its book-keeper made of it.
    pub(crate) books: T,
    /// The longest payload that has a record.
    pub(crate) payload_bytes_max: u32,
}

impl Opening {
    /// Whether a directory was named.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.directory.as_os_str().is_empty()
    }

    fn name(&self) -> String {
        self.directory.display().to_string()
    }

    /// Opens the log, reads it, and gives it to its book-keeper; on a thread that may wait for a disk.
    pub(crate) async fn open<T: Send + 'static>(
        self,
        frame_bytes_max: u32,
        books: impl FnOnce(FoundRecords, &mut Log<RealDisk>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<OpenedLog<T>, OpenLogError> {
        let directory = self.name();
        let opening = move || self.open_here(frame_bytes_max, books);
        let failed = |why: String| OpenLogError::Failed { directory, why };
        tokio::task::spawn_blocking(opening).await.unwrap_or_else(|error| Err(failed(error.to_string())))
    }

    fn open_here<T>(
        self,
        frame_bytes_max: u32,
        books: impl FnOnce(FoundRecords, &mut Log<RealDisk>) -> Result<T, StoreError>,
    ) -> Result<OpenedLog<T>, OpenLogError> {
        let config = Config::with_segment_bytes(self.segment_bytes.unwrap_or_else(|| segment_bytes(frame_bytes_max)));
        let explain = |error: LogError| self.explain(error, 2 * config.segment_bytes);
        let disk = RealDisk::open(&self.directory).map_err(explain)?;
        let (mut found, mut watch) = (FoundRecords::default(), Progress::begin(&self));
        let tell = &mut |told: rpcgen_log::Found<'_>| {
            found.tell(told);
            watch.look(&found);
        };
        let mut log = Log::open(disk, LogId(random::bytes()), config.clone(), tell).map_err(explain)?;
        watch.end(&found);
        if let Some(torn) = log.torn_tail() {
            let (file, offset) = (&torn.file, torn.offset);
            tracing::info!(file, offset, "a commit that a crash had cut short was cut from the end of the log");
        }
        let books = books(found, &mut log).map_err(|error| match error {
            StoreError::Log(error) => explain(error),
            error => OpenLogError::OtherOwner { directory: self.name(), why: error.to_string() },
        })?;
        log.commit().map_err(explain)?;
        let record_bytes_max = log.space().segment_bytes / RECORDS_PER_SEGMENT;
        Ok(OpenedLog { log, books, payload_bytes_max: u32::try_from(record_bytes_max).unwrap_or(u32::MAX) })
    }

    fn explain(&self, error: LogError, bytes: u64) -> OpenLogError {
        let directory = self.name();
        match error {
            LogError::Locked { .. } => OpenLogError::InUse { directory },
            LogError::Corrupt(damage) => OpenLogError::Damaged { directory, damage: damage.to_string() },
            LogError::Full => OpenLogError::NoSpace { directory, bytes },
            error => OpenLogError::Failed { directory, why: error.to_string() },
        }
    }
}

/// Segments in which the largest frames have records.
fn segment_bytes(frame_bytes_max: u32) -> u64 {
    (u64::from(frame_bytes_max) * RECORDS_PER_SEGMENT).next_power_of_two().clamp(SEGMENT_BYTES, 1 << 30)
}

/// Reports how far the reading of a log is, if it takes long.
struct Progress<'a> {
    opening: &'a Opening,
    bytes: u64,
    clock: Clock,
    reported: u32,
    records: u32,
}

impl<'a> Progress<'a> {
    fn begin(opening: &'a Opening) -> Self {
        Self { opening, bytes: bytes_of(&opening.directory), clock: Clock::start(), reported: 0, records: 0 }
    }

    fn look(&mut self, found: &FoundRecords) {
        // A look at a clock costs more than a record.
        self.records = self.records.wrapping_add(1);
        if !self.records.is_multiple_of(4096) {
            return;
        }
        if self.clock.now().saturating_since(rpcgen_proto::time::Instant::START) > PROGRESS_EVERY * (self.reported + 1)
        {
            self.reported += 1;
            self.report(found);
        }
    }

    fn report(&self, found: &FoundRecords) {
        let progress = LogProgress { bytes_read: found.bytes_told(), bytes: self.bytes, records: found.len() };
        tracing::info!(directory = %self.opening.directory.display(), ?progress, "a durable log is being read");
        if let Some(hear) = &self.opening.on_progress {
            hear(progress);
        }
    }

    fn end(&self, found: &FoundRecords) {
        if self.reported > 0 {
            self.report(found);
        }
    }
}

/// The size of the files in a directory; 0: there is none yet.
fn bytes_of(directory: &Path) -> u64 {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}
