//! What is looked at on the disks: what would be found if the power failed now, and what was found.
//!
//! Knows: what was promised to whom. Does not know: how it came about.

use std::collections::BTreeSet;

use rpcgen_proto::ids::{CallNumber, SessionId};
use rpcgen_proto::record::{RecoveredSession, RecoveredState};
use rpcgen_store::{ClientStore, RecoveredClientLog, ServerStore};

use super::{SERVICE, World};
use crate::checkers::{Check, violated};
use crate::durable::book::Tag;
use crate::durable::server::RETENTION;
use crate::load::Load;

impl World {
    /// What is said to be accepted survives a power loss now.
    pub(super) fn check_accepted(&self, index: usize, number: CallNumber) -> Check {
        let recovered = match self.client_after_power_loss(index) {
            Ok(recovered) => recovered,
            Err(error) => return violated("recovery_is_prefix", error),
        };
        let is_there = recovered.client.calls.iter().any(|call| call.number == number)
            || recovered.answers.iter().any(|answer| answer.number == number);
        if is_there { Ok(()) } else { violated("guarantee_implies_logged", format!("{number} is not on record")) }
    }

    /// Who has an answer takes the call for accepted, and what else there is to it for on record.
    pub(super) fn check_answered(&mut self, index: usize, number: CallNumber) -> Check {
        let tag = self.clients[index].tag(number);
        let is_kept = self.clients[index].has_log && !self.book.call(tag).is_volatile;
        if is_kept && self.random.chance(0.1) { self.check_accepted(index, number) } else { Ok(()) }
    }

    /// What is guaranteed survives a power loss of the server now.
    pub(super) fn check_guaranteed(&mut self, tag: Tag) -> Check {
        let call = self.book.call(tag);
        if call.is_volatile || call.ended || self.book.server_restored {
            return Ok(());
        }
        let key = self.book.call(tag).key;
        if key.is_none_or(|key| !self.server.known.contains(&key)) {
            return violated("guarantee_implies_logged", format!("call {tag} never came to the server"));
        }
        // The rest costs a recovery.
        if !self.random.chance(0.25) {
            return Ok(());
        }
        let found = match self.server_after_power_loss() {
            Ok(found) => found,
            Err(error) => return violated("recovery_is_prefix", error),
        };
        let is_there = keys_of(&found).any(|found| Some(found) == key);
        if is_there { Ok(()) } else { violated("guarantee_implies_logged", format!("call {tag} is not on record")) }
    }

    /// An action ends the server. Of those that had a turn before it, none may look as if it had done so.
    pub(super) fn check_blame(&self, session: SessionId, number: CallNumber) -> Check {
        let Some(process) = &self.server.process else { return Ok(()) };
        if !process.had_turns.contains(&(session, number)) {
            return Ok(());
        }
        let found = match self.server_after_power_loss() {
            Ok(found) => found,
            Err(error) => return violated("recovery_is_prefix", error),
        };
        for session in &found {
            let blamed = session.actions.iter().find(|action| {
                let key = (session.session.session, action.number);
                process.had_turns.contains(&key) && action.number != number && !action.is_answered()
            });
            if let Some(action) = blamed {
                let message = format!("{number} ends the server, and {} had its turn and no answer", action.number);
                return violated("no_lost_answer", message);
            }
        }
        Ok(())
    }

    /// A process of a client has begun. `before`: the life of the one before.
    pub(super) fn check_recovered_client(
        &mut self,
        index: usize,
        before: u64,
        recovered: &RecoveredClientLog<Load>,
    ) -> Check {
        let client = &self.clients[index];
        let (identity, life) = (client.identity, client.storage.life);
        let has_rivals = client.has_rivals;
        if life <= before && !has_rivals {
            return violated("incarnation_monotonic", format!("client {index}: {life} after {before}"));
        }
        match self.client_after_power_loss(index) {
            Ok(again) if again.client == recovered.client && again.answers == recovered.answers => {}
            other => return violated("recovery_idempotent", format!("{other:?} is not {recovered:?}")),
        }
        let mut found: BTreeSet<_> = recovered.client.calls.iter().map(|call| call.payload.tag()).collect();
        found.extend(recovered.answers.iter().map(|answer| self.clients[index].tag(answer.number)));
        for (tag, call) in &mut self.book.calls {
            if call.client == identity && call.is_accepted && !call.claimed && !found.contains(tag) {
                if !has_rivals {
                    return violated("recovery_is_prefix", format!("call {tag} was accepted and is not on record"));
                }
                call.is_accepted = false;
            }
        }
        Ok(())
    }

