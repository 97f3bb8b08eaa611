//! A server's log after a crash at any place.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use rpcgen_log::testing::Random;
use rpcgen_proto::ids::{BroadcastNumber, CallNumber, ClientId, Incarnation, LinkNumber, MethodId, SessionId};
use rpcgen_proto::record::{Life, RecordedSession, RecoveredState, ServerRecord};
use rpcgen_proto::session::Answer;

use super::*;
use crate::codec::BroadcastEntry;
use crate::testing::RecordingLog;

const RETENTION: Retention =
    Retention { answers_for: Duration::from_secs(7 * DAY), tombstones_for: Duration::from_secs(30 * DAY) };
const DAY: u64 = 86_400;

fn recover(log: &mut RecordingLog) -> (ServerStore, RecoveredServerLog<Bytes>) {
    ServerStore::recover(log.found(), log, RETENTION).unwrap()
}

fn owner(client: u64) -> Owner {
    (ClientId(client.into()), Incarnation(0))
}

fn session(client: u64, life: u64) -> RecordedSession {
    RecordedSession {
        client: ClientId(client.into()),
        incarnation: Incarnation(0),
        life: Life(life),
        session: SessionId(client * 1000 + life),
        service: "bank.Bank".to_owned(),
        secret: [life as u8; 32],
        last_secret: None,
        is_used: false,
        link: LinkNumber(life),
        expired_below: CallNumber(0),
    }
}

fn action(number: u64) -> ServerRecord<Bytes> {
    let payload = Bytes::from(number.to_le_bytes().to_vec());
    ServerRecord::Action {
        number: CallNumber(number),
        method: MethodId(1),
        digest: number,
        sent_before: false,
        payload,
    }
}

fn answer(number: u64) -> ServerRecord<Bytes> {
    let answer = Answer::Response(Bytes::from(vec![number as u8; 2]));
    ServerRecord::Answer { number: CallNumber(number), method: MethodId(1), digest: number, answer }
}

fn ended(expired: bool, below: u64) -> ServerRecord<Bytes> {
    ServerRecord::Ended { expired, called_below: CallNumber(below) }
}

/// What is known of one session, without the help of its books.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Expected {
    life: u64,
    /// Number to how often it was on record that it begins.
    open: BTreeMap<u64, u32>,
    answered: BTreeSet<u64>,
    /// The highest number that was on record.
    highest: Option<u64>,
    /// Forgotten, and kept for its number.
    youngest: Option<u64>,
    over: Option<bool>,
}

/// The states of all sessions after so much of the log. What was forgotten may be found as long as it was not released.
struct History {
    log: RecordingLog,
    /// After each record: its end in the log, whose it is, and what then is known, with what was forgotten and not released.
    states: Vec<(usize, u64, Expected, BTreeSet<u64>)>,
}

#[allow(clippy::too_many_lines, reason = "one arm for each thing that can happen")]
fn history(seed: u64) -> History {
    let mut random = Random(seed);
    let mut log = RecordingLog::default();
    let (mut store, _) = recover(&mut log);
    let mut books: BTreeMap<u64, SessionStore> = BTreeMap::new();
    let mut all: BTreeMap<u64, Expected> = BTreeMap::new();
    let mut loose: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    let mut states = Vec::new();
    let mut next = 0;
    for step in 0..400 {
        let client = random.below(3);
        let expected = all.entry(client).or_default();
        let loose = loose.entry(client).or_default();
        let Some(book) = books.get_mut(&client) else {
            let mut book = store.open(owner(client));
            expected.life += 1;
            expected.over = None;
            book.record(&mut log, ServerRecord::<Bytes>::Session(session(client, expected.life))).unwrap();
            books.insert(client, book);
            states.push((log.len(), client, expected.clone(), loose.clone()));
            continue;
        };
        match random.below(20) {
            0..=6 => {
                next += 1;
                book.record(&mut log, action(next)).unwrap();
                expected.open.insert(next, 0);
                expected.highest = Some(next);
                if let Some(older) = expected.youngest.take() {
                    expected.answered.remove(&older);
                    loose.insert(older);
                }
            }
            7 => {
                let Some(mut entry) = expected.open.first_entry() else { continue };
                *entry.get_mut() += 1;
                book.record(&mut log, ServerRecord::<Bytes>::Begun { number: CallNumber(*entry.key()) }).unwrap();
            }
            8..=12 => {
                let open: Vec<u64> = expected.open.keys().copied().collect();
                if open.is_empty() {
                    continue;
                }
                let number = open[random.below(open.len() as u64) as usize];
                book.record(&mut log, answer(number)).unwrap();
                expected.open.remove(&number);
                expected.answered.insert(number);
            }
            13..=15 => {
                let Some(number) = expected.answered.first().copied() else { continue };
                book.forget(CallNumber(number));
                if expected.highest == Some(number) {
                    expected.youngest = Some(number);
                } else if expected.youngest != Some(number) {
                    expected.answered.remove(&number);
                    loose.insert(number);
                }
            }
            16 => {
                expected.life += 1;
                book.record(&mut log, ServerRecord::<Bytes>::Session(session(client, expected.life))).unwrap();
            }
            17 if step % 4 == 0 => {
                let expired = random.one_in(2);
                book.record(&mut log, ended(expired, next + 1)).unwrap();
                expected.open.clear();
                if !expired {
                    *expected = Expected { life: expected.life, over: Some(false), ..Expected::default() };
                }
                expected.over = Some(expired);
                let mut book = books.remove(&client).unwrap();
                states.push((log.len(), client, expected.clone(), loose.clone()));
                book.flush(&mut log).unwrap();
                store.close(owner(client), book);
                loose.clear();
                continue;
            }
            _ => {
                book.flush(&mut log).unwrap();
                loose.clear();
            }
        }
        states.push((log.len(), client, expected.clone(), loose.clone()));
    }
    History { log, states }
}

