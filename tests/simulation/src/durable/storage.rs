//! A node's disk and the log on it.
//!
//! Knows: opening, crashes, commits that fail. Does not know: what is on record.

use std::collections::BTreeSet;

use rpcgen_log::testing::{Fault, FaultKind, Landing, Random, SimDisk};
use rpcgen_log::{Config, Log, LogId};
use rpcgen_store::FoundRecords;

/// Small segments, so that a run has many of them.
const SEGMENT_BYTES: u64 = 16 << 10;

/// What is left of a log's space when its disk is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tightness {
    /// Enough.
    #[default]
    Roomy,
    /// The reserve.
    Kept,
    /// Nothing.
    Used,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// The process alone: what it wrote is there, what it had not committed is gone.
    Process,
    /// In the middle of a commit, and the page cache is kept.
    InCommit,
    /// The power fails: each sector that was not synced lands, is torn, or does not.
    Power,
}

/// When log and database were used together, counted: what the run knows, and nobody in it.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    /// The last time.
    pub(super) last: u64,
    /// A database of these moments may be the right one as far as the log can say.
    pub(super) possible: BTreeSet<u64>,
}

impl Default for Moments {
    fn default() -> Self {
        Self { last: 0, possible: [0].into() }
    }
}

/// A disk with a log.
#[derive(Debug)]
pub(super) struct Storage {
    disk: SimDisk,
    pub(super) id: LogId,
    pub(super) log: Option<Log<SimDisk>>,
    /// Of the last opening.
    pub(super) life: u64,
    /// When it was used together with a database.
    pub(super) moments: Moments,
    /// An older state of the disk, and of when.
    snapshot: Option<(SimDisk, Moments)>,
    /// What was there before an older state was put in its place, of when, and its life.
    right: Option<(SimDisk, Moments, u64)>,
    is_full: bool,
    pub(super) tightness: Tightness,
}

impl Storage {
    pub(super) fn new(id: u128) -> Self {
        Self {
            disk: SimDisk::default(),
            id: LogId(id.to_le_bytes()),
            log: None,
            life: 0,
            moments: Moments::default(),
            snapshot: None,
            right: None,
            is_full: false,
            tightness: Tightness::default(),
        }
    }

    /// What is in it is small, and makes room for itself: so a full disk is felt by what the log would say if it were not.
    pub(super) fn refuses(&self, is_refusable: bool) -> bool {
        self.is_full && (self.tightness == Tightness::Used || self.tightness == Tightness::Kept && is_refusable)
    }

    /// Opens the log. What was found in it.
    pub(super) fn open(&mut self) -> Result<FoundRecords, String> {
        self.disk.set_fault(None);
        let (found, log) = open(&self.disk, self.id)?;
        self.life = log.incarnation().0;
        self.log = Some(log);
        Ok(found)
    }

    /// What would be found if the power failed now and nothing landed that was not synced.
    pub(super) fn found_after_power_loss(&self) -> Result<(FoundRecords, Log<SimDisk>), String> {
        let after = self.disk.after_power_loss(Landing::Nothing);
        after.set_bytes_max(None);
        open(&after, self.id)
    }

    /// The process is gone.
    pub(super) fn die(&mut self, death: Death, random: u64) {
        let Some(mut log) = self.log.take() else { return };
        let mut chance = Random(random);
        if death != Death::Process {
            // The last commit comes as far as it comes.
            let call = 1 + chance.below(3);
            self.disk.set_fault(Some(Fault { call, kind: FaultKind::Crash }));
            let _ = log.commit();
        }
        drop(log.abandon());
        self.disk.set_fault(None);
        if death == Death::Power {
            let landing = match chance.below(4) {
                0 => Landing::Nothing,
                1 => Landing::All,
                2 => Landing::Random(chance.next()),
                _ => Landing::Torn(chance.next()),
            };
            self.disk = self.disk.after_power_loss(landing);
        }
    }

    /// The disk fails at one of the next calls.
    pub(super) fn fail_soon(&self, random: u64) {
        let call = 1 + Random(random).below(6);
        self.disk.set_fault(Some(Fault { call, kind: FaultKind::Error }));
    }

    /// No more files fit; or they do again.
    pub(super) fn set_full(&mut self, is_full: bool) {
        self.is_full = is_full;
        self.disk.set_bytes_max(is_full.then_some(0));
    }

    pub(super) fn take_snapshot(&mut self) {
        let after = self.disk.after_power_loss(Landing::Nothing);
        self.snapshot = Some((after, self.moments.clone()));
    }

    /// Puts the snapshot in the place of the disk. `false`: there is none.
    pub(super) fn restore(&mut self) -> bool {
        let Some((snapshot, moments)) = self.snapshot.clone() else { return false };
        let disk = std::mem::replace(&mut self.disk, snapshot.copy());
        let right = (disk, std::mem::replace(&mut self.moments, moments), self.life);
        self.right.get_or_insert(right);
        self.set_full(self.is_full); // As now, not as then.
        true
    }

    /// Whether an older state is in its place.
    pub(super) fn is_older(&self) -> bool {
        self.right.is_some()
    }

    /// What was in use last is there again.
    pub(super) fn put_right(&mut self) {
        if let Some(right) = self.right.take() {
            (self.disk, self.moments, self.life) = right;
            self.set_full(self.is_full);
        }
    }

    /// What is there is what counts from now on.
    pub(super) fn keep(&mut self) {
        self.right = None;
    }

    /// Another log, of so many lives in which nothing was done, takes the place of this one.
    pub(super) fn replace(&mut self, lives: u32, moment: u64) {
        let (is_full, id) = (self.is_full, u128::from_le_bytes(self.id.0));
        // As far as it can say, any database is the right one.
        let moments = Moments { last: 0, possible: (0..=moment).collect() };
        *self = Self { moments, tightness: self.tightness, ..Self::new(id + 1) };
        for _ in 0..lives {
            if self.open().is_ok() {
                self.die(Death::Process, 0);
            }
        }
        self.set_full(is_full);
    }

    /// What somebody gets who copies the directory now.
    pub(super) fn copied(&self) -> Self {
        let disk = self.disk.after_power_loss(Landing::Nothing);
        disk.set_fault(None);
        let mut copy = Self { disk, life: self.life, ..Self::new(u128::from_le_bytes(self.id.0)) };
        copy.set_full(self.is_full);
        copy
    }
}

fn open(disk: &SimDisk, id: LogId) -> Result<(FoundRecords, Log<SimDisk>), String> {
    let mut found = FoundRecords::default();
    let config = Config::with_segment_bytes(SEGMENT_BYTES);
    let log = Log::open(disk.clone(), id, config, &mut |told| found.tell(told));
    log.map(|log| (found, log)).map_err(|error| error.to_string())
}
