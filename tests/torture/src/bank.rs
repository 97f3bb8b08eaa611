//! What the bank does with its database.
//!
//! Knows: accounts, the journal with a row for each transfer that was answered. Does not know: faults, the other database.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use rpcgen_runtime::CallKey;

use crate::ledger::TransferError;

/// What a transfer asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    pub(crate) key: CallKey,
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) amount: u64,
    pub(crate) reference: u64,
}

/// What becomes of a transfer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decision {
    pub(crate) is_moved: bool,
    /// What the payer has afterwards: the answer.
    pub(crate) says: u64,
}

impl Transfer {
    /// The money is moved if it is there.
    pub(crate) fn decide(self, has: u64) -> Decision {
        has.checked_sub(self.amount)
            .map_or(Decision { is_moved: false, says: has }, |left| Decision { is_moved: true, says: left })
    }

    /// The client, as it stands in the journal.
    pub(crate) const fn client(self) -> [u8; 16] {
        self.key.client.0.to_be_bytes()
    }
}

impl Decision {
    /// The same as the handler's answer.
    pub(crate) const fn answer(self) -> Result<u64, TransferError> {
        if self.is_moved { Ok(self.says) } else { Err(TransferError::TooLittle { has: self.says }) }
    }
}

/// A row of the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The client's ID, in hexadecimal.
    pub(crate) client: String,
    pub(crate) number: u64,
    pub(crate) reference: u64,
    pub(crate) is_moved: bool,
    pub(crate) says: u64,
}

/// What is in the database at the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    pub(crate) journal: Vec<Row>,
    /// Of all accounts.
    pub(crate) sum: i64,
}
