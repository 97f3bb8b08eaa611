//! Whether the promise held: the bank's books against the timelines, and both against what people were promised.
//!
//! Knows: the two databases, as they are on the disk. Does not know: how they came to be so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rusqlite::{Connection, OpenFlags};

use super::people::{Accepted, Entry, Person, Seen, Tally};
use super::report::{Report, Wrong};
use crate::Failure;
use crate::settings::Serve;

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
        person.tabs.iter().all(|tab| tab.youngest() >= youngest)
    });
    Ok(open_wishes + coins + news == 0 && told >= to_tell && is_shown)
}

fn youngest(store: &Connection) -> rusqlite::Result<BTreeMap<String, i64>> {
    let mut look = store.prepare("SELECT user, max(seq) FROM documents GROUP BY user")?;
    look.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// Each entry, and how often it is there.
fn entries(database: &Connection, question: &str) -> rusqlite::Result<BTreeMap<Entry, i64>> {
    let mut look = database.prepare(question)?;
    let mut counts = BTreeMap::new();
    let rows = look.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for entry in rows {
        *counts.entry(entry?).or_default() += 1;
    }
    Ok(counts)
}

/// What is there more often in one than in the other, as often as it is.
fn beyond<'a>(one: &'a BTreeMap<Entry, i64>, other: &BTreeMap<Entry, i64>) -> Vec<&'a Entry> {
    let times = |entry| usize::try_from(one.get(entry).unwrap_or(&0) - other.get(entry).unwrap_or(&0)).unwrap_or(0);
    one.keys().flat_map(|entry| std::iter::repeat_n(entry, times(entry))).collect()
}

/// How many are missing in one of the two, or there more often than in the other.
fn differences(one: &BTreeMap<Entry, i64>, other: &BTreeMap<Entry, i64>) -> usize {
    beyond(one, other).len() + beyond(other, one).len()
}

// What the bank's books say, and the same as the timelines tell it.
const KEYS: &str = "SELECT key, user, NULL FROM keys";
const KEYS_TOLD: &str = "SELECT about, user, NULL FROM documents WHERE kind = 'key'";
const COINS: &str = "SELECT coin, user, amount FROM coins";
const COINS_SEEN: &str = "SELECT replace(replace(key, 'coin/', ''), '/seen', ''), user, amount FROM documents
                          WHERE kind = 'seen'";
const COINS_CONFIRMED: &str = "SELECT replace(replace(key, 'coin/', ''), '/confirmed', ''), user, amount FROM documents
                               WHERE kind = 'confirmed'";
/// Who sends coins here sends them to a key of their own. The answer does not say how many.
const COINS_SENT: &str = "SELECT about, user, NULL FROM documents WHERE kind = 'sent'";
const COINS_TO_SEND: &str = "SELECT coin, user, NULL FROM coins";
const RECEIVED: &str =
    "SELECT 'payment/' || app || '/' || number, user, amount FROM bookings WHERE why LIKE 'paid by %'";
const RECEIVED_TOLD: &str = "SELECT key, user, amount FROM documents WHERE kind = 'received'";
/// An answer does not say its booking; whom was paid and what was left then do.
const PAID: &str = "SELECT why || ', ' || owned || ' left', user, -amount FROM
                    (SELECT why, user, amount, sum(amount) OVER (PARTITION BY user ORDER BY number) AS owned FROM bookings)
                    WHERE why LIKE 'paid to %'";
const PAID_TOLD: &str =
    "SELECT lower(text) || ', ' || balance || ' left', user, amount FROM documents WHERE kind = 'paid'";
/// Who never had anything is not spoken of.
const OWNED: &str = "SELECT '', user, amount FROM accounts WHERE booking > 0";
const OWNED_TOLD: &str = "SELECT '', user, amount FROM balances";

/// How each accepted wish ended, by its ticket: whose timeline tells of it, as what, in which words.
fn answers(store: &Connection) -> rusqlite::Result<BTreeMap<String, (String, String, String)>> {
    let mut look = store.prepare("SELECT substr(key, 8), user, kind, text FROM documents WHERE key LIKE 'answer/%'")?;
    look.query_map([], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?))))?.collect()
}

