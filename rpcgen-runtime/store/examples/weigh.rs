//! What a server's log on disk weighs, and how long it takes to open:
//!
//! - `cargo run --release -p rpcgen-store --example weigh -- DIR make SESSIONS BYTES` makes the log of a server that was killed: so many
//!   sessions, each with two open actions and an answer, requests and answers of so many bytes;
//! - `.. -- DIR open` opens it, and says how long that took (`strace -f -e trace=read,pread64 -y` shows what is read);
//! - `.. -- DIR day CALLS_PER_SECOND` does a day's traffic in as little time as it takes, and says how big the log became.
//!
//! DIR has to be on the disk that is meant. What is in it stays.

#![allow(clippy::print_stdout, reason = "it is a command")]

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rpcgen_log::{Config, Log, LogId, RealDisk};
use rpcgen_proto::ids::{CallNumber, ClientId, Incarnation, LinkNumber, MethodId, SessionId};
use rpcgen_proto::record::{Life, RecordedSession, ServerRecord};
use rpcgen_proto::session::Answer;
use rpcgen_store::{FoundRecords, RecoveredServerLog, Retention, ServerStore, SessionStore};

type Failure = Box<dyn Error>;

const RETENTION: Retention =
    Retention { answers_for: Duration::from_secs(7 * 86_400), tombstones_for: Duration::from_secs(30 * 86_400) };

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |text: &String| text.parse::<u64>();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [directory, "make", ..] if arguments.len() == 4 => {
            make(Path::new(directory), number(&arguments[2])?, number(&arguments[3])? as usize)
        }
        [directory, "open"] => open_and_say(Path::new(directory)),
        [directory, "day", _] => day(Path::new(directory), number(&arguments[2])?),
        _ => Err("DIR make SESSIONS BYTES | DIR open | DIR day CALLS_PER_SECOND".into()),
    }
}

type Opened = (Log<RealDisk>, ServerStore, RecoveredServerLog<Bytes>);

fn open(directory: &Path) -> Result<Opened, Failure> {
    let mut found = FoundRecords::default();
    let disk = RealDisk::open(directory)?;
    let mut log = Log::open(disk, LogId([1; 16]), Config::default(), &mut |told| found.tell(told))?;
    let (store, recovered) = ServerStore::recover(found, &mut log, RETENTION)?;
    log.commit()?;
    Ok((log, store, recovered))
}

fn open_and_say(directory: &Path) -> Result<(), Failure> {
    let began = Instant::now();
    let (log, _, recovered) = open(directory)?;
    let (took, space) = (began.elapsed(), log.space());
    let actions: usize = recovered.sessions.iter().map(|(session, _)| session.actions.len()).sum();
    println!(
        "{} sessions with {actions} actions and answers, in {} files of {} MiB: open after {:.2} s",
        recovered.sessions.len(),
        space.segments_count,
        space.segment_bytes >> 20,
        took.as_secs_f64(),
    );
    Ok(())
}

fn client(session: u64) -> (ClientId, Incarnation) {
    (ClientId(u128::from(session) + 1), Incarnation(0))
}

fn session_record(session: u64) -> ServerRecord<Bytes> {
    let (client, incarnation) = client(session);
    ServerRecord::Session(RecordedSession {
        client,
        incarnation,
        life: Life(1),
        session: SessionId(session + 1),
        service: "bank.Bank".to_owned(),
        secret: [7; 32],
        last_secret: None,
        is_used: true,
        link: LinkNumber(1),
        expired_below: CallNumber(0),
    })
}

fn action(number: u64, bytes: usize) -> ServerRecord<Bytes> {
    let payload = Bytes::from(vec![number as u8; bytes]);
    ServerRecord::Action {
        number: CallNumber(number),
        method: MethodId(0),
        digest: number,
        sent_before: false,
        payload,
    }
}

