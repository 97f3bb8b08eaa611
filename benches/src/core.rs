//! The protocol core alone: two sessions and the codec of their frames, with memory in the place of a link.
//!
//! Knows: what a driver does with a session. Does not know: sockets, tasks, time that passes.

use bytes::{Bytes, BytesMut};
use rpcgen_proto::config::Config;
use rpcgen_proto::frame::{FrameCodec, LinkFrame};
use rpcgen_proto::ids::{ClientId, Epoch, Incarnation, MethodId};
use rpcgen_proto::record::Life;
use rpcgen_proto::server::{Admission, Registry, RegistryConfig, Schema};
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
    request: Bytes,
    response: Bytes,
    /// Bytes of frames, both directions.
    sent_bytes: usize,
}

impl Pair {
    fn greeted() -> Result<Self, Failure> {
        let schema = Schema { service: "echo.Echo".to_owned(), fingerprint: 1, shape: "" };
        let identity = ClientIdentity {
            client: ClientId(7),
            incarnation: Incarnation(1),
            service: schema.service.clone(),
            fingerprint: schema.fingerprint,
            shape: None,
            broadcasts: Vec::new(),
            life: Life(0),
        };
        let mut client = ClientSession::new(Config::default(), identity, 1);
        let mut registry = Registry::new(Epoch(1), vec![schema], RegistryConfig::default(), [7; 32]);
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
        let (up, down) = (BytesMut::new(), BytesMut::new());
        let (request, response) = (Bytes::from(vec![7; REQUEST_BYTES]), Bytes::from(vec![7; RESPONSE_BYTES]));
        let mut pair = Self { client, server, codec, up, down, answered: 0, request, response, sent_bytes: 0 };
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
        self.sent_bytes += out.len();
        self.up.extend_from_slice(&out);
    }

    fn drain_server(&mut self) {
        let mut out = Vec::new();
        loop {
            match self.server.poll_output_lending(|frame| self.codec.encode_frame(frame, &mut out)) {
                Output::Event(ServerEvent::Action { action, .. }) => {
                    self.server.answer(NOW, action, Answer::Response(Plain(self.response.clone())));
                }
                Output::Timeout(_) => break,
                _ => {}
            }
        }
        self.sent_bytes += out.len();
        self.down.extend_from_slice(&out);
    }
}

/// So many calls, `outstanding` at a time: accepted, sent, run, answered, guaranteed; each frame encoded and decoded.
pub(crate) fn calls(outstanding: usize, count: u64) -> Result<(), Failure> {
    let mut pair = Pair::greeted()?;
    (0..count.div_ceil(outstanding as u64)).try_for_each(|_| pair.call(outstanding))
}

/// Bytes of an encoded request and response of the echo service.
const REQUEST_BYTES: usize = 80;
const RESPONSE_BYTES: usize = 18;

impl Pair {
    /// So many calls at once, until all are answered.
    fn call(&mut self, outstanding: usize) -> Result<(), Failure> {
        for _ in 0..outstanding {
            self.client.send(NOW, MethodId(0), Plain(self.request.clone()))?;
        }
        self.answered = 0;
        while self.answered < outstanding {
            self.drain_client();
            while let Some(frame) = self.codec.decode(&mut self.up)? {
                self.server.handle(NOW, Input::Received(frame));
            }
            self.drain_server();
            while let Some(frame) = self.codec.decode(&mut self.down)? {
                self.client.handle(NOW, Input::Received(frame));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes beyond the payloads of so many rounds of calls, once the pools have their size.
    fn beyond_payloads(outstanding: usize, rounds: usize) -> usize {
        let mut pair = Pair::greeted().unwrap();
        (0..8_192_usize.div_ceil(outstanding)).for_each(|_| pair.call(outstanding).unwrap());
        let before = pair.sent_bytes;
        (0..rounds).for_each(|_| pair.call(outstanding).unwrap());
        pair.sent_bytes - before - rounds * outstanding * (REQUEST_BYTES + RESPONSE_BYTES)
    }

    /// The exact count of a run that is the same on every machine: who changes it, knows that bytes on the wire change.
    #[test]
    fn a_thousand_calls_cost_exactly_so_many_bytes_beyond_their_payloads() {
        assert_eq!(beyond_payloads(256, 4), 11_428);
        assert_eq!(beyond_payloads(1, 1_024), 18_064);
    }
}
