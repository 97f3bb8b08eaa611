//! Crash states: a workload is stopped at each of its calls of the disk, and for each of many landings of what was not synced the log
//! is opened again and compared with what was promised.
//!
//! Knows: the workload and the order of the checks. Does not know: how the log does it.
//!
//! Invariants: `guarantee_implies_durable`, `recovery_is_prefix`, `recovery_idempotent`, `incarnation_monotonic`, `reads_go_on`,
//! `told_is_live`, `space_bounded`, `no_refusal` (a crash alone never makes a log unreadable), `poisoned_after_error`.

use super::model::{Content, Model, read_all, told, violated};
use super::{Fault, FaultKind, Landing, Random, SimDisk, Violation};
use crate::{Config, Log, LogError, LogId, Sequence, StreamId};

const SEGMENT_BYTES: u64 = 16 << 10;

fn config() -> Config {
    Config::with_segment_bytes(SEGMENT_BYTES)
}

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Disks after a crash, each opened and checked.
    pub states: u64,
    /// Runs of the workload, each stopped at another call.
    pub runs: u64,
}

/// Which violation, and how to see it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The seed of the workload.
    pub seed: u64,
    /// The fault.
    pub fault: Option<Fault>,
    /// What came of it.
    pub violation: Violation,
}

/// Opens, and compares what is told with what can be read.
fn open(disk: &SimDisk, model: &mut Model) -> Result<Result<(Log<SimDisk>, Content), LogError>, Violation> {
    let mut content = Content::new();
    let mut log = match Log::open(disk.clone(), LogId([9; 16]), config(), &mut told(&mut content)) {
        Ok(log) => log,
        Err(error) => return Ok(Err(error)),
    };
    match read_all(&mut log) {
        // Compaction, or reading here, met the fault: what was told counts.
        _ if disk.has_failed() => {}
        Ok(read) if read == content => {}
        Ok(_) => return violated("told_is_live", "what was told is not what can be read"),
        Err(violation) => return Err(violation),
    }
    if log.incarnation().0 <= model.incarnation {
        return violated("incarnation_monotonic", format!("{} after {}", log.incarnation().0, model.incarnation));
    }
    model.incarnation = log.incarnation().0;
    Ok(Ok((log, content)))
}

/// Opens a disk that no fault hits any more.
fn must_open(disk: &SimDisk, model: &mut Model) -> Result<(Log<SimDisk>, Content), Violation> {
    open(disk, model)?.or_else(|error| violated("no_refusal", error.to_string()))
}

/// One workload: several lives of a log, each with appends, releases and commits.
struct Workload {
    random: Random,
    model: Model,
    disk: SimDisk,
    made: u64,
}

impl Workload {
    fn new(seed: u64, fault: Option<Fault>) -> Self {
        let disk = SimDisk::default();
        disk.set_fault(fault);
        Self { random: Random(seed), model: Model::default(), disk, made: 0 }
    }

    fn run(&mut self) -> Result<Result<(), LogError>, Violation> {
        let lives = 4 + self.random.below(4);
        for _ in 0..lives {
            match self.live()? {
                Ok(()) => {}
                error => return Ok(error),
            }
        }
        Ok(Ok(()))
    }

    fn live(&mut self) -> Result<Result<(), LogError>, Violation> {
        let mut log = match open(&self.disk, &mut self.model)? {
            Ok((log, content)) => {
                self.model.check(&content)?;
                self.model.settle(content);
                log
            }
            Err(error) => return Ok(Err(error)),
        };
        let steps = 10 + self.random.below(50);
        for _ in 0..steps {
            let done = self.step(&mut log);
            self.model.durable(log.durable());
            if let Err(error) = done {
                self.check_poisoned(log, &error)?;
                return Ok(Err(error));
            }
        }
        // A process may end in good order or be killed; its page cache stays.
        if self.random.one_in(2) {
            if let Err(error) = log.close() {
                return Ok(Err(error));
            }
            let now = self.model.now();
            self.model.settle(now);
        }
        Ok(Ok(()))
    }

