//! A PostgreSQL server of the tests' own, on a Unix socket in a temporary folder.
//!
//! Knows: where Debian puts the programs, that they don't run as root. Does not know: tests.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::Folder;
use crate::process::ProcessId;

/// Whether the disk under a server matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syncs {
    Yes,
    No,
}

/// How long its processes may take to be gone after a kill.
const GONE_WITHIN: Duration = Duration::from_secs(30);
/// How long it may take until connections are taken, recovery included.
const TAKES_CONNECTIONS_WITHIN: Duration = Duration::from_secs(60);

/// A running server; it is stopped when the last handle goes. Its files go with its folder.
#[derive(Debug)]
pub struct PostgresServer {
    folder: Folder,
    programs: PathBuf,
    syncs: Syncs,
    /// The first of its processes; `None`: it was not started yet. Its own file may be on a disk that has no power.
    first: Mutex<Option<ProcessId>>,
}

static RUNNING: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());

/// The server that all tests of a process share. `None`: there is no PostgreSQL here; that was said, loudly.
///
/// # Panics
/// It is installed and does not start.
#[must_use]
pub fn postgres() -> Option<Arc<PostgresServer>> {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(server) = running.upgrade() {
        return Some(server);
    }
    let Some(programs) = programs() else {
        println!("SKIPPED: PostgreSQL is not installed (apt-get install postgresql)");
        assert!(std::env::var_os("CI").is_none(), "CI has to have PostgreSQL");
        return None;
    };
    // Its disk is not what is tested here: tests/torture does that.
    let server = Arc::new(PostgresServer::start(Folder::new("postgres"), programs, Syncs::No));
    *running = Arc::downgrade(&server);
    Some(server)
}

/// The newest of what is installed.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
    folders.filter(|folder| folder.join("initdb").exists()).max()
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

impl PostgresServer {
    /// One of its own in that folder, which keeps what it has committed whatever happens; its files stay, so that it can be seen what it
    /// has said. `None`: there is no PostgreSQL here.
    ///
    /// # Panics
    /// It is installed and does not start.
    #[must_use]
    pub fn start_in(folder: &Path) -> Option<Self> {
        Some(Self::start(Folder::within(folder, "postgres"), programs()?, Syncs::Yes))
    }

    fn start(folder: Folder, programs: PathBuf, syncs: Syncs) -> Self {
        let server = Self { folder, programs, syncs, first: Mutex::new(None) };
        if is_root() {
            let folder = server.folder.path();
            run(Command::new("chown").arg("postgres").arg(folder));
        }
        let data = server.data();
        run(server.command("initdb").args(["-A", "trust", "-U", "rpcgen", "-E", "UTF8", "-D"]).arg(&data));
        server.start_again();
        server
    }

    /// Starts it, unless it runs. When this returns, it takes connections.
    ///
    /// # Panics
    /// It does not.
    pub fn start_again(&self) {
        let began = Instant::now();
        // One that is there may be about to end by itself: of a disk that was full while it recovered, say.
        loop {
            if self.first().is_none() {
                return self.start_anew();
            }
            if self.takes_connections() {
                return;
            }
            let said = self.last_words();
            let limit = TAKES_CONNECTIONS_WITHIN;
            assert!(began.elapsed() < limit, "waited for PostgreSQL to take connections: not within {limit:?}: {said}");
            std::thread::yield_now();
        }
    }

