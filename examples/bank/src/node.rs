//! A client node: calls the bank, hears its broadcasts, and relays them to the people behind it through a service of its own, in the
//! same process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rpcgen_runtime::{AppId, Call, CallError, Server};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use crate::expected::{Amount, Expected, Stage};
use crate::plan::Plan;
use crate::report::NodeReport;
use crate::{bank, session};

/// Actions of a node that are open at once.
const OPEN_ACTIONS: u64 = 64;
/// Users of a node; each is watched by a session.
const USERS: u64 = 8;
/// No progress for so long: something is lost, and the run says so.
const PATIENCE: Duration = Duration::from_secs(120);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Lets sessions watch users.
struct Sessions;

impl session::Sessions for Sessions {
    async fn watch(&self, _call: &Call, _app_id: AppId, _user: String) {}
}

/// What a node knows and counts.
#[derive(Default)]
struct Node {
    app_id: AppId,
    report: Mutex<NodeReport>,
    /// Whose key it is.
    owners: Mutex<BTreeMap<String, String>>,
    keys: Mutex<Vec<String>>,
    delivered: Mutex<BTreeSet<Amount>>,
    relayed: Mutex<BTreeSet<Amount>>,
    expected: Mutex<Expected>,
    /// The bank forgets its books: what answers say is not compared.
    bank_forgets: bool,
    next_action: AtomicU64,
    next_amount: AtomicU64,
    progress: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Node {
    fn count(&self, change: impl FnOnce(&mut NodeReport)) {
        change(&mut lock(&self.report));
        self.progress.notify_waiters();
    }

    /// Counts an answer, or a broadcast, that says what it cannot.
    fn compare(&self, is_right: bool) {
        if !is_right && !self.bank_forgets {
            self.count(|report| report.wrong += 1);
        }
    }

    /// The bank saw or confirmed coins: pass it on to whoever watches the key's owner.
    async fn on_amount(&self, sessions: &session::Broadcasts, app_id: AppId, amount: Amount) {
        if !lock(&self.delivered).insert(amount.clone()) {
            self.count(|report| report.broadcasts_duplicated += 1);
            return;
        }
        self.compare(lock(&self.expected).was_asked_for(&amount));
        self.count(|report| report.broadcasts_delivered += 1);
        let Some(user) = lock(&self.owners).get(&amount.key).cloned() else { return };
        // It cannot be logged only when this node is closing; the count then shows it.
        let _ = match amount.stage {
            Stage::Seen => sessions.amount_seen(app_id, user, amount.key, amount.amount).await,
            Stage::Confirmed => sessions.amount_confirmed(app_id, user, amount.key, amount.amount).await,
        };
    }

    /// A session heard of it.
    fn on_relayed(&self, amount: Amount) {
        if lock(&self.relayed).insert(amount) {
            self.count(|report| report.broadcasts_relayed += 1);
        } else {
            self.count(|report| report.broadcasts_duplicated += 1);
        }
    }

    /// One call through its three steps.
    async fn call<A>(&self, request: rpcgen_runtime::client::Request<'_, A>) -> Option<A::Output>
    where
        A: rpcgen_runtime::generated::Action,
    {
        self.count(|report| report.sent += 1);
        let Ok(call) = request.send().await else {
            self.count(|report| report.unanswered += 1);
            return None;
        };
        self.count(|report| report.accepted += 1);
        if call.guaranteed().await.is_ok() {
            self.count(|report| report.guaranteed += 1);
        }
        match call.await {
            Ok(output) => {
                self.count(|report| report.answered += 1);
                Some(output)
            }
            Err(CallError::Failed(_)) => {
                self.count(|report| {
                    report.answered += 1;
                    report.failed += 1;
                });
                None
            }
            Err(_) => {
                self.count(|report| report.unanswered += 1);
                None
            }
        }
    }

    /// One worker: takes actions until all are taken.
    async fn work(&self, bank: &bank::Client, actions: u64) {
        loop {
            let number = self.next_action.fetch_add(1, Ordering::Relaxed);
            if number >= actions {
                return;
            }
            self.act(bank, number).await;
        }
    }

    async fn act(&self, bank: &bank::Client, number: u64) {
        let user = user_name(self.app_id, number % USERS);
        match number % 5 {
            0 => {
                if let Some(key) = self.call(bank.get_add_funds_key(self.app_id, user.clone())).await {
                    self.compare(lock(&self.expected).is_new_key(&key));
                    lock(&self.owners).insert(key.clone(), user);
                    lock(&self.keys).push(key);
                }
            }
            1 | 2 => {
                let key = {
                    let keys = lock(&self.keys);
                    keys.get(usize::try_from(number).unwrap_or(0) % keys.len().max(1)).cloned()
                };
                let Some(key) = key else {
                    self.call(bank.ping(self.app_id)).await;
                    return;
                };
                let amount = self.next_amount.fetch_add(1, Ordering::Relaxed);
                self.count(|report| report.broadcasts_expected += 1);
                let stage = if number % 5 == 1 { Stage::Seen } else { Stage::Confirmed };
                lock(&self.expected).ask_for(Amount { stage, key: key.clone(), amount });
                if stage == Stage::Seen {
                    let seen = self.call(bank.report_incoming(self.app_id, key, amount)).await;
                    self.compare(seen.is_some());
                    return;
                }
                let owner = lock(&self.owners).get(&key).cloned().unwrap_or_default();
                let at_least = lock(&self.expected).begin(&owner, amount);
                let balance = self.call(bank.confirm_incoming(self.app_id, key, amount)).await;
                self.compare(balance.is_some_and(|it| lock(&self.expected).end(&owner, at_least, amount, it)));
            }
            3 => {
                let at_least = lock(&self.expected).begin(&user, 0);
                if let Some(balance) = self.call(bank.balance(self.app_id, user.clone())).await {
                    self.compare(lock(&self.expected).end(&user, at_least, 0, balance));
                }
            }
            // Exists already: a business error is an answer like any other.
            _ => {
                self.call(bank.create_account(self.app_id, user)).await;
            }
        }
    }

    /// `broadcasts_too`: whether those are waited for as well. A bank that is killed takes its own with it.
    fn is_done(&self, actions: u64, broadcasts_too: bool) -> bool {
        let report = lock(&self.report);
        let answered = report.answered >= actions;
        if !broadcasts_too {
            return answered;
        }
        answered
            && report.broadcasts_delivered >= report.broadcasts_expected
            && report.broadcasts_relayed >= report.broadcasts_expected
    }
}

fn user_name(app_id: AppId, number: u64) -> String {
    format!("user-{}-{number}", app_id.0)
}

/// Runs a node: `progress` hears how many actions are answered.
pub(crate) async fn run(
    plan: &Plan,
    index: u32,
    address: &str,
    progress: mpsc::Sender<u64>,
) -> Result<NodeReport, Failure> {
    let (app_id, bank_forgets) = (AppId(u64::from(index) + 1), plan.kill_server > 0);
    let node = Arc::new(Node { app_id, bank_forgets, ..Node::default() });
    let sessions =
        Server::builder().serve(session::server(Sessions)).listen(&format!("thread://sessions-of-{index}")).await?;
    let watchers = watch_users(&node, &sessions.local_address()).await?;

    let relay = sessions.broadcasts::<session::Broadcasts>();
    let hearing = Arc::clone(&node);
    let hear = move |app_id, amount| {
        let (node, relay) = (Arc::clone(&hearing), relay.clone());
        async move { node.on_amount(&relay, app_id, amount).await }
    };
    let hear_confirmed = hear.clone();
    let handlers = bank::Handlers::new()
        .pending_amount(move |_, event| {
            hear(event.app_id, Amount { stage: Stage::Seen, key: event.key, amount: event.amount })
        })
        .confirmed_amount(move |_, event| {
            hear_confirmed(event.app_id, Amount { stage: Stage::Confirmed, key: event.key, amount: event.amount })
        });
    let mut builder = bank::Client::builder().config(Plan::config()).broadcasts(handlers);
    if let Some(faults) = plan.faults(u64::from(index) + 1) {
        builder = builder.faults(faults);
    }
    let bank = builder.connect(address).await?;

    let actions = plan.actions_of(index);
    let mut workers = JoinSet::new();
    for _ in 0..OPEN_ACTIONS.min(actions) {
        let (node, bank) = (Arc::clone(&node), bank.clone());
        workers.spawn(async move { node.work(&bank, actions).await });
    }
    supervise(plan, &node, &bank, actions, progress).await;
    workers.abort_all();

    let stats = bank.runtime().stats();
    let mut dropped = bank.disconnect(Duration::from_secs(30)).await.dropped.len() as u64;
    for watcher in watchers {
        dropped += watcher.disconnect(Duration::from_secs(5)).await.dropped.len() as u64;
    }
    sessions.shutdown(Duration::from_secs(5)).await;
    let mut report = lock(&node.report).clone();
    report.unanswered += dropped;
    report.links_cut = stats.session.links.saturating_sub(1);
    report.frames_dropped = stats.faults.dropped;
    report.resent = stats.session.resent;
    Ok(report)
}

/// One session for each user, as a client of this node's own service.
async fn watch_users(node: &Arc<Node>, address: &str) -> Result<Vec<session::Client>, Failure> {
    let mut watchers = Vec::new();
    for number in 0..USERS {
        let (seeing, confirming) = (Arc::clone(node), Arc::clone(node));
        let handlers = session::Handlers::new()
            .amount_seen(move |_, event| {
                seeing.on_relayed(Amount { stage: Stage::Seen, key: event.key, amount: event.amount });
                std::future::ready(())
            })
            .amount_confirmed(move |_, event| {
                confirming.on_relayed(Amount { stage: Stage::Confirmed, key: event.key, amount: event.amount });
                std::future::ready(())
            });
        let watcher = session::Client::builder().broadcasts(handlers).connect(address).await?;
        watcher.watch(node.app_id, user_name(node.app_id, number)).await?;
        watchers.push(watcher);
    }
    Ok(watchers)
}

/// Cuts the link now and then, tells of progress, and returns when all is done, or when nothing moves any more.
async fn supervise(plan: &Plan, node: &Node, bank: &bank::Client, actions: u64, progress: mpsc::Sender<u64>) {
    let mut cuts = 0;
    loop {
        let moved = node.progress.notified();
        if node.is_done(actions, plan.kill_server == 0) {
            return;
        }
        if tokio::time::timeout(PATIENCE, moved).await.is_err() {
            return;
        }
        let answered = lock(&node.report).answered;
        // Nobody listens any more only when the run was given up.
        let _ = progress.try_send(answered);
        let is_due = answered * (u64::from(plan.cuts) + 1) >= actions * (u64::from(cuts) + 1);
        if cuts < plan.cuts && is_due && bank.runtime().stats().is_linked {
            cuts += 1;
            bank.runtime().cut_link();
        }
    }
}
