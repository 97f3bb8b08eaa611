//! The ledger: its tables, and what its handlers do.

use std::path::Path;
use std::sync::Arc;

use rpcgen_runtime::{AppId, Call, Server};
use rpcgen_sqlite::{Effect, OpenError, Sqlite};
use tokio::sync::Semaphore;

use crate::ledger::{self, BalanceError, TransferError};

const TABLES: &str = "
    create table if not exists accounts (id integer primary key, balance integer not null check (balance >= 0)) strict;
    create table if not exists journal (reference integer not null, moved integer not null) strict;
    insert or ignore into accounts values (1, 100), (2, 0);";

/// The business.
#[derive(Clone)]
pub(crate) struct Ledger {
    db: Sqlite,
    /// Where the demonstration holds handlers: before the effect, and after it.
    pub(crate) before: Arc<Semaphore>,
    pub(crate) after: Arc<Semaphore>,
}

impl Ledger {
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let db = Sqlite::open_with(path, |db| db.execute_batch(TABLES))?;
        Ok(Self { db, before: Arc::new(Semaphore::new(0)), after: Arc::new(Semaphore::new(0)) })
    }

    pub(crate) async fn listen(&self, address: &str) -> Result<Server, rpcgen_runtime::ListenError> {
        Server::builder().completions(self.db.clone()).serve(ledger::server(self.clone())).listen(address).await
    }
}

impl ledger::Ledger for Ledger {
    async fn transfer(
        &self,
        call: &Call,
        _app_id: AppId,
        from: u64,
        to: u64,
        amount: u64,
        reference: u64,
    ) -> Result<u64, TransferError> {
        println!(
            "  transfer {reference} is run{}",
            if call.redelivered() { " again: nothing of it was there" } else { "" }
        );
        let _ = self.before.acquire().await;
        let answer = self
            .db
            .once(call, move |tx| {
                let balance = "select balance from accounts where id = ?1";
                let Some(has): Option<u64> = tx.query_opt(balance, [from], |row| row.get(0))? else {
                    return Ok(Effect::Undo(Err(TransferError::NoSuchAccount)));
                };
                let Some(left) = has.checked_sub(amount) else {
                    return Ok(Effect::Undo(Err(TransferError::TooLittle { has })));
                };
                tx.execute("update accounts set balance = ?2 where id = ?1", (from, left))?;
                tx.execute("update accounts set balance = balance + ?2 where id = ?1", (to, amount))?;
                tx.execute("insert into journal values (?1, ?2)", (reference, amount))?;
                Ok(Effect::Keep(Ok(left)))
            })
            .await;
        println!("  transfer {reference} is committed, with its answer");
        let _ = self.after.acquire().await;
        answer
    }

    async fn balance(&self, call: &Call, _app_id: AppId, account: u64) -> Result<u64, BalanceError> {
        self.db
            .once(call, move |tx| {
                let balance: Option<u64> =
                    tx.query_opt("select balance from accounts where id = ?1", [account], |row| row.get(0))?;
                Ok(Effect::Keep(balance.ok_or(BalanceError::NoSuchAccount)))
            })
            .await
    }
}
