//! What one seed does: a different subset of troubles and limits for each (swarm testing: Groce et al., ISSTA 2012), so that rare
//! combinations meet and a common trouble does not hide a rare one.
//!
//! Knows: how options follow from a seed. Does not know: what they do.

use std::time::Duration;

use rpcgen_proto::config::{AdaptiveDeadline, Config};
use rpcgen_proto::faults::FaultPlan;
use rpcgen_proto::rng::SplitMix64;

/// Deadlines that are passed now and then.
const ADAPTIVE: AdaptiveDeadline = AdaptiveDeadline { percentile: 90, multiple: 2, floor: Duration::from_millis(20) };

/// The options of one run.
#[derive(Clone, Debug)]
pub struct Options {
    /// What they all follow from.
    pub seed: u64,
    /// How many clients.
    pub clients: u32,
    /// Of the clients.
    pub client_config: Config,
    /// Of the server's sessions.
    pub server_config: Config,
    /// What the clients do to their frames.
    pub up_faults: FaultPlan,
    /// What the server does to its frames.
    pub down_faults: FaultPlan,
    /// Whether the clients take their links for lossless and ordered. Never with faults.
    pub client_reliable: bool,
    /// Whether the server does.
    pub server_reliable: bool,
    /// Whether frames travel as bytes, or are handed over as between threads.
    pub through_bytes: bool,
    /// With bytes: whether they arrive in pieces.
    pub in_pieces: bool,
    /// From one end to the other.
    pub latency_up: Duration,
    /// And back.
    pub latency_down: Duration,
    /// Sessions that the server has at once, at most.
    pub sessions_max: usize,
    /// Whether every other server takes smaller frames only.
    pub small_frames: bool,
    /// What the applications do.
    pub work: Work,
    /// What happens to the processes and links.
    pub chaos: Chaos,
    /// Clients that do not keep to the protocol.
    pub guests: Guests,
    /// Of the troubles, in the order of their coming: only these happen. `None`: all.
    pub only_troubles: Option<Vec<u32>>,
    /// Of the links, in the order of their opening: only these have faults. `None`: all.
    pub only_faulty_links: Option<Vec<u32>>,
}

/// What the applications do.
#[derive(Clone, Debug)]
pub struct Work {
    /// Actions in the whole run, at most.
    pub actions_max: u32,
    /// At most so many at once.
    pub burst_max: u32,
    /// At most so long between bursts.
    pub pause_max: Duration,
    /// Size of a request, a response or a broadcast in the accounts of the sessions, at most.
    pub bytes_max: u32,
    /// Of one action to be cancelled.
    pub cancel: f64,
    /// Of one burst to be followed by a broadcast.
    pub broadcast: f64,
    /// Of one burst to be followed by a formal disconnect.
    pub disconnect: f64,
    /// How long a disconnect may take.
    pub disconnect_within: Duration,
    /// How long a handler takes, at most.
    pub handler_max: Duration,
    /// Of a handler to be slow.
    pub slow: f64,
    /// How long a slow one takes, at most.
    pub slow_max: Duration,
    /// Of a handler to fail, or to be refused by the runtime.
    pub fail: f64,
}

/// Clients that do not keep to the protocol: well-formed frames at the wrong time, hellos without proof, memories rolled back.
#[derive(Clone, Debug)]
pub struct Guests {
    /// How many.
    pub count: u32,
    /// Of a frame from or to one of them to be changed.
    pub malice: f64,
    /// Whether they ask for everything again, all the time.
    pub storms: bool,
    /// Of one thing that a guest does to be that its memory is rolled back.
    pub roll_back: f64,
    /// At most so long between two things that a guest does.
    pub pause_max: Duration,
}

/// What happens to the processes and links, in mean time between two; zero: never.
#[derive(Clone, Debug)]
pub struct Chaos {
    /// How long it lasts.
    pub lasts: Duration,
    /// A link is cut.
    pub cut_each: Duration,
    /// Of a cut to go unnoticed by an end.
    pub silent: f64,
    /// The server dies with its memory.
    pub server_crash_each: Duration,
    /// Of a server to end in good order instead of dying.
    pub graceful: f64,
    /// A client dies with its memory.
    pub client_crash_each: Duration,
    /// The business pauses, or goes on.
    pub pause_each: Duration,
    /// The server takes back what broadcasts it can, for other nodes.
    pub reroute_each: Duration,
    /// How long a client without a link waits before it connects again, at most.
    pub reconnect_max: Duration,
    /// Of a client to stay away for longer than its session is kept.
    pub away: f64,
    /// Of a welcome to be lost with its link.
    pub lose_welcome: f64,
    /// Of an action to bring its server down.
    pub abort: f64,
    /// A client or the server is stopped (SIGSTOP) for a while.
    pub freeze_each: Duration,
    /// At most so long.
    pub freeze_lasts: Duration,
    /// The clock of a node stands still for a while.
    pub clock_stall_each: Duration,
    /// At most so long.
    pub clock_stall_lasts: Duration,
    /// Whether clocks run up to a tenth fast or slow.
    pub clocks_drift: bool,
    /// A way is closed for a while: in both directions, in one, or an end does not read.
    pub partition_each: Duration,
    /// At most so long.
    pub partition_lasts: Duration,
    /// Somebody else says hello in a client's name.
    pub theft_each: Duration,
}

