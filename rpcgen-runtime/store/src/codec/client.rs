//! Records of a client.
//!
//! Knows: their fields. Does not know: what a client does with them.

use bytes::Bytes;
use rpcgen_proto::ids::{BroadcastNumber, CallNumber, Epoch, MethodId, SessionId};
use rpcgen_proto::record::{ClientRecord, Established, Life, RecordedBroadcast, RecordedCall};
use rpcgen_proto::varint::write_u64;

use super::{DecodeError, RECORD_VERSION, Reader, put_answer};

mod kind {
    pub(super) const SESSION: u8 = 1;
    pub(super) const CALL: u8 = 2;
    pub(super) const ANSWER: u8 = 3;
    pub(super) const BROADCAST: u8 = 4;
}

/// Appends the bytes of a record.
pub fn encode_client<P: AsRef<[u8]>>(record: &ClientRecord<P>, out: &mut Vec<u8>) {
    out.push(RECORD_VERSION);
    match record {
        ClientRecord::Session(established) => {
            out.push(kind::SESSION);
            write_u64(out, established.session.0);
            write_u64(out, established.epoch.0);
            out.extend_from_slice(&established.secret);
            write_u64(out, established.life.0);
        }
        ClientRecord::Call(call) => {
            out.push(kind::CALL);
            write_u64(out, call.number.0);
            write_u64(out, call.method.0.into());
            out.extend_from_slice(call.payload.as_ref());
        }
        ClientRecord::Answer { number, answer } => {
            out.push(kind::ANSWER);
            write_u64(out, number.0);
            put_answer(out, answer);
        }
        ClientRecord::Broadcast(broadcast) => {
            out.push(kind::BROADCAST);
            write_u64(out, broadcast.number.0);
            write_u64(out, broadcast.method.0.into());
            out.push(broadcast.redelivered.into());
            out.extend_from_slice(broadcast.payload.as_ref());
        }
    }
}

/// Reads a record of a client. Its payload is a slice of `bytes`.
///
/// # Errors
/// It is none that [`encode_client`] makes.
pub fn decode_client<P: From<Bytes>>(bytes: Bytes) -> Result<ClientRecord<P>, DecodeError> {
    let (kind, mut reader) = Reader::begin(bytes)?;
    match kind {
        kind::SESSION => {
            let session = SessionId(reader.u64("session")?);
            let epoch = Epoch(reader.u64("epoch")?);
            let secret = reader.array("secret")?;
            let life = Life(reader.u64("life")?);
            reader.end(ClientRecord::Session(Established { session, epoch, secret, life }))
        }
        kind::CALL => {
            let number = CallNumber(reader.u64("number")?);
            let method = MethodId(reader.u32("method")?);
            Ok(ClientRecord::Call(RecordedCall { number, method, payload: reader.payload() }))
        }
        kind::ANSWER => {
            let number = CallNumber(reader.u64("number")?);
            Ok(ClientRecord::Answer { number, answer: reader.answer()? })
        }
        kind::BROADCAST => {
            let number = BroadcastNumber(reader.u64("number")?);
            let method = MethodId(reader.u32("method")?);
            let redelivered = reader.flag("redelivered")?;
            Ok(ClientRecord::Broadcast(RecordedBroadcast { number, method, redelivered, payload: reader.payload() }))
        }
        kind => Err(DecodeError::Kind(kind)),
    }
}
