//! The bank in PostgreSQL.

use rpcgen_postgres::tokio_postgres::{self, Client, NoTls};
use rpcgen_postgres::{Effect, Postgres};
use rpcgen_runtime::Call;

use super::{Books, Row, Transfer};
use crate::Failure;
use crate::ledger::TransferError;
use crate::plan::{ACCOUNTS, FIRST_BALANCE};

/// The bank's tables. Nothing in the journal is unique: what is there twice shows.
const TABLES: &str = "
    create table if not exists accounts (id bigint primary key, balance bigint not null);
    create table if not exists journal (
        client bytea not null, number bigint not null, reference bigint not null, is_moved boolean not null, says bigint not null
    )";

/// The bank in PostgreSQL.
#[derive(Clone)]
pub(crate) struct Bank {
    pub(crate) db: Postgres,
}

async fn connect(address: &str) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(address, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

impl Bank {
    pub(crate) async fn open(address: &str) -> Result<Self, Failure> {
        // First: what an earlier owner has not committed yet, it never will.
        let db = Postgres::open(address).await?;
        let client = connect(address).await?;
        client.batch_execute(TABLES).await?;
        let accounts = "insert into accounts select id, $2::bigint from generate_series(0, $1::bigint) as id on conflict do nothing";
        client.execute(accounts, &[&(ACCOUNTS.cast_signed() - 1), &FIRST_BALANCE.cast_signed()]).await?;
        Ok(Self { db })
    }

    /// Moves the money if it is there, and writes down in any case what is answered.
    pub(crate) async fn transfer(&self, call: &Call, transfer: Transfer) -> Result<u64, TransferError> {
        let (from, to) = (transfer.from.cast_signed(), transfer.to.cast_signed());
        let (amount, reference) = (transfer.amount.cast_signed(), transfer.reference.cast_signed());
        self.db
            .once(call, async move |tx| {
                // Both accounts, in one order for everybody: nobody waits for one who waits for him.
                let select = "select id, balance from accounts where id in ($1, $2) order by id for update";
                let rows = tx.query(select, &[&from, &to]).await?;
                let has = rows.iter().find(|row| row.get::<_, i64>(0) == from).map_or(0, |row| row.get::<_, i64>(1));
                let decision = transfer.decide(has.cast_unsigned());
                if decision.is_moved {
                    let add = "update accounts set balance = balance + $2 where id = $1";
                    tx.execute(add, &[&from, &-amount]).await?;
                    tx.execute(add, &[&to, &amount]).await?;
                }
                let (client, number) = (transfer.client().to_vec(), transfer.key.number.0.cast_signed());
                let says = decision.says.cast_signed();
                let insert = "insert into journal values ($1, $2, $3, $4, $5)";
                tx.execute(insert, &[&client, &number, &reference, &decision.is_moved, &says]).await?;
                Ok(Effect::Keep(decision.answer()))
            })
            .await
    }
}

/// What is in the database.
pub(crate) async fn read(address: &str) -> Result<Books, Failure> {
    let client = connect(address).await?;
    let select = "select encode(client, 'hex'), number, reference, is_moved, says from journal";
    let rows = client.query(select, &[]).await?;
    let journal = rows.iter().map(|row| Row {
        client: row.get(0),
        number: row.get::<_, i64>(1).cast_unsigned(),
        reference: row.get::<_, i64>(2).cast_unsigned(),
        is_moved: row.get(3),
        says: row.get::<_, i64>(4).cast_unsigned(),
    });
    let sum = client.query_one("select sum(balance)::bigint from accounts", &[]).await?;
    Ok(Books { journal: journal.collect(), sum: sum.get(0) })
}