#[test]
fn recovery_of_each_prefix_is_what_the_prefix_says() {
    let mut tombstones = 0;
    for seed in 0..20 {
        let history = history(seed);
        for length in 1..=history.log.len() {
            let mut prefix = history.log.prefix(length);
            let (_, found) = recover(&mut prefix);
            tombstones += found.tombstones.len();
            for client in 0..3 {
                let now = history.states.iter().rev().find(|state| state.1 == client && state.0 <= length);
                let found = found.sessions.iter().map(|(session, _)| session).chain(&found.tombstones);
                let found: Vec<_> = found.filter(|it| it.session.client == ClientId(client.into())).collect();
                let Some((_, _, now, loose)) = now.filter(|state| state.2.over != Some(false)) else {
                    assert!(found.is_empty(), "seed {seed}, {length}: {found:?}");
                    continue;
                };
                let [found] = found[..] else { panic!("seed {seed}, {length}, client {client}: {found:?}") };
                assert_eq!(found.session, session(client, now.life));
                assert_eq!(found.expired, now.over == Some(true));
                let mut open = BTreeMap::new();
                let mut answered = BTreeSet::new();
                for action in &found.actions {
                    match &action.state {
                        RecoveredState::Open { begun, .. } => drop(open.insert(action.number.0, *begun)),
                        RecoveredState::Answered(_) => drop(answered.insert(action.number.0)),
                    }
                }
                assert_eq!(open, now.open, "seed {seed}, {length}, client {client}");
                // Between a flush's first release and its last some of what was forgotten is there still, and after it none.
                assert!(
                    answered.iter().all(|number| now.answered.contains(number) || loose.contains(number)),
                    "seed {seed}, {length}: {answered:?}, {now:?}, {loose:?}"
                );
                assert!(now.answered.iter().all(|number| answered.contains(number)), "{answered:?} {now:?}");
                if let Some(highest) = now.highest {
                    assert!(found.called_below.0 > highest);
                }
            }
        }
    }
    assert!(tombstones > 100, "{tombstones}: the history has too few");
}

#[test]
fn recovery_twice_is_recovery_once() {
    let log = history(3).log;
    for length in 1..log.len() {
        let mut prefix = log.prefix(length);
        let (_, once) = recover(&mut prefix);
        let (_, twice) = recover(&mut prefix);
        let shown = |found: &RecoveredServerLog<Bytes>| {
            let sessions: Vec<_> = found.sessions.iter().map(|(session, _)| session.clone()).collect();
            (sessions, found.tombstones.clone())
        };
        assert_eq!(shown(&once), shown(&twice));
    }
}

#[test]
fn answer_with_the_highest_number_stays_until_a_higher_action_is_there() {
    let mut log = RecordingLog::default();
    let (mut store, _) = recover(&mut log);
    let mut book = store.open(owner(1));
    book.record(&mut log, ServerRecord::<Bytes>::Session(session(1, 1))).unwrap();
    for number in [5, 6] {
        book.record(&mut log, action(number)).unwrap();
        book.record(&mut log, answer(number)).unwrap();
    }
    book.forget(CallNumber(6));
    book.forget(CallNumber(5));
    book.flush(&mut log).unwrap();
    let numbers = |log: &RecordingLog| {
        let (_, found) = recover(&mut log.clone());
        let actions = found.sessions[0].0.actions.iter().map(|action| action.number.0).collect::<Vec<_>>();
        (actions, found.sessions[0].0.called_below.0)
    };
    assert_eq!(numbers(&log), (vec![6], 7));
    book.record(&mut log, action(7)).unwrap();
    book.flush(&mut log).unwrap();
    assert_eq!(numbers(&log), (vec![7], 8));
}

