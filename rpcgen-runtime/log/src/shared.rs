//! The log of a process: many threads append, one thread commits.
//!
//! Knows: who waits for what. Does not know: formats, disks.
//!
//! Group commit without a timer: while one commit is under way, all that comes waits for the next. A lone append is committed at once.
//! Two locks: `front` for moments, `back` for as long as the disk takes. Who needs both takes `back` first.

use std::ops::RangeInclusive;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::config::Room;
use crate::disk::Disk;
use crate::error::LogError;
use crate::front::Front;
use crate::ids::{Incarnation, LogId, Sequence, StreamId};
use crate::log::{Log, Space};
use crate::segments::Segments;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::tail::NoRoom;

/// What nobody waits for (releases, copies of compaction, what [`RecordLog`-like](SharedLog::append_later) owners gather) is committed with
/// the next commit, and at the latest after this long.
const LATER: Duration = Duration::from_millis(50);

/// How far a log is durable, as told after each commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Durability {
    /// All records before this one are durable.
    Below(Sequence),
    /// The disk failed. What was not durable before never will be, and nothing is appended any more.
    Stopped(Arc<str>),
}

struct State {
    front: Front,
    stopped: Option<Arc<str>>,
    /// The last attempt to prepare a segment found no space.
    full: bool,
    /// Somebody found no room: look for some, also if nothing waits for a commit.
    wanted: bool,
    closing: bool,
    /// Something waits whose owner waits for it: commit it now.
    is_due: bool,
}

struct Shared<D> {
    state: Mutex<State>,
    back: Mutex<Segments<D>>,
    /// Something waits for a commit.
    work: Condvar,
    /// A commit is done, and what follows it.
    done: Condvar,
}

/// A log for many threads. Dropping it commits what waits.
pub struct SharedLog<D: Disk + Send + 'static> {
    shared: Arc<Shared<D>>,
    record_bytes_max: usize,
    thread: Option<JoinHandle<()>>,
}

impl<D: Disk + Send> std::fmt::Debug for SharedLog<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedLog").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait<'a, T>(condition: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condition.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn check(&self) -> Result<(), LogError> {
        self.stopped.as_ref().map_or(Ok(()), |cause| Err(LogError::Poisoned(Arc::clone(cause))))
    }
}

