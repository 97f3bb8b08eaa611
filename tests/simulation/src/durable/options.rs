//! What may happen in a durable world: a different subset for each seed.
//!
//! Knows: numbers. Does not know: how anything is done.

use std::time::Duration;

use rpcgen_proto::rng::SplitMix64;

/// The options of one run.
#[derive(Clone, Debug)]
pub struct DurableOptions {
    /// Of all that is decided by chance.
    pub seed: u64,
    /// How many clients.
    pub clients: usize,
    /// How many calls all of them make together.
    pub calls: u32,
    /// The longest pause between two.
    pub pause_max: Duration,
    /// How long handlers take at most.
    pub handler_max: Duration,
    /// One way.
    pub latency: Duration,
    /// Probability that a frame of a session is lost: the links are not reliable then.
    pub drop: f64,
    /// The longest time that a commit takes.
    pub commit_max: Duration,
    /// Troubles during chaos: how many.
    pub troubles: u32,
    /// Processes die with the page cache kept.
    pub crashes: bool,
    /// The power fails.
    pub power_losses: bool,
    /// A call of the disk fails.
    pub io_errors: bool,
    /// There is no space for a while.
    pub full_disks: bool,
    /// Clients' directories are restored.
    pub restored_clients: bool,
    /// The server's directory is restored.
    pub restored_servers: bool,
    /// Links are cut.
    pub cuts: bool,
    /// Calls without records are made too.
    pub volatile: bool,
    /// Calls are cancelled.
    pub cancels: bool,
    /// Some actions abort the server whenever they run.
    pub poison: bool,
    /// Broadcasts are sent.
    pub broadcasts: bool,
    /// A session without a link is kept so long.
    pub reconnect_timeout: Duration,
    /// Bits wait so long for something to ride on.
    pub flush_after: Duration,
    /// The first client has no log.
    pub memory_client: bool,
    /// A client's directory is copied, and the copy is started beside it.
    pub copies: bool,
    /// The server's business has a database, with completion records.
    pub database: bool,
    /// It is restored.
    pub restored_databases: bool,
    /// The server's log keeps most of its space in reserve: a full disk is felt at once.
    pub tight_log: bool,
    /// Servers with logs of their own take the database over.
    pub other_logs: bool,
    /// Clients leave formally, with a limit, and their directories are taken up again. Not where these are copied: of a session that one
    /// copy has left formally a server knows nothing any more, and what the other one still has open runs again.
    pub goodbyes: bool,
}

impl DurableOptions {
    /// The options of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed ^ 0x6475_7261_626c_6500);
        let mut coin = |probability: f64| random.chance(probability);
        let (crashes, power_losses, io_errors, full_disks) = (coin(0.7), coin(0.7), coin(0.3), coin(0.3));
        let (restored_clients, restored_servers, cuts) = (coin(0.2), coin(0.15), coin(0.6));
        let (volatile, cancels, poison, broadcasts, is_lossy) =
            (coin(0.4), coin(0.4), coin(0.15), coin(0.4), coin(0.3));
        let (mut later, millis) = (SplitMix64::new(seed ^ 0x6d69_7865_6400), Duration::from_millis);
        let mut databases = SplitMix64::new(seed ^ 0x6461_7461_6261_7300);
        let mut one_of = |values: &[u64]| values[random.below(u32::try_from(values.len()).unwrap_or(1)) as usize];
        let (memory_client, copies) = (later.chance(0.25), later.chance(0.15));
        Self {
            seed,
            clients: usize::try_from(one_of(&[1, 1, 2, 3])).unwrap_or(1),
            calls: u32::try_from(one_of(&[3, 10, 40, 120])).unwrap_or(10),
            pause_max: millis(one_of(&[1, 20, 200])),
            handler_max: millis(one_of(&[0, 5, 100, 1_000])),
            latency: millis(one_of(&[1, 5, 40])),
            drop: if is_lossy { 0.05 } else { 0.0 },
            commit_max: millis(one_of(&[0, 2, 20, 1_000])),
            troubles: u32::try_from(one_of(&[1, 3, 10, 30])).unwrap_or(3),
            crashes,
            power_losses,
            io_errors,
            full_disks,
            restored_clients,
            restored_servers,
            cuts,
            volatile,
            cancels,
            poison,
            broadcasts,
            reconnect_timeout: millis(one_of(&[2_000, 300_000, 300_000])),
            flush_after: millis(one_of(&[0, 50, 1_000])),
            memory_client,
            copies,
            database: databases.chance(0.25),
            restored_databases: databases.chance(0.7),
            tight_log: databases.chance(0.2),
            other_logs: databases.chance(0.4),
            goodbyes: !copies && SplitMix64::new(seed ^ 0x676f_6f64_6279_6500).chance(0.3),
        }
    }
}
