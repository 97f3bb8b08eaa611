//! Which records may go, and how many at a time.
//!
//! Knows: what clients have retired. Does not know: whether the deletion is committed, until it is told.

use std::collections::BTreeMap;

use rpcgen_runtime::{CallKey, CallNumber, ClientId, Incarnation};

use crate::statements::Statements;

/// Rows that go with one group at most: a client that comes back after a long time does not hold up the others.
const ROWS_MAX: u64 = 512;

/// A client's life.
type Life = (ClientId, Incarnation);

#[derive(Debug, Default)]
pub(crate) struct Retired {
    below: BTreeMap<Life, CallNumber>,
    /// Has no more rows, if the transaction is committed.
    finished: Option<(Life, CallNumber)>,
}

impl Retired {
    pub(crate) fn is_empty(&self) -> bool {
        self.below.is_empty()
    }

    pub(crate) fn add(&mut self, key: CallKey) {
        let below = self.below.entry((key.client, key.incarnation)).or_default();
        *below = (*below).max(key.number);
    }

    /// Notes how far one client has all answers, and deletes some rows of it.
    pub(crate) fn delete_some(&mut self, statements: &mut Statements<'_>) -> rusqlite::Result<()> {
        self.finished = None;
        let Some((&life, &below)) = self.below.first_key_value() else { return Ok(()) };
        let key = CallKey { client: life.0, incarnation: life.1, number: below };
        statements.retire(key)?;
        if statements.delete_below(key, ROWS_MAX)? < ROWS_MAX {
            self.finished = Some((life, below));
        }
        Ok(())
    }

    /// The deletion is durable.
    pub(crate) fn committed(&mut self) {
        if let Some((life, below)) = self.finished.take()
            && self.below.get(&life) == Some(&below)
        {
            self.below.remove(&life);
        }
    }
}
