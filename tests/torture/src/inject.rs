//! How each fault is done.
//!
//! Knows: the processes, the disk, the database. Does not know: which fault is next, what holds in spite of it.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::faults::Fault;
use crate::harness::{ENDS_WITHIN, Run, server_log};
use crate::lines::Line;
use crate::processes::{Part, Process};

/// A stopped server that holds the database's lock is let go, and stopped again, so often.
const STOPS_MAX: u32 = 200;
/// How long a server that was taken over has to find out.
const FINDS_OUT_WITHIN: Duration = Duration::from_secs(5);
/// How long the disk is full.
const FULL_FOR: Duration = Duration::from_millis(500);
/// How long it is waited for an error of the disk to be noticed: a process that made no such call is not hurt.
const ERROR_WITHIN: Duration = Duration::from_secs(3);
/// The call that fails is one of the first so many of its thread.
const FAILING_CALL_MAX: u64 = 150;
/// What fails, and how.
const ERRORS: [&str; 3] = ["fdatasync,fsync:error=EIO", "pwrite64:error=EIO", "pwrite64,fdatasync,fsync:error=ENOSPC"];

impl Run {
    pub(crate) async fn inject(&mut self, fault: Fault) -> Result<(), Failure> {
        match fault {
            Fault::KillServer => {
                self.counts.kills += 1;
                self.counts.kills_of_server += 1;
                self.server.kill()?;
                self.restart_server(None).await
            }
            Fault::KillClient => {
                self.counts.kills += 1;
                self.counts.kills_of_client += 1;
                let index = self.pick_client();
                self.clients[index].kill()?;
                self.restart_client(index, None).await?;
                self.arm();
                Ok(())
            }
            Fault::KillAll => {
                self.counts.kills += 1;
                self.counts.kills_of_all += 1;
                self.kill_all()?;
                self.store.kill();
                self.store.start_again();
                self.restart_all().await
            }
            Fault::CutLinks => {
                self.counts.cuts += 1;
                self.proxy.cut();
                self.arm();
                Ok(())
            }
            Fault::TakeOver => self.take_over().await,
            Fault::TakeOverTwice => self.take_over_twice().await,
            Fault::StopClient => self.stop_client().await,
            Fault::CopyLog => self.copy_log().await,
            Fault::RestoreServer => self.restore_server().await,
            Fault::FillDisk => self.fill_disk().await,
            Fault::DiskError => self.disk_error().await,
            Fault::PowerLoss => self.power_loss().await,
        }
    }

    fn pick_client(&mut self) -> usize {
        self.faults.pick(self.clients.len() as u64) as usize
    }

    fn kill_all(&mut self) -> Result<(), Failure> {
        self.server.kill()?;
        self.clients.iter_mut().try_for_each(Process::kill)
    }

    async fn restart_all(&mut self) -> Result<(), Failure> {
        self.restart_server(None).await?;
        for index in 0..self.clients.len() {
            self.restart_client(index, None).await?;
        }
        Ok(())
    }

    /// The server's process is gone, or about to be: its next life.
    async fn restart_server(&mut self, inject: Option<&str>) -> Result<(), Failure> {
        self.proxy.lead(None);
        // What was due with the last life is due with the next, when it is there.
        self.disarm();
        self.server.ended(ENDS_WITHIN).await?;
        self.server = self.next_server(inject)?;
        Ok(())
    }

    /// The same of a client.
    async fn restart_client(&mut self, index: usize, inject: Option<&str>) -> Result<(), Failure> {
        self.clients[index].ended(ENDS_WITHIN).await?;
        let Part::Client(number, life) = self.clients[index].part else { return Ok(()) };
        self.counts.client_lives += 1;
        self.clients[index] = self.start_client(number, life + 1, inject)?;
        Ok(())
    }

    /// A process that is to be refused the log of another one; it has to be said in one of these ways.
    async fn refused(&mut self, mut intruder: Process, words: &[&str]) -> Result<(), Failure> {
        loop {
            match self.hear(&format!("{:?} to be refused", intruder.part)).await? {
                (part, Some(Line::Refused(why)))
                    if part == intruder.part && words.iter().any(|it| why.contains(it)) =>
                {
                    break;
                }
                (part, line) if part == intruder.part => {
                    return Err(format!("not refused with {words:?}, but: {line:?}").into());
                }
                _ => {}
            }
        }
        self.counts.intruders_refused += 1;
        intruder.ended(ENDS_WITHIN).await?;
        Ok(())
    }

    /// Waits until this process, one of the server or a client, goes on.
    async fn there(&mut self, whose: Part) -> Result<(), Failure> {
        loop {
            if let (part, Some(Line::Listening { .. } | Line::Linked(_))) = self.hear(&format!("{whose:?}")).await?
                && part == whose
            {
                return Ok(());
            }
        }
    }