    /// A process of the server has begun: whatever a client was told is there.
    pub(super) fn check_recovered_server(&mut self, before: u64, found: &[RecoveredSession<Load>]) -> Check {
        self.count("server_recoveries", found.len());
        if self.book.server_restored {
            return Ok(());
        }
        let life = self.server.storage.life;
        if life <= before {
            return violated("incarnation_monotonic", format!("server: {life} after {before}"));
        }
        match self.server_after_power_loss() {
            Ok(again) if again == found => {}
            other => return violated("recovery_idempotent", format!("{other:?} is not {found:?}")),
        }
        let keys: BTreeSet<_> = keys_of(found).collect();
        let gone = self.book.calls.iter().find(|(_, call)| {
            // What its client has forgotten because it was never accepted, nobody asks for any more.
            let is_promised = call.is_guaranteed && call.is_accepted && !call.ended && !call.is_volatile;
            is_promised && !self.book.has_rivals(call.client) && call.key.is_some_and(|key| !keys.contains(&key))
        });
        gone.map_or(Ok(()), |(tag, call)| {
            violated("truncate_below_peer", format!("call {tag} was guaranteed and is not on record: {call:?}"))
        })
    }

    /// A client was let in. No older state of it, and none that was not there when the server last promised something to it.
    pub(super) fn check_let_in(&mut self, index: usize, fresh: bool) -> Check {
        self.count(if fresh { "lanes_begun" } else { "lanes_resumed" }, index);
        let client = &self.clients[index];
        if !client.has_log || self.book.server_restored {
            return Ok(());
        }
        let (life, secret) = self.let_in.entry(client.id).or_default();
        if client.storage.life < *life {
            let message = format!("client {index}: life {} is let in after life {life}", client.storage.life);
            return violated("restore_detected", message);
        }
        *life = client.storage.life;
        if client.greeted_with < *secret {
            let message = format!("client {index} is let in with {:?} after {secret:?}", client.greeted_with);
            return violated("one_writer_per_session", message);
        }
        Ok(())
    }

    /// The server has promised something to a client that was new on its present lanes: so it has on record whose they are.
    pub(super) fn note_promise(&mut self, index: usize, tag: Tag) {
        let (client, call) = (&self.clients[index], self.book.call(tag));
        if client.has_log && !call.is_volatile && call.secret == client.secret {
            let (_, secret) = self.let_in.entry(client.id).or_default();
            *secret = (*secret).max(client.secret);
        }
    }

    fn client_after_power_loss(&self, index: usize) -> Result<RecoveredClientLog<Load>, String> {
        let (found, mut log) = self.clients[index].storage.found_after_power_loss()?;
        let (_, recovered) =
            ClientStore::recover::<Load>(found, &mut log, SERVICE).map_err(|error| error.to_string())?;
        Ok(recovered)
    }

    fn server_after_power_loss(&self) -> Result<Vec<RecoveredSession<Load>>, String> {
        let (found, mut log) = self.server.storage.found_after_power_loss()?;
        let (_, recovered) =
            ServerStore::recover::<Load>(found, &mut log, RETENTION).map_err(|error| error.to_string())?;
        Ok(recovered.sessions.into_iter().map(|(session, _)| session).chain(recovered.tombstones).collect())
    }
}

/// The calls that a server's log knows, open or answered.
fn keys_of(
    found: &[RecoveredSession<Load>],
) -> impl Iterator<Item = (rpcgen_proto::ids::ClientId, CallNumber)> + use<'_> {
    found.iter().flat_map(|session| {
        let is_known =
            |state: &RecoveredState<Load>| matches!(state, RecoveredState::Open { .. } | RecoveredState::Answered(_));
        let client = session.session.client;
        session.actions.iter().filter(move |action| is_known(&action.state)).map(move |action| (client, action.number))
    })
}
