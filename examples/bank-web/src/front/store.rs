//! The store that front nodes share: timelines, what waits, sign-ins. SQLite, in one file that all of them open.
//!
//! Knows: documents and their keys. Does not know: the bank, sessions, HTTP.

use std::path::Path;

use rpcgen_runtime::AppId;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::documents::{Document, Kind, Summary, Waiting};
use crate::clock::now_ms;
use crate::database::Database;
use crate::stubs::bank::Account;

pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS documents (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    app INTEGER NOT NULL,
    user TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    about TEXT NOT NULL,
    amount INTEGER,
    balance INTEGER,
    at_ms INTEGER NOT NULL,
    node TEXT NOT NULL,
    purged_by INTEGER
);
CREATE INDEX IF NOT EXISTS documents_of_user ON documents (app, user, seq) WHERE purged_by IS NULL;
CREATE TABLE IF NOT EXISTS balances (
    app INTEGER NOT NULL, user TEXT NOT NULL, amount INTEGER NOT NULL, booking INTEGER NOT NULL,
    PRIMARY KEY (app, user)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (
    app INTEGER NOT NULL, user TEXT NOT NULL, password_hash TEXT NOT NULL,
    PRIMARY KEY (app, user)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sign_ins (
    token TEXT PRIMARY KEY, app INTEGER NOT NULL, user TEXT NOT NULL,
    waits_for TEXT NOT NULL, state TEXT NOT NULL, at_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS waiting (
    ticket TEXT PRIMARY KEY, node TEXT NOT NULL, app INTEGER NOT NULL, user TEXT NOT NULL,
    what TEXT NOT NULL, step TEXT NOT NULL, since_ms INTEGER NOT NULL, login TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS waiting_of_user ON waiting (app, user);
CREATE TABLE IF NOT EXISTS contradictions (
    key TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, at_ms INTEGER NOT NULL, node TEXT NOT NULL
);";

/// Sign-ins are forgotten after so long.
const SIGN_INS_FOR_MS: i64 = 30 * 24 * 3_600 * 1_000;

/// The shared store.
#[derive(Clone, Debug)]
pub(super) struct Store {
    database: Database,
}

/// A browser that has said who it is.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// Of which app.
    pub app: AppId,
    /// Who.
    pub user: String,
    /// The account is there, and the password was right. If not: the bank has not said yet.
    pub is_confirmed: bool,
    /// The name belonged to somebody else.
    pub is_refused: bool,
    /// What an unconfirmed sign-in's own wish is known by.
    pub waits_for: String,
}

impl Store {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        Ok(Self { database: Database::open(path, SCHEMA)? })
    }

    /// Writes an entry, unless it is there. The end of what waits under `ticket`, in the same transaction.
    pub(super) async fn write(&self, document: Document, ends: Option<Ended>) -> rusqlite::Result<()> {
        self.database
            .transaction(move |store| {
                insert(store, &document)?;
                if let Some(ended) = ends {
                    store.prepare_cached("DELETE FROM waiting WHERE ticket = ?")?.execute([&ended.ticket])?;
                    settle_sign_in(store, &document, &ended)?;
                }
                Ok(())
            })
            .await
    }

    /// Keeps what waits, or how far it has come since.
    pub(super) async fn keep_waiting(&self, app: AppId, user: String, waiting: Waiting) -> rusqlite::Result<()> {
        self.database
            .transaction(move |store| {
                let Waiting { ticket, what, step, since_ms, node, login } = waiting;
                store
                    .prepare_cached(
                        "INSERT INTO waiting (ticket, node, app, user, what, step, since_ms, login)
                         VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                         ON CONFLICT (ticket) DO UPDATE SET step = excluded.step",
                    )?
                    .execute(params![ticket, node, app.0, user, what, step, since_ms, login])?;
                Ok(())
            })
            .await
    }

    /// What waits for a user, the oldest first.
    pub(super) async fn waiting(&self, app: AppId, user: String) -> rusqlite::Result<Vec<Waiting>> {
        self.database
            .read(move |store| {
                let mut look = store.prepare_cached(
                    "SELECT ticket, what, step, since_ms, node, login FROM waiting WHERE app = ? AND user = ?
                     ORDER BY since_ms, ticket",
                )?;
                let rows = look.query_map(params![app.0, user], |row| {
                    Ok(Waiting {
                        ticket: row.get(0)?,
                        what: row.get(1)?,
                        step: row.get(2)?,
                        since_ms: row.get(3)?,
                        node: row.get(4)?,
                        login: row.get(5)?,
                    })
                })?;
                rows.collect()
            })
            .await
    }

    /// What the store says that waits at a node: after its restart, who waits and is not in its log any more is told.
    pub(super) async fn waiting_at(&self, node: String) -> rusqlite::Result<Vec<(String, AppId, String, String)>> {
        self.database
            .read(move |store| {
                let mut look = store.prepare_cached("SELECT ticket, app, user, what FROM waiting WHERE node = ?")?;
                let rows =
                    look.query_map([node], |row| Ok((row.get(0)?, AppId(row.get(1)?), row.get(2)?, row.get(3)?)))?;
                rows.collect()
            })
            .await
    }

    /// The entries of a user's timeline after `seq`, the oldest first, `count` of the youngest at most.
    pub(super) async fn timeline(
        &self,
        app: AppId,
        user: String,
        seq: i64,
        count: u32,
    ) -> rusqlite::Result<Vec<Document>> {
        self.database
            .read(move |store| {
                let mut look = store.prepare_cached(
                    "SELECT seq, key, app, user, kind, text, about, amount, balance, at_ms, node FROM documents
                     WHERE app = ? AND user = ? AND seq > ? AND purged_by IS NULL ORDER BY seq DESC LIMIT ?",
                )?;
                let rows = look.query_map(params![app.0, user, seq, count], read_document)?;
                let mut documents: Vec<Document> = rows.collect::<rusqlite::Result<_>>()?;
                documents.reverse();
                Ok(documents)
            })
            .await
    }

    pub(super) async fn summary(&self, app: AppId, user: String) -> rusqlite::Result<Summary> {
        self.database.read(move |store| summary(store, app, &user)).await
    }

    /// The hash that a user's password is checked against.
    pub(super) async fn password_hash(&self, app: AppId, user: String) -> rusqlite::Result<Option<String>> {
        self.database
            .read(move |store| {
                let mut look = store.prepare_cached("SELECT password_hash FROM accounts WHERE app = ? AND user = ?")?;
                look.query_row(params![app.0, user], |row| row.get(0)).optional()
            })
            .await
    }

    pub(super) async fn keep_sign_in(&self, token: String, sign_in: SignIn) -> rusqlite::Result<()> {
        self.database
            .transaction(move |store| {
                store.execute("DELETE FROM sign_ins WHERE at_ms < ?", [now_ms() - SIGN_INS_FOR_MS])?;
                let state = if sign_in.is_confirmed { "confirmed" } else { "waits" };
                store
                    .prepare_cached(
                        "INSERT INTO sign_ins (token, app, user, waits_for, state, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
                    )?
                    .execute(params![token, sign_in.app.0, sign_in.user, sign_in.waits_for, state, now_ms()])?;
                Ok(())
            })
            .await
    }

    pub(super) async fn sign_in(&self, token: String) -> rusqlite::Result<Option<SignIn>> {
        self.database
            .read(move |store| {
                let mut look =
                    store.prepare_cached("SELECT app, user, waits_for, state FROM sign_ins WHERE token = ?")?;
                look.query_row([token], |row| {
                    let state: String = row.get(3)?;
                    Ok(SignIn {
                        app: AppId(row.get(0)?),
                        user: row.get(1)?,
                        waits_for: row.get(2)?,
                        is_confirmed: state == "confirmed",
                        is_refused: state == "refused",
                    })
                })
                .optional()
            })
            .await
    }

    pub(super) async fn sign_out(&self, token: String) -> rusqlite::Result<()> {
        let forget = move |store: &Connection| store.execute("DELETE FROM sign_ins WHERE token = ?", [token]).map(drop);
        self.database.transaction(forget).await
    }

    /// Empties a user's timeline. Keys stay, so that what is told again later does not come back; a tombstone says who and when, and stays.
    /// Returns the tombstone's key.
    pub(super) async fn purge(&self, app: AppId, user: String, node: String) -> rusqlite::Result<String> {
        self.database
            .transaction(move |store| {
                let mut count = store.prepare_cached(
                    "SELECT count(*) FROM documents
                     WHERE app = ? AND user = ? AND purged_by IS NULL AND kind <> 'tombstone'",
                )?;
                let count: i64 = count.query_row(params![app.0, user], |row| row.get(0))?;
                let key = format!("purge/{}", crate::clock::random_name());
                let text = format!("{user} purged {count} {} with the account's password", entries(count));
                let mut tombstone = Document::new(key.clone(), app, user.clone(), Kind::Tombstone, text).about(&user);
                tombstone.node = node;
                insert(store, &tombstone)?;
                let seq = store.last_insert_rowid();
                store
                    .prepare_cached(
                        "UPDATE documents SET purged_by = ?, text = '', about = '', amount = NULL, balance = NULL
                         WHERE app = ? AND user = ? AND purged_by IS NULL AND kind <> 'tombstone'",
                    )?
                    .execute(params![seq, app.0, user])?;
                Ok(key)
            })
            .await
    }
}

fn entries(count: i64) -> &'static str {
    if count == 1 { "entry" } else { "entries" }
}

/// What ends with an entry.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) ticket: String,
    /// What a sign-in that waited for it is known by; empty: none did.
    pub(super) login: String,
    /// The account that was opened.
    pub(super) account: Option<Account>,
}

