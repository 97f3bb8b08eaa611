//! Whether the promise held: the bank's books against the timelines, and both against what people were promised.
//!
//! Knows: the two databases, as they are on the disk. Does not know: how they came to be so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::{Connection, OpenFlags};
use serde::Serialize;

use super::people::{Person, Tally};
use crate::Failure;
use crate::settings::Serve;

/// What came of a soak. Everything but the counts of what was done ought to be 0.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Browser sessions.
    pub sessions: u32,
    /// How long it took in all.
    pub seconds: f64,
    /// Times that the bank was killed.
    pub kills_of_bank: u64,
    /// Times that a front node was killed.
    pub kills_of_fronts: u64,
    /// Wishes that a node said it has accepted.
    pub accepted: usize,
    /// Wishes that were answered by no node, or turned away: nothing was promised of them.
    pub not_accepted: u64,
    /// Coins on the network.
    pub coins: usize,
    /// Payments.
    pub payments: usize,
    /// Entries of all timelines.
    pub documents: usize,
    /// Entries that open tabs were shown as they came.
    pub shown: u64,
    /// Times that a tab's stream began again.
    pub reconnects: u64,
    /// Whether all was answered and shown when it had become calm.
    pub settled: bool,
    /// How long that took.
    pub settled_after_s: f64,
    /// Accepted wishes without an answer in a timeline.
    pub unanswered: usize,
    /// Accepted wishes that nobody knows the end of.
    pub unknown: usize,
    /// Coins that are on no timeline as seen, or as confirmed, or on another user's.
    pub coins_missing: usize,
    /// Coins that the bank has and nobody's wish, or a wish's and not the bank's: done twice, or lost.
    pub coins_unasked: usize,
    /// Payments that one of the two timelines does not tell of, or tells of without there being one.
    pub payments_wrong: usize,
    /// Entries that came to a tab twice, or out of order.
    pub out_of_order: u64,
    /// What all users own together.
    pub sum_of_accounts: i64,
    /// What all bookings add up to.
    pub sum_of_bookings: i64,
    /// What all confirmed coins add up to.
    pub sum_of_coins: i64,
    /// The promise held.
    pub good: bool,
}

impl Report {
    /// As one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether the promise held.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let wrong = self.unanswered + self.unknown + self.coins_missing + self.coins_unasked + self.payments_wrong;
        let sums = [self.sum_of_accounts, self.sum_of_bookings];
        self.settled
            && self.accepted > 0
            && wrong == 0
            && self.out_of_order == 0
            && sums.iter().all(|sum| *sum == self.sum_of_coins)
    }
}

fn open(serve: &Serve) -> rusqlite::Result<(Connection, Connection)> {
    let read = |path| Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    Ok((read(serve.data.join("bank/bank.sqlite"))?, read(serve.data.join("shared.sqlite"))?))
}

fn number(database: &Connection, question: &str) -> rusqlite::Result<i64> {
    database.query_row(question, [], |row| row.get(0))
}

/// Whether nothing is on its way any more: no wish, no coin, no news; and every open tab was shown the youngest entry of its person.
pub(super) fn is_settled(serve: &Serve, persons: &[Arc<Person>]) -> Result<bool, Failure> {
    let (bank, store) = open(serve)?;
    let open_wishes = number(&store, "SELECT count(*) FROM waiting")?;
    let coins = number(&bank, "SELECT count(*) FROM coins WHERE stage < 2")?;
    let news = number(&bank, "SELECT count(*) FROM outbox")?;
    // Each coin is told of twice, and each payment to who received it.
    let told = number(&store, "SELECT count(*) FROM documents WHERE kind IN ('seen', 'confirmed', 'received')")?;
    let to_tell = 2 * number(&bank, "SELECT count(*) FROM coins")?
        + number(&bank, "SELECT count(*) FROM bookings WHERE why LIKE 'paid by %'")?;
    let youngest = youngest(&store)?;
    let is_shown = persons.iter().all(|person| {
        let youngest = youngest.get(&person.name).copied().unwrap_or_default();
        person.last_seen.iter().all(|last| last.load(Ordering::Relaxed) >= youngest)
    });
    Ok(open_wishes + coins + news == 0 && told >= to_tell && is_shown)
}

