//! The durable log of a client or a server: one file store, one thread that commits, many tasks that hear of it.
//!
//! Knows: how far the log is durable, who waits for that. Does not know: what is on record (the book-keepers of `rpcgen-store` do), what a
//! session makes of it.
//!
//! Nobody waits in a thread, and nobody is told per record: a task that has records on their way signs up to be woken once, after the next
//! commit, and looks how far the log has come.

mod blocked;
mod on_the_way;
mod open;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use rpcgen_log::{Durability, Log, LogError, LogId, RealDisk, Sequence, SharedLog, Space, StreamId};
use rpcgen_store::{RecordLog, Room};
use tokio::sync::{Notify, oneshot};

pub(crate) use self::blocked::Blocked;
pub(crate) use self::on_the_way::OnTheWay;
pub(crate) use self::open::Opening;
pub use self::open::{LogProgress, OpenLogError};
use crate::driver::inbox::lock;

/// Somebody who looks how far the log has come, when woken.
pub(crate) trait Sleeper: Send + Sync {
    /// There is news.
    fn wake(&self);
}

/// The log of one client or one server.
pub(crate) struct DiskLog {
    /// `None`: it was closed.
    log: RwLock<Option<SharedLog<RealDisk>>>,
    id: LogId,
    /// What the log's thread tells.
    told: Arc<Told>,
}

impl fmt::Debug for DiskLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskLog").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Hears why the log has stopped.
type TellCause = Box<dyn Fn(&Arc<str>) + Send + Sync>;

/// What the log's thread tells.
#[derive(Default)]
struct Told {
    /// All records before this sequence are durable.
    below: AtomicU64,
    stopped: OnceLock<Arc<str>>,
    has_stopped: Notify,
    sleepers: Mutex<Vec<Arc<dyn Sleeper>>>,
    promises: Mutex<Vec<(Sequence, oneshot::Sender<()>)>>,
    /// Called once, when the log stops.
    when_stopped: OnceLock<TellCause>,
}

impl Told {
    fn hear(&self, durability: Durability) {
        let sleepers;
        match durability {
            Durability::Below(below) => {
                // Under the lock: whoever signs up is woken after this commit, or sees it.
                sleepers = {
                    let mut sleepers = lock(&self.sleepers);
                    self.below.store(below.0, Ordering::Release);
                    std::mem::take(&mut *sleepers)
                };
                lock(&self.promises).extract_if(.., |(sequence, _)| *sequence < below).for_each(|(_, promise)| {
                    // Who does not wait any more need not know.
                    let _ = promise.send(());
                });
            }
            Durability::Stopped(cause) => {
                tracing::error!(cause = &*cause, "the durable log has stopped: nothing more is guaranteed");
                let _ = self.stopped.set(Arc::clone(&cause));
                self.has_stopped.notify_waiters();
                lock(&self.promises).clear();
                sleepers = std::mem::take(&mut *lock(&self.sleepers));
                if let Some(tell) = self.when_stopped.get() {
                    tell(&cause);
                }
            }
        }
        sleepers.iter().for_each(|sleeper| sleeper.wake());
    }
}

impl DiskLog {
    /// Starts the log's thread.
    pub(crate) fn start(log: Log<RealDisk>) -> Result<Arc<Self>, LogError> {
        let told = Arc::new(Told { below: AtomicU64::new(log.durable().0), ..Told::default() });
        let (id, theirs) = (log.id(), Arc::clone(&told));
        let log = SharedLog::start(log, move |durability| theirs.hear(durability))?;
        Ok(Arc::new(Self { log: RwLock::new(Some(log)), id, told }))
    }

    /// Its identity, for ever.
    pub(crate) fn id(&self) -> LogId {
        self.id
    }

    /// What is to happen when the log stops. Once.
    pub(crate) fn when_stopped(&self, tell: impl Fn(&Arc<str>) + Send + Sync + 'static) {
        let _ = self.told.when_stopped.set(Box::new(tell));
        if let (Some(cause), Some(tell)) = (self.stopped(), self.told.when_stopped.get()) {
            tell(cause);
        }
    }

    /// Why nothing is guaranteed any more, if that is so.
    pub(crate) fn stopped(&self) -> Option<&Arc<str>> {
        self.told.stopped.get()
    }

