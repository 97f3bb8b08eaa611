//! A pair of which one end or both have a durable log: crashes, restarts, syncs.

use super::pair::*;
use super::toy_log::{Entry, ToyLog};
use crate::config::{Config, Durable};
use crate::ids::*;
use crate::record::{ClientRecord, Life, Mark, RecoveredClient, RecoveredState, ServerRecord};
use crate::server::{Registry, RegistryConfig};
use crate::session::*;

impl Pair {
    /// Which ends have a durable log.
    pub(super) fn durable(client: bool, server: bool) -> Self {
        Self::durable_with(Config::default(), client, server)
    }

    pub(super) fn durable_with(config: Config, client: bool, server: bool) -> Self {
        let mut pair = Self::unlinked(config, true, 1);
        if client {
            pair.client_log = Some(ToyLog::new());
            let (config, identity) = (pair.client_config(), Self::identity(Life(1)));
            pair.client = ClientSession::recover(pair.now, config, identity, 1, Default::default());
        }
        if server {
            pair.server_log = Some(ToyLog::new());
            pair.recover_server();
        }
        pair.connect();
        pair
    }

    fn durable_config(&self, is_durable: bool) -> Config {
        let durable = Durable { volatile: [VOLATILE].into() };
        Config { durable: is_durable.then_some(durable), ..self.config.clone() }
    }

    pub(super) fn client_config(&self) -> Config {
        self.durable_config(self.client_log.is_some())
    }

    pub(super) fn server_config(&self) -> Config {
        self.durable_config(self.server_log.is_some())
    }

    /// The client's process dies, and what it had not synced; the next one goes on from its log.
    pub(super) fn crash_client(&mut self) {
        let log = self.client_log.as_mut().expect("a client with a log");
        log.crash();
        let (recovered, answers) = log.recover();
        self.begin_client(self.client_log.as_ref().map_or(0, |log| log.life), recovered);
        self.recovered = answers;
    }

    pub(super) fn begin_client(&mut self, life: u64, recovered: RecoveredClient<u64>) {
        self.restarts += 1;
        let seed = 1_000 + u64::from(self.restarts);
        let identity = Self::identity(Life(life));
        self.client = ClientSession::recover(self.now, self.client_config(), identity, seed, recovered);
        self.answered.clear();
        self.cut();
    }

    /// The server goes on from its log.
    pub(super) fn recover_server(&mut self) {
        let log = self.server_log.as_ref().expect("a server with a log");
        let (life, id, recovered) = (log.life as u32, log.id, log.recover());
        let epoch = Epoch::of_log(life, id, life as u16 * 3);
        self.registry = Registry::recover(
            self.now,
            epoch,
            self.services.clone(),
            RegistryConfig::default(),
            [life as u8; 32],
            recovered.as_ref(),
        );
        self.begins.clear();
        let open = recovered.as_ref().map(|recovered| recovered.actions.clone()).unwrap_or_default();
        self.server = recovered
            .filter(|recovered| !recovered.expired)
            .map(|recovered| ServerSession::recover(self.now, self.server_config(), epoch, recovered));
        for action in open {
            if let RecoveredState::Open { begun, .. } = action.state {
                self.begins.push((begun, ActionHandle { number: action.number, slot: Slot(u32::MAX) }));
            }
        }
        self.begins.sort();
    }

    /// Everything that the client asked to be put on record is durable now.
    pub(super) fn sync_client(&mut self) {
        if let Some(log) = &mut self.client_log {
            let mark = log.sync();
            self.client.handle(self.now, Input::Persisted(mark));
        }
        self.drain();
    }

    pub(super) fn sync_server(&mut self) {
        if let (Some(log), Some(server)) = (&mut self.server_log, &mut self.server) {
            let mark = log.sync();
            server.handle(self.now, Input::Persisted(mark));
        }
        self.drain();
    }

    /// Neither log syncs by itself any more.
    pub(super) fn hold_syncs(&mut self, client: bool, server: bool) {
        if let Some(log) = &mut self.client_log {
            log.syncs = !client;
        }
        if let Some(log) = &mut self.server_log {
            log.syncs = !server;
        }
    }

    pub(super) fn persist_client(&mut self, mark: Mark, record: ClientRecord<u64>) {
        let log = self.client_log.as_mut().expect("only a client with a log puts something on record");
        if log.is_full && record.is_refusable() {
            log.refuse(mark);
            self.client.handle(self.now, Input::NoSpace(mark));
            return;
        }
        log.append(mark, record);
        if log.syncs {
            let mark = log.sync();
            self.client.handle(self.now, Input::Persisted(mark));
        }
    }

    pub(super) fn persist_server(&mut self, mark: Mark, record: ServerRecord<u64>) {
        let log = self.server_log.as_mut().expect("only a server with a log puts something on record");
        let server = self.server.as_mut().expect("it has just asked");
        if log.is_full && record.is_refusable() {
            log.refuse(mark);
            server.handle(self.now, Input::NoSpace(mark));
            return;
        }
        log.append(mark, Entry::Record(record));
        if log.syncs {
            let mark = log.sync();
            server.handle(self.now, Input::Persisted(mark));
        }
    }

    /// Puts it on record that actions begin, and says so: those that had not begun before at once, the others one at a time.
    pub(super) fn begin(&mut self, action: ActionHandle) {
        let (Some(log), Some(server)) = (&mut self.server_log, &mut self.server) else { return };
        let begun = self.begins.iter().find(|(_, known)| known.number == action.number).map_or(0, |(begun, _)| *begun);
        log.note(Entry::Record(ServerRecord::Begun { number: action.number }));
        log.sync();
        server.begun(self.now, action, begun + 1);
    }
}
