//! A disk in memory that keeps apart what is durable and what is merely written.
//!
//! Knows: sectors, names, and what a power loss may do to those that were not synced: each lands, stays as it was, or is torn, whatever
//! the others do. Does not know: logs.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Random;
use crate::disk::{Disk, FileEntry};

const SECTOR: usize = 512;

/// What is to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// At this call, from 1.
    pub call: u64,
    /// How.
    pub kind: FaultKind,
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The power is gone: the call is not done, or in part, and no later one either.
    Crash,
    /// The call fails, and the disk goes on. What a failed sync should have made durable is durable or not, sector by sector, and is
    /// never written again, though reading shows it: as Linux does (fsyncgate).
    Error,
}

/// What a power loss leaves of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Landing {
    /// Nothing.
    Nothing,
    /// All of it.
    All,
    /// Each sector and each change of a name by itself, at random; a sector that was written several times may be any of them.
    Random(u64),
    /// The same, and some of the sectors are half old and half new.
    Torn(u64),
}

#[derive(Clone, Debug, Default)]
struct SimFile {
    durable: Arc<Vec<u8>>,
    now: Arc<Vec<u8>>,
    /// What was written to each sector since the last sync, the oldest first.
    dirty: BTreeMap<usize, Vec<Vec<u8>>>,
}

impl SimFile {
    /// With the page cache as it was.
    fn showing(self, now: &Arc<Vec<u8>>) -> Self {
        Self { now: Arc::clone(now), ..self }
    }
}

#[derive(Clone, Debug)]
enum NameChange {
    Enter(String, usize),
    Rename(String, String, usize),
    Remove(String),
}

fn apply(names: &mut BTreeMap<String, usize>, change: &NameChange) {
    match change {
        NameChange::Enter(name, file) => {
            names.insert(name.clone(), *file);
        }
        NameChange::Rename(from, to, file) => {
            if names.get(from) == Some(file) {
                names.remove(from);
            }
            names.insert(to.clone(), *file);
        }
        NameChange::Remove(name) => {
            names.remove(name);
        }
    }
}

#[derive(Clone, Debug, Default)]
struct State {
    files: Vec<SimFile>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    changes: Vec<NameChange>,
    calls: u64,
    fault: Option<Fault>,
    dead: bool,
    failed: bool,
    bytes_max: Option<u64>,
}

/// A disk in memory. Clones are handles of the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

fn gone() -> io::Error {
    io::Error::other("the power is gone")
}

impl SimDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another disk with the same content.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().clone())))
    }

    /// Counts calls from 0 again, and fails as said.
    pub fn set_fault(&self, fault: Option<Fault>) {
        let mut state = self.state();
        (state.calls, state.fault, state.dead, state.failed) = (0, fault, false, false);
    }

    /// Calls since the fault was set.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Whether the fault has come.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.state().failed
    }

    /// All files together may take this much; creating one that does not fit fails.
    pub fn set_bytes_max(&self, bytes_max: Option<u64>) {
        self.state().bytes_max = bytes_max;
    }

    /// What the disk is after the power came back.
    #[must_use]
    pub fn after_power_loss(&self, landing: Landing) -> Self {
        let state = self.state();
        let mut random = Random(match landing {
            Landing::Random(seed) | Landing::Torn(seed) => seed,
            _ => 0,
        });
        let mut lands = || match landing {
            Landing::Nothing => false,
            Landing::All => true,
            _ => random.one_in(2),
        };
        let mut names = state.durable_names.clone();
        for change in state.changes.iter().filter(|_| lands()) {
            apply(&mut names, change);
        }
        let files = state.files.iter().map(|file| land(file, landing, &mut random)).collect();
        let landed =
            State { files, durable_names: names.clone(), names, bytes_max: state.bytes_max, ..State::default() };
        Self(Arc::new(Mutex::new(landed)))
    }

    /// Flips a bit of a file, on the disk and in the page cache.
    pub fn flip(&self, name: &str, bit: usize) {
        let mut state = self.state();
        if let Some(file) = state.names.get(name).copied() {
            let file = &mut state.files[file];
            Arc::make_mut(&mut file.durable)[bit / 8] ^= 1 << (bit % 8);
            Arc::make_mut(&mut file.now)[bit / 8] ^= 1 << (bit % 8);
        }
    }

    /// Cuts a file, on the disk and in the page cache.
    pub fn truncate(&self, name: &str, bytes: usize) {
        let mut state = self.state();
        if let Some(file) = state.names.get(name).copied() {
            let file = &mut state.files[file];
            Arc::make_mut(&mut file.durable).truncate(bytes);
            Arc::make_mut(&mut file.now).truncate(bytes);
        }
    }

    /// Puts a file there, durable.
    pub fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.state();
        let bytes = Arc::new(bytes);
        let id = state.files.len();
        state.files.push(SimFile { durable: Arc::clone(&bytes), now: bytes, dirty: BTreeMap::new() });
        state.names.insert(name.to_owned(), id);
        state.durable_names.insert(name.to_owned(), id);
    }

    /// What a file holds.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(name).map(|&file| state.files[file].now.to_vec())
    }

    /// One call: fails if it is its turn. `None`: the call is done as asked; otherwise it is done in part, and then fails.
    fn call(state: &mut State) -> Result<Option<FaultKind>, io::Error> {
        if state.dead {
            return Err(gone());
        }
        state.calls += 1;
        let fault = state.fault.filter(|fault| fault.call == state.calls).map(|fault| fault.kind);
        state.dead = fault == Some(FaultKind::Crash);
        state.failed |= fault.is_some();
        Ok(fault)
    }
}

