//! A client and a server, a link with a rate and a delay between them, and a clock that jumps from event to event.
//!
//! Knows: how long a frame's bytes take, and which frames are lost. Does not know: what is in them; the sessions do.

use std::collections::VecDeque;
use std::time::Duration;

use rpcgen_proto::config::Config;
use rpcgen_proto::frame::{FrameCodec, LinkFrame};
use rpcgen_proto::fuzzing::Carried;
use rpcgen_proto::ids::{ClientId, Epoch, Incarnation, MethodId};
use rpcgen_proto::rng::SplitMix64;
use rpcgen_proto::server::{Admission, Registry, RegistryConfig, Schema};
use rpcgen_proto::session::{
    Answer, ClientEvent, ClientIdentity, ClientSession, Input, Output, ServerEvent, ServerSession,
};
use rpcgen_proto::time::Instant;

/// Bytes of each request and of each response.
const PAYLOAD_BYTES: usize = 100;
/// Before it is measured: pools grow, the round trip becomes known.
const WARM_UP: Duration = Duration::from_secs(20);
/// How long it is measured.
const MEASURED: Duration = Duration::from_secs(20);

/// What is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) round_trip: Duration,
    /// Pools begin with 100 IDs; the server may let them grow up to here.
    pub(crate) pool_size_max: u32,
    /// Probability that a frame is lost, in either direction. The handshake is exempt.
    pub(crate) loss: f64,
    /// Of the link, in each direction.
    pub(crate) bytes_per_second: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Answered calls per second.
    pub(crate) calls_per_second: f64,
    /// Messages sent again for each new one, of both ends.
    pub(crate) resent_per_new: f64,
    /// Time from sent to answered that one call in a hundred exceeds.
    pub(crate) p99: Duration,
}

/// One direction.
struct Pipe {
    /// When the last frame's last byte has left.
    free_at: Instant,
    /// In the order in which they left, which is that in which they arrive.
    frames: VecDeque<(Instant, LinkFrame<Carried>)>,
}

impl Pipe {
    fn new() -> Self {
        Self { free_at: Instant::START, frames: VecDeque::new() }
    }
}

struct World {
    scenario: Scenario,
    config: Config,
    codec: FrameCodec,
    now: Instant,
    random: SplitMix64,
    scratch: Vec<u8>,
    up: Pipe,
    down: Pipe,
    client: ClientSession<Carried>,
    server: Option<ServerSession<Carried>>,
    registry: Registry<Carried>,
    sent_at: Vec<Instant>,
    answered: u64,
    latencies: Vec<Duration>,
}

impl Scenario {
    pub(crate) fn run(self) -> Run {
        let mut world = World::new(self);
        world.go_on_until(Instant::START + WARM_UP);
        let (before, sent, resent) = (world.answered, world.sent(), world.resent());
        world.latencies.clear();
        world.go_on_until(Instant::START + WARM_UP + MEASURED);
        world.latencies.sort_unstable();
        let p99 = world.latencies.get(world.latencies.len() * 99 / 100).copied().unwrap_or_default();
        Run {
            calls_per_second: (world.answered - before) as f64 / MEASURED.as_secs_f64(),
            resent_per_new: (world.resent() - resent) as f64 / (world.sent() - sent) as f64,
            p99,
        }
    }
}

impl World {
    fn new(scenario: Scenario) -> Self {
        let slots = scenario.pool_size_max.max(1_024);
        let config = Config { pool_size_max: scenario.pool_size_max, slots, ..Config::default() };
        let identity = ClientIdentity {
            client: ClientId(7),
            incarnation: Incarnation(1),
            life: rpcgen_proto::record::Life(0),
            service: "goodput.Echo".to_owned(),
            fingerprint: 42,
            shape: None,
            broadcasts: vec![],
        };
        let services = vec![Schema { service: "goodput.Echo".to_owned(), fingerprint: 42, shape: "" }];
        let mut world = Self {
            scenario,
            client: ClientSession::new(config.clone(), identity, 1),
            registry: Registry::new(Epoch(1), services, RegistryConfig::default(), [1; 32]),
            codec: FrameCodec { reliable_ordered: false, frame_bytes_max: config.frame_bytes_max },
            config,
            now: Instant::START,
            random: SplitMix64::new(1),
            scratch: Vec::new(),
            up: Pipe::new(),
            down: Pipe::new(),
            server: None,
            sent_at: Vec::new(),
            answered: 0,
            latencies: Vec::new(),
        };
        world.client.handle(world.now, Input::LinkUp { reliable_ordered: false });
        world
    }

