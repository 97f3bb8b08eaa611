//! The bytes of every kind of record, held still, and bytes that are none.

use bytes::Bytes;
use rpcgen_log::Sequence;
use rpcgen_log::testing::Random;
use rpcgen_proto::frame::Refusal;
use rpcgen_proto::ids::{BroadcastNumber, CallNumber, ClientId, Epoch, Incarnation, LinkNumber, MethodId, SessionId};
use rpcgen_proto::record::{ClientRecord, Established, Life, RecordedBroadcast, RecordedCall, RecordedSession};
use rpcgen_proto::server::LogMark;
use rpcgen_proto::session::Answer;

use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn client_records() -> Vec<(&'static str, ClientRecord<Bytes>)> {
    let payload = Bytes::from_static(b"hello");
    let number = CallNumber(Life(3).first_number().0 + 7);
    vec![
        // version, kind, session 1, epoch 300 (a varint of three bytes), 32 bytes of secret, life
        (
            "01 01 01 fb2c01 abababababababababababababababababababababababababababababababab 03",
            ClientRecord::Session(Established {
                session: SessionId(1),
                epoch: Epoch(300),
                secret: [0xab; 32],
                life: Life(3),
            }),
        ),
        // version, kind, number, method, payload
        (
            "01 02 fd0700000000030000 02 68656c6c6f",
            ClientRecord::Call(RecordedCall { number, method: MethodId(2), payload: payload.clone() }),
        ),
        // version, kind, number, response, payload
        (
            "01 03 07 00 68656c6c6f",
            ClientRecord::Answer { number: CallNumber(7), answer: Answer::Response(payload.clone()) },
        ),
        ("01 03 07 01", ClientRecord::Answer { number: CallNumber(7), answer: Answer::Failure(Bytes::new()) }),
        ("01 03 07 02 07", ClientRecord::Answer { number: CallNumber(7), answer: Answer::Refused(Refusal::Unknown) }),
        // version, kind, number, method, redelivered, payload
        (
            "01 04 09 03 01 68656c6c6f",
            ClientRecord::Broadcast(RecordedBroadcast {
                number: BroadcastNumber(9),
                method: MethodId(3),
                redelivered: true,
                payload,
            }),
        ),
    ]
}

fn server_session() -> RecordedSession {
    RecordedSession {
        client: ClientId(0x0102_0304),
        incarnation: Incarnation(5),
        life: Life(6),
        session: SessionId(7),
        service: "bank.Bank".to_owned(),
        secret: [0xcd; 32],
        last_secret: None,
        is_used: false,
        link: LinkNumber(8),
        expired_below: CallNumber(0),
    }
}

fn server_entries() -> Vec<(&'static str, ServerEntry<Bytes>)> {
    let payload = Bytes::from_static(b"hello");
    let session = server_session();
    vec![
        // version, kind, client (16 bytes), incarnation, life, session, service, link, secret, not used, no last secret
        (
            "01 10 04030201000000000000000000000000 05 06 07 09 62616e6b2e42616e6b 08 \
             cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd 00 00",
            ServerEntry::Session(session.clone()),
        ),
        (
            "01 10 04030201000000000000000000000000 05 06 07 09 62616e6b2e42616e6b 08 \
             cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd \
             01 01 efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef",
            ServerEntry::Session(RecordedSession { last_secret: Some([0xef; 32]), is_used: true, ..session.clone() }),
        ),
        // It goes on from one that had expired.
        (
            "01 10 04030201000000000000000000000000 05 06 07 09 62616e6b2e42616e6b 08 \
             cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd 00 00 09",
            ServerEntry::Session(RecordedSession { expired_below: CallNumber(9), ..session }),
        ),
        // version, kind, number, method, digest, payload
        (
            "01 11 07 02 efcdab8967452301 68656c6c6f",
            ServerEntry::Action {
                number: CallNumber(7),
                method: MethodId(2),
                digest: 0x0123_4567_89ab_cdef,
                payload: payload.clone(),
            },
        ),
        ("01 12 07", ServerEntry::Begun { number: CallNumber(7) }),
        // version, kind, number, method, digest, response, payload
        (
            "01 13 07 02 efcdab8967452301 00 68656c6c6f",
            ServerEntry::Answer {
                number: CallNumber(7),
                method: MethodId(2),
                digest: 0x0123_4567_89ab_cdef,
                answer: Answer::Response(payload.clone()),
            },
        ),
        // version, kind, expired, called below, log time
        ("01 14 01 08 fb100e", ServerEntry::Ended { expired: true, called_below: CallNumber(8), at: LogTime(3600) }),
        // version, kind, service, method, origin, payload
        (
            "01 15 09 62616e6b2e42616e6b 01 01 03 6b6579 68656c6c6f",
            ServerEntry::Broadcast(BroadcastEntry {
                service: "bank.Bank".to_owned(),
                method: MethodId(1),
                origin: Some(b"key".to_vec()),
                payload: payload.clone(),
            }),
        ),
        (
            "01 15 09 62616e6b2e42616e6b 01 00 68656c6c6f",
            ServerEntry::Broadcast(BroadcastEntry {
                service: "bank.Bank".to_owned(),
                method: MethodId(1),
                origin: None,
                payload,
            }),
        ),
        ("01 16 fb2c01", ServerEntry::Assigned { broadcast: Sequence(300) }),
        ("01 17 fb100e", ServerEntry::Clock(LogTime(3600))),
        // version, kind, number, 16 bytes
        ("01 18 07 abababababababababababababababab", ServerEntry::Mark { number: 7, mark: LogMark([0xab; 16]) }),
    ]
}

