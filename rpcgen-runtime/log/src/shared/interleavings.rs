//! The commit queue in other orders of its threads than a machine shows (trap T14): each run follows a schedule of its own, of a seed.
//!
//! `cargo test -p rpcgen-log --features shuttle,testing --lib interleavings`. A failure prints the schedule that leads to it.

use std::collections::BTreeSet;

use super::*;
use crate::testing::{Fault, FaultKind, Landing, SimDisk};
use crate::{Config, Found};

const RUNS: usize = 20_000;

fn open(disk: &SimDisk) -> (Log<SimDisk>, BTreeSet<Sequence>) {
    let mut found = BTreeSet::new();
    let config = Config::with_segment_bytes(16 << 10);
    let log = Log::open(disk.clone(), LogId([1; 16]), config, &mut |told| {
        if let Found::Record { sequence, .. } = told {
            found.insert(sequence);
        }
    });
    (log.unwrap(), found)
}

/// What is there after a power loss in this moment, of which nothing lands that was not synced.
fn left_by_power_loss(disk: &SimDisk) -> BTreeSet<Sequence> {
    open(&disk.after_power_loss(Landing::Nothing)).1
}

#[test]
fn whoever_was_released_finds_the_record_after_a_power_loss_in_that_moment() {
    let run = || {
        let disk = SimDisk::default();
        let mut told = Sequence(0);
        let tell = move |durability| {
            let Durability::Below(end) = durability else { panic!("the disk is well") };
            assert!(told <= end, "told in order");
            told = end;
        };
        let log = Arc::new(SharedLog::start(open(&disk).0, tell).unwrap());
        let threads: Vec<_> = (0..3)
            .map(|number| {
                let (log, disk) = (Arc::clone(&log), disk.clone());
                thread::spawn(move || {
                    for _ in 0..2 {
                        let sequence = log.append(StreamId(number), b"record").unwrap();
                        log.wait(sequence).unwrap();
                        assert!(left_by_power_loss(&disk).contains(&sequence), "{sequence:?}");
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        Arc::into_inner(log).unwrap().close().unwrap();
        assert_eq!(left_by_power_loss(&disk).len(), 6);
    };
    shuttle::check_random(run, RUNS);
    shuttle::check_pct(run, RUNS, 3);
}

#[test]
fn a_sync_that_fails_fails_all_who_wait_for_it_and_nobody_waits_for_ever() {
    let run = || {
        let disk = SimDisk::default();
        let log = Arc::new(SharedLog::start(open(&disk).0, |_| ()).unwrap());
        let first = log.append(StreamId(9), b"record").unwrap();
        log.wait(first).unwrap();
        disk.set_fault(Some(Fault { call: 2, kind: FaultKind::Error }));
        let threads: Vec<_> = (0..3)
            .map(|number| {
                let (log, disk) = (Arc::clone(&log), disk.clone());
                thread::spawn(move || {
                    let Ok(sequence) = log.append(StreamId(number), b"record") else { return };
                    if log.wait(sequence).is_ok() {
                        assert!(left_by_power_loss(&disk).contains(&sequence), "{sequence:?}");
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(log.append(StreamId(9), b"record").is_err() || log.wait(first).is_ok());
        drop(log);
        assert!(left_by_power_loss(&disk).contains(&first));
    };
    shuttle::check_random(run, RUNS);
}
