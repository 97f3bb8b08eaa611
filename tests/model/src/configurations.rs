//! The worlds by name: (a) to (h) of the plan, the windows, and the disconnect.
//!
//! Knows: what each is to show. Does not know: how it is looked through.

use crate::configuration::{Business, Configuration, Faults, Outcome};

/// How much of each world is looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What fits in a run of the gate.
    Reduced,
    /// All of it.
    Full,
}

/// The first seed whose up lane begins two IDs before their numbers wrap; `--find-wraps` finds it.
pub const SEED_UP_WRAPS: u64 = 8_372_513_658;
/// The same for the down lane.
pub const SEED_DOWN_WRAPS: u64 = 4_353_390_493;

fn base() -> Configuration {
    Configuration {
        name: "",
        about: "",
        clients: 1,
        calls: 3,
        cancels: 0,
        broadcasts: 0,
        disconnects: false,
        head_start: false,
        reliable: false,
        business: Business::AtOnce,
        pool_size: 4,
        pool_size_max: 4,
        handlers_max: 8,
        seed: 1,
        faults: Faults::default(),
        expected: vec![Outcome::Answered],
    }
}

/// All of them, in their order.
#[must_use]
pub fn all(extent: Extent) -> Vec<Configuration> {
    let full = extent == Extent::Full;
    let mut worlds = network(full);
    worlds.extend(sessions(full));
    worlds.extend(pools(full));
    worlds
}

/// What a network and processes do to calls.
fn network(full: bool) -> Vec<Configuration> {
    use Outcome::{Answered, Blocked, DuplicateDropped, Early, GuaranteedFirst, NewEpoch, Redelivered, Resent};
    let net = Faults { total: 3, lose: 1, duplicate: 1, reorder: 1, early: 1, ..Faults::default() };
    let seen = vec![Answered, GuaranteedFirst, Resent, DuplicateDropped, Early];
    vec![
        Configuration {
            name: "a",
            about: "one frame lost, one twice, one overtaken",
            business: Business::Later,
            faults: Faults { early: u8::from(full), ..net },
            expected: [seen.clone(), vec![Blocked]].concat(),
            ..base()
        },
        Configuration {
            name: "b",
            about: "as (a), and the server dies with its memory",
            calls: if full { 3 } else { 2 },
            business: Business::Later,
            faults: Faults { crash_server: 1, ..net },
            expected: [seen.clone(), vec![NewEpoch, Redelivered]].concat(),
            ..base()
        },
        Configuration {
            name: "c",
            about: "as (b), and the client dies with its memory",
            calls: if full { 3 } else { 2 },
            business: Business::Later,
            faults: Faults { crash_server: 1, crash_client: 1, ..net },
            expected: [seen, vec![NewEpoch, Redelivered]].concat(),
            ..base()
        },
    ]
}

/// What links and sessions do to calls and broadcasts.
fn sessions(full: bool) -> Vec<Configuration> {
    use Outcome::{
        Answered, BroadcastRan, BroadcastRedelivered, CancelAnswered, CancelExecuting, CancelMaybe, Cancelled,
        Disconnected, Expired, Resent, Resumed, TakenOver, Unknown,
    };
    vec![
        Configuration {
            name: "d",
            about: "links are cut unnoticed, and the session is taken over",
            calls: if full { 3 } else { 2 },
            business: Business::Later,
            faults: Faults { total: 3, lose: 1, early: 1, cut: 2, ..Faults::default() },
            expected: vec![Answered, Resumed, TakenOver, Resent],
            ..base()
        },
        Configuration {
            name: "dr",
            about: "as (d), on reliable links: what was on its way is sent again from where the peer is, and only then",
            business: Business::Later,
            reliable: true,
            faults: Faults { total: 3, early: 1, cut: 3, ..Faults::default() },
            expected: vec![Answered, Resumed, TakenOver, Resent],
            ..base()
        },
        Configuration {
            name: "e",
            about: "broadcasts to two nodes, one of which dies, or whose session expires",
            clients: 2,
            calls: 0,
            broadcasts: if full { 2 } else { 1 },
            faults: Faults { total: 3, lose: 1, cut: 1, crash_client: 1, expire: 1, take_back: 1, ..Faults::default() },
            expected: vec![BroadcastRan, BroadcastRedelivered, Resumed],
            ..base()
        },
        Configuration {
            name: "f",
            about: "cancels race with handlers, answers and a crash",
            calls: 2,
            cancels: 2,
            business: Business::Later,
            handlers_max: 1,
            faults: Faults { total: 3, lose: 1, cut: 1, crash_server: 1, early: u8::from(full), ..Faults::default() },
            expected: vec![Answered, Cancelled, CancelExecuting, CancelAnswered, CancelMaybe, Unknown],
            ..base()
        },
        Configuration {
            name: "i",
            about: "the session expires and its client comes back",
            calls: if full { 3 } else { 2 },
            business: Business::Later,
            faults: Faults { total: 3, lose: 1, cut: 2, expire: 1, ..Faults::default() },
            expected: vec![Answered, Expired],
            ..base()
        },
        Configuration {
            name: "j",
            about: "a formal disconnect on a link that loses and is cut",
            calls: 2,
            broadcasts: 1,
            disconnects: true,
            faults: Faults { total: if full { 3 } else { 2 }, lose: 2, duplicate: 1, cut: 1, ..Faults::default() },
            expected: vec![Answered, Disconnected],
            ..base()
        },
    ]
}

/// Pools: growth, wrap, windows.
fn pools(full: bool) -> Vec<Configuration> {
    use Outcome::{Answered, Blocked, BroadcastRan, Grown, Resumed, Wrapped};
    let windows = |name, about, pool_size: u32, faults| Configuration {
        name,
        about,
        calls: if pool_size == 4 { 3 } else { 5 },
        broadcasts: if pool_size == 4 { 3 } else { 5 },
        head_start: true,
        reliable: faults == Faults::default(),
        business: Business::Later,
        pool_size,
        pool_size_max: pool_size,
        faults,
        expected: vec![Answered, BroadcastRan, Blocked],
        ..base()
    };
    let lossy = Faults { total: 2, lose: 1, early: 1, cut: 1, ..Faults::default() };
    let wraps = |name, about, seed, broadcasts| Configuration {
        name,
        about,
        calls: 3,
        broadcasts,
        seed,
        faults: Faults {
            total: if full { 3 } else { 2 },
            lose: 1,
            duplicate: 1,
            reorder: 1,
            cut: 1,
            ..Faults::default()
        },
        expected: vec![Answered, Wrapped],
        ..base()
    };
    vec![
        Configuration {
            name: "g",
            about: "pools are doubled while the session is resumed",
            calls: 5,
            broadcasts: 2,
            pool_size_max: 8,
            head_start: !full,
            faults: Faults { total: 2, lose: 1, cut: 1, duplicate: u8::from(full), ..Faults::default() },
            expected: vec![Answered, Grown, Blocked, Resumed],
            ..base()
        },
        wraps("h1", "the numbers of the up lane's IDs wrap", SEED_UP_WRAPS, 0),
        wraps("h2", "the numbers of the down lane's IDs wrap", SEED_DOWN_WRAPS, 1),
        windows("w2", "window 2, both sides full before the first delivery, reliable link", 4, Faults::default()),
        windows("w2l", "window 2, both sides full before the first delivery, a link that loses and is cut", 4, lossy),
        windows("w4", "window 4, both sides full before the first delivery, reliable link", 8, Faults::default()),
    ]
}
