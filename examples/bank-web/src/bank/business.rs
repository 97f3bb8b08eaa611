//! The business of one app: what its users may do.
//!
//! Knows: the rules of accounts and payments. Does not know: networks, other apps. Each handler is one transaction, and its answer is
//! recorded in it.

use std::time::Duration;

use rpcgen_runtime::generated::Uuid;
use rpcgen_runtime::{AppId, Call};
use rpcgen_sqlite::Transaction;
use rusqlite::params;

use super::books::{self, Books, News, NewsKind};
use crate::clock::{now_ms, random, random_name};
use crate::stubs::bank::{
    self, Account, Balance, BalanceError, CreateAccountError, GetAddFundsKeyError, PayError, SendCoinsError,
};

/// No amount is greater: sums stay far below what SQLite can count.
const AMOUNT_MAX: u64 = 1_000_000_000;
/// From a visitor's order to the network's seeing the coin.
const SEEN_AFTER: Duration = Duration::from_millis(50);

/// An app, and how its business differs from the others'.
#[derive(Clone, Copy, Debug)]
pub struct App {
    /// The first field of all its actions.
    pub id: AppId,
    /// For people.
    pub name: &'static str,
    /// What its keys begin with.
    pub key_prefix: &'static str,
    /// From seen to confirmed.
    pub confirmed_after: Duration,
}

/// The business implementation of one app.
pub(super) struct Business {
    app: App,
    books: Books,
}

impl Business {
    pub(super) fn new(app: App, books: Books) -> Self {
        Self { app, books }
    }
}

impl bank::Bank for Business {
    async fn create_account(
        &self,
        call: &Call,
        app_id: AppId,
        user: String,
        password_hash: String,
    ) -> Result<Account, CreateAccountError> {
        let id = Uuid::from_u64_pair(random(), random());
        let account = Account { id, user, password_hash };
        let create = move |books: &Transaction<'_>| {
            let rows = books.execute(
                "INSERT OR IGNORE INTO accounts (app, user, id, password_hash) VALUES (?, ?, ?, ?)",
                params![app_id.0, account.user, id.as_bytes(), account.password_hash],
            )?;
            Ok(if rows == 1 { Ok(account.clone()) } else { Err(CreateAccountError::UserExists) })
        };
        self.books.once(call, create).await
    }

    async fn get_add_funds_key(&self, call: &Call, app_id: AppId, user: String) -> Result<String, GetAddFundsKeyError> {
        let name = random_name();
        let key = format!("{}-{}", self.app.key_prefix, name.get(..12).unwrap_or(&name));
        let make = move |books: &Transaction<'_>| {
            if books::balance(books, app_id, &user)?.is_none() {
                return Ok(Err(GetAddFundsKeyError::NoSuchUser));
            }
            books.execute("INSERT INTO keys (key, app, user) VALUES (?, ?, ?)", params![key, app_id.0, user])?;
            Ok(Ok(key.clone()))
        };
        self.books.once(call, make).await
    }

    async fn pay(
        &self,
        call: &Call,
        app_id: AppId,
        user: String,
        to: String,
        amount: u64,
    ) -> Result<Balance, PayError> {
        let pay = move |books: &Transaction<'_>| {
            let Some(owned) = books::balance(books, app_id, &user)? else { return Ok(Err(PayError::NoSuchUser)) };
            if to == user || books::balance(books, app_id, &to)?.is_none() {
                return Ok(Err(PayError::NoSuchPayee));
            }
            let Some(booked) = booked(amount) else { return Ok(Err(PayError::NotAnAmount)) };
            if owned.amount < amount {
                return Ok(Err(PayError::NotEnough { balance: owned }));
            }
            let left = books::book(books, app_id, &user, -booked, &format!("paid to {to}"))?;
            let balance = books::book(books, app_id, &to, booked, &format!("paid by {user}"))?;
            let news = News {
                kind: NewsKind::Paid,
                app: app_id,
                user: to.clone(),
                key: String::new(),
                coin: user.clone(),
                amount,
                balance,
            };
            books::announce(books, &news)?;
            Ok(Ok(left))
        };
        self.books.once(call, pay).await
    }

    async fn send_coins(
        &self,
        call: &Call,
        app_id: AppId,
        _user: String,
        key: String,
        amount: u64,
    ) -> Result<String, SendCoinsError> {
        let name = random_name();
        let coin = name.get(..16).unwrap_or(&name).to_owned();
        let confirmed_after = i64::try_from(self.app.confirmed_after.as_millis()).unwrap_or(i64::MAX);
        let send = move |books: &Transaction<'_>| {
            let Some(booked) = booked(amount) else { return Ok(Err(SendCoinsError::NotAnAmount)) };
            let owner = "SELECT user FROM keys WHERE key = ? AND app = ?";
            let owner: Option<String> = books.query_opt(owner, params![key, app_id.0], |row| row.get(0))?;
            let Some(user) = owner else { return Ok(Err(SendCoinsError::NoSuchKey)) };
            let due = now_ms() + i64::try_from(SEEN_AFTER.as_millis()).unwrap_or(0);
            books.execute(
                "INSERT INTO coins (coin, app, key, user, amount, stage, due_ms, confirmed_after_ms)
                 VALUES (?, ?, ?, ?, ?, 0, ?, ?)",
                params![coin, app_id.0, key, user, booked, due, confirmed_after],
            )?;
            Ok(Ok(coin.clone()))
        };
        self.books.once(call, send).await
    }

    async fn balance(&self, _call: &Call, app_id: AppId, user: String) -> Result<Balance, BalanceError> {
        // It has no effect: run again, it harms nobody.
        let look = move |books: &Transaction<'_>| books::balance(books, app_id, &user);
        let balance = self.books.run(look).await.expect("the bank's books can be read");
        balance.ok_or(BalanceError::NoSuchUser)
    }
}

/// An amount that can be booked.
fn booked(amount: u64) -> Option<i64> {
    if amount == 0 || amount > AMOUNT_MAX { None } else { i64::try_from(amount).ok() }
}
