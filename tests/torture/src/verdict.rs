//! What the bank's database says, beside what the clients said.
//!
//! Knows: the journal, the accounts. Does not know: faults.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::bank::{Books, Row};
use crate::lines::Outcome;
use crate::plan::{ACCOUNTS, FIRST_BALANCE};
use crate::record::{CallId, Known, Record};

/// What there should be none of.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Verdict {
    pub(crate) transfers: u64,
    /// Of those, with the typed error.
    pub(crate) refused: u64,
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    /// Answers that are not what the journal says.
    pub(crate) wrong: u64,
    /// Transfers that were running each time that the server was killed, three times, and have no effect.
    pub(crate) poisoned: u64,
    pub(crate) unknown: u64,
    pub(crate) unexplained: u64,
    /// Money that is there and should not be, or the other way round.
    pub(crate) money: i64,
    /// Effects of calls that nobody was told are accepted: of clients that were killed just then.
    pub(crate) unaccepted: u64,
    /// Answers that a client found again after it was killed: it had just taken them.
    pub(crate) found_again: u64,
    /// The first few findings, for people.
    #[serde(skip)]
    pub(crate) findings: Vec<String>,
}

impl Verdict {
    pub(crate) fn is_good(&self) -> bool {
        (self.lost, self.doubled, self.wrong, self.unexplained, self.money) == (0, 0, 0, 0, 0)
    }

    fn find(&mut self, finding: String) {
        if self.findings.len() < 20 {
            self.findings.push(finding);
        }
    }
}

pub(crate) fn verdict(books: &Books, record: &Record) -> Verdict {
    let mut verdict = Verdict { found_again: record.found_again, ..Verdict::default() };
    for call in &record.answered_twice {
        verdict.doubled += 1;
        verdict.find(format!("{call:?} was answered twice"));
    }
    // By call key.
    let mut rows: BTreeMap<(&str, u64), Vec<&Row>> = BTreeMap::new();
    let mut references: HashMap<u64, u64> = HashMap::new();
    for row in &books.journal {
        rows.entry((&row.client, row.number)).or_default().push(row);
        *references.entry(row.reference).or_default() += 1;
    }
    for (call, known) in record.calls() {
        let id = record.ids.get(&call.0).map_or("", String::as_str);
        let rows = rows.remove(&(id, call.1)).unwrap_or_default();
        compare(&mut verdict, call, known, &rows);
    }
    for ((client, number), rows) in &rows {
        verdict.unaccepted += 1;
        one_row(&mut verdict, &format!("call {number} of {client}, which nobody knows of,"), rows.len());
    }
    // Another call of the same reference: the request was sent twice by a runtime that gave it two numbers.
    let twice: u64 = references.values().map(|count| count - 1).sum();
    if twice > verdict.doubled {
        verdict.find(format!("{twice} rows have the reference of another one"));
        verdict.doubled = twice;
    }
    verdict.money = books.sum - (ACCOUNTS * FIRST_BALANCE).cast_signed();
    // No fault that there is leaves a call in doubt.
    verdict.unexplained = verdict.unknown;
    verdict
}

/// A call key has one row at most.
fn one_row(verdict: &mut Verdict, whose: &str, count: usize) {
    if count > 1 {
        verdict.doubled += count as u64 - 1;
        verdict.find(format!("{whose} has {count} rows"));
    }
}

fn compare(verdict: &mut Verdict, call: CallId, known: &Known, rows: &[&Row]) {
    verdict.transfers += 1;
    one_row(verdict, &format!("{call:?}"), rows.len());
    let is_own = |row: &Row| known.reference.is_none_or(|reference| reference == row.reference);
    match (known.outcome(), rows.first()) {
        (None, _) => {
            verdict.lost += 1;
            verdict.find(format!("{call:?} was accepted and never answered; rows: {}", rows.len()));
        }
        (Some(Outcome::Unknown), _) => verdict.unknown += 1,
        (Some(Outcome::Poisoned), None) => verdict.poisoned += 1,
        (Some(outcome @ (Outcome::Moved(_) | Outcome::TooLittle(_))), None) => {
            verdict.lost += 1;
            verdict.find(format!("{call:?} was answered {outcome:?}, and its effect is not there"));
        }
        (Some(Outcome::Moved(left)), Some(row)) if row.is_moved && row.says == *left && is_own(row) => {}
        (Some(Outcome::TooLittle(has)), Some(row)) if !row.is_moved && row.says == *has && is_own(row) => {
            verdict.refused += 1;
        }
        (Some(outcome), row) => {
            verdict.wrong += 1;
            verdict.find(format!("{call:?} was answered {outcome:?}, and the journal says {row:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: u64, reference: u64) -> Row {
        Row { client: "aa".to_owned(), number, reference, is_moved: true, says: 5 }
    }

    fn record() -> Record {
        let mut record = Record::default();
        record.ids.insert(0, "aa".to_owned());
        record.accepted((0, 1), 7);
        record.answered((0, 1), 0, Outcome::Moved(5));
        record
    }

    fn books(journal: Vec<Row>) -> Books {
        Books { journal, sum: (ACCOUNTS * FIRST_BALANCE).cast_signed() }
    }

    #[test]
    fn what_was_answered_and_is_there_once_is_good() {
        let found = verdict(&books(vec![row(1, 7)]), &record());
        assert!(found.is_good(), "{found:?}");
        assert_eq!(found.transfers, 1);
    }

    #[test]
    fn each_kind_of_damage_is_found() {
        let lost_effect = verdict(&books(vec![]), &record());
        assert_eq!(lost_effect.lost, 1);
        let same_key_twice = verdict(&books(vec![row(1, 7), row(1, 7)]), &record());
        assert_eq!(same_key_twice.doubled, 1);
        let two_keys = verdict(&books(vec![row(1, 7), row(2, 7)]), &record());
        assert_eq!((two_keys.doubled, two_keys.unaccepted), (1, 1));
        let another_call = verdict(&books(vec![row(1, 8)]), &record());
        assert_eq!(another_call.wrong, 1);
        let mut open = record();
        open.accepted((0, 2), 9);
        assert_eq!(verdict(&books(vec![row(1, 7), row(2, 9)]), &open).lost, 1);
        open.answered((0, 2), 0, Outcome::Unknown);
        assert_eq!(verdict(&books(vec![row(1, 7), row(2, 9)]), &open).unexplained, 1);
        let mut money = books(vec![row(1, 7)]);
        money.sum -= 1;
        assert_eq!(verdict(&money, &record()).money, -1);
    }
}
