//! Frames to bytes. The byte map is docs/wire.md.
//!
//! Knows: the layout. Does not know: what is legal now; it writes what it is given.

use alloc::vec::Vec;

use super::codec::CHECKSUM_BYTES;
use super::layout::{
    flag, fresh_number, hello, is_always_checked, kind, outcome_number, refusal_number, reject_number, rider, welcome,
};
use super::limits::{MESSAGE_BYTES_MAX, STILL_PENDING_MAX};
use super::{Begin, Body, Close, FrameCodec, FrameRef, Hello, LinkFrame, RangeAgree, Reject, Riders, Welcome, WireId};
use crate::bits::{BitArray, Bits};
use crate::ids::{LaneKind, Slot};
use crate::record::Life;
use crate::varint;

impl FrameCodec {
    /// Appends the bytes of a frame. Its payload is at most `frame_bytes_max` bytes long, which the session sees to.
    pub fn encode<P: AsRef<[u8]>>(&self, frame: &LinkFrame<P>, out: &mut Vec<u8>) {
        let begin = out.len();
        out.push(0); // The length, if it fits in one byte, as it mostly does.
        let head = match frame {
            LinkFrame::Frame(frame) => {
                out.truncate(begin);
                return self.encode_frame(frame.lend(), out);
            }
            LinkFrame::Hello(hello) => put_hello(hello, out),
            LinkFrame::Welcome(welcome) => put_welcome(welcome, out),
            LinkFrame::Reject(reject) => put_reject(reject, out),
            LinkFrame::Close(close) => put_close(close, out),
        };
        self.finish(head, begin, &[], out);
    }

    /// The same of a frame that is lent.
    pub fn encode_frame<P: AsRef<[u8]>>(&self, frame: FrameRef<'_, P>, out: &mut Vec<u8>) {
        let begin = out.len();
        out.push(0);
        let head = self.put_frame(frame, out);
        let payload = frame.message.and_then(|(_, body)| body.payload()).map_or(&[][..], AsRef::as_ref);
        self.finish(head, begin, payload, out);
    }

    /// Puts the length before what was put, the payload and a checksum after it.
    fn finish(&self, head: u8, begin: usize, payload: &[u8], out: &mut Vec<u8>) {
        let is_checked = !self.reliable_ordered || is_always_checked(head & kind::MASK);
        let length = out.len() - begin - 1 + payload.len() + if is_checked { CHECKSUM_BYTES } else { 0 };
        let covered = put_length(length as u64, begin, out);
        out.extend_from_slice(payload);
        if is_checked {
            let crc = crc32fast::hash(&out[covered..]);
            out.extend_from_slice(&crc.to_le_bytes());
        }
    }

    fn put_frame<P>(&self, frame: FrameRef<'_, P>, out: &mut Vec<u8>) -> u8 {
        let mut head = frame.message.map_or(kind::CONTROL, |(_, body)| head_of(body));
        let at = out.len();
        out.push(head);
        if let Some(bits) = frame.bits {
            head |= flag::BITS;
            self.put_bits(bits, out);
        }
        if let Some(riders) = frame.riders.filter(|riders| !riders.is_empty()) {
            head |= flag::RIDERS;
            put_riders(riders, out);
        }
        out[at] = head;
        if let Some((id, body)) = frame.message {
            self.put_id(id, out);
            put_body(body, out);
        }
        head
    }

    fn put_id(&self, id: WireId, out: &mut Vec<u8>) {
        match (id, self.reliable_ordered) {
            (WireId::Full(id), true) => out.push(id.0.to_le_bytes()[0]),
            (WireId::Full(id), false) => out.extend_from_slice(&id.0.to_le_bytes()),
            (WireId::Short(byte), true) => out.push(byte),
            // A session never makes one for such a link; the receiver would not know the ID.
            (WireId::Short(byte), false) => out.extend_from_slice(&[byte, 0, 0, 0]),
        }
    }

    fn put_bits(&self, array: &BitArray, out: &mut Vec<u8>) {
        let base = array.base.to_le_bytes();
        out.extend_from_slice(if self.reliable_ordered { &base[..2] } else { &base });
        let is_mixed = matches!(array.bits, Bits::Mixed { .. });
        varint::write_u64(out, u64::from(array.bits.count()) * 2 + u64::from(is_mixed));
        if let Bits::Mixed { bytes, .. } = &array.bits {
            out.extend_from_slice(bytes);
        }
    }
}