impl<D: Disk + Send + 'static> SharedLog<D> {
    /// Starts the thread that commits. It calls `tell` after each commit, in order, and must not be kept waiting by it.
    ///
    /// # Errors
    /// [`LogError::Io`] if no thread can be started.
    pub fn start(log: Log<D>, tell: impl FnMut(Durability) + Send + 'static) -> Result<Self, LogError> {
        let Log { front, back, .. } = log;
        let record_bytes_max = front.config().record_bytes_max();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                front,
                stopped: None,
                full: false,
                wanted: false,
                closing: false,
                is_due: false,
            }),
            back: Mutex::new(back),
            work: Condvar::new(),
            done: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("rpcgen-log".to_owned()).spawn(move || theirs.run(tell));
        let thread = thread.map_err(LogError::io("start a thread for", "the log"))?;
        Ok(Self { shared, record_bytes_max, thread: Some(thread) })
    }

    /// Adds a record that belongs together with others that follow: it is committed when [`Self::commit_soon`] is called or somebody else
    /// commits, and at the latest after 50 ms. `room`: as in [`Self::append_in`].
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_later(&self, stream: StreamId, payload: &[u8], room: Room) -> Result<Sequence, LogError> {
        self.check_length(payload)?;
        self.with_room(false, |front| front.append(stream, payload, room))
    }

    /// Commits what was appended, as soon as no commit is under way. Does not wait for it.
    pub fn commit_soon(&self) {
        let mut state = lock(&self.shared.state);
        if !state.is_due && !state.front.tail.is_empty() {
            state.is_due = true;
            drop(state);
            self.shared.work.notify_one();
        }
    }

    /// Adds a record to the next commit. Waits only while the disk is behind by more than a prepared segment.
    ///
    /// # Errors
    /// [`LogError::Full`], [`LogError::TooLarge`], [`LogError::Poisoned`].
    pub fn append(&self, stream: StreamId, payload: &[u8]) -> Result<Sequence, LogError> {
        self.append_in(stream, payload, Room::Ordinary)
    }

    /// The same for what may use space that is kept for it on a full disk.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub fn append_in(&self, stream: StreamId, payload: &[u8], room: Room) -> Result<Sequence, LogError> {
        self.check_length(payload)?;
        self.with_room(true, |front| front.append(stream, payload, room))
    }

    fn check_length(&self, payload: &[u8]) -> Result<(), LogError> {
        let bytes_max = self.record_bytes_max;
        if payload.len() > bytes_max {
            return Err(LogError::TooLarge { bytes: payload.len(), bytes_max });
        }
        Ok(())
    }

    /// `is_due`: somebody waits for it.
    fn with_room<T>(
        &self,
        is_due: bool,
        mut action: impl FnMut(&mut Front) -> Result<T, NoRoom>,
    ) -> Result<T, LogError> {
        let mut state = lock(&self.shared.state);
        loop {
            state.check()?;
            let was_empty = state.front.tail.is_empty();
            if let Ok(done) = action(&mut state.front) {
                let is_news = is_due && !std::mem::replace(&mut state.is_due, true);
                // The first of several begins the time within which they are committed.
                if is_news || was_empty {
                    self.shared.work.notify_one();
                }
                return Ok(done);
            }
            state.wanted = true;
            self.shared.work.notify_one();
            if state.full {
                return Err(LogError::Full);
            }
            state = wait(&self.shared.done, state);
        }
    }

    /// The owner needs these records of the stream no more. How many of them lived. On the disk with the next commit, which is made for it
    /// within 50 ms if nothing else is.
    ///
    /// # Errors
    /// [`LogError::Full`], [`LogError::Poisoned`].
    pub fn release(&self, stream: StreamId, sequences: RangeInclusive<Sequence>) -> Result<usize, LogError> {
        self.with_room(false, |front| front.release(stream, sequences.clone()))
    }

    /// Returns when the record is durable.
    ///
    /// # Errors
    /// [`LogError::Poisoned`]: it is not, and never will be.
    pub fn wait(&self, sequence: Sequence) -> Result<(), LogError> {
        let mut state = lock(&self.shared.state);
        while state.front.tail.durable() <= sequence {
            state.check()?;
            if !std::mem::replace(&mut state.is_due, true) {
                self.shared.work.notify_one();
            }
            state = wait(&self.shared.done, state);
        }
        Ok(())
    }

    /// All records before this one are durable.
    #[must_use]
    pub fn durable(&self) -> Sequence {
        lock(&self.shared.state).front.tail.durable()
    }

    /// A record that lives. `None`: it does not. Waits for a commit that is under way. Goes on when the log is poisoned.
    ///
    /// # Errors
    /// As [`Log::read`].
    pub fn read(&self, stream: StreamId, sequence: Sequence) -> Result<Option<Vec<u8>>, LogError> {
        loop {
            // A segment is retired under this lock: what is found now is still there when it is read.
            let mut back = lock(&self.shared.back);
            let state = lock(&self.shared.state);
            let Some(location) = state.front.index.find(stream, sequence) else { return Ok(None) };
            if back.has(location) || state.stopped.is_some() {
                drop(state);
                return back.read(location).map(Some);
            }
            drop(back);
            let end = state.front.tail.next();
            drop(state);
            self.wait(Sequence(end.0.saturating_sub(1)))?;
        }
    }

    /// All records so far, of releases too, are before this one.
    #[must_use]
    pub fn end(&self) -> Sequence {
        lock(&self.shared.state).front.tail.next()
    }

    /// The identity of the log.
    #[must_use]
    pub fn id(&self) -> LogId {
        lock(&self.shared.state).front.tail.header().log
    }

    /// The life of the log that began when it was opened.
    #[must_use]
    pub fn incarnation(&self) -> Incarnation {
        lock(&self.shared.state).front.tail.header().incarnation
    }

    /// How big the log is.
    #[must_use]
    pub fn space(&self) -> Space {
        let back = lock(&self.shared.back);
        let state = lock(&self.shared.state);
        Space::of(&state.front, &back)
    }

    /// Commits what waits, notes that nothing is in flight, and ends the thread.
    ///
    /// # Errors
    /// [`LogError::Poisoned`], [`LogError::Full`].
    pub fn close(mut self) -> Result<(), LogError> {
        let closed = self.with_room(true, Front::close);
        self.stop();
        closed?;
        lock(&self.shared.state).check()
    }

    fn stop(&mut self) {
        lock(&self.shared.state).closing = true;
        self.shared.work.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the owner's callback has been reported by its thread; the log's locks do not mind it.
            let _ = thread.join();
        }
    }
}

