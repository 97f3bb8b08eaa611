//! The run: starts the processes, hears what they say, and compares at the end.
//!
//! Knows: who is there, what is waited for. Does not know: how a fault is done (`inject` does), what a transfer does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::mpsc;

use crate::Failure;
use crate::database::Store;
use crate::disk::Disk;
use crate::faults::{Fault, Faults};
use crate::lines::Line;
use crate::plan::{Mistake, Plan, Role};
use crate::processes::{Part, Process, Said, Start, has_strace};
use crate::proxy::Proxy;
use crate::record::{Record, first_reference};
use crate::verdict::{Verdict, verdict};

/// No transfer is answered for so long: something is lost, and the run says so.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a process may take to end that was killed, or told to.
pub(crate) const ENDS_WITHIN: Duration = Duration::from_secs(60);

/// What was done.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Counts {
    /// Of the server alone, of a client alone, of all at once: the sum.
    pub(crate) kills: u64,
    pub(crate) kills_of_server: u64,
    pub(crate) kills_of_client: u64,
    pub(crate) kills_of_all: u64,
    pub(crate) power_losses: u64,
    pub(crate) cuts: u64,
    pub(crate) take_overs: u64,
    /// Of those, whose first server found out by itself, and committed nothing.
    pub(crate) fenced: u64,
    /// Clients that were stopped while another process asked for their log.
    pub(crate) stops: u64,
    /// Copied logs.
    pub(crate) copies: u64,
    /// Logs of the server that were put back as they were before their last opening.
    pub(crate) restores: u64,
    /// Processes that were refused a log, by name: of a take-over, a stop, a copy, a restore.
    pub(crate) intruders_refused: u64,
    pub(crate) full_disks: u64,
    pub(crate) disk_errors: u64,
    /// Of those, after which the process said so and ended.
    pub(crate) disk_errors_noticed: u64,
    /// Processes that said that they cannot go on, beside a disk that was full or had errors.
    pub(crate) ends_by_bad_disks: u64,
    pub(crate) server_lives: u64,
    pub(crate) client_lives: u64,
    /// Faults that cannot be had here.
    pub(crate) power_losses_skipped: u64,
    pub(crate) disk_faults_skipped: u64,
}

/// The last line.
#[derive(Debug, Serialize)]
struct Report<'a> {
    seed: u64,
    database: &'static str,
    #[serde(flatten)]
    counts: &'a Counts,
    #[serde(flatten)]
    verdict: &'a Verdict,
    seconds: f64,
}

/// A run; whether the promise held.
pub(crate) async fn run(plan: Plan) -> Result<bool, Failure> {
    let began = Instant::now();
    let folder = plan
        .folder
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("rpcgen-torture-{}-{}", std::process::id(), plan.seed)));
    std::fs::create_dir_all(&folder)?;
    let mut run = Run::start(plan, &folder).await?;
    run.go().await?;
    let found = verdict(&run.store.read(&run.data).await?, &run.record);
    let (seconds, database) = (began.elapsed().as_secs_f64(), run.plan.database.name());
    let report = Report { seed: run.plan.seed, database, counts: &run.counts, verdict: &found, seconds };
    for finding in &found.findings {
        eprintln!("  {finding}");
    }
    let good = found.is_good();
    if !run.plan.json {
        println!("{}", if good { "nothing lost, nothing twice" } else { "THE PROMISE DID NOT HOLD" });
    }
    println!("{}", serde_json::to_string(&report)?);
    let kept = run.plan.folder.is_some() || !good;
    drop(run);
    if !kept {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(good)
}

/// A run and its processes.
pub(crate) struct Run {
    pub(crate) plan: Plan,
    /// Where the files of the bank and the logs are.
    pub(crate) data: PathBuf,
    pub(crate) server: Process,
    pub(crate) clients: Vec<Process>,
    pub(crate) proxy: Proxy,
    said: mpsc::Sender<Said>,
    heard: mpsc::Receiver<Said>,
    pub(crate) record: Record,
    pub(crate) faults: Faults,
    /// The next fault, and at how many answers it comes. `None`: not before the server is there.
    due: Option<(Fault, u64)>,
    pub(crate) counts: Counts,
    /// The server's log: the next one is another's, after a take-over.
    pub(crate) server_log: u64,
    /// The disk fails on purpose: who ends by itself now has a reason, and is noted here.
    pub(crate) given_up: Option<Vec<Part>>,
    /// The lives of the clients that have said that they are linked.
    pub(crate) linked: HashMap<u32, Part>,
    /// Those that were there when the disk was full: one that ends of it a little later has a reason, too.
    pub(crate) excused: Vec<Part>,
    /// Those of them that did.
    late: Vec<Part>,
    /// When a transfer was last answered, or a fault was done.
    moved_on: Instant,
    told: Instant,
    /// Processes whose last word is not heard yet.
    speaking: usize,
    pub(crate) store: Store,
    /// Last: its drop unmounts what the processes use.
    pub(crate) disk: Option<Disk>,
}