/// Puts the length where its one byte was kept free; one that is longer moves the header on. Returns where the header begins.
fn put_length(length: u64, begin: usize, out: &mut Vec<u8>) -> usize {
    let header = begin + 1..out.len();
    let further = varint::len_u64(length) - 1;
    if further > 0 {
        out.extend_from_slice(&[0; varint::U64_BYTES_MAX][..further]);
        out.copy_within(header, begin + 1 + further);
    }
    let bytes = length.to_le_bytes();
    match further {
        0 => out[begin] = bytes[0],
        _ => {
            // The marker names the width: 251, 252, 253 for 2, 4, 8 bytes.
            out[begin] = match further {
                2 => varint::MARK_U16,
                4 => varint::MARK_U32,
                _ => varint::MARK_U64,
            };
            out[begin + 1..=begin + further].copy_from_slice(&bytes[..further]);
        }
    }
    begin + 1 + further
}

const fn head_of<P>(body: &Body<P>) -> u8 {
    match body {
        Body::Action { number, maybe_sent, .. } => {
            let kind = if number.is_some() { kind::ACTION_NUMBERED } else { kind::ACTION };
            if *maybe_sent { kind | flag::AGAIN } else { kind }
        }
        Body::Cancel { .. } => kind::CANCEL,
        Body::Response { .. } => kind::RESPONSE,
        Body::Failure { .. } => kind::FAILURE,
        Body::Refusal { .. } => kind::REFUSAL,
        Body::CancelResult { .. } => kind::CANCEL_RESULT,
        Body::Offer { redelivered: true, .. } => kind::OFFER | flag::AGAIN,
        Body::Offer { .. } => kind::OFFER,
        Body::Go { .. } => kind::GO,
        Body::Revoke { .. } => kind::REVOKE,
        Body::Goodbye => kind::GOODBYE,
    }
}

/// Everything that a message says before its payload, which is the rest of the frame.
fn put_body<P>(body: &Body<P>, out: &mut Vec<u8>) {
    match body {
        Body::Action { slot, number, method, .. } => {
            put_u32(slot.0, out);
            if let Some(number) = number {
                varint::write_u64(out, number.0);
            }
            put_u32(method.0, out);
        }
        Body::Cancel { slot, check } | Body::Response { slot, check, .. } | Body::Failure { slot, check, .. } => {
            put_call(*slot, *check, out);
        }
        Body::Refusal { slot, check, reason } => {
            put_call(*slot, *check, out);
            out.push(refusal_number(*reason));
        }
        Body::CancelResult { slot, check, outcome } => {
            put_call(*slot, *check, out);
            out.push(outcome_number(*outcome));
        }
        Body::Offer { number, method, .. } => {
            varint::write_u64(out, number.0);
            put_u32(method.0, out);
        }
        Body::Go { number } | Body::Revoke { number } => varint::write_u64(out, number.0),
        Body::Goodbye => {}
    }
}

/// What names a call in an answer: its slot and the check of its number.
fn put_call(slot: Slot, check: u16, out: &mut Vec<u8>) {
    put_u32(slot.0, out);
    out.extend_from_slice(&check.to_le_bytes());
}

fn put_u32(value: u32, out: &mut Vec<u8>) {
    varint::write_u64(out, u64::from(value));
}

fn put_riders(riders: &Riders, out: &mut Vec<u8>) {
    let at = out.len();
    let mut present = 0;
    out.push(0);
    if let Some(quarter) = &riders.quarter {
        present |= rider::QUARTER;
        varint::write_u64(out, u64::from(quarter.cycle) * 4 + u64::from(quarter.quarter & 3));
        out.extend_from_slice(&quarter.crc.to_le_bytes());
    }
    if let Some(range) = &riders.range {
        present |= rider::RANGE;
        put_range(range, out);
    }
    if let Some(accepted) = &riders.range_accepted {
        present |= rider::RANGE_ACCEPTED;
        put_u32(accepted.cycle, out);
        out.extend_from_slice(&accepted.crc.to_le_bytes());
    }
    if riders.blocked {
        present |= rider::BLOCKED;
    }
    if !riders.where_is.is_empty() {
        present |= rider::WHERE_IS;
        varint::write_u64(out, riders.where_is.len() as u64);
        for range in &riders.where_is {
            varint::write_u64(out, range.first.0);
            put_u32(range.count, out);
        }
    }
    if !riders.still_pending.is_empty() {
        present |= rider::STILL_PENDING;
        let count = riders.still_pending.len().min(STILL_PENDING_MAX);
        varint::write_u64(out, count as u64);
        for (slot, check) in riders.still_pending.iter().take(count) {
            put_call(*slot, *check, out);
        }
    }
    match riders.heartbeat {
        None => {}
        Some(false) => present |= rider::ALIVE,
        Some(true) => present |= rider::ALIVE_ASKS,
    }
    out[at] = present;
}

