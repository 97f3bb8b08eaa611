//! A peer that can say anything, at any time; and rightly too, as far as a test wants it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use rpcgen_proto::config::Config;
use rpcgen_proto::frame::{Body, Frame, FrameCodec, Hello, LinkFrame, Riders};
use rpcgen_proto::fuzzing::Carried;
use rpcgen_proto::ids::{ClientId, Incarnation, MethodId};
use rpcgen_proto::session::{ClientIdentity, ClientSession, Input, Output};
use rpcgen_proto::time::Instant;
use rpcgen_proto::varint;
use rpcgen_runtime::Server;
use rpcgen_runtime::generated::Stub as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::desk;

/// The business's actions by number, and a request of each.
pub(super) const ECHO: (MethodId, &[u8]) = (MethodId(0), &[7, 2, b'h', b'i']);
pub(super) const WAIT: (MethodId, &[u8]) = (MethodId(2), &[7]);

/// A test that waits longer has failed.
const LONG: Duration = Duration::from_secs(30);

/// Who strangers are: no two are the same.
static STRANGERS: AtomicU64 = AtomicU64::new(1);

pub(super) struct Stranger {
    stream: TcpStream,
    input: BytesMut,
    pub(super) codec: FrameCodec,
    /// What makes proper frames.
    core: ClientSession<Carried>,
}

impl Stranger {
    pub(super) async fn connect(server: &Server) -> Self {
        let number = STRANGERS.fetch_add(1, Ordering::Relaxed);
        let service = desk::Client::SERVICE;
        let identity = ClientIdentity {
            client: ClientId(u128::from(number)),
            incarnation: Incarnation(1),
            life: rpcgen_proto::record::Life(0),
            service: service.name.to_owned(),
            fingerprint: service.fingerprint,
            shape: None,
            broadcasts: vec![],
        };
        Self {
            stream: socket(server).await,
            input: BytesMut::new(),
            codec: FrameCodec::answer_to_hello(),
            core: ClientSession::new(Config::default(), identity, number),
        }
    }

    /// The same stranger comes again, over a new connection.
    pub(super) async fn comes_again(mut self, server: &Server) -> Self {
        self.core.handle(Instant::START, Input::LinkDown);
        Self { stream: socket(server).await, input: BytesMut::new(), codec: FrameCodec::answer_to_hello(), ..self }
    }

    // ---- saying -----------------------------------------------------------------------------------------------------------------

    pub(super) async fn say_bytes(&mut self, bytes: &[u8]) {
        // The server may have closed already: what it said is what counts.
        let _ = tokio::time::timeout(LONG, self.stream.write_all(bytes)).await.unwrap();
    }

    pub(super) async fn say(&mut self, frame: &LinkFrame<Carried>) {
        self.say_bytes(&self.encoded(frame)).await;
    }

    pub(super) fn encoded(&self, frame: &LinkFrame<Carried>) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.codec.encode(frame, &mut bytes);
        bytes
    }

    /// A control frame with these riders.
    pub(super) async fn say_riders(&mut self, riders: Riders) {
        self.say(&LinkFrame::Frame(Frame { bits: None, riders: Some(Box::new(riders)), message: None })).await;
    }

    /// The inside of a frame, with a right length and, where one belongs, a right checksum.
    pub(super) async fn say_body(&mut self, body: &[u8]) {
        let is_checked = !self.codec.reliable_ordered;
        let mut bytes = Vec::new();
        varint::write_u64(&mut bytes, body.len() as u64 + if is_checked { 4 } else { 0 });
        bytes.extend_from_slice(body);
        if is_checked {
            bytes.extend_from_slice(&crc32(body).to_le_bytes());
        }
        self.say_bytes(&bytes).await;
    }

    /// Only a length.
    pub(super) async fn say_length(&mut self, length: u64) {
        let mut bytes = Vec::new();
        varint::write_u64(&mut bytes, length);
        self.say_bytes(&bytes).await;
    }

    /// Nothing more will be said.
    pub(super) async fn falls_silent(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    // ---- proper frames ----------------------------------------------------------------------------------------------------------

    /// The hello that a proper client would say now.
    pub(super) fn hello(&mut self) -> Hello {
        self.core.handle(Instant::START, Input::LinkUp { reliable_ordered: true });
        loop {
            match self.core.poll_output() {
                Output::Transmit(LinkFrame::Hello(hello)) => return *hello,
                Output::Timeout(_) => panic!("a client greets"),
                _ => {}
            }
        }
    }

    /// Comes in as a proper client does.
    pub(super) async fn greet(&mut self) {
        let hello = self.hello();
        self.say(&LinkFrame::Hello(Box::new(hello))).await;
        let welcome = self.hear().await.expect("a welcome");
        let LinkFrame::Welcome(said) = &welcome else { panic!("no welcome: {welcome:?}") };
        self.codec = FrameCodec::after(said);
        self.core.handle(Instant::START, Input::Received(welcome));
    }

    /// The next action, as a proper client would send it.
    pub(super) fn action(&mut self, (method, payload): (MethodId, &'static [u8])) -> Frame<Carried> {
        self.action_of(method, Carried(payload.into()))
    }

    pub(super) fn action_of(&mut self, method: MethodId, payload: Carried) -> Frame<Carried> {
        self.core.send(Instant::START, method, payload).unwrap();
        loop {
            match self.core.poll_output() {
                Output::Transmit(LinkFrame::Frame(frame)) if frame.message.is_some() => return frame,
                Output::Timeout(_) => panic!("an action leaves"),
                _ => {}
            }
        }
    }

    /// A proper next message that says something else.
    pub(super) async fn say_message(&mut self, body: Body<Carried>) {
        let mut frame = self.action(ECHO);
        frame.message.as_mut().expect("an action is a message").body = body;
        self.say(&LinkFrame::Frame(frame)).await;
    }

    // ---- hearing ----------------------------------------------------------------------------------------------------------------

    /// The next frame; `None`: the link is closed.
    pub(super) async fn hear(&mut self) -> Option<LinkFrame<Carried>> {
        loop {
            if let Some(frame) = self.codec.decode(&mut self.input).unwrap() {
                return Some(frame);
            }
            match tokio::time::timeout(LONG, self.stream.read_buf(&mut self.input)).await.expect("the link is closed") {
                Ok(1..) => {}
                Ok(0) | Err(_) => return None,
            }
        }
    }

    /// The message of the next frame that has one.
    pub(super) async fn hear_message(&mut self) -> Body<Carried> {
        loop {
            match self.hear().await {
                Some(LinkFrame::Frame(Frame { message: Some(message), .. })) => return message.body,
                Some(LinkFrame::Frame(_)) => {}
                other => panic!("a message: {other:?}"),
            }
        }
    }

    /// What the server says before it closes the link.
    pub(super) async fn last_words(mut self) -> String {
        let mut said = String::new();
        while let Some(frame) = self.hear().await {
            match frame {
                LinkFrame::Close(close) => said = close.message,
                LinkFrame::Reject(reject) => said = format!("{:?}: {}", reject.reason, reject.message),
                LinkFrame::Frame(_) => {}
                other => panic!("{other:?}"),
            }
        }
        said
    }

    /// Waits until the server has closed, whatever it says.
    pub(super) async fn turned_away(mut self) -> bool {
        while self.hear().await.is_some() {}
        true
    }
}

async fn socket(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.local_address().trim_start_matches("tcp://")).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// CRC-32 (IEEE), bit by bit: a second opinion on the codec's.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