fn insert(store: &Connection, document: &Document) -> rusqlite::Result<()> {
    let mut write = store.prepare_cached(
        "INSERT OR IGNORE INTO documents (key, app, user, kind, text, about, amount, balance, at_ms, node)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    let Document { key, app, user, kind, text, about, amount, balance, at_ms, node, .. } = document;
    if write.execute(params![key, app.0, user, kind.word(), text, about, amount, balance, at_ms, node])? == 0 {
        note_contradiction(store, document)?;
    }
    if let (Some(balance), Some(booking)) = (balance, document.booking) {
        let mut note = store.prepare_cached(
            "INSERT INTO balances (app, user, amount, booking) VALUES (?, ?, ?, ?)
             ON CONFLICT (app, user) DO UPDATE SET amount = excluded.amount, booking = excluded.booking
             WHERE excluded.booking > booking",
        )?;
        note.execute(params![app.0, user, balance, booking])?;
    }
    Ok(())
}

/// An entry that is there already tells the same. One that does not would be a wish with two ends: that is for whoever looks.
fn note_contradiction(store: &Connection, document: &Document) -> rusqlite::Result<()> {
    let Document { key, user, kind, text, about, amount, balance, at_ms, node, .. } = document;
    let mut note = store.prepare_cached(
        "INSERT INTO contradictions SELECT key, ?2, ?3, ?4, ?5 FROM documents WHERE key = ?1 AND purged_by IS NULL
         AND (user, kind, text, about, amount, balance) IS NOT (?6, ?2, ?3, ?7, ?8, ?9)",
    )?;
    if note.execute(params![key, kind.word(), text, at_ms, node, user, about, amount, balance])? > 0 {
        eprintln!("{node}: {key} is told a second time, and otherwise");
    }
    Ok(())
}

/// The bank has said whether an account is this browser's.
fn settle_sign_in(store: &Connection, document: &Document, ended: &Ended) -> rusqlite::Result<()> {
    if ended.login.is_empty() {
        return Ok(());
    }
    if let Some(account) = &ended.account {
        store
            .prepare_cached("INSERT OR IGNORE INTO accounts (app, user, password_hash) VALUES (?, ?, ?)")?
            .execute(params![document.app.0, account.user, account.password_hash])?;
    }
    let state = if ended.account.is_some() { "confirmed" } else { "refused" };
    store.prepare_cached("UPDATE sign_ins SET state = ? WHERE app = ? AND waits_for = ?")?.execute(params![
        state,
        document.app.0,
        ended.login
    ])?;
    Ok(())
}

fn read_document(row: &Row<'_>) -> rusqlite::Result<Document> {
    let kind: String = row.get(4)?;
    Ok(Document {
        seq: row.get(0)?,
        key: row.get(1)?,
        app: AppId(row.get(2)?),
        user: row.get(3)?,
        kind: Kind::of_word(&kind),
        text: row.get(5)?,
        about: row.get(6)?,
        amount: row.get(7)?,
        balance: row.get(8)?,
        booking: None,
        at_ms: row.get(9)?,
        node: row.get(10)?,
    })
}

fn summary(store: &Connection, app: AppId, user: &str) -> rusqlite::Result<Summary> {
    let mut balance = store.prepare_cached("SELECT amount FROM balances WHERE app = ? AND user = ?")?;
    let balance = balance.query_row(params![app.0, user], |row| row.get(0)).optional()?.unwrap_or(0);
    let mut on_their_way = store.prepare_cached(
        "SELECT coalesce(sum(amount), 0) FROM documents AS seen
         WHERE app = ? AND user = ? AND kind = 'seen' AND purged_by IS NULL AND NOT EXISTS
               (SELECT 1 FROM documents WHERE key = replace(seen.key, '/seen', '/confirmed'))",
    )?;
    let on_their_way = on_their_way.query_row(params![app.0, user], |row| row.get(0))?;
    let mut key = store.prepare_cached(
        "SELECT about FROM documents WHERE app = ? AND user = ? AND kind = 'key' AND purged_by IS NULL
         ORDER BY seq DESC LIMIT 1",
    )?;
    let key = key.query_row(params![app.0, user], |row| row.get(0)).optional()?;
    Ok(Summary { balance, on_their_way, key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_that_is_told_twice_alike_is_one_and_otherwise_a_contradiction() {
        let store = Connection::open_in_memory().unwrap();
        store.execute_batch(SCHEMA).unwrap();
        let count = |what: &str| -> i64 {
            store.query_row(&format!("SELECT count(*) FROM {what}"), [], |row| row.get(0)).unwrap()
        };
        let told = |kind, text: &str| {
            let document = Document::new("answer/1".to_owned(), AppId(7), "ann".to_owned(), kind, text);
            insert(&store, &document.about("bob").amount(5)).unwrap();
        };
        told(Kind::Paid, "Paid to bob");
        // Another node may have told it first, at another time.
        told(Kind::Paid, "Paid to bob");
        assert_eq!((count("documents"), count("contradictions")), (1, 0));
        told(Kind::Cancelled, "Pay 5 to bob: cancelled before it began");
        assert_eq!((count("documents"), count("contradictions")), (1, 1));
        // What was purged is not known any more.
        store.execute("UPDATE documents SET purged_by = 1, text = ''", []).unwrap();
        told(Kind::Paid, "Paid to bob");
        assert_eq!((count("documents"), count("contradictions")), (1, 1));
    }
}
