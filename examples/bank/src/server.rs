//! The bank: its business implementation, and the server around it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rpcgen_runtime::generated::Uuid;
use rpcgen_runtime::{AppId, Call, CallKey, ListenError, Server};

use crate::bank::{
    self, Account, AddFundsKey, BalanceError, ConfirmIncomingError, CreateAccountError, GetAddFundsKeyError,
    ReportIncomingError,
};
use crate::plan::Plan;
use crate::report::ServerReport;

/// What the bank keeps.
#[derive(Default)]
struct Books {
    accounts: BTreeMap<(AppId, String), Account>,
    owners: BTreeMap<(AppId, AddFundsKey), String>,
    /// Which calls ran: the proof that none ran twice.
    executed: BTreeSet<CallKey>,
    report: ServerReport,
}

/// What the bank does, as it does it.
pub(crate) enum Deed<'a> {
    /// A handler begins; nothing of its effect is there yet.
    Runs(&'a Call),
    /// A broadcast is logged.
    Broadcasts,
}

type OnDeed = Arc<dyn Fn(Deed<'_>) + Send + Sync>;

/// The business implementation.
#[derive(Clone)]
struct Business {
    books: Arc<Mutex<Books>>,
    on_deed: OnDeed,
}

impl Business {
    fn with_books<R>(&self, work: impl FnOnce(&mut Books) -> R) -> R {
        work(&mut self.books.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note_broadcast(&self) {
        (self.on_deed)(Deed::Broadcasts);
        self.with_books(|books| books.report.broadcasts_sent += 1);
    }

    fn note_executed(&self, call: &Call) {
        (self.on_deed)(Deed::Runs(call));
        self.with_books(|books| {
            books.report.executed += 1;
            if !books.executed.insert(call.key()) {
                books.report.executed_again += 1;
            }
        });
    }
}

impl bank::Bank for Business {
    async fn create_account(&self, call: &Call, app_id: AppId, user: String) -> Result<Account, CreateAccountError> {
        self.note_executed(call);
        self.with_books(|books| {
            if books.accounts.contains_key(&(app_id, user.clone())) {
                return Err(CreateAccountError::UserExists);
            }
            let id = Uuid::from_u64_pair(app_id.0, books.accounts.len() as u64);
            let account = Account { id, user: user.clone(), balance: 0, note: None };
            books.accounts.insert((app_id, user), account.clone());
            Ok(account)
        })
    }

    async fn get_add_funds_key(
        &self,
        call: &Call,
        app_id: AppId,
        user: String,
    ) -> Result<AddFundsKey, GetAddFundsKeyError> {
        self.note_executed(call);
        self.with_books(|books| {
            if !books.accounts.contains_key(&(app_id, user.clone())) {
                return Err(GetAddFundsKeyError::NoSuchUser);
            }
            let key = format!("key-{}-{}", app_id.0, books.owners.len());
            books.owners.insert((app_id, key.clone()), user);
            Ok(key)
        })
    }

    async fn report_incoming(
        &self,
        call: &Call,
        app_id: AppId,
        key: AddFundsKey,
        amount: u64,
    ) -> Result<(), ReportIncomingError> {
        self.note_executed(call);
        if self.with_books(|books| !books.owners.contains_key(&(app_id, key.clone()))) {
            return Err(ReportIncomingError::NoSuchKey);
        }
        // Goes to the node that asked for the key, wherever this report came from. Once this returns, it is logged.
        if call.broadcasts::<bank::Broadcasts>().pending_amount(app_id, key, amount).await.is_ok() {
            self.note_broadcast();
        }
        Ok(())
    }

    async fn confirm_incoming(
        &self,
        call: &Call,
        app_id: AppId,
        key: AddFundsKey,
        amount: u64,
    ) -> Result<u64, ConfirmIncomingError> {
        self.note_executed(call);
        let balance = self.with_books(|books| {
            let user = books.owners.get(&(app_id, key.clone())).ok_or(ConfirmIncomingError::NoSuchKey)?;
            let account = books.accounts.get_mut(&(app_id, user.clone())).ok_or(ConfirmIncomingError::NoSuchKey)?;
            account.balance += amount;
            Ok(account.balance)
        })?;
        if call.broadcasts::<bank::Broadcasts>().confirmed_amount(app_id, key, amount, balance).await.is_ok() {
            self.note_broadcast();
        }
        Ok(balance)
    }

    async fn balance(&self, call: &Call, app_id: AppId, user: String) -> Result<u64, BalanceError> {
        self.note_executed(call);
        self.with_books(|books| {
            let account = books.accounts.get(&(app_id, user)).ok_or(BalanceError::NoSuchUser)?;
            Ok(account.balance)
        })
    }

    async fn ping(&self, call: &Call, _app_id: AppId) {
        self.note_executed(call);
    }
}

/// A bank that listens.
pub(crate) struct Bank {
    business: Business,
    server: Server,
}

impl Bank {
    pub(crate) async fn open(
        plan: &Plan,
        address: &str,
        on_deed: impl Fn(Deed<'_>) + Send + Sync + 'static,
    ) -> Result<Self, ListenError> {
        let business = Business { books: Arc::default(), on_deed: Arc::new(on_deed) };
        let mut builder = Server::builder().config(Plan::config()).serve(bank::server(business.clone()));
        if let Some(faults) = plan.faults(0) {
            builder = builder.faults(faults);
        }
        let server = builder.listen(address).await?;
        Ok(Self { business, server })
    }

    pub(crate) fn address(&self) -> String {
        self.server.local_address()
    }

    /// Closes the bank and says what it did.
    pub(crate) async fn close(self) -> ServerReport {
        let stats = self.server.stats();
        self.server.shutdown(Duration::from_secs(5)).await;
        let mut report = self.business.with_books(|books| books.report.clone());
        report.frames_dropped = stats.faults.dropped;
        report.resent = stats.sessions.resent;
        report
    }
}
