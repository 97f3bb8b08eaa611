//! A disk that is full: appends are refused in good order, accepted work can be completed, and space that is freed is used again.
//!
//! Knows: the reserve. Does not know: how it is kept.

use super::model::{Content, Model, told, violated};
use super::{Landing, Random, SimDisk, Violation};
use crate::{Config, Log, LogError, LogId, Room, Sequence, StreamId};

const SEGMENT_BYTES: u64 = 16 << 10;
/// For accepted work; smaller than the reserve by what batches and padding cost.
const COMPLETIONS: usize = 20;

fn refused<T>(what: &str, error: &LogError) -> Result<T, Violation> {
    violated("reserve_is_kept", format!("{what}: {error}"))
}

/// Fills a disk until a record is refused, completes, frees, and goes on.
///
/// # Errors
/// The first violation.
pub fn fill(seed: u64) -> Result<(), Violation> {
    let mut random = Random(seed);
    let disk = SimDisk::default();
    disk.set_bytes_max(Some(SEGMENT_BYTES * (6 + random.below(4))));
    let config = Config::with_segment_bytes(SEGMENT_BYTES);
    let mut log =
        Log::open(disk, LogId([2; 16]), config.clone(), &mut |_| ()).or_else(|error| refused("open", &error))?;
    let mut model = Model::default();
    let stream = StreamId(1);
    let mut kept: Vec<Sequence> = Vec::new();
    loop {
        let payload = vec![random.next() as u8; usize::try_from(random.below(1500)).unwrap_or(0)];
        match log.append(stream, &payload) {
            Ok(sequence) => {
                model.appended(log.next(), stream, sequence, payload);
                kept.push(sequence);
            }
            Err(LogError::Full) => break,
            Err(error) => return refused("append", &error),
        }
        if kept.len() > 10_000 {
            return violated("reserve_is_kept", "a full disk takes everything");
        }
        if random.one_in(3) {
            log.commit().or_else(|error| refused("commit", &error))?;
        }
    }
    // What may have begun before goes on, for a while.
    let mut again = 0;
    loop {
        let payload = vec![random.next() as u8; usize::try_from(random.below(300)).unwrap_or(0)];
        match log.append_in(stream, &payload, Room::Again) {
            Ok(sequence) => model.appended(log.next(), stream, sequence, payload),
            Err(LogError::Full) => break,
            Err(error) => return refused("append again", &error),
        }
        again += 1;
    }
    if again == 0 {
        return violated("reserve_is_kept", "nothing that may have begun before goes on");
    }
    // What was accepted can be completed, and each completion is durable.
    for _ in 0..COMPLETIONS {
        let sequence =
            log.append_in(StreamId(2), b"done", Room::Reserved).or_else(|error| refused("complete", &error))?;
        model.appended(log.next(), StreamId(2), sequence, b"done".to_vec());
    }
    log.commit().or_else(|error| refused("commit", &error))?;
    model.durable(log.durable());
    // Space that is freed is used again, without another opening.
    let last = kept[kept.len() - 2];
    log.release(stream, kept[0]..=last).or_else(|error| refused("release", &error))?;
    model.released(log.next(), stream, kept[0], last);
    for _ in 0..60 {
        match log.append(StreamId(3), &[7; 900]) {
            Ok(sequence) => {
                model.appended(log.next(), StreamId(3), sequence, vec![7; 900]);
                log.release(StreamId(3), sequence..=sequence).or_else(|error| refused("release", &error))?;
                model.released(log.next(), StreamId(3), sequence, sequence);
            }
            Err(error) => return refused("append after space was freed", &error),
        }
    }
    log.commit().or_else(|error| refused("commit", &error))?;
    model.durable(log.durable());
    let disk = log.abandon().after_power_loss(Landing::Nothing);
    let mut content = Content::new();
    Log::open(disk, LogId([2; 16]), config, &mut told(&mut content)).or_else(|error| refused("open again", &error))?;
    model.check(&content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_refuses_the_new_and_completes_the_old() {
        for seed in 0..20 {
            fill(seed).unwrap();
        }
    }
}