    fn sent(&self) -> u64 {
        self.client.stats().sent + self.server.as_ref().map_or(0, |server| server.stats().sent)
    }

    fn resent(&self) -> u64 {
        self.client.stats().resent + self.server.as_ref().map_or(0, |server| server.stats().resent)
    }

    /// There is always more to call, but never so much that calls wait long before they are sent.
    fn call(&mut self) {
        let wanted = (self.scenario.pool_size_max as usize).min(self.config.slots as usize);
        while self.client.open_calls() < wanted {
            let payload = Carried(vec![7; PAYLOAD_BYTES].into());
            let call = self.client.send(self.now, MethodId(0), payload).unwrap();
            debug_assert_eq!(call.number.0, self.sent_at.len() as u64);
            self.sent_at.push(self.now);
        }
    }

    fn go_on_until(&mut self, end: Instant) {
        loop {
            self.call();
            let timeouts = [self.drain_client(), self.drain_server()];
            let arrivals = [&self.up, &self.down].map(|pipe| pipe.frames.front().map(|(at, _)| *at));
            let next = timeouts.into_iter().chain(arrivals).flatten().min().expect("heartbeats never end");
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
            self.arrive();
            self.client.handle(self.now, Input::Timeout);
            if let Some(server) = &mut self.server {
                server.handle(self.now, Input::Timeout);
            }
        }
    }

    fn arrive(&mut self) {
        while let Some(frame) = due(&mut self.up, self.now) {
            if let LinkFrame::Hello(hello) = frame {
                let Admission::Open(opening) = self.registry.admit(self.now, *hello) else { panic!("one link") };
                self.server = Some(ServerSession::open(self.now, self.config.clone(), *opening, false));
            } else if let Some(server) = &mut self.server {
                server.handle(self.now, Input::Received(frame));
            }
        }
        while let Some(frame) = due(&mut self.down, self.now) {
            self.client.handle(self.now, Input::Received(frame));
        }
    }

    fn drain_client(&mut self) -> Option<Instant> {
        loop {
            match self.client.poll_output() {
                Output::Transmit(frame) => self.transmit(frame, true),
                Output::Event(ClientEvent::Answered(call, answer)) => {
                    assert!(matches!(answer, Answer::Response(_)), "{answer:?}");
                    self.answered += 1;
                    let sent_at = self.sent_at[usize::try_from(call.number.0).unwrap()];
                    self.latencies.push(self.now - sent_at);
                    self.call();
                }
                Output::Event(_) | Output::Persist(..) | Output::Forget(_) => {}
                Output::CloseLink(reason) => panic!("{reason:?}"),
                Output::Timeout(at) => return at,
            }
        }
    }

    fn drain_server(&mut self) -> Option<Instant> {
        loop {
            let server = self.server.as_mut()?;
            match server.poll_output() {
                Output::Transmit(frame) => self.transmit(frame, false),
                Output::Event(ServerEvent::Action { action, payload, .. }) => {
                    server.answer(self.now, action, Answer::Response(payload));
                }
                Output::Event(_) | Output::Persist(..) | Output::Forget(_) => {}
                Output::CloseLink(reason) => panic!("{reason:?}"),
                Output::Timeout(at) => return at,
            }
        }
    }

    /// Puts a frame on the link: it takes the time of its bytes, then that of the way, and may be lost there.
    fn transmit(&mut self, frame: LinkFrame<Carried>, is_up: bool) {
        self.scratch.clear();
        let is_handshake = !matches!(frame, LinkFrame::Frame(_));
        let codec = if is_handshake { FrameCodec::handshake() } else { self.codec };
        codec.encode(&frame, &mut self.scratch);
        let is_lost = !is_handshake && self.random.chance(self.scenario.loss);
        let pipe = if is_up { &mut self.up } else { &mut self.down };
        let nanoseconds = self.scratch.len() as u64 * 1_000_000_000 / self.scenario.bytes_per_second;
        pipe.free_at = pipe.free_at.max(self.now) + Duration::from_nanos(nanoseconds);
        if is_lost {
            return;
        }
        pipe.frames.push_back((pipe.free_at + self.scenario.round_trip / 2, frame));
    }
}

/// The next frame that has arrived.
fn due(pipe: &mut Pipe, now: Instant) -> Option<LinkFrame<Carried>> {
    pipe.frames.pop_front_if(|(at, _)| *at <= now).map(|(_, frame)| frame)
}