/// Whether a wish ended as the bank can have answered it, and where it belongs.
fn is_answer_of(accepted: &Accepted, (user, kind, text): &(String, String, String)) -> bool {
    let is_no = text.contains("there are only") || text.contains("there is nobody else of that name");
    let is_refused = accepted.may_be_refused && kind == "refused" && is_no;
    let is_cancelled = accepted.may_be_cancelled && kind == "cancelled";
    *user == accepted.user && (kind == accepted.ends_as || is_refused || is_cancelled)
}

/// `tabs`: of each open tab, whose it is, and the entries that it was shown.
pub(super) fn judge(serve: &Serve, tally: &Tally, tabs: &[(String, Seen)]) -> Result<Report, Failure> {
    let (bank, store) = open(serve)?;
    let accepted = tally.accepted();
    let mut wrong = Wrong {
        out_of_order: tally.out_of_order.load(Ordering::Relaxed),
        odd_answers: tally.odd_answers.load(Ordering::Relaxed),
        ..Wrong::default()
    };
    let cancels = judge_answers(&store, &accepted, &mut wrong)?;
    let excused = tally.unheard().into_iter().chain(cancels.unknown.iter().cloned()).collect();
    let done_unheard = judge_amounts(&bank, &store, excused, &mut wrong)?;
    judge_tabs(&store, tabs, &mut wrong)?;
    let shown_after = shown_after_ms(&bank, &store, tabs)?;
    let of_hundred = |percent: usize| shown_after.get(shown_after.len() * percent / 100).copied().unwrap_or_default();
    Ok(Report {
        keys: usize::try_from(number(&bank, "SELECT count(*) FROM keys")?)?,
        shown_after_ms_median: of_hundred(50),
        shown_after_ms_p99: of_hundred(99),
        accepted: accepted.len(),
        turned_away: tally.turned_away.load(Ordering::Relaxed),
        unheard: tally.unheard().len(),
        cancelled: cancels.cancelled,
        unknown_after_cancel: cancels.unknown.len(),
        done_unheard,
        coins: usize::try_from(number(&bank, "SELECT count(*) FROM coins")?)?,
        payments: usize::try_from(number(&bank, "SELECT count(*) FROM bookings WHERE why LIKE 'paid to %'")?)?,
        documents: usize::try_from(number(&store, "SELECT count(*) FROM documents")?)?,
        shown: tally.shown.load(Ordering::Relaxed),
        reconnects: tally.reconnects.load(Ordering::Relaxed),
        wrong,
        sum_of_accounts: number(&bank, "SELECT coalesce(sum(amount), 0) FROM accounts")?,
        sum_of_bookings: number(&bank, "SELECT coalesce(sum(amount), 0) FROM bookings")?,
        sum_of_coins: number(&bank, "SELECT coalesce(sum(amount), 0) FROM coins WHERE stage = 2")?,
        ..Report::default()
    })
}

/// What became of wishes that their persons cancelled.
#[derive(Default)]
struct Cancels {
    cancelled: usize,
    /// The bank had them already, was killed, and cannot say whether they ran: `CancelOutcome::MaybeExecuted`.
    unknown: Vec<Entry>,
}

fn judge_answers(
    store: &Connection,
    accepted: &BTreeMap<String, Accepted>,
    wrong: &mut Wrong,
) -> Result<Cancels, Failure> {
    let answers = answers(store)?;
    let mut cancels = Cancels::default();
    for (ticket, accepted) in accepted {
        match answers.get(ticket) {
            None => wrong.unanswered += 1,
            Some((_, kind, _)) if kind == "unknown" && accepted.may_be_cancelled => {
                cancels.unknown.push(accepted.booked.clone());
            }
            Some((_, kind, _)) if kind == "unknown" => wrong.unknown += 1,
            Some(answer) => {
                cancels.cancelled += usize::from(answer.1 == "cancelled");
                wrong.answers_wrong += usize::from(!is_answer_of(accepted, answer));
            }
        }
    }
    wrong.answered_twice = usize::try_from(number(store, "SELECT count(*) FROM contradictions")?)?;
    Ok(cancels)
}