impl<D: Disk + Send + 'static> Drop for SharedLog<D> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl<D: Disk> Shared<D> {
    /// The thread: commit what waits, tell, keep house, wait.
    fn run(&self, mut tell: impl FnMut(Durability)) {
        loop {
            let mut state = lock(&self.state);
            while !state.is_due && !state.closing && !state.wanted {
                if state.front.tail.is_empty() {
                    state = wait(&self.work, state);
                    continue;
                }
                let (woken, waited) = self.work.wait_timeout(state, LATER).unwrap_or_else(PoisonError::into_inner);
                state = woken;
                state.is_due |= waited.timed_out();
            }
            if state.front.tail.is_empty() && state.closing {
                return;
            }
            (state.wanted, state.is_due) = (false, false);
            let round = state.front.tail.take();
            let end = round.end;
            drop(state);
            let result = if round.chunks.is_empty() { Ok(()) } else { lock(&self.back).commit(&round) };
            let mut state = lock(&self.state);
            if result.is_ok() {
                state.front.tail.committed(round);
            }
            drop(state);
            self.done.notify_all();
            let result = result.and_then(|()| {
                tell(Durability::Below(end));
                self.keep_house()
            });
            if let Err(error) = result {
                let cause: Arc<str> = error.to_string().into();
                lock(&self.state).stopped = Some(Arc::clone(&cause));
                self.done.notify_all();
                tell(Durability::Stopped(cause));
                return;
            }
            self.done.notify_all();
        }
    }

    /// What can wait until the waiters were released: the next segment, and a slice of compaction.
    fn keep_house(&self) -> Result<(), LogError> {
        let mut back = lock(&self.back);
        let victim = lock(&self.state).front.may_retire();
        if let Some(victim) = victim {
            back.retire(victim)?;
        }
        let prepared = back.prepare()?;
        let mut state = lock(&self.state);
        // A segment that was begun in memory meanwhile has already taken the one that is prepared.
        let spare = prepared && state.front.tail.header().number == back.current_number();
        state.front.tail.set_spare(spare);
        if let Some(victim) = state.front.wants_compaction(!prepared) {
            drop(state);
            let image = back.load(victim);
            state = lock(&self.state);
            match image {
                Ok(image) => state.front.begin_compaction(victim, image),
                Err(error) => state.front.hindered = Some(error.to_string().into()),
            }
        }
        // No room: the next commit tries again.
        let _ = state.front.compact();
        // As long as something waits, the commit of it may retire a segment.
        state.full = !prepared && state.front.tail.is_empty();
        Ok(())
    }
}

#[cfg(test)]
#[cfg(feature = "shuttle")]
mod interleavings;