struct Dice(SplitMix64);

impl Dice {
    fn coin(&mut self) -> bool {
        self.0.chance(0.5)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
        all[self.0.below(count) as usize]
    }

    /// Half of the time nothing.
    fn maybe<T: Copy + Default>(&mut self, all: &[T]) -> T {
        if self.coin() { T::default() } else { self.one_of(all) }
    }

    fn millis(&mut self, all: &[u64]) -> Duration {
        Duration::from_millis(self.one_of(all))
    }

    fn faults(&mut self) -> FaultPlan {
        FaultPlan {
            seed: self.0.next_u64(),
            drop: self.maybe(&[0.01, 0.1, 0.3, 0.5]),
            drop_broadcast: self.maybe(&[0.1, 0.5]),
            duplicate: self.maybe(&[0.02, 0.3]),
            reorder: self.maybe(&[0.05, 0.5]),
            delay: self.maybe(&[0.02, 0.2]),
            delay_max: self.millis(&[1, 30, 500, 3_000, 60_000]),
            corrupt: self.maybe(&[0.01, 0.1]),
            cut_every: self.maybe(&[40, 300, 2_000]),
        }
    }
}

impl Options {
    /// The options of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice(SplitMix64::new(seed));
        let has_faults = dice.0.chance(0.7);
        let (mut up_faults, mut down_faults) = (FaultPlan::default(), FaultPlan::default());
        if has_faults {
            up_faults = dice.faults();
            down_faults = dice.faults();
        }
        let through_bytes = dice.0.chance(0.6);
        let server_config = dice.config();
        let client_config = Config {
            flush_after: dice.millis(&[0, 0, 1, 50, 1_000]),
            log_messages_max: dice.one_of(&[3, 100, 100_000]),
            bytes_in_flight_max: dice.one_of(&[64, 4_096, 8 << 20]),
            early_bytes_max: dice.one_of(&[64, 4_096, 8 << 20]),
            ..server_config.clone()
        };
        let clients = dice.one_of(&[1, 1, 2, 3, 5]);
        let (work, chaos, guests) = (dice.work(), dice.chaos(), dice.guests());
        Self {
            seed,
            clients,
            // Who crashed keeps its place until its session is given up.
            sessions_max: if server_config.reconnect_timeout <= Duration::from_secs(2) && dice.coin() {
                clients as usize
            } else {
                100_000
            },
            small_frames: dice.coin(),
            client_reliable: up_faults.is_none() && dice.0.chance(0.8),
            server_reliable: down_faults.is_none() && dice.0.chance(0.8),
            client_config,
            server_config,
            up_faults,
            down_faults,
            through_bytes,
            in_pieces: dice.coin(),
            latency_up: Duration::from_micros(dice.one_of(&[0, 50, 1_000, 20_000, 120_000])),
            latency_down: Duration::from_micros(dice.one_of(&[0, 50, 1_000, 20_000, 120_000])),
            work,
            chaos,
            guests,
            only_troubles: None,
            only_faulty_links: None,
        }
    }

    /// Whether nothing in this run makes a link or a node late.
    #[must_use]
    pub fn is_punctual(&self) -> bool {
        let each = [self.chaos.freeze_each, self.chaos.clock_stall_each, self.chaos.partition_each];
        self.is_link_reliable() && !self.chaos.clocks_drift && each.iter().all(Duration::is_zero)
    }

    /// Whether packets may get lost on the way: no end takes its links for reliable.
    #[must_use]
    pub fn may_lose_packets(&self) -> bool {
        !self.client_reliable && !self.server_reliable
    }

    /// Whether no link of this run loses, reorders or corrupts. (It may still be cut.)
    #[must_use]
    pub fn is_link_reliable(&self) -> bool {
        self.client_reliable && self.server_reliable
    }
}

