//! The web server of a front node.
//!
//! Knows: paths, cookies, who may ask for what. Does not know: the bank; it asks the node.

mod account;
mod events;
mod faults;
mod guard;
mod pages;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rpcgen_runtime::AppId;
use tokio::net::TcpListener;

use crate::Failure;
use crate::front::{Node, SignIn};
use crate::stubs::front;

/// What handlers share.
#[derive(Clone)]
struct Web {
    node: Arc<Node>,
    /// The clients of the open tabs, by their names.
    tabs: Arc<Mutex<BTreeMap<String, front::Client>>>,
}

impl Web {
    fn tabs(&self) -> MutexGuard<'_, BTreeMap<String, front::Client>> {
        self.tabs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client of a tab; of a browser that has none open (or none here any more), the node's own.
    fn client_of(&self, tab: &str) -> front::Client {
        self.tabs().get(tab).cloned().unwrap_or_else(|| self.node.desk().clone())
    }
}

/// Serves a node's pages until the process ends.
///
/// # Errors
/// The listener fails.
pub async fn serve(node: Arc<Node>, listener: TcpListener) -> Result<(), Failure> {
    let web = Web { node, tabs: Arc::default() };
    let pages = Router::new()
        .route("/", get(pages::home))
        .route("/sign-in", post(account::sign_in))
        .route("/sign-out", post(account::sign_out))
        .route("/ask", post(account::ask))
        .route("/cancel", post(account::cancel))
        .route("/purge", post(account::purge))
        .route("/events", get(events::events))
        .route("/faults", get(faults::page))
        .route("/faults/counters", get(faults::counters))
        .route("/faults/set", post(faults::set))
        .route("/faults/cut", post(faults::cut))
        .route("/faults/pause", post(faults::pause))
        .route("/faults/crash", post(faults::crash))
        .route("/style.css", get(|| asset("text/css", include_str!("assets/style.css"))))
        .route("/app.js", get(|| asset("text/javascript", include_str!("assets/app.js"))))
        .route("/sign-in.js", get(|| asset("text/javascript", include_str!("assets/sign-in.js"))))
        .route("/faults.js", get(|| asset("text/javascript", include_str!("assets/faults.js"))))
        .layer(axum::middleware::from_fn(guard::check))
        .with_state(web);
    axum::serve(listener, pages.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

async fn asset(kind: &'static str, text: &'static str) -> Response {
    let kind = HeaderValue::from_static(kind);
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))], text)
        .into_response()
}

/// Why a request is not granted: for people.
struct Problem(StatusCode, String);

impl Problem {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self(status, text.into())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, axum::Json(serde_json::json!({ "error": self.1 }))).into_response()
    }
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, format!("the store does not answer: {error}"))
    }
}

/// The browser of a request.
struct Browser {
    app: AppId,
    user: String,
    sign_in: SignIn,
}

impl Browser {
    /// What a page calls its account by.
    fn account(&self) -> String {
        format!("{}/{}", self.app.0, self.user)
    }

    /// One whose page shows its own account: a cookie is all windows', and one of them may have signed in as somebody else meanwhile.
    fn shown_as(self, account: Option<&str>) -> Result<Self, Problem> {
        match account {
            Some(account) if account != self.account() => Err(Problem::new(
                StatusCode::CONFLICT,
                "this browser has signed in as somebody else meanwhile; reload this page",
            )),
            _ => Ok(self),
        }
    }

    /// One whose account is there.
    fn confirmed(self) -> Result<Self, Problem> {
        if self.sign_in.is_confirmed {
            Ok(self)
        } else {
            Err(Problem::new(StatusCode::FORBIDDEN, "the bank has not opened this account yet"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody whose account is there.
    pub(super) fn browser_of(user: &str) -> Browser {
        let (app, user, waits_for) = (AppId(7), user.to_owned(), String::new());
        let sign_in = SignIn { app, user: user.clone(), is_confirmed: true, is_refused: false, waits_for };
        Browser { app, user, sign_in }
    }

    #[test]
    fn page_of_one_account_does_not_act_for_another() {
        assert!(browser_of("ann").shown_as(Some("7/ann")).is_ok());
        assert!(browser_of("ann").shown_as(None).is_ok());
        for other in ["7/ben", "8/ann", "ann", ""] {
            assert!(browser_of("ann").shown_as(Some(other)).is_err(), "{other}");
        }
    }
}
