//! What a client finds in its log on disk, and how it goes on from there.
//!
//! Knows: calls, answers and broadcasts of earlier runs. Does not know: how the session sends them again.

use std::sync::Arc;

use rpcgen_log::Sequence;
use rpcgen_proto::config::Config;
use rpcgen_proto::ids::ClientId;
use rpcgen_proto::record::{LIVES_MAX, Life, RecordedBroadcast};
use rpcgen_proto::session::{CallHandle, ClientIdentity, ClientSession};
use rpcgen_proto::time::Instant;
use rpcgen_store::{ClientStore, RecoveredClientLog};

use super::cell::CallCell;
use super::records::Records;
use crate::carried::Carried;
use crate::durable::{DiskLog, OpenLogError, Opening};
use crate::random;

/// A log that is open, and what was found in it.
pub(super) struct Found {
    log: Arc<DiskLog>,
    store: ClientStore,
    recovered: RecoveredClientLog<Carried>,
    pub(super) life: Life,
    pub(super) payload_bytes_max: u32,
}

/// What is left for the client's task and its application to do.
#[derive(Default)]
pub(super) struct Left {
    /// `None`: the client has no log on disk.
    pub(super) records: Option<Records>,
    /// Without an answer.
    pub(super) open: Vec<(CallHandle, Arc<CallCell>)>,
    /// With an answer that nobody has claimed.
    unclaimed: Vec<Arc<CallCell>>,
    /// Their handlers are to run.
    pub(super) broadcasts: Vec<(Sequence, RecordedBroadcast<Carried>)>,
}

impl Found {
    /// Opens the log of a client of this service.
    pub(super) async fn open(
        opening: Opening,
        frame_bytes_max: u32,
        service: &'static str,
    ) -> Result<Self, OpenLogError> {
        let directory = opening.directory.display().to_string();
        let books = move |found, log: &mut _| ClientStore::recover::<Carried>(found, log, service);
        let opened = opening.open(frame_bytes_max, books).await?;
        let life = Life(opened.log.incarnation().0);
        let failed = |why: String| OpenLogError::Failed { directory: directory.clone(), why };
        if life.0 >= LIVES_MAX {
            return Err(failed(
                "it was opened too often; let its calls be answered, and begin a new directory".to_owned(),
            ));
        }
        let log = DiskLog::start(opened.log).map_err(|error| failed(error.to_string()))?;
        let (store, recovered) = opened.books;
        tracing::info!(
            directory,
            life = life.0,
            open_calls = recovered.client.calls.len(),
            unclaimed_answers = recovered.answers.len(),
            broadcasts = recovered.broadcasts.len(),
            "a durable log is open"
        );
        Ok(Self { log, store, recovered, life, payload_bytes_max: opened.payload_bytes_max })
    }

    pub(super) fn log(&self) -> Arc<DiskLog> {
        Arc::clone(&self.log)
    }

    /// The log is the client's identity.
    pub(super) fn client(&self) -> ClientId {
        ClientId(u128::from_le_bytes(self.log.id().0))
    }

    /// The session that goes on, and what else there is to do.
    pub(super) fn session(
        self,
        now: Instant,
        config: Config,
        identity: ClientIdentity,
    ) -> (ClientSession<Carried>, Left) {
        let RecoveredClientLog { client, answers, broadcasts } = self.recovered;
        let asked: Vec<_> = client.calls.iter().map(|call| (call.method, call.payload.clone())).collect();
        let session = ClientSession::recover(now, config, identity, random::u64(), client);
        // Both are in order of the calls' numbers.
        let open = session.open_handles().into_iter().zip(asked);
        let open =
            open.map(|(handle, (method, request))| (handle, Arc::new(CallCell::open(method, request, handle, now))));
        let unclaimed = answers.into_iter().map(|it| Arc::new(CallCell::unclaimed(it)));
        let left = Left {
            records: Some(Records::new(self.log, self.store)),
            open: open.collect(),
            unclaimed: unclaimed.collect(),
            broadcasts,
        };
        (session, left)
    }
}

impl Left {
    /// All calls, in order of their numbers.
    pub(super) fn cells(&self) -> Vec<Arc<CallCell>> {
        let mut cells: Vec<_> = self.open.iter().map(|(_, cell)| cell).chain(&self.unclaimed).map(Arc::clone).collect();
        cells.sort_by_key(|cell| cell.number());
        cells
    }
}
