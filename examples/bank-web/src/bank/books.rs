//! What the bank knows, in SQLite.
//!
//! Knows: accounts, keys, coins, bookings, and what is to be broadcast of them. Does not know: calls, networks.

use std::path::Path;
use std::sync::Arc;

use rpcgen_runtime::{AppId, Call};
use rpcgen_sqlite::{Effect, RunError, Sqlite, Transaction};
use rusqlite::{OptionalExtension, Row, params};
use tokio::sync::Notify;

use crate::Failure;
use crate::stubs::bank::Balance;

pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS accounts (
    app INTEGER NOT NULL,
    user TEXT NOT NULL,
    id BLOB NOT NULL,
    password_hash TEXT NOT NULL,
    amount INTEGER NOT NULL DEFAULT 0 CHECK (amount >= 0),
    booking INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (app, user)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bookings (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    app INTEGER NOT NULL,
    user TEXT NOT NULL,
    amount INTEGER NOT NULL,
    why TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS keys (
    key TEXT PRIMARY KEY,
    app INTEGER NOT NULL,
    user TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS coins (
    coin TEXT PRIMARY KEY,
    app INTEGER NOT NULL,
    key TEXT NOT NULL,
    user TEXT NOT NULL,
    amount INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    confirmed_after_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS coins_due ON coins (due_ms) WHERE stage < 2;
CREATE TABLE IF NOT EXISTS outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    app INTEGER NOT NULL,
    user TEXT NOT NULL,
    key TEXT NOT NULL,
    coin TEXT NOT NULL,
    amount INTEGER NOT NULL,
    balance INTEGER NOT NULL,
    booking INTEGER NOT NULL
);";

/// The books. Clones are the same books.
#[derive(Clone, Debug)]
pub(super) struct Books {
    database: Sqlite,
    /// Wakes the coin network: there is something for it to do.
    pub(super) news: Arc<Notify>,
}

impl Books {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        let database = Sqlite::open_with(path, |books| books.execute_batch(SCHEMA))?;
        Ok(Self { database, news: Arc::default() })
    }

    /// Where completion records are.
    pub(super) fn completions(&self) -> Sqlite {
        self.database.clone()
    }

    /// Runs the effect of a call once, whatever happens: its answer is recorded in the same transaction.
    pub(super) async fn once<R: Send + 'static>(
        &self,
        call: &Call,
        mut effect: impl FnMut(&Transaction<'_>) -> rusqlite::Result<R> + Send + 'static,
    ) -> R {
        let answer = self.database.once(call, move |books| effect(books).map(Effect::Keep)).await;
        self.news.notify_one();
        answer
    }

    /// Does, or looks up, what no call asked for.
    pub(super) async fn run<R: Send + 'static>(
        &self,
        work: impl FnMut(&Transaction<'_>) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, RunError> {
        self.database.run(work).await
    }
}

fn read_balance(row: &Row<'_>) -> rusqlite::Result<Balance> {
    Ok(Balance { amount: row.get(0)?, booking: row.get(1)? })
}

/// What a user owns; `None`: there is no such user.
pub(super) fn balance(books: &Transaction<'_>, app: AppId, user: &str) -> rusqlite::Result<Option<Balance>> {
    let mut look = books.prepare("SELECT amount, booking FROM accounts WHERE app = ? AND user = ?")?;
    look.query_row(params![app.0, user], read_balance).optional()
}

/// Books an amount. The user has an account, and enough.
pub(super) fn book(
    books: &Transaction<'_>,
    app: AppId,
    user: &str,
    amount: i64,
    why: &str,
) -> rusqlite::Result<Balance> {
    let mut note =
        books.prepare("INSERT INTO bookings (app, user, amount, why) VALUES (?, ?, ?, ?) RETURNING number")?;
    let booking: i64 = note.query_row(params![app.0, user, amount, why], |row| row.get(0))?;
    let mut change = books.prepare(
        "UPDATE accounts SET amount = amount + ?, booking = ? WHERE app = ? AND user = ? RETURNING amount, booking",
    )?;
    change.query_row(params![amount, booking, app.0, user], read_balance)
}

/// What is to be broadcast. It is written with what it tells of, so that neither is there without the other.
#[derive(Clone, Debug)]
pub(super) struct News {
    pub(super) kind: NewsKind,
    pub(super) app: AppId,
    pub(super) user: String,
    /// The key that a coin came to.
    pub(super) key: String,
    /// Which coin; of a payment, who paid.
    pub(super) coin: String,
    pub(super) amount: u64,
    pub(super) balance: Balance,
}

/// What it tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NewsKind {
    Seen,
    Confirmed,
    Paid,
}

impl NewsKind {
    const ALL: [(Self, &'static str); 3] = [(Self::Seen, "seen"), (Self::Confirmed, "confirmed"), (Self::Paid, "paid")];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }
}

pub(super) fn announce(books: &Transaction<'_>, news: &News) -> rusqlite::Result<()> {
    let mut keep = books.prepare(
        "INSERT INTO outbox (kind, app, user, key, coin, amount, balance, booking) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let News { kind, app, user, key, coin, amount, balance } = news;
    keep.execute(params![kind.word(), app.0, user, key, coin, amount, balance.amount, balance.booking])?;
    Ok(())
}

/// The oldest news, with their numbers.
pub(super) fn oldest_news(books: &Transaction<'_>) -> rusqlite::Result<Vec<(i64, News)>> {
    let mut look = books.prepare(
        "SELECT number, kind, app, user, key, coin, amount, balance, booking FROM outbox ORDER BY number LIMIT 64",
    )?;
    let rows = look.query_map([], |row| {
        let word: String = row.get(1)?;
        let kind = NewsKind::ALL.iter().find(|(_, known)| *known == word).map_or(NewsKind::Seen, |(kind, _)| *kind);
        let news = News {
            kind,
            app: AppId(row.get(2)?),
            user: row.get(3)?,
            key: row.get(4)?,
            coin: row.get(5)?,
            amount: row.get(6)?,
            balance: Balance { amount: row.get(7)?, booking: row.get(8)? },
        };
        Ok((row.get(0)?, news))
    })?;
    rows.collect()
}