impl Run {
    async fn start(plan: Plan, folder: &Path) -> Result<Self, Failure> {
        let (said, heard) = mpsc::channel(65_536);
        let (mut faults, mut counts) = (Faults::new(&plan), Counts::default());
        let disk = if plan.power_losses == 0 {
            None
        } else {
            Disk::make(folder, plan.transfers).map_err(|why| skip(&why)).ok()
        };
        if disk.is_none() {
            counts.power_losses_skipped = faults.leave_out(Fault::PowerLoss);
            counts.disk_faults_skipped = faults.leave_out(Fault::FillDisk);
        }
        if !has_strace() {
            skip("no errors of the disk: there is no strace");
            counts.disk_faults_skipped += faults.leave_out(Fault::DiskError);
        }
        let data = disk.as_ref().map_or(folder, Disk::folder).to_path_buf();
        let store = Store::start(plan.database, &data)?;
        let proxy = Proxy::start().await?;
        let server = start_server(&plan, &data, &store, 0, 0, None, said.clone())?;
        let now = Instant::now();
        let mut run = Self {
            plan,
            data,
            server,
            clients: Vec::new(),
            proxy,
            said,
            heard,
            record: Record::default(),
            faults,
            due: None,
            counts,
            server_log: 0,
            given_up: None,
            excused: Vec::new(),
            late: Vec::new(),
            linked: HashMap::new(),
            moved_on: now,
            told: now,
            speaking: 1,
            store,
            disk,
        };
        for index in 0..run.plan.clients {
            let client = run.start_client(index, 0, None)?;
            run.clients.push(client);
        }
        Ok(run)
    }

    /// Where the log of a client is.
    pub(crate) fn client_log(&self, index: u32) -> PathBuf {
        self.data.join(format!("client-{index}"))
    }

    pub(crate) fn start_client(&mut self, index: u32, life: u64, inject: Option<&str>) -> Result<Process, Failure> {
        let log = self.client_log(index);
        let swallow = (self.plan.mistake == Some(Mistake::LogNoSync)).then_some("fdatasync:retval=0:when=10+");
        self.begin(Part::Client(index, life), &log, first_reference(index, life), inject.or(swallow))
    }

    /// A client's process on a log that is not its own.
    pub(crate) fn start_intruder(&mut self, number: u64, log: &Path) -> Result<Process, Failure> {
        self.begin(Part::Intruder(number), log, first_reference(u32::MAX >> 12, number), None)
    }

    fn begin(
        &mut self,
        part: Part,
        log: &Path,
        first_reference: u64,
        inject: Option<&str>,
    ) -> Result<Process, Failure> {
        self.speaking += 1;
        let arguments = vec![("--address", self.proxy.address()), ("--first-reference", first_reference.to_string())];
        Process::start(&self.plan, part, Start { role: Role::Client, log, arguments, inject }, self.said.clone())
    }

    pub(crate) fn next_server(&mut self, inject: Option<&str>) -> Result<Process, Failure> {
        self.speaking += 1;
        self.counts.server_lives += 1;
        let (life, log) = (self.counts.server_lives, self.server_log);
        start_server(&self.plan, &self.data, &self.store, life, log, inject, self.said.clone())
    }

    /// Until all faults are through and all transfers answered, and everybody has ended well.
    async fn go(&mut self) -> Result<(), Failure> {
        while self.faults.left() > 0 || self.due.is_some() || self.record.answered < self.plan.transfers {
            self.hear("a transfer to be answered").await?;
            if let Some((fault, _)) = self.due.take_if(|(_, at)| self.record.answered >= *at) {
                self.moved_on = Instant::now();
                self.inject(fault).await.map_err(|error| format!("{fault:?}: {error}"))?;
                self.moved_on = Instant::now();
            }
            if !self.late.is_empty() {
                self.given_up = Some(std::mem::take(&mut self.late));
                self.revive().await?;
            }
            self.tell();
        }
        self.clients.iter_mut().for_each(Process::finish);
        let mut done = 0;
        while done < self.clients.len() {
            let said = self.hear("the clients to have all answers").await?;
            done += usize::from(matches!(said, (Part::Client(..), Some(Line::Done))));
        }
        for client in &mut self.clients {
            if !client.ended(ENDS_WITHIN).await? {
                return Err(format!("{:?} ended badly", client.part).into());
            }
        }
        self.server.finish();
        if !self.server.ended(ENDS_WITHIN).await? {
            return Err("the server ended badly".into());
        }
        while self.speaking > 0 {
            self.hear("the last words of the processes").await?;
        }
        Ok(())
    }