#[cfg(test)]
#[cfg(not(feature = "shuttle"))]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::mpsc;

    use super::*;
    use crate::testing::{Fault, FaultKind, Landing, SimDisk};
    use crate::{Config, Found};

    fn config() -> Config {
        Config::with_segment_bytes(16 << 10)
    }

    fn open(disk: &SimDisk) -> (Log<SimDisk>, BTreeMap<Sequence, Vec<u8>>) {
        let mut found = BTreeMap::new();
        let log = Log::open(disk.clone(), LogId([1; 16]), config(), &mut |told| match told {
            Found::Record { sequence, payload, .. } => drop(found.insert(sequence, payload.to_vec())),
            Found::Released { first, last, .. } => found.retain(|sequence, _| *sequence < first || *sequence > last),
        });
        (log.unwrap(), found)
    }

    #[test]
    fn what_threads_were_told_is_durable_survives_the_power_loss_and_what_they_released_is_gone() {
        let disk = SimDisk::default();
        let log = SharedLog::start(open(&disk).0, |_| ()).unwrap();
        let kept: Vec<(Sequence, Vec<u8>)> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8_u64)
                .map(|thread| {
                    let log = &log;
                    scope.spawn(move || {
                        let mut kept = Vec::new();
                        for number in 0..200_u64 {
                            let payload = (thread * 1000 + number).to_le_bytes().repeat(10);
                            let sequence = log.append(StreamId(thread), &payload).unwrap();
                            log.wait(sequence).unwrap();
                            if number % 20 == 0 {
                                assert_eq!(log.read(StreamId(thread), sequence).unwrap().as_ref(), Some(&payload));
                                kept.push((sequence, payload));
                            } else {
                                log.release(StreamId(thread), sequence..=sequence).unwrap();
                            }
                        }
                        kept
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        log.close().unwrap();
        let (log, found) = open(&disk.after_power_loss(Landing::Nothing));
        assert_eq!(found, kept.into_iter().collect());
        assert!(log.space().segments_count <= Config::SLACK_SEGMENTS + 2, "{:?}", log.space());
    }

    #[test]
    fn after_an_error_of_the_disk_everybody_is_told_and_what_is_durable_can_still_be_read() {
        let disk = SimDisk::default();
        let (tell, told) = mpsc::channel();
        let log = SharedLog::start(open(&disk).0, move |durability| drop(tell.send(durability))).unwrap();
        let first = log.append(StreamId(1), b"kept").unwrap();
        log.wait(first).unwrap();
        assert_eq!(told.recv().unwrap(), Durability::Below(Sequence(first.0 + 1)));
        disk.set_fault(Some(Fault { call: 2, kind: FaultKind::Error }));
        let second = log.append(StreamId(1), b"lost").unwrap();
        assert!(matches!(log.wait(second), Err(LogError::Poisoned(_))));
        assert!(matches!(told.recv().unwrap(), Durability::Stopped(_)));
        assert!(matches!(log.append(StreamId(1), b"more"), Err(LogError::Poisoned(_))));
        assert_eq!(log.read(StreamId(1), first).unwrap().as_deref(), Some(b"kept".as_slice()));
        assert!(matches!(log.read(StreamId(1), second), Err(LogError::Poisoned(_))));
        assert!(matches!(log.close(), Err(LogError::Poisoned(_))));
    }

    #[test]
    fn a_full_disk_refuses_appends_until_there_is_space_again() {
        let disk = SimDisk::default();
        disk.set_bytes_max(Some(3 * (16 << 10)));
        let log = SharedLog::start(open(&disk).0, |_| ()).unwrap();
        let refused = (0..100).find_map(|_| log.append(StreamId(1), &[1; 1000]).err());
        assert!(matches!(refused, Some(LogError::Full)), "{refused:?}");
        log.append_in(StreamId(2), b"completion", Room::Reserved).unwrap();
        disk.set_bytes_max(None);
        // The first that asks makes the log look for space.
        while log.append(StreamId(1), &[2; 1000]).is_err() {
            thread::yield_now();
        }
        log.close().unwrap();
    }
}