fn owners() -> Vec<(&'static str, Owner)> {
    vec![
        ("01 20 00 09 62616e6b2e42616e6b", Owner { role: Role::Client, service: "bank.Bank".to_owned() }),
        ("01 20 01 00", Owner { role: Role::Server, service: String::new() }),
    ]
}

#[test]
fn records_have_the_bytes_that_they_always_had() {
    let mut bytes = Vec::new();
    for (text, record) in client_records() {
        bytes.clear();
        encode_client(&record, &mut bytes);
        assert_eq!(hex(&bytes), hex(&unhex(text)), "{record:?}");
        assert_eq!(decode_client(Bytes::from(unhex(text))), Ok(record));
    }
    for (text, entry) in server_entries() {
        bytes.clear();
        entry.encode(&mut bytes);
        assert_eq!(hex(&bytes), hex(&unhex(text)), "{entry:?}");
        assert_eq!(ServerEntry::decode(Bytes::from(unhex(text))), Ok(entry));
    }
    for (text, owner) in owners() {
        bytes.clear();
        owner.encode(&mut bytes);
        assert_eq!(hex(&bytes), hex(&unhex(text)), "{owner:?}");
        assert_eq!(Owner::decode(Bytes::from(unhex(text))), Ok(owner));
    }
}

#[test]
fn record_of_another_version_or_kind_is_refused_by_name() {
    assert_eq!(decode_client::<Bytes>(Bytes::from_static(&[2, 1])), Err(DecodeError::Version(2)));
    assert_eq!(decode_client::<Bytes>(Bytes::from_static(&[1, 16])), Err(DecodeError::Kind(16)));
    assert_eq!(ServerEntry::<Bytes>::decode(Bytes::from_static(&[1, 2])), Err(DecodeError::Kind(2)));
    assert_eq!(Owner::decode(Bytes::from_static(&[1, 2])), Err(DecodeError::Kind(2)));
    assert_eq!(ServerEntry::<Bytes>::decode(Bytes::from_static(&[1, 18, 7, 7])), Err(DecodeError::TooLong(1)));
    assert_eq!(decode_client::<Bytes>(Bytes::new()), Err(DecodeError::Field("version")));
    assert_eq!(decode_client::<Bytes>(Bytes::from_static(&[1, 4, 1, 1, 2])), Err(DecodeError::Field("redelivered")));
}

#[test]
fn whatever_the_bytes_are_decoding_says_something() {
    let mut random = Random(11);
    let texts = client_records().into_iter().map(|(text, _)| text);
    let texts =
        texts.chain(server_entries().into_iter().map(|(text, _)| text)).chain(owners().into_iter().map(|it| it.0));
    for text in texts {
        let bytes = unhex(text);
        for cut in 0..=bytes.len() {
            fuzz_decode(&bytes[..cut]);
        }
        for _ in 0..2_000 {
            let mut mutated = bytes.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(mutated.len() as u64) as usize;
                mutated[at] = random.next() as u8;
            }
            fuzz_decode(&mutated);
        }
    }
    for _ in 0..20_000 {
        let length = random.below(40);
        let noise: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        fuzz_decode(&[&[1, random.below(34) as u8][..], &noise].concat());
    }
}
