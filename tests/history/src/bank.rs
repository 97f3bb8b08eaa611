//! The bank as a book that is kept by one hand: what any run has to be explained by.
//!
//! Knows: accounts. Does not know: runs, clients, order.

use std::collections::BTreeMap;

/// What a caller wants.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Opens a user's account.
    Create(u8),
    /// Pays in.
    Add(u8, u64),
    /// Asks.
    Balance(u8),
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// The account is open now.
    Created,
    /// It was open before.
    Exists,
    /// This is in it (after what was paid in).
    Balance(u64),
    /// There is no such account.
    NoSuchUser,
}

/// The book.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Book {
    balances: BTreeMap<u8, u64>,
}

impl Book {
    /// Does it, and says what came of it.
    pub fn invoke(&mut self, op: &Op) -> Ret {
        match op {
            Op::Create(user) if self.balances.contains_key(user) => Ret::Exists,
            Op::Create(user) => {
                self.balances.insert(*user, 0);
                Ret::Created
            }
            Op::Add(user, amount) => self.balances.get_mut(user).map_or(Ret::NoSuchUser, |balance| {
                *balance += amount;
                Ret::Balance(*balance)
            }),
            Op::Balance(user) => self.balances.get(user).map_or(Ret::NoSuchUser, |balance| Ret::Balance(*balance)),
        }
    }
}
