//! What front nodes share: the entries of timelines, and what waits for the bank.
//!
//! Knows: what people are shown. Does not know: where it is kept.

use rpcgen_runtime::AppId;
use serde::Serialize;

use crate::clock::now_ms;
use crate::stubs::bank::Balance;

/// What an entry tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The account was opened.
    Opened,
    /// There is a key to send coins to.
    Key,
    /// The network was told to send coins.
    Sent,
    /// A coin was seen.
    Seen,
    /// A coin was confirmed.
    Confirmed,
    /// The user paid.
    Paid,
    /// The user was paid.
    Received,
    /// The bank said no.
    Refused,
    /// A wish was cancelled before it began.
    Cancelled,
    /// Whether a wish came true is not known.
    Unknown,
    /// What was here was purged: this says by whom and when.
    Tombstone,
}

impl Kind {
    const ALL: [(Self, &'static str); 11] = [
        (Self::Opened, "opened"),
        (Self::Key, "key"),
        (Self::Sent, "sent"),
        (Self::Seen, "seen"),
        (Self::Confirmed, "confirmed"),
        (Self::Paid, "paid"),
        (Self::Received, "received"),
        (Self::Refused, "refused"),
        (Self::Cancelled, "cancelled"),
        (Self::Unknown, "unknown"),
        (Self::Tombstone, "tombstone"),
    ];

    pub(super) fn word(self) -> &'static str {
        Self::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }

    pub(super) fn of_word(word: &str) -> Self {
        Self::ALL.iter().find(|(_, known)| *known == word).map_or(Self::Unknown, |(kind, _)| *kind)
    }
}

/// One entry of a user's timeline. Two with the same key are the same entry.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    /// Its place in the store: entries are read in this order. 0: it is not stored yet.
    pub seq: i64,
    /// What it tells of, for ever.
    pub key: String,
    /// Of which app.
    #[serde(skip)]
    pub app: AppId,
    /// Whose.
    #[serde(skip)]
    pub user: String,
    /// What it tells of.
    pub kind: Kind,
    /// A line for people.
    pub text: String,
    /// The key, coin or name that it is about.
    pub about: String,
    /// How much.
    pub amount: Option<u64>,
    /// What the user owned then.
    pub balance: Option<u64>,
    /// The booking after which that was so.
    #[serde(skip)]
    pub booking: Option<u64>,
    /// When it was written, in milliseconds since 1970.
    pub at_ms: i64,
    /// The front node that wrote it.
    pub node: String,
}

impl Document {
    pub(super) fn new(key: String, app: AppId, user: String, kind: Kind, text: impl Into<String>) -> Self {
        Self {
            seq: 0,
            key,
            app,
            user,
            kind,
            text: text.into(),
            about: String::new(),
            amount: None,
            balance: None,
            booking: None,
            at_ms: now_ms(),
            node: String::new(),
        }
    }

    pub(super) fn about(mut self, about: impl Into<String>) -> Self {
        self.about = about.into();
        self
    }

    pub(super) fn amount(mut self, amount: u64) -> Self {
        self.amount = Some(amount);
        self
    }

    pub(super) fn balance(mut self, balance: &Balance) -> Self {
        (self.balance, self.booking) = (Some(balance.amount), Some(balance.booking));
        self
    }
}

/// A guarantee that a user waits for.
#[derive(Clone, Debug, Serialize)]
pub struct Waiting {
    /// By which it can be cancelled.
    pub ticket: String,
    /// What was asked for.
    pub what: String,
    /// How far it has come: `accepted` or `guaranteed`.
    pub step: String,
    /// Since when it waits, in milliseconds since 1970.
    pub since_ms: i64,
    /// The front node that asked.
    pub node: String,
    /// What a sign-in that it is to confirm is known by; empty otherwise.
    #[serde(skip)]
    pub login: String,
}

/// What stands above a timeline.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// What the user owns, as far as this store has heard.
    pub balance: u64,
    /// Seen and not confirmed.
    pub on_their_way: u64,
    /// The latest key to send coins to.
    pub key: Option<String>,
}
