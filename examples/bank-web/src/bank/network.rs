//! The coin network, simulated: coins that are on their way are seen, and later confirmed. And the way out for what the books announce.
//!
//! Knows: when a coin is due. Does not know: calls. What it does is on the disk before it is told, and told until it is logged.

use std::time::Duration;

use futures_util::future::join_all;
use rpcgen_runtime::{AppId, BroadcastError};
use rpcgen_sqlite::{RunError, Transaction};
use rusqlite::params;

use super::books::{self, Books, News, NewsKind};
use crate::clock::now_ms;
use crate::stubs::bank::{Balance, Broadcasts};

/// How often it looks what is due.
const TICK: Duration = Duration::from_millis(50);
/// Coins of one transaction.
const COINS_AT_ONCE: usize = 256;

/// Runs as long as the bank.
pub(super) async fn run(books: Books, broadcasts: Broadcasts) {
    loop {
        // Woken by what the books announce, or because a coin may be due.
        let _ = tokio::time::timeout(TICK, books.news.notified()).await;
        if let Err(error) = turn(&books, &broadcasts).await {
            eprintln!("bank: the coin network rests: {error}");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
}

async fn turn(books: &Books, broadcasts: &Broadcasts) -> Result<(), RunError> {
    let now = now_ms();
    books.run(move |books| move_on(books, now)).await?;
    loop {
        let news = books.run(books::oldest_news).await?;
        let count = news.len();
        // Side by side: their records share a commit of the log.
        let told =
            news.into_iter().map(|(number, news)| async move { broadcast(broadcasts, news).await.map(|()| number) });
        let logged: Vec<i64> = join_all(told).await.into_iter().filter_map(Result::ok).collect();
        let all = logged.len() == count;
        // A bank that dies before this tells it once more: whoever hears knows coins by their names, and payments by their bookings.
        if !logged.is_empty() {
            books.run(move |books| forget(books, &logged)).await?;
        }
        if count == 0 || !all {
            return Ok(());
        }
    }
}

/// Sees and confirms the coins that are due.
fn move_on(books: &Transaction<'_>, now: i64) -> rusqlite::Result<()> {
    let mut due = books.prepare(
        "SELECT coin, app, key, user, amount, stage, confirmed_after_ms FROM coins
         WHERE stage < 2 AND due_ms <= ? ORDER BY due_ms LIMIT ?",
    )?;
    let rows = due.query_map(params![now, i64::try_from(COINS_AT_ONCE).unwrap_or(i64::MAX)], |row| {
        let balance = Balance { amount: 0, booking: 0 };
        let news = News {
            kind: if row.get::<_, i64>(5)? == 0 { NewsKind::Seen } else { NewsKind::Confirmed },
            coin: row.get(0)?,
            app: AppId(row.get(1)?),
            key: row.get(2)?,
            user: row.get(3)?,
            amount: row.get(4)?,
            balance,
        };
        Ok((news, row.get::<_, i64>(6)?))
    })?;
    let coins: Vec<(News, i64)> = rows.collect::<rusqlite::Result<_>>()?;
    let mut change = books.prepare("UPDATE coins SET stage = stage + 1, due_ms = ? WHERE coin = ?")?;
    for (mut news, confirmed_after) in coins {
        if news.kind == NewsKind::Confirmed {
            let amount = i64::try_from(news.amount).unwrap_or(0);
            news.balance = books::book(books, news.app, &news.user, amount, &format!("coin {}", news.coin))?;
        }
        change.execute(params![now + confirmed_after, news.coin])?;
        books::announce(books, &news)?;
    }
    Ok(())
}

async fn broadcast(broadcasts: &Broadcasts, news: News) -> Result<(), BroadcastError> {
    let News { kind, app, user, key, coin, amount, balance } = news;
    match kind {
        NewsKind::Seen => broadcasts.pending_amount(app, key, user, coin, amount).await,
        NewsKind::Confirmed => broadcasts.confirmed_amount(app, key, user, coin, amount, balance).await,
        NewsKind::Paid => broadcasts.payment_received(app, user, coin, amount, balance).await,
    }
}

fn forget(books: &Transaction<'_>, logged: &[i64]) -> rusqlite::Result<()> {
    let mut forget = books.prepare("DELETE FROM outbox WHERE number = ?")?;
    for number in logged {
        forget.execute([number])?;
    }
    Ok(())
}
