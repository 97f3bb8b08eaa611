//! What a statement begins with.
//!
//! Knows: white space, comments, the words that end a transaction, and those that change the connection for whoever has it next. Does not
//! know: SQL.
//!
//! One statement is compiled at a time, so nothing stands behind the first one. What a procedure or a `do` block would commit,
//! PostgreSQL refuses by itself: they run within a transaction block (its manual, 41.8, "Transaction Management").

/// Whether this statement would end the transaction that it runs in.
pub(crate) fn ends_transaction(sql: &str) -> bool {
    let rest = without_comments(sql);
    let (first, rest) = word(rest);
    match first.to_ascii_lowercase().as_str() {
        "commit" | "end" | "abort" => true,
        // Back to a savepoint is not the end.
        "rollback" => !words(rest).any(|word| word.eq_ignore_ascii_case("to")),
        "prepare" => words(rest).next().is_some_and(|word| word.eq_ignore_ascii_case("transaction")),
        _ => false,
    }
}

/// Whether what this statement sets, or takes back, would be so for the connection, of which the store has set some itself: that it is
/// read-only outside of transactions, and waits for the disk. The next call that has the connection would run without. Or it leaves there
/// what the next call would meet: the same name prepared again is an error, whoever prepared it.
pub(crate) fn outlives_transaction(sql: &str) -> bool {
    let (first, rest) = word(without_comments(sql));
    match first.to_ascii_lowercase().as_str() {
        "reset" | "discard" | "prepare" | "deallocate" | "listen" | "unlisten" | "load" => true,
        "set" => !words(rest).next().is_some_and(|word| {
            ["local", "transaction", "constraints"].iter().any(|own| word.eq_ignore_ascii_case(own))
        }),
        _ => false,
    }
}

/// The words from here on.
fn words(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (next, behind) = word(without_comments(rest));
        rest = behind;
        (!next.is_empty()).then_some(next)
    })
}

/// The letters at the beginning, and what is behind them.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len()))
}

/// Without white space, comments and empty statements at the beginning. Comments in `/* */` nest.
fn without_comments(mut text: &str) -> &str {
    loop {
        text =
            text.trim_start_matches(|letter: char| letter.is_ascii_whitespace() || letter == '\u{b}' || letter == ';');
        if let Some(comment) = text.strip_prefix("--") {
            text = comment.find(['\n', '\r']).map_or("", |end| &comment[end..]);
        } else if text.starts_with("/*") {
            text = behind_block(text);
        } else {
            return text;
        }
    }
}

/// What is behind the block of comment at the beginning.
fn behind_block(text: &str) -> &str {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let Some(next) = text[at..].find(['/', '*']) else { return "" };
        at += next;
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return &text[at..];
            }
        } else {
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ends_transaction, outlives_transaction};

    #[test]
    fn statements_that_end_a_transaction_are_known_behind_any_comment() {
        let ending = [
            "commit",
            "COMMIT and chain",
            "end",
            "End Transaction",
            "abort;",
            "rollback",
            "Rollback work",
            "  \n\tcommit",
            "-- why\ncommit",
            "/* a /* b */ c */ commit",
            "/**/commit",
            "; commit",
            "prepare transaction 'a'",
            "prepare /* x */ transaction 'a'",
            "rollback prepared 'a'",
            "commit/**/prepared 'a'",
            "/*/**/*/end",
        ];
        for sql in ending {
            assert!(ends_transaction(sql), "{sql}");
        }
        let harmless = [
            "",
            "select 1",
            "insert into commit values (1)",
            "rollback to savepoint a",
            "rollback /* x */ work to a",
            "committed",
            "end_of_day()",
            "-- commit",
            "/* commit",
            "savepoint a",
            "prepare p as select 1",
            "release a",
            "/",
            "*/ commit",
        ];
        for sql in harmless {
            assert!(!ends_transaction(sql), "{sql}");
        }
    }

    #[test]
    fn statements_that_outlive_a_transaction_are_known_behind_any_comment() {
        let outliving = [
            "set synchronous_commit = off",
            "SET search_path TO tenant",
            "/* x */ set -- y\n session synchronous_commit = off",
            "set session characteristics as transaction read only",
            "set session authorization a",
            "set role a",
            "set local_time.zone = 'x'",
            "set \"local\".a = 'x'",
            "set",
            "reset all",
            "; RESET synchronous_commit",
            "discard plans",
            "deallocate all",
            "Deallocate/**/prepare a",
            "prepare p as select 1",
            "Listen a",
            "unlisten *",
            "load 'auto_explain'",
        ];
        for sql in outliving {
            assert!(outlives_transaction(sql), "{sql}");
        }
        let harmless = [
            "",
            "set local search_path = tenant, public",
            "Set /* x */ LOCAL work_mem = '1MB'",
            "set transaction isolation level serializable",
            "set constraints all deferred",
            "settle",
            "set_config",
            "select set_config('work_mem', '1MB', true)",
            "update a set b = 1",
            "reset_day",
            "notify a",
            "select pg_notify('a', 'b')",
            "execute p",
            "-- reset all",
        ];
        for sql in harmless {
            assert!(!outlives_transaction(sql), "{sql}");
        }
    }
}