/// Compares books and timelines. A wish of which its node died before it said a word may have come true and have no answer: a call's frame
/// leaves while it is being put on record (decision 0026). Each of those excuses one effect of just that wish; returns how many did.
fn judge_amounts(
    bank: &Connection,
    store: &Connection,
    mut unheard: Vec<Entry>,
    wrong: &mut Wrong,
) -> Result<usize, Failure> {
    let compare = |books, timelines| Ok::<_, Failure>(differences(&entries(bank, books)?, &entries(store, timelines)?));
    wrong.coins_missing = compare(COINS, COINS_SEEN)? + compare(COINS, COINS_CONFIRMED)?;
    wrong.payments_wrong = compare(RECEIVED, RECEIVED_TOLD)?;
    let mut is_excused = |what: &str, user: &str, amount: Option<i64>| {
        let asked = unheard.iter().position(|wish| wish.0 == what && wish.1 == user && wish.2 == amount);
        asked.map(|place| unheard.swap_remove(place)).is_some()
    };
    let mut done_unheard = 0;
    let (made, told) = (entries(bank, KEYS)?, entries(store, KEYS_TOLD)?);
    for (_, user, _) in beyond(&made, &told) {
        let excused = is_excused("key", user, None);
        (done_unheard, wrong.keys_wrong) =
            (done_unheard + usize::from(excused), wrong.keys_wrong + usize::from(!excused));
    }
    wrong.keys_wrong += beyond(&told, &made).len();
    let (to_send, sent) = (entries(bank, COINS_TO_SEND)?, entries(store, COINS_SENT)?);
    let untold: BTreeSet<&String> = beyond(&to_send, &sent).into_iter().map(|(coin, _, _)| coin).collect();
    for (_, user, amount) in entries(bank, COINS)?.into_keys().filter(|(coin, _, _)| untold.contains(coin)) {
        let excused = is_excused("sent", &user, amount);
        (done_unheard, wrong.coins_unasked) =
            (done_unheard + usize::from(excused), wrong.coins_unasked + usize::from(!excused));
    }
    wrong.coins_unasked += beyond(&sent, &to_send).len();
    let (paid, told) = (entries(bank, PAID)?, entries(store, PAID_TOLD)?);
    // What they own now, their page does not know before the next booking.
    let mut behind = BTreeSet::new();
    for (why, user, amount) in beyond(&paid, &told) {
        let whom = why.split(',').next().unwrap_or_default();
        if is_excused(whom, user, *amount) {
            done_unheard += 1;
            behind.insert(user);
        } else {
            wrong.payments_wrong += 1;
        }
    }
    wrong.payments_wrong += beyond(&told, &paid).len();
    let (mut owned, mut owned_told) = (entries(bank, OWNED)?, entries(store, OWNED_TOLD)?);
    owned.retain(|(_, user, _), _| !behind.contains(user));
    owned_told.retain(|(_, user, _), _| !behind.contains(user));
    wrong.balances_wrong = differences(&owned, &owned_told);
    Ok(done_unheard)
}

