//! Frames in one line, for people.
//!
//! Knows: what matters when a trace is read. Does not know: anything else.

use std::fmt::Write as _;

use rpcgen_proto::bits::Bits;
use rpcgen_proto::frame::{Begin, Body, Frame, LinkFrame, Riders, WireId};

use crate::load::Load;

/// Whether it says nothing but that its sender is there.
pub(super) fn is_sign_of_life(frame: &LinkFrame<Load>) -> bool {
    matches!(frame, LinkFrame::Frame(Frame { riders: Some(riders), message: None, .. })
        if riders.heartbeat.is_some() && **riders == Riders { heartbeat: riders.heartbeat, ..Riders::default() })
}

/// What a frame says.
pub(super) fn brief(frame: &LinkFrame<Load>) -> String {
    match frame {
        LinkFrame::Hello(hello) => {
            let resume = hello.resume.as_ref().map(|resume| (resume.session, resume.epoch, resume.down_expected));
            format!("Hello {:?} {:?} resume {resume:?} retired {}", hello.client, hello.link, hello.retired_below)
        }
        LinkFrame::Welcome(welcome) => match &welcome.begin {
            Begin::Fresh { reason, up, down, .. } => {
                format!("Welcome {} {} fresh {reason:?} {up:?} {down:?}", welcome.session, welcome.epoch)
            }
            Begin::Resumed { up_expected } => format!("Welcome {} resumed {up_expected}", welcome.session),
        },
        LinkFrame::Reject(reject) => format!("{reject:?}"),
        LinkFrame::Close(close) => format!("{close:?}"),
        LinkFrame::Frame(frame) => session_frame(frame),
    }
}

fn session_frame(frame: &Frame<Load>) -> String {
    let mut text = String::new();
    if let Some(bits) = &frame.bits {
        let mark = if matches!(bits.bits, Bits::Ones(_)) { "" } else { " mixed" };
        let _ = write!(text, "bits {}+{}{mark} ", bits.base, bits.bits.count());
    }
    if let Some(known) = &frame.riders {
        riders(known, &mut text);
    }
    let Some(message) = &frame.message else { return text + "control" };
    match message.id {
        WireId::Full(id) => {
            let _ = write!(text, "#{:08x} ", id.0);
        }
        WireId::Short(id) => {
            let _ = write!(text, "#..{id:02x} ");
        }
    }
    match &message.body {
        Body::Action { slot, number, maybe_sent, payload, .. } => {
            let again = if *maybe_sent { " maybe sent" } else { "" };
            let _ = write!(text, "Action {payload:?} {slot} {number:?}{again}");
        }
        body => {
            let _ = write!(text, "{body:?}");
        }
    }
    text
}

fn riders(riders: &Riders, text: &mut String) {
    if let Some(quarter) = &riders.quarter {
        let _ = write!(text, "[agrees cycle {} quarter {}] ", quarter.cycle, quarter.quarter);
    }
    if let Some(range) = &riders.range {
        let _ = write!(text, "[{} cycle {} from {} size {}] ", range.lane, range.cycle, range.from.0, range.size);
    }
    if let Some(accepted) = &riders.range_accepted {
        let _ = write!(text, "[accepts cycle {}] ", accepted.cycle);
    }
    if riders.blocked {
        text.push_str("[blocked] ");
    }
    for range in &riders.where_is {
        let _ = write!(text, "[where is {}+{}] ", range.first.0, range.count);
    }
    if !riders.still_pending.is_empty() {
        let _ = write!(text, "[still pending {:?}] ", riders.still_pending);
    }
    if let Some(asks) = riders.heartbeat {
        text.push_str(if asks { "[alive?] " } else { "[alive] " });
    }
}
