//! What the applications ask for, and what goes wrong.
//!
//! Knows: the options of the run. Does not know: what comes of it.

use std::time::Duration;

use super::{METHOD, VOLATILE, World};
use crate::durable::storage::Death;
use crate::load::{Load, LoadKind};

impl World {
    pub(super) fn work(&mut self) {
        self.calls_at = self.now + self.up_to(self.options.pause_max);
        let index = self.random.below(u32::try_from(self.clients.len()).unwrap_or(1)) as usize;
        if self.clients[index].process.is_none() {
            return;
        }
        self.tags += 1;
        let tag = self.tags;
        if self.options.broadcasts && self.random.chance(0.2) {
            self.server.broadcast(self.now, Load::new(LoadKind::Broadcast, tag, 16));
            return;
        }
        let is_volatile = self.options.volatile && self.random.chance(0.3);
        let is_poison = self.options.poison && !is_volatile && self.random.chance(0.03);
        let load = Load::new(LoadKind::Request, tag, 16);
        let client = &mut self.clients[index];
        let sent = client.send(self.now, if is_volatile { VOLATILE } else { METHOD }, load);
        let call = self.book.call(tag);
        (call.client, call.is_volatile, call.is_poison) = (client.identity, is_volatile, is_poison);
        call.key = sent.map(|sent| (client.id, sent.number));
        call.secret = client.secret;
        // With a log that is to be said.
        call.is_accepted = sent.is_some() && !client.has_log;
        if self.options.cancels
            && self.random.chance(0.2)
            && let Some(process) = &mut self.clients[index].process
        {
            let at = self.random.below(u32::try_from(process.recent.len().max(1)).unwrap_or(1)) as usize;
            if let Some(call) = process.recent.get(at).copied()
                && process.session.cancel(self.now, call)
            {
                let tag = self.clients[index].tag(call.number);
                self.book.call(tag).cancel_asked = true;
            }
        }
        self.leave_now_and_then(index);
    }

    /// A client leaves now and then, and gives what is open some time, or none.
    fn leave_now_and_then(&mut self, index: usize) {
        if !self.options.goodbyes || !self.goodbyes.chance(0.08) {
            return;
        }
        let limit = Duration::from_millis([0, 0, 30, 3_000][self.goodbyes.below(4) as usize]);
        let client = &mut self.clients[index];
        let (identity, has_log) = (client.identity, client.has_log);
        let Some(process) = client.process.as_mut().filter(|process| !process.is_stopped) else { return };
        process.session.disconnect(self.now, limit);
        self.say(|| format!("client {index} leaves within {limit:?}"));
        self.count("goodbyes", index);
        self.book.note_leaving(identity, has_log);
    }

    /// Now and then the next trouble comes at a moment like this one, where something is on its way to a disk.
    pub(super) fn hasten_trouble(&mut self, probability: f64) {
        if self.troubles_left > 0 && self.random.chance(probability) {
            let soon = self.now + self.up_to(self.options.commit_max.min(Duration::from_millis(50)));
            self.troubles_at = self.troubles_at.min(soon);
        }
    }

    pub(super) fn trouble(&mut self) {
        self.troubles_left -= 1;
        self.troubles_at = self.now + self.up_to(Duration::from_millis(400));
        let index = self.random.below(u32::try_from(self.clients.len()).unwrap_or(1)) as usize;
        let (is_server, dice) = (self.random.chance(0.5), self.random.next_u64());
        let death = if dice & 64 == 0 { Death::Process } else { Death::InCommit };
        match dice % 9 {
            0 | 1 if self.options.crashes => self.kill(is_server, index, death, dice),
            2 | 3 if self.options.power_losses => self.kill(is_server, index, Death::Power, dice),
            4 if self.options.io_errors => {
                self.count("io_errors", index);
                self.storage(is_server, index).fail_soon(dice);
            }
            5 if self.options.full_disks => {
                self.count("full_disks", index);
                self.storage(is_server, index).set_full(true);
                self.full_until = Some(self.now + self.up_to(Duration::from_secs(2)));
                // The next life takes what was prepared, and is asked again what the last one had not on record.
                if self.options.tight_log && is_server {
                    self.kill_server(Death::Process);
                }
            }
            6 if self.options.restored_clients && !is_server => self.restore_client(index),
            6 if self.options.restored_servers && is_server => self.restore_server(),
            7 if self.options.copies => self.copy_client(index),
            8 if self.options.cuts => {
                self.count("take_overs", index);
                self.cut_unnoticed(index);
            }
            _ if self.options.cuts => {
                self.count("cuts", index);
                self.cut(index);
            }
            _ => {}
        }
        if dice & 128 == 0 {
            self.storage(is_server, index).take_snapshot();
        }
        self.trouble_with_database();
    }

    fn storage(&mut self, is_server: bool, index: usize) -> &mut crate::durable::storage::Storage {
        if is_server { &mut self.server.storage } else { &mut self.clients[index].storage }
    }

    /// One end, now and then both.
    fn kill(&mut self, is_server: bool, index: usize, death: Death, dice: u64) {
        let both = dice & 0x300 == 0;
        if both {
            self.count("both_die", index);
        }
        if is_server || both {
            self.kill_server(death);
        }
        if !is_server || both {
            self.kill_client(index, death);
        }
    }

    fn restore_client(&mut self, index: usize) {
        if !self.clients[index].has_log {
            return;
        }
        self.kill_client(index, Death::Process);
        let client = &mut self.clients[index];
        if client.storage.restore() {
            client.has_rivals = true;
            self.book.client_restored(client.identity);
            self.book.excuse_broadcasts(std::mem::take(&mut client.unrun));
            self.say(|| format!("client {index} is restored"));
            self.count("restored_clients", index);
        }
    }

    fn restore_server(&mut self) {
        self.kill_server(Death::Process);
        if self.server.storage.restore() {
            self.say(|| "the server is restored".to_owned());
            self.count("restored_servers", 0);
            // Beside a database it is not said yet that it begins.
            if self.server.database.is_none() {
                self.note_older_states();
            }
        }
    }

    /// Somebody copies a client's directory and starts a client on the copy.
    fn copy_client(&mut self, index: usize) {
        if !self.clients[index].has_log || self.clients.len() > 4 || self.clients[index].storage.life == 0 {
            return;
        }
        let (copy, pause) = (self.abandoned.len(), self.up_to(Duration::from_secs(1)));
        let mut client = self.clients[index].copied(copy);
        client.begins_at = self.now + pause;
        self.abandoned.push(false);
        self.book.client_copied(self.clients[index].identity, copy);
        self.say(|| format!("client {index} is copied"));
        self.count("copies", index);
        self.clients.push(client);
    }
}
