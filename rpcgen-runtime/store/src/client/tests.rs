//! A client's log after a crash at any place.

use std::collections::BTreeMap;

use bytes::Bytes;
use rpcgen_log::testing::{Landing, Random, SimDisk};
use rpcgen_log::{Config, Log, LogId, Sequence};
use rpcgen_proto::frame::Refusal;
use rpcgen_proto::ids::{BroadcastNumber, CallNumber, Epoch, MethodId, SessionId};
use rpcgen_proto::record::{ClientRecord, Established, Life, RecordedBroadcast, RecordedCall};
use rpcgen_proto::session::Answer;

use super::{ClientStore, RecoveredClientLog};
use crate::error::StoreError;
use crate::found::FoundRecords;
use crate::testing::RecordingLog;

const SERVICE: &str = "bank.Bank";

fn established(number: u64) -> Established {
    Established { session: SessionId(number), epoch: Epoch(1), secret: [number as u8; 32], life: Life(1) }
}

fn call(number: u64) -> RecordedCall<Bytes> {
    let payload = Bytes::from(number.to_le_bytes().repeat(1 + number as usize % 3));
    RecordedCall { number: CallNumber(number), method: MethodId(number as u32 % 3), payload }
}

fn answer(number: u64) -> Answer<Bytes> {
    match number % 3 {
        0 => Answer::Response(Bytes::from(vec![number as u8; 3])),
        1 => Answer::Failure(Bytes::new()),
        _ => Answer::Refused(Refusal::Cancelled),
    }
}

fn broadcast(number: u64) -> RecordedBroadcast<Bytes> {
    let payload = Bytes::from(vec![number as u8; 5]);
    RecordedBroadcast { number: BroadcastNumber(number), method: MethodId(1), redelivered: false, payload }
}

fn recover(log: &mut RecordingLog) -> (ClientStore, RecoveredClientLog<Bytes>) {
    ClientStore::recover(log.found(), log, SERVICE).unwrap()
}

/// Where in the log something was done: not before `begins`, wholly from `ends` on.
#[derive(Clone, Copy, Debug)]
struct Span {
    begins: usize,
    ends: usize,
}

#[derive(Debug, Default)]
struct Told {
    call: Option<Span>,
    answer: Option<Span>,
    claim: Option<Span>,
}

/// What happened, and where in the log it stands.
#[derive(Debug, Default)]
struct History {
    log: RecordingLog,
    sessions: Vec<(usize, Established)>,
    calls: BTreeMap<u64, Told>,
    broadcasts: BTreeMap<u64, Told>,
}

fn history(seed: u64) -> History {
    let mut random = Random(seed);
    let mut history = History::default();
    let (mut store, _) = recover(&mut history.log);
    let (mut claimed, mut ran) = (Vec::new(), Vec::new());
    let mut sequences = BTreeMap::new();
    for step in 0..300 {
        let begins = history.log.len();
        let span = |log: &RecordingLog| Some(Span { begins, ends: log.len() });
        let log = &mut history.log;
        match random.below(12) {
            0 => {
                let session = established(step);
                store.record(log, &ClientRecord::<Bytes>::Session(session.clone())).unwrap();
                history.sessions.push((log.len(), session));
            }
            1..=3 => {
                store.record(log, &ClientRecord::Call(call(step))).unwrap();
                history.calls.entry(step).or_default().call = span(log);
            }
            4..=6 => {
                let open: Vec<u64> = (history.calls.iter())
                    .filter(|(number, told)| told.answer.is_none() && !claimed.contains(*number))
                    .map(|(number, _)| *number)
                    .collect();
                if !open.is_empty() {
                    let number = open[random.below(open.len() as u64) as usize];
                    let answer = ClientRecord::Answer { number: CallNumber(number), answer: answer(number) };
                    store.record(log, &answer).unwrap();
                    history.calls.get_mut(&number).unwrap().answer = span(log);
                }
            }
            7 | 8 => {
                let answered = history.calls.iter().filter(|(number, told)| {
                    told.answer.is_some() && told.claim.is_none() && !claimed.contains(*number)
                });
                let answered: Vec<u64> = answered.map(|(number, _)| *number).collect();
                if !answered.is_empty() {
                    let number = answered[random.below(answered.len() as u64) as usize];
                    assert!(store.claim(CallNumber(number)));
                    assert!(!store.claim(CallNumber(number)));
                    claimed.push(number);
                }
            }
            9 => {
                let sequence = store.record(log, &ClientRecord::Broadcast(broadcast(step))).unwrap();
                history.broadcasts.entry(step).or_default().call = span(log);
                sequences.insert(step, sequence);
            }
            10 => {
                if let Some((number, sequence)) = sequences.pop_first() {
                    store.ran(sequence);
                    ran.push(number);
                }
            }
            _ => {
                store.flush(log).unwrap();
                for number in claimed.drain(..) {
                    history.calls.get_mut(&number).unwrap().claim = span(log);
                }
                for number in ran.drain(..) {
                    history.broadcasts.get_mut(&number).unwrap().claim = span(log);
                }
            }
        }
    }
    history
}

/// Whether something is done in a prefix of this length; `None`: in part.
fn is_done(span: Option<Span>, length: usize) -> Option<bool> {
    let Some(span) = span else { return Some(false) };
    if length >= span.ends {
        return Some(true);
    }
    (length <= span.begins).then_some(false)
}