fn put_range(range: &RangeAgree, out: &mut Vec<u8>) {
    out.push(match range.lane {
        LaneKind::Up => 0,
        LaneKind::Down => 1,
    });
    put_u32(range.cycle, out);
    varint::write_u64(out, range.from.0);
    out.extend_from_slice(&range.start.0.to_le_bytes());
    put_u32(range.size, out);
    out.extend_from_slice(&range.crc.to_le_bytes());
}

fn put_hello(from: &Hello, out: &mut Vec<u8>) -> u8 {
    let mut flags = 0;
    if from.reliable_ordered {
        flags |= hello::RELIABLE_ORDERED;
    }
    if from.resume.is_some() {
        flags |= hello::RESUME;
    }
    if from.life > Life(0) {
        flags |= hello::LIFE;
    }
    out.push(kind::HELLO);
    out.extend_from_slice(&from.version.to_le_bytes());
    out.push(flags);
    put_text(&from.service, out);
    out.extend_from_slice(&from.fingerprint.to_le_bytes());
    out.extend_from_slice(&from.client.0.to_le_bytes());
    out.extend_from_slice(&from.incarnation.0.to_le_bytes());
    if from.life > Life(0) {
        varint::write_u64(out, from.life.0);
    }
    varint::write_u64(out, from.link.0);
    out.extend_from_slice(&from.nonce.to_le_bytes());
    varint::write_u64(out, from.retired_below.0);
    varint::write_u64(out, from.broadcasts.len() as u64);
    for method in &from.broadcasts {
        put_u32(method.0, out);
    }
    if let Some(resume) = &from.resume {
        out.extend_from_slice(&resume.session.0.to_le_bytes());
        out.extend_from_slice(&resume.epoch.0.to_le_bytes());
        out.extend_from_slice(&resume.proof);
        varint::write_u64(out, resume.down_expected.0);
        varint::write_u64(out, resume.sent_below.0);
    }
    kind::HELLO
}

fn put_welcome(from: &Welcome, out: &mut Vec<u8>) -> u8 {
    let mut flags = 0;
    if from.reliable_ordered {
        flags |= welcome::RELIABLE_ORDERED;
    }
    if matches!(from.begin, Begin::Resumed { .. }) {
        flags |= welcome::RESUMED;
    }
    out.push(kind::WELCOME);
    out.push(flags);
    out.extend_from_slice(&from.epoch.0.to_le_bytes());
    out.extend_from_slice(&from.session.0.to_le_bytes());
    put_u32(from.slots, out);
    put_u32(from.frame_bytes_max, out);
    match &from.begin {
        Begin::Fresh { reason, nonce, secret, up, down } => {
            out.push(fresh_number(*reason));
            out.extend_from_slice(&nonce.to_le_bytes());
            out.extend_from_slice(secret);
            put_range(up, out);
            put_range(down, out);
        }
        Begin::Resumed { up_expected } => varint::write_u64(out, up_expected.0),
    }
    kind::WELCOME
}

fn put_reject(reject: &Reject, out: &mut Vec<u8>) -> u8 {
    out.push(kind::REJECT);
    out.push(reject_number(reject.reason));
    varint::write_u64(out, u64::try_from(reject.pause.as_millis()).unwrap_or(u64::MAX));
    put_text(cut(&reject.message), out);
    if let Some(schema) = &reject.schema {
        out.extend_from_slice(&schema.fingerprint.to_le_bytes());
        put_text(&schema.shape, out);
    }
    kind::REJECT
}

fn put_close(close: &Close, out: &mut Vec<u8>) -> u8 {
    out.push(kind::CLOSE);
    put_text(cut(&close.message), out);
    kind::CLOSE
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    varint::write_u64(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// As much of a message for people as fits.
fn cut(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)]
}
