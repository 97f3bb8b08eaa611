//! The protocol core alone: two sessions and the codec of their frames, with memory in the place of a link.
//!
//! Knows: what a driver does with a session. Does not know: sockets, tasks, time that passes.

use bytes::{Bytes, BytesMut};
use rpcgen_proto::config::Config;
use rpcgen_proto::frame::{FrameCodec, LinkFrame};
use rpcgen_proto::ids::{ClientId, Epoch, Incarnation, MethodId};
use rpcgen_proto::record::Life;
use rpcgen_proto::server::{Admission, Registry, RegistryConfig};
use rpcgen_proto::session::{
    Answer, ClientEvent, ClientIdentity, ClientSession, Input, Output, Payload, ServerEvent, ServerSession,
};
use rpcgen_proto::time::Instant;

use crate::ours::Failure;

/// An encoded message.
#[derive(Clone)]
struct Plain(Bytes);

impl Payload for Plain {
    fn size_bytes(&self) -> usize {
        self.0.len()
    }

    /// Only a durable log asks.
    fn digest(&self) -> u64 {
        0
    }
}

impl AsRef<[u8]> for Plain {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Bytes> for Plain {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

const NOW: Instant = Instant::START;

/// A client's and a server's session, greeted, and what is on its way between them.
struct Pair {
    client: ClientSession<Plain>,
    server: ServerSession<Plain>,
    codec: FrameCodec,
    up: BytesMut,
    down: BytesMut,
    answered: usize,
}

impl Pair {
    fn greeted() -> Result<Self, Failure> {
        let service = || ("echo.Echo".to_owned(), 1);
        let identity = ClientIdentity {
            client: ClientId(7),
            incarnation: Incarnation(1),
            service: service().0,
            fingerprint: service().1,
            broadcasts: Vec::new(),
            life: Life(0),
        };
        let mut client = ClientSession::new(Config::default(), identity, 1);
        let mut registry = Registry::new(Epoch(1), vec![service()], RegistryConfig::default(), [7; 32]);
        client.handle(NOW, Input::LinkUp { reliable_ordered: true });
        let Output::Transmit(LinkFrame::Hello(hello)) = client.poll_output() else {
            return Err("a client begins with its hello".into());
        };
        let Admission::Open(opening) = registry.admit(NOW, *hello) else {
            return Err("a new client is let in".into());
        };
        let mut server = ServerSession::open(NOW, Config::default(), *opening, true);
        let mut codec = FrameCodec::handshake();
        loop {
            match server.poll_output() {
                Output::Transmit(frame) => {
                    if let LinkFrame::Welcome(welcome) = &frame {
                        codec = FrameCodec::after(welcome);
                    }
                    client.handle(NOW, Input::Received(frame));
                }
                Output::Timeout(_) => break,
                _ => {}
            }
        }
        let mut pair = Self { client, server, codec, up: BytesMut::new(), down: BytesMut::new(), answered: 0 };
        pair.drain_client();
        Ok(pair)
    }

    fn drain_client(&mut self) {
        let mut out = Vec::new();
        loop {
            match self.client.poll_output_lending(|frame| self.codec.encode_frame(frame, &mut out)) {
                Output::Event(ClientEvent::Answered(..)) => self.answered += 1,
                Output::Timeout(_) => break,
                _ => {}
            }
        }
        self.up.extend_from_slice(&out);
    }

    fn drain_server(&mut self, response: &Bytes) {
        let mut out = Vec::new();
        loop {
            match self.server.poll_output_lending(|frame| self.codec.encode_frame(frame, &mut out)) {
                Output::Event(ServerEvent::Action { action, .. }) => {
                    self.server.answer(NOW, action, Answer::Response(Plain(response.clone())));
                }
                Output::Timeout(_) => break,
                _ => {}
            }
        }
        self.down.extend_from_slice(&out);
    }
}

/// So many calls, `outstanding` at a time: accepted, sent, run, answered, guaranteed; each frame encoded and decoded.
pub(crate) fn calls(outstanding: usize, count: u64) -> Result<(), Failure> {
    let (request, response) = (Bytes::from(vec![7; 80]), Bytes::from(vec![7; 18]));
    let mut pair = Pair::greeted()?;
    for _ in 0..count.div_ceil(outstanding as u64) {
        for _ in 0..outstanding {
            pair.client.send(NOW, MethodId(0), Plain(request.clone()))?;
        }
        pair.answered = 0;
        while pair.answered < outstanding {
            pair.drain_client();
            while let Some(frame) = pair.codec.decode(&mut pair.up)? {
                pair.server.handle(NOW, Input::Received(frame));
            }
            pair.drain_server(&response);
            while let Some(frame) = pair.codec.decode(&mut pair.down)? {
                pair.client.handle(NOW, Input::Received(frame));
            }
        }
    }
    Ok(())
}
