//! What waits for the bank: each accepted call under a ticket, until its answer is in the store.
//!
//! Knows: the three steps of a call, that each is to be seen, and that an answer is claimed when it is in the store. Does not know: what a
//! call asks; its story does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rpcgen_runtime::client::Call;
use rpcgen_runtime::{AppId, CallError, CancelOutcome, PendingCall, SendError};

use super::documents::{Document, Kind, Waiting};
use super::node::Relay;
use super::store::Ended;
use super::stories::{self, Asked, Story};
use crate::clock::now_ms;
use crate::stubs::bank::{self, RecoveredCall};
use crate::stubs::front::{Cancelled, Wish};

/// Between two attempts to write what must be written.
const STORE_RESTS: Duration = Duration::from_millis(500);

/// The calls of one node that wait.
#[derive(Debug)]
pub(super) struct Tickets {
    relay: Arc<Relay>,
    bank: bank::Client,
    open: Mutex<BTreeMap<String, PendingCall>>,
}

impl Tickets {
    pub(super) fn new(relay: Arc<Relay>, bank: bank::Client) -> Self {
        Self { relay, bank, open: Mutex::default() }
    }

    /// Passes a wish on. Returns the ticket once the wish is in this node's log: from then on it is delivered and answered.
    pub(super) async fn ask(self: &Arc<Self>, app_id: AppId, user: String, wish: Wish) -> Result<String, SendError> {
        match wish {
            Wish::OpenAccount { password_hash } => {
                self.send(bank::actions::CreateAccount { app_id, user, password_hash }).await
            }
            Wish::NewKey => self.send(bank::actions::GetAddFundsKey { app_id, user }).await,
            Wish::Pay { to, amount } => self.send(bank::actions::Pay { app_id, user, to, amount }).await,
            Wish::SendCoins { key, amount } => self.send(bank::actions::SendCoins { app_id, user, key, amount }).await,
        }
    }

    async fn send<A: Story>(self: &Arc<Self>, action: A) -> Result<String, SendError> {
        let asked = action.asked();
        let call = self.bank.runtime().request(action).send().await?;
        Ok(self.follow(call, asked).await)
    }

    /// Sees to it that each step of an accepted call is shown, and that its answer is written down.
    async fn follow<A: Story>(self: &Arc<Self>, call: Call<A>, asked: Asked) -> String {
        let observer = call.observer();
        let ticket = self.ticket(&observer);
        self.open().insert(ticket.clone(), observer.clone());
        let waiting = Waiting {
            ticket: ticket.clone(),
            what: asked.what.clone(),
            step: observer.step().to_string(),
            since_ms: now_ms(),
            node: self.relay.name().to_owned(),
            login: asked.login.clone(),
        };
        self.show(&asked, waiting.clone()).await;
        let tickets = Arc::clone(self);
        tokio::spawn(async move {
            if observer.guaranteed().await.is_ok() {
                tickets.show(&asked, Waiting { step: observer.step().to_string(), ..waiting.clone() }).await;
            }
            let (answer, claim) = call.unclaimed().await;
            if matches!(answer, Err(CallError::OnRecord)) {
                // The client has ended. It waits in the log, and in the store, for the next life of this node.
                return;
            }
            tickets.end::<A>(waiting.ticket, &asked, answer).await;
            // A node that is killed before this finds the answer again, and the entry in the store is there already.
            claim.claim();
        });
        ticket
    }

    /// The ticket of a call: no other call of this node ever has it. A node whose log was removed is another client.
    fn ticket(&self, call: &PendingCall) -> String {
        let client = self.bank.runtime();
        let id = client.id().0 >> 64;
        format!("{}.{id:x}.{:x}.{:x}", self.relay.name(), client.incarnation().0, call.number().0)
    }

    async fn show(&self, asked: &Asked, waiting: Waiting) {
        let kept = self.relay.store().keep_waiting(asked.app, asked.user.clone(), waiting);
        if let Err(error) = kept.await {
            // Only the list is behind: what is accepted is in the log.
            eprintln!("{}: what waits cannot be shown: {error}", self.relay.name());
        }
        self.relay.pending_changed(asked.app, &asked.user).await;
    }

    async fn end<A: Story>(&self, ticket: String, asked: &Asked, answer: Result<A::Output, CallError<A::Error>>) {
        let mut told = stories::end_of::<A>(asked, format!("answer/{ticket}"), answer);
        if told.account.is_none() && !asked.login.is_empty() {
            // Whoever has that name now is not who wished to open the account.
            told.document.user.clear();
        }
        let ended = Ended { ticket: ticket.clone(), login: asked.login.clone(), account: told.account };
        self.relay.write(told.document, Some(ended)).await;
        self.open().remove(&ticket);
        self.relay.pending_changed(asked.app, &asked.user).await;
    }

    /// Asks that what waits under a ticket does not begin. `None`: nothing waits under it here.
    pub(super) async fn cancel(&self, ticket: &str) -> Option<Cancelled> {
        let call = self.open().get(ticket).cloned()?;
        Some(match call.cancel().await {
            CancelOutcome::Cancelled => Cancelled::Cancelled,
            CancelOutcome::Executing => Cancelled::Executing,
            CancelOutcome::Answered => Cancelled::Answered,
            _ => Cancelled::MaybeExecuted,
        })
    }

    /// After a restart: follows what earlier lives of this node had accepted, from the log.
    pub(super) async fn take_up(self: &Arc<Self>) {
        for call in self.bank.recovered() {
            match call {
                RecoveredCall::CreateAccount(call) => self.follow_again(call).await,
                RecoveredCall::GetAddFundsKey(call) => self.follow_again(call).await,
                RecoveredCall::Pay(call) => self.follow_again(call).await,
                RecoveredCall::SendCoins(call) => self.follow_again(call).await,
                // This node never asks it.
                RecoveredCall::Balance(_) => {}
            }
        }
    }

    async fn follow_again<A: Story>(self: &Arc<Self>, call: Call<A>) {
        match call.recovered_request() {
            Some(action) => drop(self.follow(call, action.asked()).await),
            None => eprintln!("{}: call {} was made by another version", self.relay.name(), call.number().0),
        }
    }

    /// After that: what the store says that waits here, and this node's log knows nothing of, nobody can tell the end of. That is so where
    /// somebody has removed the log.
    pub(super) async fn settle_the_lost(&self) -> rusqlite::Result<()> {
        for (ticket, app, user, what) in self.relay.store().waiting_at(self.relay.name().to_owned()).await? {
            if self.open().contains_key(&ticket) {
                continue;
            }
            let text = stories::unknown(&what);
            let document = Document::new(format!("answer/{ticket}"), app, user.clone(), Kind::Unknown, text);
            self.relay.write(document, Some(Ended { ticket, login: String::new(), account: None })).await;
            self.relay.pending_changed(app, &user).await;
        }
        Ok(())
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<String, PendingCall>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes until it is written.
pub(super) async fn insist<F>(name: &str, mut write: impl FnMut() -> F)
where
    F: Future<Output = rusqlite::Result<()>>,
{
    while let Err(error) = write().await {
        eprintln!("{name}: the store cannot be written, and is tried again: {error}");
        tokio::time::sleep(STORE_RESTS).await;
    }
}