    fn step(&mut self, log: &mut Log<SimDisk>) -> Result<(), LogError> {
        let stream = StreamId(self.random.below(4));
        match self.random.below(10) {
            0..6 => {
                let large = self.random.one_in(6);
                let bytes = self.random.below(if large { 2000 } else { 200 });
                self.made += 1;
                let payload: Vec<u8> = (0..bytes).map(|at| (at ^ self.made) as u8).collect();
                let sequence = log.append(stream, &payload)?;
                self.model.appended(log.next(), stream, sequence, payload);
            }
            6..8 => {
                let live: Vec<Sequence> = log.live(stream).collect();
                if let (Some(&first), Some(&newest)) = (live.first(), live.last()) {
                    let last = if self.random.one_in(2) { newest } else { first };
                    log.release(stream, first..=last)?;
                    self.model.released(log.next(), stream, first, last);
                }
            }
            _ => {
                log.commit()?;
            }
        }
        Ok(())
    }

    /// After an error of the disk nothing is promised any more, and what is durable can still be read.
    fn check_poisoned(&self, mut log: Log<SimDisk>, error: &LogError) -> Result<(), Violation> {
        if !matches!(error, LogError::Poisoned(_)) {
            return Ok(());
        }
        let durable = log.durable();
        let refused = |result: Result<Sequence, LogError>| matches!(result, Err(LogError::Poisoned(_)));
        if !refused(log.append(StreamId(0), b"after")) || !refused(log.commit()) || log.durable() != durable {
            return violated("poisoned_after_error", "a log went on after a failed write");
        }
        Ok(())
    }
}

/// What a workload does to the space that its log takes.
fn check_space(log: &mut Log<SimDisk>) -> Result<(), Violation> {
    // Compaction works in slices, one with each commit.
    for _ in 0..40 {
        if log.append(StreamId(99), b"x").and_then(|sequence| log.release(StreamId(99), sequence..=sequence)).is_err() {
            break;
        }
        if let Err(error) = log.commit() {
            return violated("space_bounded", error.to_string());
        }
    }
    let space = log.space();
    let most = space.live_bytes * 2 + (Config::SLACK_SEGMENTS + 1) * space.segment_bytes;
    if space.segments_count * space.segment_bytes > most {
        return violated("space_bounded", format!("{space:?}"));
    }
    Ok(())
}

fn landings(seed: u64, count: u64) -> impl Iterator<Item = Landing> {
    let random = (0..count).map(move |at| {
        let seed = seed.wrapping_mul(1_000_003).wrapping_add(at);
        if at % 2 == 0 { Landing::Random(seed) } else { Landing::Torn(seed) }
    });
    [Landing::Nothing, Landing::All].into_iter().chain(random)
}

/// The calls of a workload that nothing hits.
///
/// # Errors
/// What is wrong without any fault.
pub fn calls_of(seed: u64) -> Result<u64, Finding> {
    let finding = |violation| Finding { seed, fault: None, violation };
    let mut workload = Workload::new(seed, None);
    match workload.run().map_err(finding)? {
        Ok(()) => {}
        Err(error) => return violated("no_refusal", error.to_string()).map_err(finding),
    }
    let calls = workload.disk.calls();
    let (mut log, content) = must_open(&workload.disk, &mut workload.model).map_err(finding)?;
    workload.model.check(&content).map_err(finding)?;
    check_space(&mut log).map_err(finding)?;
    Ok(calls)
}