fn answer(number: u64, bytes: usize) -> ServerRecord<Bytes> {
    let answer = Answer::Response(Bytes::from(vec![number as u8; bytes]));
    ServerRecord::Answer { number: CallNumber(number), method: MethodId(0), digest: number, answer }
}

fn make(directory: &Path, sessions: u64, bytes: usize) -> Result<(), Failure> {
    let (mut log, mut store, _) = open(directory)?;
    for session in 0..sessions {
        let mut books = store.open(client(session));
        books.record(&mut log, session_record(session))?;
        for number in 1..=3 {
            books.record(&mut log, action(number, bytes))?;
        }
        books.record(&mut log, answer(1, bytes))?;
        books.flush(&mut log)?;
        if session % 64 == 0 {
            log.commit()?;
        }
    }
    log.commit()?;
    println!("{:?}", log.space());
    // As by a kill: nothing is closed.
    drop(log.abandon());
    Ok(())
}

/// What happens to a call after it was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Answered,
    Guaranteed,
}

/// A day: of 1,000 clients' calls most are answered within 50 ms and guaranteed within a second; one of a hundred takes up to ten minutes;
/// the client of one of fifty is away for up to four hours when its answer is there.
fn day(directory: &Path, calls_per_second: u64) -> Result<(), Failure> {
    const CLIENTS: u64 = 1_000;
    const TICK_MILLISECONDS: u64 = 100;
    let (mut log, mut store, _) = open(directory)?;
    let mut books: Vec<SessionStore> = (0..CLIENTS).map(|session| store.open(client(session))).collect();
    for (session, books) in (0..).zip(&mut books) {
        books.record(&mut log, session_record(session))?;
    }
    let mut due: BTreeSet<(u64, u64, u64, Next)> = BTreeSet::new();
    let (mut seed, mut calls, mut bytes, mut most) = (1_u64, 0_u64, 0_u64, (0, 0));
    let began = Instant::now();
    let mut next = move |bound: u64| {
        // Knuth's multiplier; the high bits are good enough here.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % bound
    };
    for now in (0..86_400_000).step_by(TICK_MILLISECONDS as usize) {
        for _ in 0..calls_per_second * TICK_MILLISECONDS / 1000 {
            let session = next(CLIENTS);
            calls += 1;
            let size = 50 + next(300);
            bytes += size + 100;
            books[session as usize].record(&mut log, action(calls, size as usize))?;
            let takes = if next(100) == 0 { next(600_000) } else { next(50) };
            due.insert((now + takes, session, calls, Next::Answered));
        }
        while due.first().is_some_and(|first| first.0 <= now)
            && let Some((_, session, number, what)) = due.pop_first()
        {
            let books = &mut books[session as usize];
            match what {
                Next::Answered => {
                    books.record(&mut log, answer(number, 100))?;
                    let away = if next(50) == 0 { next(4 * 3_600_000) } else { next(1_000) };
                    due.insert((now + away, session, number, Next::Guaranteed));
                }
                Next::Guaranteed => books.forget(CallNumber(number)),
            }
            books.flush(&mut log)?;
        }
        if now % 60_000 == 0 {
            store.tick(&mut log, Duration::from_millis(now))?;
        }
        log.commit()?;
        let space = log.space();
        let files = space.segments_count * space.segment_bytes;
        most = most.max((files, space.live_bytes));
    }
    let space = log.space();
    println!(
        "{calls} calls of {} MiB in {:.0} s; at the end {} records of {} KiB live in {} files of {} MiB; at most {} MiB of files, when \
         {} KiB lived; {} MiB were copied by compaction; {} syncs",
        bytes >> 20,
        began.elapsed().as_secs_f64(),
        space.live_count,
        space.live_bytes >> 10,
        space.segments_count,
        space.segment_bytes >> 20,
        most.0 >> 20,
        most.1 >> 10,
        space.copied_bytes >> 20,
        space.syncs_count,
    );
    log.close()?;
    Ok(())
}
