//! The world of one run: clients, a server, links between them, virtual time.
//!
//! Knows: what happens next, and the phases of a run. Does not know: how a session decides.

mod brief;
mod broadcasts;
mod carry;
mod chaos;
mod client;
mod clock;
mod ends;
mod guests;
mod link;
mod phases;
mod server;
mod tamper;
mod weather;
mod work;

use rpcgen_proto::rng::SplitMix64;
use rpcgen_proto::time::Instant;

use self::chaos::Trouble;
use self::client::Client;
use self::clock::NodeClock;
use self::link::{End, Link};
use self::server::Server;
use crate::Outcome;
use crate::agenda::Agenda;
use crate::checkers::{Check, Checkers, Violation, progress};
use crate::options::Options;
use crate::report::Tally;
use crate::seen::Seen;
use crate::trace::Trace;

/// What will happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Event {
    /// The oldest packet on its way to an end is there.
    Arrive { link: u32, at: End },
    /// Frames that an end's faults held back are due.
    FaultsDue { link: u32, from: End },
    /// An end notices that its link is gone.
    LinkLost { link: u32, at: End },
    /// A client's session may want to be called.
    ClientDue { client: u32 },
    /// A server's session may want to be called.
    SeatDue { seat: u32 },
    /// A handler is done.
    HandlerDone { handler: u32 },
    /// A client connects.
    Connect { client: u32, life: u32 },
    /// A client's application does something.
    Work { client: u32 },
    /// A refused broadcast may be offered again.
    OfferAgain,
    /// A stopped client goes on.
    Thaw { client: u32, life: u32 },
    /// A guest does something.
    GuestWork { client: u32 },
    /// Trouble.
    Trouble(Trouble),
}

/// The world.
#[derive(Debug)]
pub struct World {
    options: Options,
    random: SplitMix64,
    now: Instant,
    agenda: Agenda<Event>,
    trace: Trace,
    tally: Tally,
    checkers: Checkers,
    clients: Vec<Client>,
    server: Server,
    links: Vec<Option<Box<Link>>>,
    /// Lives of honest clients so far, and of guests.
    nodes: u32,
    guests: u32,
    calls: u32,
    broadcasts: u32,
    /// Troubles so far.
    troubles: u32,
    /// Frames and messages that were sent, for telling silence.
    sent_frames: u64,
    sent_messages: u64,
    /// In runs in which nothing is late: when a call arrived, and on which link.
    arrivals: Vec<Option<(Instant, u32)>>,
    /// How many IDs the first pool has, and the largest may have.
    first_pool: u32,
    largest_pool: u32,
    /// Faults and troubles are over.
    is_healed: bool,
    /// Since when.
    healed_at: Option<Instant>,
    /// Who disconnects does not come back.
    is_closing_time: bool,
    /// Vectors for frames, used over and over.
    spare: Vec<Vec<u8>>,
}

impl World {
    /// A world before its first instant.
    #[must_use]
    pub fn new(options: Options, trace: Trace) -> Self {
        let mut random = SplitMix64::new(options.seed ^ 0x5157_0000_0000_0001);
        let clock = NodeClock::new(Instant::START, &mut random, options.chaos.clocks_drift);
        let config = options.server_config.clone().normalized();
        let mut world = Self {
            random,
            now: Instant::START,
            agenda: Agenda::default(),
            trace,
            tally: Tally::default(),
            checkers: Checkers::default(),
            clients: Vec::new(),
            server: Server::new(1, &options, clock),
            links: Vec::new(),
            nodes: 0,
            guests: 0,
            calls: 0,
            broadcasts: 0,
            troubles: 0,
            sent_frames: 0,
            sent_messages: 0,
            arrivals: Vec::new(),
            first_pool: config.pool_size,
            largest_pool: config.pool_size_max,
            is_healed: false,
            healed_at: None,
            is_closing_time: false,
            spare: Vec::new(),
            options,
        };
        for client in 0..world.options.clients {
            let node = world.next_node();
            let made = Client::new(node, &world.options, Instant::START, &mut world.random);
            world.clients.push(made);
            world.agenda.add(Instant::START, Event::Connect { client, life: 0 });
            world.plan_work(client);
        }
        world.invite_guests();
        world.plan_troubles();
        world
    }

    fn next_node(&mut self) -> u32 {
        self.nodes += 1;
        self.nodes
    }

    /// What was seen goes to the trace and to every checker.
    fn see(&mut self, seen: Seen) -> Check {
        self.trace.say(self.now, || format!("{seen:?}"));
        self.checkers.see(self.now, &seen)
    }

    /// Lets everything happen that happens until `end`.
    fn run_until(&mut self, end: Instant) -> Check {
        let mut steps_now = 0;
        while let Some((at, event)) = self.agenda.next_until(end) {
            if at > self.now {
                self.now = at;
                steps_now = 0;
            }
            steps_now += 1;
            progress::check_time(steps_now)?;
            if let Some(thaws) = self.thaw_of(event) {
                self.agenda.add(thaws, event);
                continue;
            }
            self.happen(event)?;
            if !self.is_server_frozen() {
                self.route_broadcasts()?;
            }
        }
        self.now = self.now.max(end);
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Check {
        match event {
            Event::ClientDue { client } | Event::Connect { client, .. } | Event::GuestWork { client }
                if client as usize >= self.clients.len() =>
            {
                Ok(()) // A guest's, and the guests are gone.
            }
            Event::Thaw { client, life } => self.thaw(client, life),
            Event::GuestWork { client } => self.guest_work(client),
            Event::Arrive { link, at } => self.arrive(link, at),
            Event::FaultsDue { link, from } => self.release_faults(link, from),
            Event::LinkLost { link, at } => self.lose_link(link, at),
            Event::ClientDue { client } => self.client_due(client),
            Event::SeatDue { seat } => self.seat_due(seat),
            Event::HandlerDone { handler } => self.finish_handler(handler),
            Event::Connect { client, life } => self.connect(client, life),
            Event::Work { client } => self.work(client),
            Event::OfferAgain => {
                self.offer_again();
                Ok(())
            }
            Event::Trouble(trouble) => self.trouble(trouble),
        }
    }

    /// What the logs of both ends hold.
    fn say_where_everybody_is(&mut self) {
        for client in &self.clients {
            let (session, link) = (&client.session, client.link);
            self.trace.say(self.now, || {
                let (node, open) = (client.node, session.open_calls());
                format!("node {node}: link {link:?}, {open} open calls, {:?}", session.view())
            });
        }
        for (index, seat) in (0_u32..).zip(&self.server.seats) {
            let Some(seat) = seat else { continue };
            self.trace.say(self.now, || {
                format!("seat {index} of node {}: link {:?}, {:?}", seat.node, seat.link, seat.session.view())
            });
        }
    }

    /// The run is over: what is left of it.
    #[must_use]
    pub fn into_outcome(mut self, violation: Option<Violation>) -> Outcome {
        self.tally.virtual_time = self.now - Instant::START;
        if violation.is_some() {
            self.say_where_everybody_is();
        }
        let live = self.links.iter().flatten();
        for link in live {
            self.tally.faults.add(&link.client_end.pipe.faults.counters());
            self.tally.faults.add(&link.server_end.pipe.faults.counters());
        }
        for client in &self.clients {
            self.tally.resent += client.session.stats().resent;
        }
        self.tally.resent += self.server.resent();
        Outcome {
            tally: self.tally,
            trace_hash: self.trace.hash(),
            violation,
            troubles: self.troubles,
            links: u32::try_from(self.links.len()).unwrap_or(u32::MAX),
            trace: self.trace.into_lines(),
        }
    }
}
