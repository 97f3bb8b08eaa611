//! Logs and databases of different moments: what is done to them, and what a server may make of it.
//!
//! Knows: when the two were last used together. Does not know: marks, by which a server finds out.

use std::time::Duration;

use rpcgen_proto::server::OtherMoment;

use super::World;
use crate::checkers::{Check, violated};
use crate::durable::book::Tag;
use crate::durable::storage::{Death, Moments};

impl World {
    /// Of the log and of the database.
    pub(super) fn moments(&self) -> Option<(Moments, u64)> {
        let database = self.server.database.as_ref()?;
        Some((self.server.storage.moments.clone(), database.moment()))
    }

    /// What goes wrong with a database, and what is done to it now and then.
    pub(super) fn trouble_with_database(&mut self) {
        let Some(database) = &mut self.server.database else { return };
        let (marks, keeps, restores) =
            (database.random.chance(0.2), database.random.chance(0.3), database.random.chance(0.15));
        if marks {
            self.server.mark_again(self.now);
        }
        let Some(database) = &mut self.server.database else { return };
        if self.options.other_logs && database.random.chance(0.2) {
            return self.take_over_with_another_log();
        }
        if restores && self.options.restored_databases {
            self.restore_database();
        } else if keeps {
            database.take_snapshot();
        }
    }

    /// A server with a log of its own takes over: what the other log knew is forgotten, and what the database knows is not.
    fn take_over_with_another_log(&mut self) {
        self.kill_server(Death::Process);
        let Some(database) = &mut self.server.database else { return };
        let lives = database.random.below(4);
        self.server.storage.replace(lives, database.moments());
        self.book.server_restored = true;
        self.say(|| format!("a server with another log, of {lives} lives, takes over"));
        self.count("other_logs", 0);
    }

    /// An older state of the database is put back, and the server started.
    fn restore_database(&mut self) {
        self.kill_server(Death::Process);
        if self.server.database.as_mut().is_some_and(|database| database.restore()) {
            self.say(|| "the database is restored".to_owned());
            self.count("restored_databases", 0);
        }
    }

    /// A server has begun. Whoever was not told of it begins with the log and the database that were used together last.
    pub(super) fn check_moment(&self, moments: Option<&(Moments, u64)>, is_accepted: bool) -> Check {
        match moments {
            Some((log, database)) if !log.possible.contains(database) && !is_accepted => {
                violated("restore_detected", format!("begun with a log of {log:?} and a database of moment {database}"))
            }
            _ => Ok(()),
        }
    }

    /// And it is not refused the right ones.
    pub(super) fn check_refused(&self, moments: Option<&(Moments, u64)>) -> Check {
        match moments {
            Some((log, database)) if log.last == *database => {
                violated("restore_detected", format!("log and database are of moment {database}, and refused"))
            }
            _ => Ok(()),
        }
    }

    /// Whoever started the server is told, and finds what was in use last; or does not, and goes on without.
    pub(super) fn on_refused(&mut self, other: OtherMoment) {
        self.say(|| format!("the server is refused: {other:?}"));
        self.count("restored_refused", 0);
        self.server.storage.die(Death::Process, 0);
        let Some(database) = &mut self.server.database else { return };
        if database.random.chance(0.5) {
            database.put_right();
            self.server.storage.put_right();
        } else {
            self.accepted = Some(other.number());
        }
        self.server.begins_at = self.now + Duration::from_millis(1);
    }

    /// What has begun is what counts from now on: what was since then is gone.
    pub(super) fn note_older_states(&mut self) {
        if self.server.storage.is_older() {
            (self.book.may_not_know, self.book.server_restored) = (true, true);
            self.server.storage.keep();
        }
        if let Some(database) = &mut self.server.database
            && database.is_older()
        {
            self.book.database_restored = true;
            database.keep();
            self.count("older_databases_begun_with", 0);
        }
    }

    /// A call has had its effect.
    pub(super) fn check_effect(&self, tag: Tag) -> Check {
        let effects = self.server.database.as_ref().map_or(0, |database| database.effects(tag));
        if effects > 1 {
            return violated(
                "at_most_one_execution_per_call_key",
                format!("call {tag} has its effect {effects} times"),
            );
        }
        Ok(())
    }

    /// Everything is healed: what was answered is in the database, and what is said not to have run is not.
    pub(super) fn check_effects(&self) -> Check {
        let Some(database) = self.server.database.as_ref().filter(|_| !self.book.database_restored) else {
            return Ok(());
        };
        match self.book.calls.iter().find(|(tag, call)| call.is_answered && database.has_lost(**tag)) {
            Some((tag, call)) => {
                violated("answer_implies_completion", format!("call {tag} was answered and has no effect: {call:?}"))
            }
            None => Ok(()),
        }
    }
}