    /// Returns when the log has stopped, with the reason.
    pub(crate) async fn until_stopped(&self) -> String {
        loop {
            // First: what comes between the look and the wait is heard.
            let has_stopped = self.told.has_stopped.notified();
            if let Some(cause) = self.stopped() {
                return cause.to_string();
            }
            has_stopped.await;
        }
    }

    /// All records before this one are durable.
    pub(crate) fn durable(&self) -> Sequence {
        Sequence(self.told.below.load(Ordering::Acquire))
    }

    /// Wakes it after the next commit, once. How far the log is now: a commit may just have ended.
    pub(crate) fn sign_up(&self, sleeper: Arc<dyn Sleeper>) -> Sequence {
        let mut sleepers = lock(&self.told.sleepers);
        sleepers.push(sleeper);
        self.durable()
    }

    /// Returns when this record is durable.
    ///
    /// # Errors
    /// The log has stopped, or was closed.
    pub(crate) async fn wait(&self, sequence: Sequence) -> Result<(), Stopped> {
        let (promise, kept) = oneshot::channel();
        lock(&self.told.promises).push((sequence, promise));
        if self.stopped().is_some() {
            return Err(Stopped);
        }
        if self.durable() > sequence {
            return Ok(());
        }
        kept.await.map_err(|_| Stopped)
    }

    /// Commits what was appended and released, and returns when that is durable.
    ///
    /// # Errors
    /// The log has stopped, or was closed.
    pub(crate) async fn settle(&self) -> Result<(), Stopped> {
        let end = self.shared().as_ref().map(SharedLog::end).ok_or(Stopped)?;
        self.commit_soon();
        match end.0.checked_sub(1) {
            Some(last) => self.wait(Sequence(last)).await,
            None => Ok(()),
        }
    }

    fn shared(&self) -> RwLockReadGuard<'_, Option<SharedLog<RealDisk>>> {
        self.log.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has committed what was appended. Until then it only lies there, so that what belongs together is one commit.
    pub(crate) fn commit_soon(&self) {
        if let Some(log) = &*self.shared() {
            log.commit_soon();
        }
    }

    /// How big the log is. Waits for a commit that is under way. `None`: it was closed.
    pub(crate) fn stats(&self) -> Option<LogStats> {
        self.shared().as_ref().map(|log| log.space().into())
    }

    /// Commits what waits, notes that nothing is in flight, and lets the directory go. Nothing can be appended any more.
    pub(crate) fn close(&self) {
        let log = self.log.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(log) = log else { return };
        if let Err(error) = log.close() {
            tracing::warn!(%error, "the durable log could not be closed in good order; it will be looked through when it is opened");
        }
        lock(&self.told.promises).clear();
    }
}

impl Drop for DiskLog {
    fn drop(&mut self) {
        self.close();
    }
}

/// How big a log on disk is, and what it did since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStats {
    /// Its files; a spare one is not among them.
    pub segments_count: u64,
    /// The size of each.
    pub segment_bytes: u64,
    /// Records that are needed still.
    pub live_count: usize,
    /// Their bytes.
    pub live_bytes: u64,
    /// Bytes of records that were copied to keep the log small.
    pub copied_bytes: u64,
    /// How often a file was synced.
    pub syncs_count: u64,
}

impl From<Space> for LogStats {
    fn from(space: Space) -> Self {
        let Space { segments_count, segment_bytes, live_count, live_bytes, copied_bytes, syncs_count } = space;
        Self { segments_count, segment_bytes, live_count, live_bytes, copied_bytes, syncs_count }
    }
}

/// The log has stopped, or was closed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped;

/// What is appended and released here is committed when [`DiskLog::commit_soon`] is called.
impl RecordLog for &DiskLog {
    fn append(&mut self, stream: StreamId, payload: &[u8], room: Room) -> Result<Sequence, LogError> {
        match &*self.shared() {
            Some(log) => (&mut &*log).append(stream, payload, room),
            None => Err(LogError::Poisoned("it was closed".into())),
        }
    }

    fn release(&mut self, stream: StreamId, first: Sequence, last: Sequence) -> Result<(), LogError> {
        match &*self.shared() {
            Some(log) => (&mut &*log).release(stream, first, last),
            None => Err(LogError::Poisoned("it was closed".into())),
        }
    }
}