    /// The next line, noted. `what` is waited for.
    pub(crate) async fn hear(&mut self, what: &str) -> Result<Said, Failure> {
        let left = PATIENCE.saturating_sub(self.moved_on.elapsed());
        let heard = tokio::time::timeout(left, self.heard.recv()).await;
        let said = heard.map_err(|_| {
            let (open, database) = (self.record.open(), self.store.last_words());
            format!("waited for {what}: no transfer was answered for {PATIENCE:?}; {open} calls are open{database}")
        })?;
        let said = said.ok_or("all processes are gone")?;
        self.note(&said)?;
        Ok(said)
    }

    fn note(&mut self, said: &Said) -> Result<(), Failure> {
        let (part, line) = said;
        self.speaking -= usize::from(line.is_none());
        match (part, line) {
            (Part::Client(index, _), Some(Line::Linked(id))) => {
                self.linked.insert(*index, *part);
                let known = self.record.ids.entry(*index).or_insert_with(|| id.clone());
                if known != id {
                    return Err(format!("client {index} was {known}, and is {id} with the same log").into());
                }
            }
            (Part::Client(index, _), Some(Line::Found(number))) => self.record.found((*index, *number)),
            (Part::Client(index, _), Some(Line::Accepted { number, reference })) => {
                self.record.accepted((*index, *number), *reference);
            }
            (Part::Client(index, life), Some(Line::Answered { number, outcome })) => {
                self.record.answered((*index, *number), *life, outcome.clone());
                self.moved_on = Instant::now();
            }
            (part, Some(Line::Listening { address, .. })) if *part == self.server.part => {
                self.proxy.lead(Some(socket_address(address)?));
                self.arm();
            }
            (part, Some(Line::Stopped(why) | Line::Refused(why))) if self.is_current(*part) => {
                self.note_end(*part, &format!("stopped by itself: {why}"))?;
            }
            (part, None) if self.is_current(*part) && !self.may_end(*part) => {
                self.note_end(*part, "ended by itself")?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether it is the present life of the server or a client.
    fn is_current(&self, part: Part) -> bool {
        part == self.server.part || self.clients.iter().any(|client| client.part == part)
    }

    /// Those that were told to finish may.
    fn may_end(&self, part: Part) -> bool {
        let processes = std::iter::once(&self.server).chain(&self.clients);
        processes.into_iter().any(|process| process.part == part && process.is_told_to_finish())
    }

    fn note_end(&mut self, part: Part, how: &str) -> Result<(), Failure> {
        let noted = match &mut self.given_up {
            Some(given_up) => given_up,
            None if self.excused.contains(&part) => &mut self.late,
            None => return Err(format!("{part:?} {how}").into()),
        };
        if !noted.contains(&part) {
            noted.push(part);
            self.counts.ends_by_bad_disks += 1;
            if !self.plan.json {
                println!("  beside a bad disk {part:?} {how}");
            }
        }
        Ok(())
    }

    /// The server is there: the next fault may come.
    pub(crate) fn arm(&mut self) {
        if self.due.is_none() {
            self.due = self.faults.next().map(|(fault, after)| (fault, self.record.answered + after));
        }
    }

    /// The server is not there: the next fault has to wait.
    pub(crate) fn disarm(&mut self) {
        if let Some((fault, _)) = self.due.take() {
            self.faults.put_back(fault);
        }
    }

    /// A sign of life for people.
    fn tell(&mut self) {
        if !self.plan.json && self.told.elapsed() > Duration::from_secs(5) {
            self.told = Instant::now();
            let Counts { kills, power_losses, take_overs, .. } = self.counts;
            println!(
                "  {:>9} answered, {:>5} open, {kills} kills, {power_losses} power losses, {take_overs} take-overs, {} faults left",
                self.record.answered,
                self.record.open(),
                self.faults.left()
            );
        }
    }
}

fn start_server(
    plan: &Plan,
    data: &Path,
    store: &Store,
    life: u64,
    log: u64,
    inject: Option<&str>,
    said: mpsc::Sender<Said>,
) -> Result<Process, Failure> {
    let folder = data.to_str().ok_or("the folder's name is no text")?.to_owned();
    let arguments = vec![("--folder", folder), ("--address", store.address())];
    let log = server_log(data, log);
    Process::start(plan, Part::Server(life), Start { role: Role::Server, log: &log, arguments, inject }, said)
}

/// Where a log of the server is.
pub(crate) fn server_log(data: &Path, number: u64) -> PathBuf {
    data.join(format!("server-{number}"))
}

fn socket_address(address: &str) -> Result<SocketAddr, Failure> {
    Ok(address.trim_start_matches("tcp://").parse()?)
}

fn skip(why: &str) {
    eprintln!("SKIPPED: {why}");
}