    fn start_anew(&self) {
        // They name a process that was killed, and that nobody may have asked how it ended: PostgreSQL takes it for alive.
        let left = [self.data().join("postmaster.pid"), self.folder.path().join(".s.PGSQL.5432.lock")];
        left.iter().for_each(|file| drop(std::fs::remove_file(file)));
        let no_syncs = if self.syncs == Syncs::No { "-F " } else { "" };
        let options = format!("{no_syncs}-c listen_addresses='' -k {}", self.folder.path().display());
        let log = self.folder.path().join("log");
        let mut start = self.command("pg_ctl");
        start.args(["start", "-w", "-s", "-t", "60", "-o", &options, "-l"]).arg(log).arg("-D").arg(self.data());
        // Its processes would keep a pipe of ours open: what they have to say is in the log.
        let status = start.current_dir(Path::new("/")).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(status.is_ok_and(|status| status.success()), "{start:?}: {}", self.last_words());
        let first = std::fs::read_to_string(self.data().join("postmaster.pid"));
        let first = first.ok().and_then(|text| ProcessId::of(text.lines().next()?.trim().parse().ok()?));
        *self.lock_first() = Some(first.expect("a server that runs has such a file"));
    }

    fn lock_first(&self) -> MutexGuard<'_, Option<ProcessId>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first of its processes, if it runs.
    fn first(&self) -> Option<ProcessId> {
        self.lock_first().filter(|first| first.is_alive())
    }

    fn takes_connections(&self) -> bool {
        let mut ready = self.command("pg_isready");
        ready.args(["-q", "-t", "10", "-h"]).arg(self.folder.path()).current_dir(Path::new("/"));
        ready.status().is_ok_and(|status| status.success())
    }

    /// The end of its log, and whether it runs.
    #[must_use]
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let runs = if self.first().is_some() { "it runs" } else { "it does not run" };
        format!("{runs}; {}", lines[lines.len().saturating_sub(10)..].join("\n"))
    }

    /// Its processes; none: it does not run.
    #[must_use]
    pub fn processes(&self) -> Vec<u32> {
        self.all().iter().map(|process| process.number).collect()
    }

    fn all(&self) -> Vec<ProcessId> {
        let Some(first) = self.first() else { return Vec::new() };
        std::iter::once(first).chain(first.children()).collect()
    }

    /// Kills all of it, as by kill -9, and waits until it is gone.
    ///
    /// # Panics
    /// It is not.
    pub fn kill(&self) {
        let began = Instant::now();
        // Stopped first: a child that it makes while its children are listed would outlive it, and keep the next one from starting.
        let first = self.first();
        if let Some(first) = first {
            let _ = Command::new("kill").args(["-STOP", &first.number.to_string()]).stderr(Stdio::null()).status();
        }
        while first.is_some_and(|first| first.is_alive() && !first.is_stopped()) {
            assert!(began.elapsed() < GONE_WITHIN, "waited for PostgreSQL to stop: not within {GONE_WITHIN:?}");
            std::thread::yield_now();
        }
        let all = self.all();
        let names: Vec<String> = all.iter().map(|process| process.number.to_string()).collect();
        if !names.is_empty() {
            // Some may be gone before.
            let _ = Command::new("kill").arg("-KILL").args(names).stderr(Stdio::null()).status();
        }
        while all.iter().any(|process| process.is_alive()) {
            assert!(began.elapsed() < GONE_WITHIN, "waited for PostgreSQL to be gone: not within {GONE_WITHIN:?}");
            std::thread::yield_now();
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// One of its programs; it refuses to run as root.
    fn command(&self, program: &str) -> Command {
        let program = self.programs.join(program);
        if !is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    }

    /// A new, empty database; what a client connects with.
    ///
    /// # Panics
    /// There is one of that name.
    #[must_use]
    pub fn database(&self, name: &str) -> String {
        let address = |name: &str| format!("host={} user=rpcgen dbname={name}", self.folder.path().display());
        let create = format!("create database {name}");
        run(self.command("psql").args(["-q", "-d", &address("postgres"), "-c", &create]));
        address(name)
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // One that is gone has said so, or was killed.
        if self.first().is_none() {
            return;
        }
        let data = self.data();
        // What does not stop is said by the test's own failure.
        let _ = self.command("pg_ctl").args(["stop", "-s", "-m", "immediate", "-D"]).arg(data).status();
    }
}

fn run(command: &mut Command) {
    // From a folder that every user may read.
    let output = command.current_dir(Path::new("/")).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