    /// The server is stopped where it stands, as by a pause of its machine; its log is its own; another one with a log of its own takes
    /// over the database; the first goes on. Whatever it was about to commit, it must not (trap T9).
    async fn take_over(&mut self) -> Result<(), Failure> {
        self.stop_outside_of_a_transaction()?;
        if self.server.has_ended()? {
            // By itself, which is heard next; whether it had a reason is judged there.
            self.arm();
            return Ok(());
        }
        self.counts.take_overs += 1;
        let intruder = self.next_server(None)?;
        self.refused(intruder, &["in use"]).await?;
        let old_log = server_log(&self.data, self.server_log);
        self.server_log += 1;
        let next = self.next_server(None)?;
        let mut first = std::mem::replace(&mut self.server, next);
        self.there(self.server.part).await?;
        first.go_on()?;
        // The links were led elsewhere: what the first one still has to do are the transfers that it was stopped in.
        let found_out = first.ended(FINDS_OUT_WITHIN).await;
        self.counts.fenced += u64::from(found_out.is_ok());
        if found_out.is_err() {
            first.kill()?;
            first.ended(ENDS_WITHIN).await?;
        }
        std::fs::remove_dir_all(old_log)?;
        Ok(())
    }

    /// The numbers of lives of two logs are not to be compared: what a client knows of the second log says nothing of the third.
    async fn take_over_twice(&mut self) -> Result<(), Failure> {
        self.take_over().await?;
        let index = self.pick_client();
        self.clients[index].kill()?;
        self.restart_client(index, None).await?;
        self.there(self.clients[index].part).await?;
        self.clients[index].stop()?;
        if self.clients[index].has_ended()? {
            self.arm();
            return Ok(());
        }
        self.take_over().await?;
        self.server.kill()?;
        self.restart_server(None).await?;
        self.there(self.server.part).await?;
        self.clients[index].go_on()
    }

    /// SQLite's locks belong to a process: while that is stopped within a transaction or a checkpoint, nobody can take over.
    fn stop_outside_of_a_transaction(&mut self) -> Result<(), Failure> {
        for _ in 0..STOPS_MAX {
            self.server.stop()?;
            if self.store.is_free(&self.data)? {
                return Ok(());
            }
            self.server.go_on()?;
            std::thread::yield_now();
        }
        Err(format!("the server was within a transaction each of {STOPS_MAX} times that it was stopped").into())
    }

    /// A client is stopped; its log is still its own.
    async fn stop_client(&mut self) -> Result<(), Failure> {
        let index = self.pick_client();
        // One that has just begun may not have its log yet.
        self.there_at_all(index).await?;
        self.counts.stops += 1;
        self.clients[index].stop()?;
        if self.clients[index].has_ended()? {
            self.arm();
            return Ok(());
        }
        let log = self.client_log(index as u32);
        let intruder = self.start_intruder(self.counts.intruders_refused, &log)?;
        self.refused(intruder, &["in use"]).await?;
        self.clients[index].go_on()?;
        self.arm();
        Ok(())
    }

    /// Waits for the client's link, if it was not heard of.
    async fn there_at_all(&mut self, index: usize) -> Result<(), Failure> {
        let part = self.clients[index].part;
        if self.linked.get(&(index as u32)) == Some(&part) { Ok(()) } else { self.there(part).await }
    }

    /// A client's log is copied while it is not running; the original goes on first, and the copy is refused.
    async fn copy_log(&mut self) -> Result<(), Failure> {
        let index = self.pick_client();
        self.there_at_all(index).await?;
        self.counts.copies += 1;
        self.clients[index].kill()?;
        self.clients[index].ended(ENDS_WITHIN).await?;
        let (log, copy) = (self.client_log(index as u32), self.data.join("copy"));
        copy_files(&log, &copy)?;
        self.restart_client(index, None).await?;
        self.there(self.clients[index].part).await?;
        let intruder = self.start_intruder(self.counts.intruders_refused, &copy)?;
        // Before a frame of the original has come on its new lanes, the copy is taken for an older link.
        self.refused(intruder, &["copied or restored", "a newer link of this client is here"]).await?;
        std::fs::remove_dir_all(copy)?;
        self.arm();
        Ok(())
    }

