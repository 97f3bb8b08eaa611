//! Simulated people: each asks for things, and watches in two tabs at two front nodes.
//!
//! Knows: what a browser does. Does not know: what else happens to the nodes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Plan;
use super::dice::Dice;
use crate::Failure;
use crate::clock::now_ms;
use crate::http::{Events, ask};
use crate::settings::Serve;

/// A node that does not answer within this is dead, and the person asks another.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A tab whose node is dead comes back after this, as a browser does.
const BACK_AFTER: Duration = Duration::from_millis(500);
const APP: u64 = 7;
const PASSWORD: &str = "correct horse battery";

/// What all people saw and did.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Wishes that a node said it has accepted, by their tickets.
    accepted: Mutex<BTreeMap<String, Accepted>>,
    /// Wishes of which nobody said a word: they may come true, once, or not.
    unheard: Mutex<Vec<Entry>>,
    /// Wishes that a node said it has not accepted.
    pub(super) turned_away: AtomicU64,
    /// Wishes that were answered neither with a ticket nor with that.
    pub(super) odd_answers: AtomicU64,
    /// Streams that began again.
    pub(super) reconnects: AtomicU64,
    /// Entries that came to a tab a second time, or before an earlier one.
    pub(super) out_of_order: AtomicU64,
    /// Entries that tabs were shown live.
    pub(super) shown: AtomicU64,
}

/// What a thing is called, whose it is, and how much.
pub(super) type Entry = (String, String, Option<i64>);

/// A wish that was accepted.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    /// Whose timeline tells how it ended.
    pub(super) user: String,
    /// The kind of the entry that does.
    pub(super) ends_as: &'static str,
    /// The bank may say no.
    pub(super) may_be_refused: bool,
    /// The person has asked that it does not begin.
    pub(super) may_be_cancelled: bool,
    /// How the books would call it.
    pub(super) booked: Entry,
}

impl Tally {
    pub(super) fn accept(&self, ticket: String, accepted: Accepted) {
        self.wishes().insert(ticket, accepted);
    }

    /// Before it is asked: nobody can tell when that arrives.
    fn will_cancel(&self, ticket: &str) {
        if let Some(wish) = self.wishes().get_mut(ticket) {
            wish.may_be_cancelled = true;
        }
    }

    pub(super) fn accepted(&self) -> BTreeMap<String, Accepted> {
        self.wishes().clone()
    }

    pub(super) fn accepted_count(&self) -> usize {
        self.wishes().len()
    }

    pub(super) fn lose(&self, wish: Entry) {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner).push(wish);
    }

    pub(super) fn unheard(&self) -> Vec<Entry> {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    #[cfg(test)]
    pub(super) fn forget_accepted(&self) {
        self.wishes().clear();
    }

    fn wishes(&self) -> MutexGuard<'_, BTreeMap<String, Accepted>> {
        self.accepted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open tab, however often its stream begins again.
#[derive(Debug, Default)]
pub(super) struct Tab {
    /// The entries that it was shown, and when, in milliseconds since 1970.
    seen: Mutex<Seen>,
}

/// Entries by their numbers, each with the time at which a tab was shown it first.
pub(super) type Seen = BTreeMap<i64, i64>;

impl Tab {
    /// Notes an entry. `false`: it was there, or a younger one.
    fn see(&self, seq: i64) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let is_next = seen.last_key_value().is_none_or(|(youngest, _)| seq > *youngest);
        seen.entry(seq).or_insert_with(now_ms);
        is_next
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn youngest(&self) -> i64 {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.last_key_value().map_or(0, |(youngest, _)| *youngest)
    }
}

/// Somebody with an account.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: String,
    number: u32,
    cookie: String,
    serve: Serve,
    pub(super) tabs: [Tab; 2],
}

fn name_of(number: u32) -> String {
    format!("person-{number}")
}

impl Person {
    /// Signs in, and waits until the account is there.
    pub(super) async fn sign_in(serve: &Serve, number: u32) -> Result<Self, Failure> {
        let name = name_of(number);
        let form = json!({ "app": APP, "user": name, "password": PASSWORD });
        let at = serve.page(1 + u16::try_from(number)? % serve.fronts);
        let answer = ask(&at, Method::POST, "/sign-in", "", Some(&form), Duration::from_secs(60)).await?;
        let cookie = answer.cookie.ok_or_else(|| format!("{name} cannot sign in: {}", answer.body))?;
        let person = Self { name, number, cookie, serve: serve.clone(), tabs: Default::default() };
        let mut events = Events::open(&at, "/events", &person.cookie).await?;
        loop {
            let (event, data) = events.next().await?;
            if event == "state" && !data["summary"].is_null() {
                return Ok(person);
            }
            if event == "begin" {
                events = Events::open(&at, "/events", &person.cookie).await?;
            }
        }
    }

    /// The front node of a tab: two tabs are at two nodes.
    fn node_of(&self, tab: usize) -> u16 {
        let fronts = u32::from(self.serve.fronts);
        1 + u16::try_from((self.number + u32::try_from(tab).unwrap_or(0)) % fronts).unwrap_or(0)
    }

