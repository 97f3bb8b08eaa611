//! The stream of events of one open tab.
//!
//! Knows: what a tab is told, and in which order. Does not know: how it shows it. Whoever comes back is told the whole state first, so
//! that nothing depends on what was missed.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, stream};
use serde_json::{Value, json};

use super::guard::browser;
use super::{Browser, Problem, Web};
use crate::bank::APPS;
use crate::clock::now_ms;
use crate::front::{Document, Session};

/// Entries that a tab is told when it comes.
const ENTRIES_AT_FIRST: u32 = 100;
/// Entries of one event.
const ENTRIES_AT_ONCE: u32 = 500;
/// How often it is looked whether the bank can be reached.
const LINK_EVERY: Duration = Duration::from_millis(250);
/// A sign of life, so that a browser notices when its node is gone.
const ALIVE_EVERY: Duration = Duration::from_secs(5);

pub(super) async fn events(
    State(web): State<Web>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let browser = browser(&web, &headers).await?;
    let session = web.node.open_session(browser.app, &browser.user).await;
    let session = session.map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    web.tabs().insert(session.name().to_owned(), session.client().clone());
    let tab = Tab { web, headers, browser, session, last_seq: 0, is_linked: false, is_told_state: false };
    let events = stream::unfold(tab, |mut tab| async move {
        let event = tab.next().await?;
        Some((Ok(event), tab))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE_EVERY)))
}

/// One open tab, as long as its stream lives.
struct Tab {
    web: Web,
    headers: HeaderMap,
    browser: Browser,
    session: Session,
    /// The youngest entry that it has been told.
    last_seq: i64,
    is_linked: bool,
    is_told_state: bool,
}

impl Tab {
    /// What the tab is told next. `None`: nothing can be told any more; it comes back.
    async fn next(&mut self) -> Option<Event> {
        if !self.is_told_state {
            self.is_told_state = true;
            return Some(event("state", &self.state().await?));
        }
        loop {
            let changed = tokio::select! {
                changed = self.session.changed() => changed,
                () = tokio::time::sleep(LINK_EVERY) => {
                    if self.web.node.is_linked() != self.is_linked {
                        self.is_linked = !self.is_linked;
                        return Some(event("bank", &json!({ "linked": self.is_linked })));
                    }
                    continue;
                }
            };
            // Signed out, maybe in another window: then it is told nothing more.
            browser(&self.web, &self.headers).await.ok()?;
            if !self.browser.sign_in.is_confirmed {
                // Whether the account is this browser's may have been settled: the page begins again.
                let waiting = self.waiting().await?;
                let name = if waiting.is_empty() { "begin" } else { "news" };
                return Some(event(name, &json!({ "waiting": waiting, "documents": [], "now": now_ms() })));
            }
            let documents = if changed.documents { self.new_documents().await? } else { Vec::new() };
            let waiting = self.waiting().await?;
            let summary = self.web.node.summary(self.browser.app, &self.browser.user).await.ok()?;
            let news = json!({ "documents": documents, "waiting": waiting, "summary": summary, "now": now_ms() });
            return Some(event("news", &news));
        }
    }

    async fn state(&mut self) -> Option<Value> {
        // Once more: what was settled before the session watched, it does not hear of.
        self.browser = browser(&self.web, &self.headers).await.ok()?;
        self.is_linked = self.web.node.is_linked();
        let (app, user) = (self.browser.app, self.browser.user.clone());
        let mut state = json!({
            "session": self.session.name(),
            "account": self.browser.account(),
            "user": user,
            "app": APPS.iter().find(|known| known.id == app).map(|app| app.name),
            "node": self.web.node.name(),
            "linked": self.is_linked,
            "now": now_ms(),
            "documents": [],
            "waiting": self.waiting().await?,
            "summary": null,
        });
        if self.browser.sign_in.is_confirmed {
            let documents = self.web.node.timeline(app, &user, 0, ENTRIES_AT_FIRST).await.ok()?;
            self.last_seq = documents.last().map_or(0, |document| document.seq);
            state["documents"] = serde_json::to_value(documents).ok()?;
            state["summary"] = serde_json::to_value(self.web.node.summary(app, &user).await.ok()?).ok()?;
        }
        Some(state)
    }

    async fn new_documents(&mut self) -> Option<Vec<Document>> {
        let (app, user) = (self.browser.app, &self.browser.user);
        let documents = self.web.node.timeline(app, user, self.last_seq, ENTRIES_AT_ONCE).await.ok()?;
        self.last_seq = documents.last().map_or(self.last_seq, |document| document.seq);
        Some(documents)
    }

    /// What waits for the user; for a browser that is not confirmed, only what it waits for itself.
    async fn waiting(&self) -> Option<Vec<Value>> {
        let waiting = self.web.node.waiting(self.browser.app, &self.browser.user).await.ok()?;
        let sign_in = &self.browser.sign_in;
        let theirs = waiting.into_iter().filter(|one| sign_in.is_confirmed || one.login == sign_in.waits_for);
        Some(theirs.filter_map(|one| serde_json::to_value(one).ok()).collect())
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        self.web.tabs().remove(self.session.name());
    }
}

fn event(name: &str, data: &Value) -> Event {
    Event::default().event(name).data(data.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::http::{HeaderValue, header};

    use super::*;
    use crate::front::{Node, Settings};

    #[tokio::test]
    async fn tab_whose_account_was_opened_before_it_watched_is_told_so() {
        let data = std::env::temp_dir().join(format!("bank-web-tab-{}", crate::clock::random_name()));
        let nowhere = "tcp://127.0.0.1:9".to_owned();
        let settings = Settings {
            name: "front-1".to_owned(),
            bank: nowhere.clone(),
            control: nowhere,
            address: "tcp://127.0.0.1:0".to_owned(),
            neighbours: Vec::new(),
            data: data.clone(),
            store: data.join("shared.sqlite"),
            drop: 0.0,
        };
        let node = Node::start(&settings).await.unwrap();
        let token = node.sign_in(APPS[0].id, "alice", "correct horse".to_owned()).await.unwrap().unwrap();
        let web = Web { node, tabs: Arc::default() };
        let cookie = HeaderValue::from_str(&format!("bank_web={token}")).unwrap();
        let headers = HeaderMap::from_iter([(header::COOKIE, cookie)]);
        let Ok(browser) = browser(&web, &headers).await else { panic!("it has signed in") };
        assert!(!browser.sign_in.is_confirmed);
        // The bank's answer comes between the look at who it is and the watching.
        let store = rusqlite::Connection::open(&settings.store).unwrap();
        assert_eq!(store.execute("UPDATE sign_ins SET state = 'confirmed'", []).unwrap(), 1);
        let session = web.node.open_session(browser.app, &browser.user).await.unwrap();
        let mut tab = Tab { web, headers, browser, session, last_seq: 0, is_linked: false, is_told_state: false };
        assert!(!tab.state().await.unwrap()["summary"].is_null());
        std::fs::remove_dir_all(data).unwrap();
    }
}