#[test]
fn client_that_comes_back_to_its_tombstone_finds_its_answers() {
    let mut log = RecordingLog::default();
    let (mut store, _) = recover(&mut log);
    let mut book = store.open(owner(1));
    book.record(&mut log, ServerRecord::<Bytes>::Session(session(1, 1))).unwrap();
    book.record(&mut log, action(5)).unwrap();
    book.record(&mut log, answer(5)).unwrap();
    book.record(&mut log, ended(true, 6)).unwrap();
    store.close(owner(1), book);
    let (mut store, found) = recover(&mut log);
    assert_eq!((found.sessions.len(), found.tombstones.len()), (0, 1));
    let mut book = store.open(owner(1));
    assert_eq!(store.tombstones_count(), 0);
    book.record(&mut log, ServerRecord::<Bytes>::Session(session(1, 2))).unwrap();
    book.flush(&mut log).unwrap();
    let (_, found) = recover(&mut log);
    let [(session, _)] = &found.sessions[..] else { panic!("{found:?}") };
    assert_eq!((session.actions.len(), session.called_below, session.expired), (1, CallNumber(6), false));
}

#[test]
fn what_is_left_of_a_session_is_kept_for_as_long_as_the_log_was_open() {
    let mut log = RecordingLog::default();
    let (mut store, _) = recover(&mut log);
    let mut book = store.open(owner(1));
    book.record(&mut log, ServerRecord::<Bytes>::Session(session(1, 1))).unwrap();
    book.record(&mut log, action(5)).unwrap();
    book.record(&mut log, answer(5)).unwrap();
    store.tick(&mut log, Duration::from_secs(DAY)).unwrap();
    book.record(&mut log, ended(true, 6)).unwrap();
    store.close(owner(1), book);
    let left = |log: &RecordingLog| {
        let (_, found) = recover(&mut log.clone());
        found.tombstones.first().map(|session| (session.actions.len(), session.called_below.0))
    };
    store.tick(&mut log, Duration::from_secs(8 * DAY - 1)).unwrap();
    assert_eq!(left(&log), Some((1, 6)));
    // A restart does not begin the week anew.
    let (mut store, _) = recover(&mut log);
    store.tick(&mut log, Duration::from_secs(3600)).unwrap();
    assert_eq!(left(&log), Some((0, 6)), "the answers are gone, the tombstone is not");
    store.tick(&mut log, Duration::from_secs(24 * DAY)).unwrap();
    assert_eq!(left(&log), None);
    assert_eq!(store.tombstones_count(), 0);
}

#[test]
fn broadcast_is_found_until_a_node_has_guaranteed_it_and_says_whether_one_was_told() {
    let mut log = RecordingLog::default();
    let (mut store, _) = recover(&mut log);
    let mut book = store.open(owner(1));
    book.record(&mut log, ServerRecord::<Bytes>::Session(session(1, 1))).unwrap();
    let entry = |text: &'static str| BroadcastEntry {
        service: "bank.Bank".to_owned(),
        method: MethodId(2),
        origin: Some(b"key".to_vec()),
        payload: Bytes::from_static(text.as_bytes()),
    };
    for (number, text) in [(0, "first"), (1, "second"), (2, "third")] {
        let handle = ServerStore::broadcast(&mut log, entry(text)).unwrap();
        book.route(BroadcastNumber(number), handle);
    }
    let assigned = ServerRecord::<Bytes>::Assigned { number: BroadcastNumber(1) };
    assert!(book.record(&mut log, assigned).unwrap().is_some());
    book.take_route(BroadcastNumber(0)).unwrap().release(&mut log).unwrap();
    let found = |log: &RecordingLog| {
        let (_, found) = recover(&mut log.clone());
        let told = |it: RecoveredBroadcast<Bytes>| (it.broadcast.payload, it.handle.is_assigned());
        found.broadcasts.into_iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(found(&log), [(Bytes::from("second"), true), (Bytes::from("third"), false)]);
    let before = log.len();
    let left: Vec<_> = book.take_routes().collect();
    assert_eq!(left.iter().map(|(number, _)| number.0).collect::<Vec<_>>(), [1, 2]);
    for (_, handle) in left {
        handle.release(&mut log).unwrap();
    }
    // After the first release an assignment without a broadcast is left, which means nothing.
    assert_eq!(found(&log.prefix(before + 1)), [(Bytes::from("third"), false)]);
    assert_eq!(found(&log), []);
    let unknown = ServerRecord::<Bytes>::Assigned { number: BroadcastNumber(9) };
    assert_eq!(book.record(&mut log, unknown).unwrap(), None);
}

#[test]
fn marks_that_the_store_may_have_are_all_found_until_the_last_one_is_kept() {
    let mut log = RecordingLog::default();
    let (mut store, _) = recover(&mut log);
    assert_eq!(store.last_marked(), 0);
    let marks = [LogMark([1; 16]), LogMark([2; 16])];
    for (number, mark) in (1..).zip(marks) {
        store.put_mark(&mut log, number, mark).unwrap();
    }
    let begins_beside = |store: &ServerStore, mark| store.next_mark(Some(KnownLog { number: 1, mark }), None).is_ok();
    let found = |log: &RecordingLog| {
        let (store, _) = recover(&mut log.clone());
        (marks.map(|mark| begins_beside(&store, mark)), store.last_marked())
    };
    let both = log.clone();
    assert_eq!(found(&both), ([true, true], 2));
    store.keep_last_mark(&mut log).unwrap();
    assert_eq!(found(&log), ([false, true], 2));
    assert!(!begins_beside(&store, marks[0]));
}