/// Stops the workload of this seed at the call, loses the power, and checks `landings_count` states and those that follow from them.
///
/// # Errors
/// The first violation.
pub fn crash_at(seed: u64, call: u64, landings_count: u64, count: &mut Count) -> Result<(), Finding> {
    let fault = Fault { call, kind: FaultKind::Crash };
    let finding = |violation| Finding { seed, fault: Some(fault), violation };
    let mut workload = Workload::new(seed, Some(fault));
    let ended = workload.run().map_err(finding)?;
    count.runs += 1;
    if ended.is_ok() && !workload.disk.has_failed() {
        return Ok(());
    }
    for landing in landings(seed ^ (call << 20), landings_count) {
        let disk = workload.disk.after_power_loss(landing);
        let again = disk.copy();
        let mut model = workload.model.clone();
        check_state(&disk, &mut model).map_err(finding)?;
        count.states += 1;
        let mut random = Random(seed ^ (call << 8) ^ count.states);
        let mut model = workload.model.clone();
        crash_in_recovery(&again, &mut model, &mut random).map_err(finding)?;
        count.states += 1;
    }
    Ok(())
}

/// Opens, writes, loses all that is not synced, opens again: all is there.
fn check_state(disk: &SimDisk, model: &mut Model) -> Result<(), Violation> {
    let (mut log, content) = must_open(disk, model)?;
    model.check(&content)?;
    model.settle(content);
    let payload = b"after the crash".to_vec();
    let written = log.append(StreamId(3), &payload).and_then(|sequence| log.commit().map(|_| sequence));
    let Ok(sequence) = written else { return violated("no_refusal", "a log that was recovered cannot be written to") };
    model.appended(log.next(), StreamId(3), sequence, payload);
    model.durable(log.durable());
    let disk = log.abandon().after_power_loss(Landing::Nothing);
    let (_, content) = must_open(&disk, model)?;
    same(model, &content)
}

/// What was found once is found again.
fn same(model: &Model, content: &Content) -> Result<(), Violation> {
    if &model.now() == content {
        Ok(())
    } else {
        violated("recovery_idempotent", "a second opening found something else")
    }
}

/// The power goes again while the log is opened.
fn crash_in_recovery(disk: &SimDisk, model: &mut Model, random: &mut Random) -> Result<(), Violation> {
    let call = 1 + random.below(30);
    disk.set_fault(Some(Fault { call, kind: FaultKind::Crash }));
    let before = model.incarnation;
    if let Ok((log, content)) = open(disk, model)? {
        model.check(&content)?;
        if !disk.has_failed() {
            model.settle(content);
        }
        drop(log);
    } else {
        model.incarnation = before;
    }
    let disk = disk.after_power_loss(Landing::Torn(random.next()));
    let (_, content) = must_open(&disk, model)?;
    model.check(&content)
}

/// Lets the call of the workload of this seed fail; the process is started again with the page cache as it is, and then the power goes.
///
/// # Errors
/// The first violation.
pub fn error_at(seed: u64, call: u64, count: &mut Count) -> Result<(), Finding> {
    let fault = Fault { call, kind: FaultKind::Error };
    let finding = |violation| Finding { seed, fault: Some(fault), violation };
    let mut workload = Workload::new(seed, Some(fault));
    let _ = workload.run().map_err(finding)?;
    count.runs += 1;
    workload.disk.set_fault(None);
    let mut model = workload.model;
    let (_, content) = must_open(&workload.disk, &mut model).map_err(finding)?;
    model.check(&content).map_err(finding)?;
    model.settle(content);
    let disk = workload.disk.after_power_loss(Landing::Nothing);
    let (_, content) = must_open(&disk, &mut model).map_err(finding)?;
    same(&model, &content).map_err(finding)?;
    count.states += 2;
    Ok(())
}

/// All of one seed: each call stopped, each call failed.
///
/// # Errors
/// The first violation.
pub fn explore(seed: u64, landings_count: u64, count: &mut Count) -> Result<(), Finding> {
    let calls = calls_of(seed)?;
    for call in 1..=calls {
        crash_at(seed, call, landings_count, count)?;
        error_at(seed, call, count)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crash_at_any_call_of_the_disk_loses_nothing_that_was_promised() {
        let mut count = Count::default();
        explore(1, 2, &mut count).unwrap();
        assert!(count.states > 1000, "{count:?}");
    }
}
