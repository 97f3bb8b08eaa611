//! `cargo run --release -p rpcgen-log --example limits -- DIR [seconds]`: how fast the log is beside the disk under it, in one run:
//! the disk alone (sequential write of the same bytes into prepared space, one sync each), the log with 1 to 4,096 waiting appends, and
//! recovery of a log of 1 GiB and of one with 100,000 streams. DIR has to be on the disk that is meant; it is emptied of what this made.

#![allow(clippy::print_stdout, reason = "it is a command")]

use std::collections::VecDeque;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use rpcgen_log::{Config, Disk, Log, LogId, RealDisk, SharedLog, StreamId};

const PAYLOAD: usize = 256;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("a directory is needed")?;
    let seconds = arguments.next().map_or(Ok(2), |seconds| seconds.parse())?;
    let directory = Path::new(&directory).join("limits-of-the-log");
    let time = Duration::from_secs(seconds);
    println!(
        "| waiting | disk alone, syncs/s | disk alone, records/s | log, appends/s | of the disk | appends per sync |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for waiting in [1, 16, 256, 4096] {
        let disk = disk_alone(&directory, waiting, time)?;
        let (appends, syncs) = log(&directory, waiting, time)?;
        let records = disk * waiting as f64;
        let (of_disk, grouped) = (100.0 * appends / records, appends / syncs);
        println!("| {waiting} | {disk:.0} | {records:.0} | {appends:.0} | {of_disk:.0} % | {grouped:.1} |");
    }
    recovery(&directory, "1 GiB, 1,024 streams, 64 KiB records", 16_384, 1024, 65_536 - 1024)?;
    recovery(&directory, "100,000 streams, 4 records each", 400_000, 100_000, PAYLOAD)?;
    Ok(())
}

fn fresh(directory: &Path) -> Result<RealDisk, Box<dyn Error>> {
    if directory.exists() {
        std::fs::remove_dir_all(directory)?;
    }
    Ok(RealDisk::open(directory)?)
}

/// Syncs per second of a disk that writes as much as the log would for so many records.
fn disk_alone(directory: &Path, waiting: usize, time: Duration) -> Result<f64, Box<dyn Error>> {
    let mut disk = fresh(directory)?;
    let whole = 64 << 20;
    disk.create("raw", whole)?;
    let batch = vec![7; (40 + waiting * (PAYLOAD + 24)).next_multiple_of(512)];
    let (began, mut syncs, mut offset) = (Instant::now(), 0_u32, 0);
    while began.elapsed() < time {
        if offset + batch.len() as u64 > whole {
            offset = 0;
        }
        disk.write("raw", offset, &batch)?;
        disk.sync("raw")?;
        offset += batch.len() as u64;
        syncs += 1;
    }
    Ok(f64::from(syncs) / began.elapsed().as_secs_f64())
}

/// Appends per second, and syncs per second, with so many appends that wait at any time. Each is released when it is durable.
fn log(directory: &Path, waiting: usize, time: Duration) -> Result<(f64, f64), Box<dyn Error>> {
    let log = Log::open(fresh(directory)?, LogId([1; 16]), Config::default(), &mut |_| ())?;
    let log = SharedLog::start(log, |_| ())?;
    let (payload, stream) = (vec![7; PAYLOAD], StreamId(1));
    let mut open = VecDeque::new();
    let (began, mut appended) = (Instant::now(), 0_u32);
    let before = log.space().syncs_count;
    while began.elapsed() < time {
        while open.len() < waiting {
            open.push_back(log.append(stream, &payload)?);
        }
        let oldest = open.front().copied().ok_or("something waits")?;
        log.wait(oldest)?;
        let durable = log.durable();
        while open.front().is_some_and(|sequence| *sequence < durable) {
            open.pop_front();
            appended += 1;
        }
        let last = open.front().map_or(durable.0, |first| first.0);
        log.release(stream, oldest..=rpcgen_log::Sequence(last.saturating_sub(1)))?;
    }
    let elapsed = began.elapsed().as_secs_f64();
    let syncs = (log.space().syncs_count - before) as f64;
    log.close()?;
    Ok((f64::from(appended) / elapsed, syncs / elapsed))
}

/// Fills a log, and times opening it after a kill.
fn recovery(directory: &Path, name: &str, records: u64, streams: u64, bytes: usize) -> Result<(), Box<dyn Error>> {
    let mut log = Log::open(fresh(directory)?, LogId([1; 16]), Config::default(), &mut |_| ())?;
    for number in 0..records {
        log.append(StreamId(number % streams), &vec![number as u8; bytes])?;
        if number % 256 == 0 {
            log.commit()?;
        }
    }
    log.commit()?;
    let space = log.space();
    drop(log.abandon());
    let (began, mut told) = (Instant::now(), 0_u64);
    let log = Log::open(RealDisk::open(directory)?, LogId([1; 16]), Config::default(), &mut |_| told += 1)?;
    let elapsed = began.elapsed();
    let mib = (space.segments_count * space.segment_bytes) >> 20;
    println!("recovery of {mib} MiB ({name}): {told} records in {:.3} s, page cache warm", elapsed.as_secs_f64());
    drop(log);
    std::fs::remove_dir_all(directory)?;
    Ok(())
}