    /// The server's log is copied while it is not running, and put back when the server had another life since: the database is newer, and
    /// the server is refused. With the right log it goes on.
    async fn restore_server(&mut self) -> Result<(), Failure> {
        let log = server_log(&self.data, self.server_log);
        let (older, right) = (self.data.join("older"), self.data.join("right"));
        self.server.kill()?;
        self.server.ended(ENDS_WITHIN).await?;
        copy_files(&log, &older)?;
        self.restart_server(None).await?;
        self.there(self.server.part).await?;
        self.counts.restores += 1;
        self.server.kill()?;
        self.server.ended(ENDS_WITHIN).await?;
        self.proxy.lead(None);
        rename(&log, &right)?;
        rename(&older, &log)?;
        let intruder = self.next_server(None)?;
        self.refused(intruder, &["restored from a backup older than the database"]).await?;
        rename(&right, &log)?;
        // So that a loss of power does not put it back once more.
        std::fs::File::open(&self.data)?.sync_all()?;
        self.restart_server(None).await
    }

    /// The disk is full for a while. Nobody may end of it, but the database may.
    async fn fill_disk(&mut self) -> Result<(), Failure> {
        let Some(disk) = &self.disk else { return Ok(()) };
        disk.fill();
        self.counts.full_disks += 1;
        self.hear_for(FULL_FOR, |_| false).await?;
        if let Some(disk) = &self.disk {
            disk.free()?;
        }
        self.excused = self.clients.iter().map(|client| client.part).chain([self.server.part]).collect();
        // A database may have given up as well.
        self.store.start_again();
        self.revive().await
    }

    /// A process begins under strace, which lets one of its calls to the disk fail.
    async fn disk_error(&mut self) -> Result<(), Failure> {
        self.counts.disk_errors += 1;
        let error = ERRORS[self.faults.pick(ERRORS.len() as u64) as usize];
        let inject = format!("{error}:when={}", 1 + self.faults.pick(FAILING_CALL_MAX));
        let part = if self.faults.pick(2) == 0 {
            self.server.kill()?;
            self.restart_server(Some(&inject)).await?;
            self.server.part
        } else {
            let index = self.pick_client();
            self.clients[index].kill()?;
            self.restart_client(index, Some(&inject)).await?;
            self.clients[index].part
        };
        let noticed = self.hear_for(ERROR_WITHIN, |given_up| given_up.contains(&part)).await?;
        self.counts.disk_errors_noticed += u64::from(noticed);
        // Without strace from now on.
        if part == self.server.part {
            self.server.kill()?;
        } else if let Some(client) = self.clients.iter_mut().find(|client| client.part == part) {
            client.kill()?;
        }
        self.given_up.get_or_insert_default().push(part);
        self.revive().await
    }

    /// Hears what is said until it is enough, for so long at most. Whoever ends meanwhile has a reason. Whether it was enough.
    async fn hear_for(&mut self, time: Duration, enough: impl Fn(&[Part]) -> bool) -> Result<bool, Failure> {
        self.given_up.get_or_insert_default();
        let end = Instant::now() + time;
        loop {
            if enough(self.given_up.as_deref().unwrap_or_default()) {
                return Ok(true);
            }
            let left = end.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, self.hear("a word beside a bad disk")).await {
                Ok(heard) => drop(heard?),
                Err(_) => return Ok(false),
            }
        }
    }

    /// The disk is good again: whoever gave up has a next life.
    pub(crate) async fn revive(&mut self) -> Result<(), Failure> {
        let given_up = self.given_up.take().unwrap_or_default();
        if given_up.contains(&self.server.part) {
            self.restart_server(None).await?;
        } else {
            self.arm();
        }
        for index in 0..self.clients.len() {
            if given_up.contains(&self.clients[index].part) {
                self.restart_client(index, None).await?;
            }
        }
        Ok(())
    }

    /// The disk loses power, and all processes with it.
    async fn power_loss(&mut self) -> Result<(), Failure> {
        // A sync that is under way while ext4 is shut down may return as if it had succeeded (docs/evidence/torture.md): so the power
        // goes when none is.
        self.server.stop()?;
        self.clients.iter_mut().try_for_each(Process::stop)?;
        self.store.stop()?;
        let Some(disk) = &self.disk else { return Ok(()) };
        disk.power_off()?;
        self.counts.power_losses += 1;
        self.kill_all()?;
        self.store.kill();
        self.proxy.lead(None);
        self.server.ended(ENDS_WITHIN).await?;
        for client in &mut self.clients {
            client.ended(ENDS_WITHIN).await?;
        }
        if let Some(disk) = &self.disk {
            disk.power_on()?;
        }
        self.store.start_again();
        self.restart_all().await
    }
}

/// In the place of what is there.
fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::rename(from, to)
}

fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    // An earlier copy may be back after a loss of power.
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::create_dir_all(to)?;
    for file in std::fs::read_dir(from)? {
        let file = file?;
        std::fs::copy(file.path(), to.join(file.file_name()))?;
    }
    Ok(())
}