#[test]
fn recovery_of_each_prefix_is_what_the_prefix_says() {
    for seed in 0..20 {
        let history = history(seed);
        for length in 1..=history.log.len() {
            let (_, found) = recover(&mut history.log.prefix(length));
            let session = history.sessions.iter().rev().find(|(end, _)| *end <= length).map(|(_, session)| session);
            assert_eq!(found.client.established.as_ref(), session, "seed {seed}, {length}");
            for (&number, told) in &history.calls {
                let open = found.client.calls.iter().find(|call| call.number.0 == number);
                let unclaimed = found.answers.iter().find(|unclaimed| unclaimed.number.0 == number);
                let is_there = is_done(told.call, length).unwrap();
                match (is_there, is_done(told.answer, length).unwrap(), is_done(told.claim, length)) {
                    (true, false, _) => assert_eq!((open, unclaimed), (Some(&call(number)), None)),
                    (true, true, Some(false)) => {
                        assert_eq!(open, None);
                        let unclaimed = unclaimed.unwrap();
                        assert_eq!(unclaimed.method, call(number).method);
                        assert_eq!(unclaimed.answer, answer(number));
                    }
                    (true, true, None) => assert_eq!(open, None, "it is answered, whatever became of its claim"),
                    (false, ..) | (true, true, Some(true)) => assert_eq!((open, unclaimed), (None, None)),
                }
            }
            assert!(found.client.calls.is_sorted_by_key(|call| call.number));
            assert!(found.answers.is_sorted_by_key(|unclaimed| unclaimed.number));
            for (&number, told) in &history.broadcasts {
                let runs = found.broadcasts.iter().find(|(_, broadcast)| broadcast.number.0 == number);
                match (is_done(told.call, length).unwrap(), is_done(told.claim, length)) {
                    (true, Some(false)) => {
                        let expected = RecordedBroadcast { redelivered: true, ..broadcast(number) };
                        assert_eq!(runs.map(|(_, broadcast)| broadcast), Some(&expected));
                    }
                    (true, None) => {}
                    (false, _) | (true, Some(true)) => assert_eq!(runs, None),
                }
            }
        }
    }
}

#[test]
fn recovery_twice_is_recovery_once() {
    let mut log = history(7).log;
    for length in 1..log.len() {
        let mut prefix = log.prefix(length);
        let (_, once) = recover(&mut prefix);
        let (_, twice) = recover(&mut prefix);
        assert_eq!(format!("{once:?}"), format!("{twice:?}"));
    }
    let (mut store, found) = recover(&mut log);
    for unclaimed in &found.answers {
        store.claim(unclaimed.number);
    }
    found.broadcasts.iter().for_each(|(sequence, _)| store.ran(*sequence));
    store.flush(&mut log).unwrap();
    let (store, found) = recover(&mut log);
    assert!(found.answers.is_empty() && found.broadcasts.is_empty());
    assert_eq!(store.kept(), (found.client.calls.len(), 0));
}

#[test]
fn what_is_claimed_takes_no_space_in_a_real_log() {
    let disk = SimDisk::default();
    let config = Config::with_segment_bytes(16 << 10);
    let open = |disk: &SimDisk| {
        let mut found = FoundRecords::default();
        let tell = &mut |it: rpcgen_log::Found<'_>| found.tell(it);
        let mut log = Log::open(disk.clone(), LogId([1; 16]), config.clone(), tell).unwrap();
        let (store, recovered) = ClientStore::recover::<Bytes>(found, &mut log, SERVICE).unwrap();
        (log, store, recovered)
    };
    let (mut log, mut store, _) = open(&disk);
    for number in 0..5_000 {
        store.record(&mut log, &ClientRecord::Call(call(number))).unwrap();
        if number >= 16 {
            let older = number - 16;
            let answer = ClientRecord::Answer { number: CallNumber(older), answer: answer(older) };
            store.record(&mut log, &answer).unwrap();
            store.claim(CallNumber(older));
        }
        if number % 8 == 7 {
            store.flush(&mut log).unwrap();
            log.commit().unwrap();
        }
    }
    assert_eq!(store.kept(), (16, 0));
    assert_eq!(log.space().live_count, 17, "with its owner's record");
    assert!(log.space().segments_count <= Config::SLACK_SEGMENTS + 1);
    let (.., recovered) = open(&disk.after_power_loss(Landing::Nothing));
    assert_eq!(recovered.client.calls.len(), 16);
    assert_eq!(recovered.client.calls[0], call(4_984));
}

#[test]
fn log_of_somebody_else_is_refused_by_name() {
    let mut log = RecordingLog::default();
    recover(&mut log);
    let error = ClientStore::recover::<Bytes>(log.found(), &mut log, "shop.Shop").unwrap_err();
    assert_eq!(
        error.to_string(),
        "this is the log of a client of `bank.Bank`, not of a client of `shop.Shop`; give each client and each server a \
         directory of its own"
    );
    let day = std::time::Duration::from_secs(86_400);
    let retention = crate::server::Retention { answers_for: day, tombstones_for: day };
    let error = crate::server::ServerStore::recover::<Bytes>(log.found(), &mut log, retention).unwrap_err();
    assert!(error.to_string().starts_with("this is the log of a client of `bank.Bank`, not of a server"));
    let mut found = FoundRecords::default();
    found.tell(rpcgen_log::Found::Record { stream: rpcgen_log::StreamId(5), sequence: Sequence(0), payload: b"?" });
    assert!(matches!(ClientStore::recover::<Bytes>(found, &mut log, SERVICE), Err(StoreError::OtherOwner { .. })));
}

#[test]
fn record_of_a_later_version_is_named() {
    let mut log = RecordingLog::default();
    recover(&mut log);
    let mut found = log.found();
    found.tell(rpcgen_log::Found::Record { stream: rpcgen_log::StreamId(5), sequence: Sequence(9), payload: &[2, 2] });
    let error = ClientStore::recover::<Bytes>(found, &mut log, SERVICE).unwrap_err();
    assert_eq!(
        error.to_string(),
        "record 9 of stream 5 cannot be read: a record of version 2; this program reads version 1"
    );
}