impl Dice {
    fn config(&mut self) -> Config {
        let pool_size = self.one_of(&[4, 4, 8, 12, 20, 100, 1_024]);
        let (heartbeat, dead) = self.one_of(&[(5_000, 15_000), (5_000, 60_000), (300, 1_000), (1_000, 2_500)]);
        Config {
            flush_after: self.millis(&[0, 1, 50, 1_000]),
            heartbeat_after: Duration::from_millis(heartbeat),
            dead_after: Duration::from_millis(dead),
            handshake_within: self.millis(&[500, 5_000]),
            pool_size,
            pool_size_max: self.one_of(&[pool_size, pool_size * 2, pool_size * 8, 65_536]),
            pool_idle: self.millis(&[300, 60_000]),
            bytes_in_flight_max: self.one_of(&[64, 4_096, 8 << 20]),
            early_bytes_max: self.one_of(&[64, 4_096, 8 << 20]),
            log_messages_max: self.one_of(&[20, 100_000]),
            log_bytes_max: self.one_of(&[4_096, 64 << 20]),
            slots: self.one_of(&[1, 2, 8, 64, 1_024]),
            handlers_max: self.one_of(&[1, 4, 1_024]),
            begin_records: self.one_of(&[false, true]),
            durable: None,
            has_completions: false,
            frame_bytes_max: 1 << 20,
            reconnect_timeout: self.millis(&[2_000, 30_000, 300_000, 300_000]),
            business_deadline: self.millis(&[50, 30_000]),
            adaptive_deadline: self.one_of(&[None, None, Some(ADAPTIVE)]),
            client_deadline: self.millis(&[500, 60_000]),
            round_trip_min: self.millis(&[1, 20]),
        }
    }

    fn work(&mut self) -> Work {
        Work {
            actions_max: self.one_of(&[5, 100, 500, 2_000]),
            burst_max: self.one_of(&[1, 5, 50, 400]),
            pause_max: self.millis(&[1, 20, 300, 3_000]),
            bytes_max: self.one_of(&[1, 40, 2_000, 2_000, 20_000]),
            cancel: self.maybe(&[0.02, 0.3]),
            broadcast: self.maybe(&[0.1, 0.9]),
            disconnect: self.maybe(&[0.01, 0.1]),
            disconnect_within: self.millis(&[1, 200, 5_000, 60_000, 1_000_000]),
            handler_max: self.millis(&[0, 1, 50]),
            slow: self.maybe(&[0.01, 0.2]),
            slow_max: self.millis(&[500, 5_000]),
            fail: self.maybe(&[0.1]),
        }
    }

    fn chaos(&mut self) -> Chaos {
        Chaos {
            lasts: self.millis(&[1_000, 5_000, 20_000]),
            cut_each: self.maybe_millis(&[50, 500, 5_000]),
            silent: self.maybe(&[0.1, 0.5]),
            server_crash_each: self.maybe_millis(&[500, 5_000]),
            graceful: self.maybe(&[0.5]),
            client_crash_each: self.maybe_millis(&[1_000, 5_000]),
            pause_each: self.maybe_millis(&[100, 2_000]),
            reroute_each: self.maybe_millis(&[200, 3_000]),
            reconnect_max: self.millis(&[1, 50, 1_000]),
            away: self.maybe(&[0.02, 0.2]),
            lose_welcome: self.maybe(&[0.05, 0.5]),
            abort: self.maybe(&[0.0, 0.002, 0.02]),
            freeze_each: self.maybe_millis(&[300, 3_000]),
            freeze_lasts: self.millis(&[10, 1_000, 20_000]),
            clock_stall_each: self.maybe_millis(&[300, 3_000]),
            clock_stall_lasts: self.millis(&[10, 1_000, 20_000]),
            clocks_drift: self.coin(),
            partition_each: self.maybe_millis(&[300, 3_000]),
            partition_lasts: self.millis(&[50, 2_000, 30_000]),
            theft_each: self.maybe_millis(&[200, 2_000]),
        }
    }

    fn guests(&mut self) -> Guests {
        Guests {
            count: self.maybe(&[1, 1, 2]),
            malice: self.one_of(&[0.01, 0.1, 0.5]),
            storms: self.coin(),
            roll_back: self.maybe(&[0.02, 0.1]),
            pause_max: self.millis(&[1, 10, 100]),
        }
    }

    /// Half of the time never.
    fn maybe_millis(&mut self, all: &[u64]) -> Duration {
        Duration::from_millis(self.maybe(all))
    }
}