fn outcome(fault: Option<FaultKind>) -> io::Result<()> {
    match fault {
        None => Ok(()),
        Some(FaultKind::Crash) => Err(gone()),
        Some(FaultKind::Error) => Err(io::Error::other("input/output error")),
    }
}

/// What a power loss leaves of one file.
fn land(file: &SimFile, landing: Landing, random: &mut Random) -> SimFile {
    let mut bytes = Arc::clone(&file.durable);
    for (&sector, versions) in &file.dirty {
        let version = match landing {
            Landing::Nothing => None,
            Landing::All => versions.last(),
            Landing::Random(_) | Landing::Torn(_) => {
                let at = random.below(versions.len() as u64 + 1);
                usize::try_from(at).ok().and_then(|at| versions.get(at))
            }
        };
        let Some(version) = version else { continue };
        let begin = sector * SECTOR;
        let torn = matches!(landing, Landing::Torn(_)) && random.one_in(3);
        let end = if torn { usize::try_from(random.below(SECTOR as u64)).unwrap_or(0) } else { SECTOR };
        Arc::make_mut(&mut bytes)[begin..begin + end].copy_from_slice(&version[..end]);
    }
    SimFile { durable: Arc::clone(&bytes), now: bytes, dirty: BTreeMap::new() }
}

fn no_file(name: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, name.to_owned())
}

impl Disk for SimDisk {
    fn list(&mut self) -> io::Result<Vec<FileEntry>> {
        let mut state = self.state();
        outcome(Self::call(&mut state)?)?;
        let entry = |(name, &file): (&String, &usize)| FileEntry {
            name: name.clone(),
            bytes: state.files[file].now.len() as u64,
        };
        Ok(state.names.iter().map(entry).collect())
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        let mut state = self.state();
        let fault = Self::call(&mut state)?;
        let others = state.names.iter().filter(|(other, _)| *other != name);
        let used: u64 = others.map(|(_, &file)| state.files[file].now.len() as u64).sum();
        if state.bytes_max.is_some_and(|bytes_max| used + bytes > bytes_max) {
            // Now for everybody, now for this user.
            let is_quota = state.files.len().is_multiple_of(2);
            return Err(if is_quota { io::ErrorKind::QuotaExceeded } else { io::ErrorKind::StorageFull }.into());
        }
        // A crash leaves a file that is too short.
        let bytes = if fault.is_some() { bytes / 2 } else { bytes };
        let zeros = Arc::new(vec![0; usize::try_from(bytes).unwrap_or(0)]);
        let id = state.files.len();
        state.files.push(SimFile { durable: Arc::clone(&zeros), now: zeros, dirty: BTreeMap::new() });
        let change = NameChange::Enter(name.to_owned(), id);
        apply(&mut state.names, &change);
        state.changes.push(change);
        outcome(fault)
    }

    fn read(&mut self, name: &str, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        outcome(Self::call(&mut state)?)?;
        let file = *state.names.get(name).ok_or_else(|| no_file(name))?;
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = state.files[file].now.get(begin..).and_then(|bytes| bytes.get(..into.len()));
        into.copy_from_slice(bytes.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let fault = Self::call(&mut state)?;
        let file = *state.names.get(name).ok_or_else(|| no_file(name))?;
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let file = &mut state.files[file];
        assert!(begin + bytes.len() <= file.now.len(), "a log writes into space that it has prepared");
        Arc::make_mut(&mut file.now)[begin..begin + bytes.len()].copy_from_slice(bytes);
        for sector in begin / SECTOR..(begin + bytes.len()).div_ceil(SECTOR) {
            let version = file.now[sector * SECTOR..(sector + 1) * SECTOR].to_vec();
            file.dirty.entry(sector).or_default().push(version);
        }
        outcome(fault)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let fault = Self::call(&mut state)?;
        let file = *state.names.get(name).ok_or_else(|| no_file(name))?;
        let mut random = Random(state.calls);
        let file = &mut state.files[file];
        match fault {
            // What is not dirty is not written, whatever reading shows.
            None => *file = land(file, Landing::All, &mut random).showing(&file.now),
            Some(FaultKind::Crash) => return outcome(fault),
            Some(FaultKind::Error) => *file = land(file, Landing::Random(0), &mut random).showing(&file.now),
        }
        outcome(fault)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let fault = Self::call(&mut state)?;
        let file = *state.names.get(from).ok_or_else(|| no_file(from))?;
        let change = NameChange::Rename(from.to_owned(), to.to_owned(), file);
        if fault != Some(FaultKind::Error) {
            apply(&mut state.names, &change);
            state.changes.push(change);
        }
        outcome(fault)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let fault = Self::call(&mut state)?;
        let change = NameChange::Remove(name.to_owned());
        if fault != Some(FaultKind::Error) {
            apply(&mut state.names, &change);
            state.changes.push(change);
        }
        outcome(fault)
    }

    fn sync_directory(&mut self) -> io::Result<()> {
        let mut state = self.state();
        let fault = Self::call(&mut state)?;
        if fault.is_none() {
            state.durable_names = state.names.clone();
            state.changes.clear();
        }
        outcome(fault)
    }
}
