//! What each action of the bank means to people: what was asked for, and how it ended.
//!
//! Knows: requests and answers. Does not know: whether the call was made in this life of the node or in an earlier one.

use std::fmt;

use rpcgen_runtime::generated::Action;
use rpcgen_runtime::{AppId, CallError};

use super::documents::{Document, Kind};
use crate::stubs::bank::actions::{CreateAccount, GetAddFundsKey, Pay, SendCoins};
use crate::stubs::bank::{Account, Balance, CreateAccountError, GetAddFundsKeyError, PayError, SendCoinsError};

/// What was asked for, and by whom.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) app: AppId,
    pub(super) user: String,
    pub(super) what: String,
    /// What a sign-in that waits for it is known by; empty: none does.
    pub(super) login: String,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) document: Document,
    /// The account that was opened.
    pub(super) account: Option<Account>,
}

impl From<Document> for Told {
    fn from(document: Document) -> Self {
        Self { document, account: None }
    }
}

/// An action that people can follow.
pub(super) trait Story: Action {
    /// What it asks for.
    fn asked(&self) -> Asked;

    /// What its answer means. `key` is for ever that of this call's entry.
    fn told(asked: &Asked, key: String, output: Self::Output) -> Told;

    /// Why the bank said no.
    fn why_not(error: &Self::Error) -> String;
}

/// The entry that a call ends with.
pub(super) fn end_of<A: Story>(asked: &Asked, key: String, answer: Result<A::Output, CallError<A::Error>>) -> Told {
    let entry = |key, kind, text: String| Document::new(key, asked.app, asked.user.clone(), kind, text);
    match answer {
        Ok(output) => A::told(asked, key, output),
        Err(CallError::Failed(error)) => {
            entry(key, Kind::Refused, format!("{}: {}", asked.what, A::why_not(&error))).into()
        }
        Err(CallError::Cancelled) => {
            entry(key, Kind::Cancelled, format!("{}: cancelled before it began", asked.what)).into()
        }
        Err(CallError::Unknown) => entry(key, Kind::Unknown, unknown(&asked.what)).into(),
        Err(error) => entry(key, Kind::Refused, format!("{}: {error}", asked.what)).into(),
    }
}

/// What is said of a wish that nobody can tell the end of.
pub(super) fn unknown(what: &str) -> String {
    format!("{what}: whether it was done is not known; look at what you own before asking again")
}

fn entry(asked: &Asked, key: String, kind: Kind, text: impl fmt::Display) -> Document {
    Document::new(key, asked.app, asked.user.clone(), kind, text.to_string())
}

impl Story for CreateAccount {
    fn asked(&self) -> Asked {
        Asked {
            app: self.app_id,
            user: self.user.clone(),
            what: "Open the account".to_owned(),
            login: self.password_hash.clone(),
        }
    }

    fn told(asked: &Asked, key: String, account: Account) -> Told {
        let document = entry(asked, key, Kind::Opened, "Account opened").about(&account.user);
        Told { document, account: Some(account) }
    }

    fn why_not(error: &CreateAccountError) -> String {
        match error {
            CreateAccountError::UserExists => "somebody has that name already".to_owned(),
        }
    }
}

impl Story for GetAddFundsKey {
    fn asked(&self) -> Asked {
        let (app, user) = (self.app_id, self.user.clone());
        Asked { app, user, what: "Get a key".to_owned(), login: String::new() }
    }

    fn told(asked: &Asked, key: String, coin_key: String) -> Told {
        entry(asked, key, Kind::Key, "New key").about(coin_key).into()
    }

    fn why_not(error: &GetAddFundsKeyError) -> String {
        match error {
            GetAddFundsKeyError::NoSuchUser => "there is no such account".to_owned(),
        }
    }
}

impl Story for Pay {
    fn asked(&self) -> Asked {
        let (app, user) = (self.app_id, self.user.clone());
        Asked { app, user, what: format!("Pay {} to {}", self.amount, self.to), login: String::new() }
    }

    fn told(asked: &Asked, key: String, balance: Balance) -> Told {
        // "Pay 5 to bob" is how it was asked for; what was paid stands in it.
        let rest = asked.what.strip_prefix("Pay ").unwrap_or_default();
        let (amount, to) = rest.split_once(" to ").unwrap_or_default();
        let document = entry(asked, key, Kind::Paid, format!("Paid to {to}")).about(to).balance(&balance);
        document.amount(amount.parse().unwrap_or_default()).into()
    }

    fn why_not(error: &PayError) -> String {
        match error {
            PayError::NoSuchUser => "there is no such account".to_owned(),
            PayError::NoSuchPayee => "there is nobody else of that name".to_owned(),
            PayError::NotAnAmount => "that is not an amount".to_owned(),
            PayError::NotEnough { balance } => format!("there are only {}", balance.amount),
        }
    }
}

impl Story for SendCoins {
    fn asked(&self) -> Asked {
        let (app, user) = (self.app_id, self.user.clone());
        Asked { app, user, what: format!("Send {} coins", self.amount), login: String::new() }
    }

    fn told(asked: &Asked, key: String, coin: String) -> Told {
        entry(asked, key, Kind::Sent, "The network was told to send coins").about(coin).into()
    }

    fn why_not(error: &SendCoinsError) -> String {
        match error {
            SendCoinsError::NoSuchKey => "nobody has that key".to_owned(),
            SendCoinsError::NotAnAmount => "that is not an amount".to_owned(),
        }
    }
}