fn youngest(store: &Connection) -> rusqlite::Result<BTreeMap<String, i64>> {
    let mut look = store.prepare("SELECT user, max(seq) FROM documents GROUP BY user")?;
    look.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// A set of pairs of texts.
fn pairs(database: &Connection, question: &str) -> rusqlite::Result<BTreeSet<(String, String)>> {
    let mut look = database.prepare(question)?;
    look.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// How often each text is there.
fn counts(database: &Connection, question: &str) -> rusqlite::Result<BTreeMap<String, i64>> {
    let mut look = database.prepare(question)?;
    look.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn differences<T: Ord>(one: &BTreeSet<T>, other: &BTreeSet<T>) -> usize {
    one.symmetric_difference(other).count()
}

pub(super) fn judge(serve: &Serve, tally: &Tally) -> Result<Report, Failure> {
    let (bank, store) = open(serve)?;
    let accepted = tally.accepted();
    let answers = pairs(&store, "SELECT substr(key, 8), kind FROM documents WHERE key LIKE 'answer/%'")?;
    let answered: BTreeSet<&String> = answers.iter().map(|(ticket, _)| ticket).collect();
    let unknown = answers.iter().filter(|(ticket, kind)| kind == "unknown" && accepted.contains(ticket)).count();

    let coins = pairs(&bank, "SELECT coin, user FROM coins")?;
    let told = |kind| {
        format!("SELECT substr(key, 6, instr(substr(key, 6), '/') - 1), user FROM documents WHERE kind = '{kind}'")
    };
    let coins_missing =
        differences(&coins, &pairs(&store, &told("seen"))?) + differences(&coins, &pairs(&store, &told("confirmed"))?);
    let asked_for = pairs(&store, "SELECT about, user FROM documents WHERE kind = 'sent'")?;
    let ids = |set: &BTreeSet<(String, String)>| set.iter().map(|(coin, _)| coin.clone()).collect::<BTreeSet<_>>();

    // Each payment is one booking of each of the two.
    let paid = counts(&bank, "SELECT user, count(*) FROM bookings WHERE why LIKE 'paid to %' GROUP BY user")?;
    let paid_told = counts(&store, "SELECT user, count(*) FROM documents WHERE kind = 'paid' GROUP BY user")?;
    let received = counts(&bank, "SELECT user, count(*) FROM bookings WHERE why LIKE 'paid by %' GROUP BY user")?;
    let received_told = counts(&store, "SELECT user, count(*) FROM documents WHERE kind = 'received' GROUP BY user")?;
    let wrong = |books: &BTreeMap<String, i64>, told: &BTreeMap<String, i64>| -> usize {
        let users: BTreeSet<&String> = books.keys().chain(told.keys()).collect();
        users.into_iter().filter(|user| books.get(*user) != told.get(*user)).count()
    };
    Ok(Report {
        accepted: accepted.len(),
        not_accepted: tally.not_accepted.load(Ordering::Relaxed),
        coins: coins.len(),
        payments: usize::try_from(paid.values().sum::<i64>())?,
        documents: usize::try_from(number(&store, "SELECT count(*) FROM documents")?)?,
        shown: tally.shown.load(Ordering::Relaxed),
        reconnects: tally.reconnects.load(Ordering::Relaxed),
        unanswered: accepted.iter().filter(|ticket| !answered.contains(ticket)).count(),
        unknown,
        coins_missing,
        coins_unasked: differences(&ids(&coins), &ids(&asked_for)),
        payments_wrong: wrong(&paid, &paid_told) + wrong(&received, &received_told),
        out_of_order: tally.out_of_order.load(Ordering::Relaxed),
        sum_of_accounts: number(&bank, "SELECT coalesce(sum(amount), 0) FROM accounts")?,
        sum_of_bookings: number(&bank, "SELECT coalesce(sum(amount), 0) FROM bookings")?,
        sum_of_coins: number(&bank, "SELECT coalesce(sum(amount), 0) FROM coins WHERE stage = 2")?,
        ..Report::default()
    })
}