fn judge_tabs(store: &Connection, tabs: &[(String, Seen)], wrong: &mut Wrong) -> Result<(), Failure> {
    let mut look = store.prepare("SELECT seq FROM documents WHERE user = ?")?;
    for (user, shown) in tabs {
        let entries: BTreeSet<i64> = look.query_map([user], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        wrong.not_shown += entries.iter().filter(|seq| !shown.contains_key(seq)).count();
        wrong.shown_to_others += shown.keys().filter(|seq| !entries.contains(seq)).count();
    }
    Ok(())
}

/// From the bank's booking of a coin to each tab of its owner, in milliseconds, in order: with all that was killed and dropped meanwhile.
fn shown_after_ms(bank: &Connection, store: &Connection, tabs: &[(String, Seen)]) -> Result<Vec<i64>, Failure> {
    // A coin that was moved on is due again that much later.
    let mut look = bank.prepare("SELECT coin, due_ms - confirmed_after_ms FROM coins WHERE stage = 2")?;
    let rows = look.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let booked_at: BTreeMap<String, i64> = rows.collect::<rusqlite::Result<_>>()?;
    let mut look = store.prepare(
        "SELECT replace(replace(key, 'coin/', ''), '/confirmed', ''), seq FROM documents WHERE kind = 'confirmed' AND user = ?",
    )?;
    let mut times = Vec::new();
    for (user, shown) in tabs {
        let rows = look.query_map([user], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
        for row in rows {
            let (coin, seq) = row?;
            if let (Some(booked_at), Some(shown_at)) = (booked_at.get(&coin), shown.get(&seq)) {
                times.push(shown_at - booked_at);
            }
        }
    }
    times.sort_unstable();
    Ok(times)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use clap::Parser;

    use super::*;
    use crate::settings::{Command, CommandLine};
    use crate::soak::Plan;

    /// The databases of a bank with two users, who did what can be done, as it ought to be.
    struct House {
        data: PathBuf,
        bank: Connection,
        store: Connection,
        serve: Serve,
        tally: Tally,
        tabs: Vec<(String, Seen)>,
    }

    const BOOKS: &str = "
        INSERT INTO accounts VALUES (7, 'ann', x'00', '', 60, 3), (7, 'bob', x'01', '', 40, 4), (7, 'cy', x'02', '', 0, 0);
        INSERT INTO keys VALUES ('k1', 7, 'ann');
        INSERT INTO coins VALUES ('c1', 7, 'k1', 'ann', 100, 2, 0, 0);
        INSERT INTO bookings VALUES (1, 7, 'ann', 100, 'coin c1'), (3, 7, 'ann', -40, 'paid to bob'),
            (4, 7, 'bob', 40, 'paid by ann');";
    const TIMELINES: &str = "
        INSERT INTO documents (key, app, user, kind, text, about, amount, balance, at_ms, node) VALUES
            ('answer/t1', 7, 'ann', 'key', 'New key', 'k1', NULL, NULL, 0, ''),
            ('answer/t2', 7, 'ann', 'sent', '', 'c1', NULL, NULL, 0, ''),
            ('coin/c1/seen', 7, 'ann', 'seen', '', 'k1', 100, NULL, 0, ''),
            ('coin/c1/confirmed', 7, 'ann', 'confirmed', '', 'k1', 100, 100, 0, ''),
            ('answer/t3', 7, 'ann', 'paid', 'Paid to bob', 'bob', 40, 60, 0, ''),
            ('payment/7/4', 7, 'bob', 'received', 'Paid by ann', 'ann', 40, 40, 0, ''),
            ('answer/t4', 7, 'bob', 'refused', 'Pay 50 to ann: there are only 40', '', NULL, NULL, 0, '');
        INSERT INTO balances VALUES (7, 'ann', 60, 3), (7, 'bob', 40, 4);";

    impl House {
        fn new() -> Self {
            let data = std::env::temp_dir().join(format!("bank-web-judge-{}", crate::clock::random_name()));
            std::fs::create_dir_all(data.join("bank")).unwrap();
            let serve = CommandLine::parse_from(["bank-web", "--data", &data.to_string_lossy()]).serve;
            let bank = Connection::open(data.join("bank/bank.sqlite")).unwrap();
            // Nobody needs them after a power failure.
            bank.execute_batch("PRAGMA synchronous = OFF").unwrap();
            bank.execute_batch(crate::bank::SCHEMA).unwrap();
            bank.execute_batch(BOOKS).unwrap();
            let store = Connection::open(data.join("shared.sqlite")).unwrap();
            store.execute_batch("PRAGMA synchronous = OFF").unwrap();
            store.execute_batch(crate::front::SCHEMA).unwrap();
            store.execute_batch(TIMELINES).unwrap();
            let tally = Tally::default();
            // Of the third it was asked that it does not begin, too late.
            let wishes = [
                ("t1", "ann", "key", false, "key", None),
                ("t2", "ann", "sent", false, "sent", Some(100)),
                ("t3", "ann", "paid", true, "paid to bob", Some(40)),
                ("t4", "bob", "paid", false, "paid to ann", Some(50)),
            ];
            for (ticket, user, ends_as, may_be_cancelled, booked, amount) in wishes {
                let (user, may_be_refused) = (user.to_owned(), ends_as == "paid");
                let booked = (booked.to_owned(), user.clone(), amount);
                let accepted = Accepted { user, ends_as, may_be_refused, may_be_cancelled, booked };
                tally.accept(ticket.to_owned(), accepted);
            }
            // Each was shown a hundred times its number after the beginning.
            let shown = |seqs: &[i64]| seqs.iter().map(|seq| (*seq, 100 * seq)).collect();
            let tabs = vec![("ann".to_owned(), shown(&[1, 2, 3, 4, 5])), ("bob".to_owned(), shown(&[6, 7]))];
            Self { data, bank, store, serve, tally, tabs }
        }

        fn judge(&self) -> Report {
            judge(&self.serve, &self.tally, &self.tabs).unwrap()
        }
    }

    impl Drop for House {
        fn drop(&mut self) {
            std::fs::remove_dir_all(&self.data).unwrap();
        }
    }

    #[test]
    fn what_is_as_it_ought_to_be_is_good() {
        let judged = House::new().judge();
        assert_eq!((judged.wrong.clone(), judged.keys, judged.coins, judged.payments), (Wrong::default(), 1, 1, 1));
        // Entry 4 tells of the one coin, which was booked at the beginning.
        assert_eq!((judged.shown_after_ms_median, judged.shown_after_ms_p99), (400, 400));
    }

    #[test]
    fn run_is_good_if_something_was_done_and_something_stood_against_it() {
        let CommandLine { command: Some(Command::Soak(plan)), .. } = CommandLine::parse_from(["bank-web", "soak"])
        else {
            panic!("that is a soak")
        };
        let (settled, shown, cancelled) = (true, 1, 1);
        let (dropped_of_fronts, dropped_of_bank, kills_of_bank, kills_of_fronts) = (1, 1, 1, 1);
        let counted = Report {
            settled,
            shown,
            cancelled,
            dropped_of_fronts,
            dropped_of_bank,
            kills_of_bank,
            kills_of_fronts,
            ..Report::default()
        };
        let judged = House::new().judge();
        let report = Report {
            accepted: judged.accepted,
            keys: judged.keys,
            coins: judged.coins,
            payments: judged.payments,
            sum_of_accounts: judged.sum_of_accounts,
            sum_of_bookings: judged.sum_of_bookings,
            sum_of_coins: judged.sum_of_coins,
            ..counted
        };
        assert_eq!(report.objections(&plan), [""; 0]);
        let worse: [fn(&mut Report); 15] = [
            |report| report.settled = false,
            |report| report.wrong.unanswered = 1,
            |report| report.sum_of_accounts += 1,
            |report| report.sum_of_bookings += 1,
            |report| report.accepted = 0,
            |report| report.keys = 0,
            |report| report.coins = 0,
            |report| report.payments = 0,
            |report| report.shown = 0,
            |report| report.cancelled = 0,
            |report| report.shown_after_ms_median = 1_001,
            |report| report.dropped_of_fronts = 0,
            |report| report.dropped_of_bank = 0,
            |report| report.kills_of_bank = 0,
            |report| report.kills_of_fronts = 0,
        ];
        for (place, worse) in worse.into_iter().enumerate() {
            let mut report = report.clone();
            worse(&mut report);
            assert_eq!(report.objections(&plan).len(), 1, "{place}: {report:?}");
        }
        // What was not asked for is not missed.
        let calm = Plan { drop: 0.0, kill_every: 0.0, ..plan };
        let undisturbed =
            Report { dropped_of_fronts: 0, dropped_of_bank: 0, kills_of_bank: 0, kills_of_fronts: 0, ..report };
        assert_eq!(undisturbed.objections(&calm), [""; 0]);
    }

    #[test]
    fn entry_of_another_on_a_tab_is_seen() {
        let mut house = House::new();
        house.tabs[1].1.insert(5, 500);
        assert_eq!(house.judge().wrong, Wrong { shown_to_others: 1, ..Wrong::default() });
    }

    #[test]
    fn each_breach_is_seen_and_told_from_the_others() {
        let breaches: [(&str, Wrong); 18] = [
            (
                "DELETE FROM documents WHERE key = 'answer/t1'",
                Wrong { unanswered: 1, keys_wrong: 1, shown_to_others: 1, ..Wrong::default() },
            ),
            (
                "UPDATE documents SET kind = 'unknown' WHERE key = 'answer/t1'",
                Wrong { unknown: 1, keys_wrong: 1, ..Wrong::default() },
            ),
            (
                "UPDATE documents SET user = 'cy' WHERE key = 'answer/t1'",
                Wrong { answers_wrong: 1, keys_wrong: 2, shown_to_others: 1, ..Wrong::default() },
            ),
            (
                "UPDATE documents SET kind = 'refused' WHERE key = 'answer/t1'",
                Wrong { answers_wrong: 1, keys_wrong: 1, ..Wrong::default() },
            ),
            ("UPDATE documents SET about = 'k2' WHERE kind = 'key'", Wrong { keys_wrong: 2, ..Wrong::default() }),
            (
                "UPDATE documents SET text = 'Pay 50 to ann: timed out' WHERE key = 'answer/t4'",
                Wrong { answers_wrong: 1, ..Wrong::default() },
            ),
            (
                "INSERT INTO contradictions VALUES ('answer/t1', 'refused', '', 0, '')",
                Wrong { answered_twice: 1, ..Wrong::default() },
            ),
            (
                "DELETE FROM documents WHERE kind = 'seen'",
                Wrong { coins_missing: 1, shown_to_others: 1, ..Wrong::default() },
            ),
            (
                "DELETE FROM documents WHERE kind = 'confirmed'",
                Wrong { coins_missing: 1, shown_to_others: 1, ..Wrong::default() },
            ),
            // In the books one entry, on the timelines another: two differ.
            ("UPDATE documents SET amount = 99 WHERE kind = 'seen'", Wrong { coins_missing: 2, ..Wrong::default() }),
            (
                "UPDATE documents SET user = 'bob' WHERE kind = 'confirmed'",
                Wrong { coins_missing: 2, not_shown: 1, shown_to_others: 1, ..Wrong::default() },
            ),
            ("UPDATE documents SET about = 'c2' WHERE kind = 'sent'", Wrong { coins_unasked: 2, ..Wrong::default() }),
            (
                "DELETE FROM documents WHERE kind = 'received'",
                Wrong { payments_wrong: 1, shown_to_others: 1, ..Wrong::default() },
            ),
            ("UPDATE documents SET amount = 41 WHERE kind = 'paid'", Wrong { payments_wrong: 2, ..Wrong::default() }),
            ("UPDATE documents SET balance = 61 WHERE kind = 'paid'", Wrong { payments_wrong: 2, ..Wrong::default() }),
            ("UPDATE balances SET amount = 61 WHERE user = 'ann'", Wrong { balances_wrong: 2, ..Wrong::default() }),
            ("DELETE FROM balances WHERE user = 'ann'", Wrong { balances_wrong: 1, ..Wrong::default() }),
            (
                "UPDATE documents SET seq = 8 WHERE key = 'answer/t4'",
                Wrong { not_shown: 1, shown_to_others: 1, ..Wrong::default() },
            ),
        ];
        for (breach, expected) in breaches {
            let house = House::new();
            assert_eq!(house.store.execute(breach, []).unwrap(), 1, "{breach}");
            assert_eq!(house.judge().wrong, expected, "{breach}");
        }
    }

    #[test]
    fn wish_that_was_cancelled_has_no_effect_and_ends_so_only_if_that_was_asked() {
        let not_asked = House::new();
        let cancel = "UPDATE documents SET kind = 'cancelled' WHERE key = ";
        not_asked.store.execute(&format!("{cancel} 'answer/t4'"), []).unwrap();
        assert_eq!(not_asked.judge().wrong, Wrong { answers_wrong: 1, ..Wrong::default() });
        let ran = House::new();
        ran.store.execute(&format!("{cancel} 'answer/t3'"), []).unwrap();
        assert_eq!((ran.judge().cancelled, ran.judge().wrong), (1, Wrong { payments_wrong: 1, ..Wrong::default() }));
        // Whether it ran is not known: then it may have.
        let unknown = House::new();
        unknown.store.execute("UPDATE documents SET kind = 'unknown' WHERE key = 'answer/t3'", []).unwrap();
        assert_eq!((unknown.judge().unknown_after_cancel, unknown.judge().wrong), (1, Wrong::default()));
    }

    #[test]
    fn effect_without_an_answer_is_that_of_one_wish_that_nobody_heard_of() {
        let untold = [
            ("DELETE FROM documents WHERE kind = 'key'", ("key", None), 1),
            ("DELETE FROM documents WHERE kind = 'sent'", ("sent", Some(100)), 2),
            ("DELETE FROM documents WHERE kind = 'paid'", ("paid to bob", Some(40)), 5),
        ];
        for (breach, (what, amount), seq) in untold {
            let (mut with, mut without) = (House::new(), House::new());
            with.tally.lose((what.to_owned(), "ann".to_owned(), amount));
            without.tally.lose((what.to_owned(), "ann".to_owned(), Some(amount.unwrap_or(0) + 1)));
            without.tally.lose((what.to_owned(), "bob".to_owned(), amount));
            for house in [&mut with, &mut without] {
                house.store.execute(breach, []).unwrap();
                house.tabs[0].1.remove(&seq);
                // The answer is gone; that its ticket was given out is another matter.
                house.tally.forget_accepted();
            }
            assert_eq!((with.judge().done_unheard, with.judge().wrong), (1, Wrong::default()), "{breach}");
            assert_eq!(without.judge().done_unheard, 0, "{breach}");
            assert_ne!(without.judge().wrong, Wrong::default(), "{breach}");
        }
    }

    #[test]
    fn key_that_nobody_was_told_of_is_seen() {
        let house = House::new();
        house.bank.execute("INSERT INTO keys VALUES ('k2', 7, 'ann')", []).unwrap();
        assert_eq!(house.judge().wrong, Wrong { keys_wrong: 1, ..Wrong::default() });
    }

    #[test]
    fn what_the_bank_did_a_second_time_is_seen() {
        let twice = [
            (
                "INSERT INTO coins VALUES ('c2', 7, 'k1', 'ann', 100, 2, 0, 0)",
                Wrong { coins_missing: 2, coins_unasked: 1, ..Wrong::default() },
            ),
            (
                "INSERT INTO bookings VALUES (5, 7, 'ann', -40, 'paid to bob')",
                Wrong { payments_wrong: 1, ..Wrong::default() },
            ),
            (
                "INSERT INTO bookings VALUES (5, 7, 'bob', 40, 'paid by ann')",
                Wrong { payments_wrong: 1, ..Wrong::default() },
            ),
        ];
        for (breach, expected) in twice {
            let house = House::new();
            house.bank.execute(breach, []).unwrap();
            let report = house.judge();
            assert_eq!(report.wrong, expected, "{breach}");
            assert!(report.sum_of_bookings != report.sum_of_accounts || report.sum_of_coins != report.sum_of_accounts);
        }
    }
}
