//! `rpcgen log` from outside: logs that are made here, what it says of them, how it ends.
//!
//! `INSTA_UPDATE=always` rewrites the snapshots.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its files fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::Bytes;
use rpcgen_log::{Config, Log, LogId, RealDisk};
use rpcgen_proto::ids::{BroadcastNumber, CallNumber, ClientId, Epoch, Incarnation, LinkNumber, MethodId, SessionId};
use rpcgen_proto::record::{
    ClientRecord, Established, Life, RecordedBroadcast, RecordedCall, RecordedSession, ServerRecord,
};
use rpcgen_proto::session::Answer;
use rpcgen_store::codec::BroadcastEntry;
use rpcgen_store::{ClientStore, FoundRecords, Retention, ServerStore};

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn rpcgen(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rpcgen")).args(args).current_dir(folder).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let code = output.status.code();
    let end = code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
    (code, format!("$ rpcgen {}\nends with {end}\n--- stdout\n{stdout}--- stderr\n{stderr}", args.join(" ")))
}

fn snapshot(name: &str, actual: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, actual);
    });
}

fn open(directory: &Path) -> (Log<RealDisk>, FoundRecords) {
    let mut found = FoundRecords::default();
    let config = Config::with_segment_bytes(16 << 10);
    let disk = RealDisk::open(directory).unwrap();
    let log = Log::open(disk, LogId([0xab; 16]), config, &mut |told| found.tell(told)).unwrap();
    (log, found)
}

/// The log of a client with an open call, an answer that nobody claimed and one that was, and a broadcast.
fn client_log(directory: &Path) -> Log<RealDisk> {
    let (mut log, found) = open(directory);
    let (mut store, _) = ClientStore::recover::<Bytes>(found, &mut log, "bank.Bank").unwrap();
    let established =
        Established { session: SessionId(5), epoch: Epoch::of_log(3, [0; 3], 9), secret: [1; 32], life: Life(1) };
    store.record::<Bytes>(&mut log, &ClientRecord::Session(established)).unwrap();
    let first = Life(1).first_number().0;
    for number in first..first + 3 {
        let payload = Bytes::from_static(b"a request");
        let call = RecordedCall { number: CallNumber(number), method: MethodId(2), payload };
        store.record(&mut log, &ClientRecord::Call(call)).unwrap();
    }
    for number in first..first + 2 {
        let answer = Answer::Response(Bytes::from_static(b"a response"));
        store.record(&mut log, &ClientRecord::Answer { number: CallNumber(number), answer }).unwrap();
    }
    store.claim(CallNumber(first));
    let payload = Bytes::from_static(b"news");
    let broadcast = RecordedBroadcast { number: BroadcastNumber(0), method: MethodId(1), redelivered: false, payload };
    store.record(&mut log, &ClientRecord::Broadcast(broadcast)).unwrap();
    store.flush(&mut log).unwrap();
    log.commit().unwrap();
    log
}

/// The log of a server with a session, its actions in each state, and a broadcast that a node was told of.
fn server_log(directory: &Path) -> Log<RealDisk> {
    let (mut log, found) = open(directory);
    let week = std::time::Duration::from_secs(7 * 86_400);
    let retention = Retention { answers_for: week, tombstones_for: week };
    let (mut store, _) = ServerStore::recover::<Bytes>(found, &mut log, retention).unwrap();
    let (client, incarnation) = (ClientId(0xc0ffee), Incarnation(0));
    let mut session = store.open((client, incarnation));
    let recorded = RecordedSession {
        client,
        incarnation,
        life: Life(4),
        session: SessionId(5),
        service: "bank.Bank".to_owned(),
        secret: [1; 32],
        last_secret: None,
        is_used: true,
        link: LinkNumber(1),
        expired_below: CallNumber(0),
    };
    session.record::<Bytes>(&mut log, ServerRecord::Session(recorded)).unwrap();
    let (method, digest) = (MethodId(2), 77);
    for number in 10..13 {
        let payload = Bytes::from_static(b"a request");
        session
            .record(
                &mut log,
                ServerRecord::Action { number: CallNumber(number), method, digest, sent_before: false, payload },
            )
            .unwrap();
    }
    session.record::<Bytes>(&mut log, ServerRecord::Begun { number: CallNumber(11) }).unwrap();
    let answer = Answer::Failure(Bytes::from_static(b"no"));
    session.record(&mut log, ServerRecord::Answer { number: CallNumber(12), method, digest, answer }).unwrap();
    let payload = Bytes::from_static(b"news");
    let entry = BroadcastEntry { service: "bank.Bank".to_owned(), method: MethodId(0), origin: None, payload };
    let handle = ServerStore::broadcast(&mut log, entry).unwrap();
    session.route(BroadcastNumber(0), handle);
    session.record::<Bytes>(&mut log, ServerRecord::Assigned { number: BroadcastNumber(0) }).unwrap();
    session.flush(&mut log).unwrap();
    log.commit().unwrap();
    log
}

#[test]
fn the_log_of_a_client_is_shown_while_it_is_in_use() {
    let folder = folder("log_client");
    let log = client_log(&folder.join("client"));
    let (code, text) = rpcgen(&folder, &["log", "client"]);
    assert_eq!(code, Some(0));
    snapshot("log_client", &text);
    drop(log);
    let (code, text) = rpcgen(&folder, &["log", "client", "--json"]);
    assert_eq!(code, Some(0));
    snapshot("log_client_json", &text);
}

#[test]
fn the_log_of_a_server_is_shown_and_verified() {
    let folder = folder("log_server");
    server_log(&folder.join("server")).close().unwrap();
    let (code, text) = rpcgen(&folder, &["log", "server"]);
    assert_eq!(code, Some(0));
    snapshot("log_server", &text);
    let (code, text) = rpcgen(&folder, &["log", "server", "verify"]);
    assert_eq!(code, Some(0));
    snapshot("log_verify", &text);
}

#[test]
fn a_damaged_log_is_named_with_file_and_offset_and_repaired_beside_it() {
    let folder = folder("log_damaged");
    client_log(&folder.join("client")).close().unwrap();
    let segment = folder.join("client/0000000000000001.segment");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[600] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let (code, text) = rpcgen(&folder, &["log", "client", "verify"]);
    assert_eq!(code, Some(1));
    snapshot("log_damaged", &text);
    let (code, text) = rpcgen(&folder, &["log", "client", "repair", "--to", "repaired"]);
    assert_eq!(code, Some(0));
    snapshot("log_repaired", &text);
    assert_eq!(rpcgen(&folder, &["log", "repaired", "verify"]).0, Some(0));
}

#[test]
fn what_is_no_log_is_said_to_be_none() {
    let folder = folder("log_none");
    assert_eq!(rpcgen(&folder, &["log", "nowhere"]).0, Some(2));
    fs::create_dir(folder.join("empty")).unwrap();
    let (code, text) = rpcgen(&folder, &["log", "empty"]);
    assert_eq!(code, Some(1));
    snapshot("log_none", &text);
}