    /// Opens the tabs, and acts until it is calm.
    pub(super) fn live(
        self: &Arc<Self>,
        plan: &Plan,
        tally: &Arc<Tally>,
        is_calm: &watch::Receiver<bool>,
        living: &mut JoinSet<()>,
    ) {
        for tab in 0..self.tabs.len() {
            let (person, tally) = (Arc::clone(self), Arc::clone(tally));
            living.spawn(async move { person.watch(tab, &tally).await });
        }
        let (person, tally, mut is_calm) = (Arc::clone(self), Arc::clone(tally), is_calm.clone());
        let plan = plan.clone();
        living.spawn(async move {
            tokio::select! {
                () = person.act(&plan, &tally) => {}
                _ = is_calm.wait_for(|calm| *calm) => {}
            }
        });
    }

    /// One tab, as long as the soak lasts.
    async fn watch(&self, tab: usize, tally: &Tally) {
        let at = self.serve.page(self.node_of(tab));
        loop {
            if let Ok(mut events) = Events::open(&at, "/events", &self.cookie).await {
                while let Ok((_, data)) = events.next().await {
                    self.see(tab, &data, tally);
                }
            }
            tally.reconnects.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(BACK_AFTER).await;
        }
    }

    fn see(&self, tab: usize, data: &Value, tally: &Tally) {
        let is_whole_state = !data["session"].is_null();
        let Some(tab) = self.tabs.get(tab) else { return };
        for document in data["documents"].as_array().into_iter().flatten() {
            let is_next = tab.see(document["seq"].as_i64().unwrap_or_default());
            if !is_whole_state {
                tally.shown.fetch_add(1, Ordering::Relaxed);
                tally.out_of_order.fetch_add(u64::from(!is_next), Ordering::Relaxed);
            }
        }
    }

    async fn act(&self, plan: &Plan, tally: &Tally) {
        let mut dice = Dice::new(plan.seed.wrapping_mul(1_000_003).wrapping_add(u64::from(self.number)));
        let mut keys: Vec<String> = Vec::new();
        loop {
            tokio::time::sleep(dice.around(plan.wish_every)).await;
            let at = self.serve.page(self.node_of(dice.below(2)));
            if keys.is_empty() {
                keys = self.keys(&at).await.unwrap_or_default();
            }
            let key = keys.get(dice.below(keys.len())).cloned();
            // What it is called in the books, how its entry is called in a timeline, and how it is asked for.
            let amount = i64::try_from(1 + dice.below(100)).unwrap_or(1);
            let user = self.name.clone();
            let (booked, ends_as, wish): (Entry, _, _) = match (dice.below(10), key) {
                (0, _) | (_, None) => (("key".to_owned(), user.clone(), None), "key", json!({ "wish": "key" })),
                (1..=5, Some(key)) => {
                    let wish = json!({ "wish": "coins", "key": key, "amount": amount });
                    (("sent".to_owned(), user.clone(), Some(amount)), "sent", wish)
                }
                _ => {
                    let to = name_of(u32::try_from(dice.below(plan.sessions as usize / 2)).unwrap_or(0));
                    let wish = json!({ "wish": "pay", "to": to, "amount": amount });
                    ((format!("paid to {to}"), user.clone(), Some(amount)), "paid", wish)
                }
            };
            match ask(&at, Method::POST, "/ask", &self.cookie, Some(&wish), ANSWER_WITHIN).await {
                Ok(answer) if answer.body["ticket"].is_string() => {
                    let ticket = answer.body["ticket"].as_str().unwrap_or_default().to_owned();
                    let may_be_refused = ends_as == "paid";
                    let accepted = Accepted { user, ends_as, may_be_refused, may_be_cancelled: false, booked };
                    tally.accept(ticket.clone(), accepted);
                    if dice.below(8) == 0 {
                        self.cancel(&ticket, &mut dice, tally).await;
                    }
                }
                Ok(answer) if answer.body["error"].as_str().is_some_and(|why| why.starts_with("not accepted")) => {
                    tally.turned_away.fetch_add(1, Ordering::Relaxed);
                }
                Ok(answer) => {
                    println!("  {user}: {wish} was answered with {} {}", answer.status, answer.body);
                    tally.odd_answers.fetch_add(1, Ordering::Relaxed);
                }
                // Nobody said yes, and nobody no: the node died meanwhile, or before.
                Err(_) => tally.lose(booked),
            }
        }
    }

    /// Asks at one of the two nodes that a wish does not begin: mostly it is answered by then.
    async fn cancel(&self, ticket: &str, dice: &mut Dice, tally: &Tally) {
        let at = self.serve.page(self.node_of(dice.below(2)));
        tally.will_cancel(ticket);
        let form = json!({ "ticket": ticket });
        // What came of it is in the timeline.
        let _ = ask(&at, Method::POST, "/cancel", &self.cookie, Some(&form), ANSWER_WITHIN).await;
    }

    /// The keys that the timeline tells of.
    async fn keys(&self, at: &str) -> Result<Vec<String>, Failure> {
        let opened = tokio::time::timeout(ANSWER_WITHIN, async {
            let mut events = Events::open(at, "/events", &self.cookie).await?;
            events.next().await
        });
        let (_, state) = opened.await??;
        let documents = state["documents"].as_array().cloned().unwrap_or_default();
        let keys = documents.iter().filter(|document| document["kind"] == "key");
        Ok(keys.filter_map(|document| document["about"].as_str().map(str::to_owned)).collect())
    }
}
