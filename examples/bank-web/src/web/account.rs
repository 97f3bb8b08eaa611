//! What a person does with an account.
//!
//! Knows: what may be asked for, and by whom. Does not know: how the bank is asked.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rpcgen_runtime::{AppId, CallError};
use serde::Deserialize;
use serde_json::json;

use super::guard::{browser, set_cookie, token};
use super::{Problem, Web};
use crate::bank::APPS;
use crate::stubs::front::{AskError, Cancelled, Wish};

/// Names and passwords may be so long.
const NAME_CHARS_MAX: usize = 32;
const NO_NAME: &str = "a name has 1 to 32 letters, digits, - and _";
const NO_AMOUNT: &str = "an amount is a whole number from 1 on";
/// Keys are shorter than that.
const KEY_BYTES_MAX: usize = 64;
/// Shorter passwords are guessed.
const PASSWORD_CHARS_MIN: usize = 8;
/// Longer ones only keep us busy.
const PASSWORD_BYTES_MAX: usize = 256;
/// A cancel that was not settled within this is still being asked: the bank, or the node that asked it, is away.
const CANCEL_WITHIN: Duration = Duration::from_secs(5);

/// Who wants to sign in.
#[derive(Deserialize)]
pub(super) struct SignInForm {
    app: u64,
    user: String,
    password: String,
}

/// What a person asks for.
#[derive(Deserialize)]
pub(super) struct AskForm {
    /// The tab that asks.
    #[serde(default)]
    session: String,
    /// The account that its page shows; a program may leave it out.
    account: Option<String>,
    #[serde(flatten)]
    wish: WishForm,
}

#[derive(Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case")]
enum WishForm {
    Key,
    Pay { to: String, amount: u64 },
    Coins { key: String, amount: u64 },
}

/// What is not to begin.
#[derive(Deserialize)]
pub(super) struct CancelForm {
    #[serde(default)]
    session: String,
    account: Option<String>,
    ticket: String,
}

/// Who wants the timeline emptied.
#[derive(Deserialize)]
pub(super) struct PurgeForm {
    account: Option<String>,
    password: String,
}

fn bad(text: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, text)
}

fn is_name(text: &str) -> bool {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    !text.is_empty() && text.len() <= NAME_CHARS_MAX && text.chars().all(is_fine)
}

pub(super) async fn sign_in(State(web): State<Web>, Json(form): Json<SignInForm>) -> Result<Response, Problem> {
    if !APPS.iter().any(|app| app.id.0 == form.app) {
        return Err(bad("there is no such app"));
    }
    if !is_name(&form.user) {
        return Err(bad(NO_NAME));
    }
    if form.password.chars().count() < PASSWORD_CHARS_MIN || form.password.len() > PASSWORD_BYTES_MAX {
        return Err(bad("a password has 8 characters at least, and 256 bytes at most"));
    }
    let token = web.node.sign_in(AppId(form.app), &form.user, form.password).await;
    match token.map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))? {
        Some(token) => Ok((set_cookie(&token), Json(json!({}))).into_response()),
        None => Err(Problem::new(StatusCode::FORBIDDEN, "that is not the password of this account")),
    }
}

pub(super) async fn sign_out(State(web): State<Web>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(token) = token(&headers) {
        web.node.sign_out(&token).await?;
    }
    Ok((set_cookie(""), Json(json!({}))).into_response())
}

pub(super) async fn ask(
    State(web): State<Web>,
    headers: HeaderMap,
    Json(form): Json<AskForm>,
) -> Result<Json<serde_json::Value>, Problem> {
    let browser = browser(&web, &headers).await?.shown_as(form.account.as_deref())?.confirmed()?;
    let wish = match form.wish {
        WishForm::Key => Wish::NewKey,
        WishForm::Pay { amount: 0, .. } | WishForm::Coins { amount: 0, .. } => return Err(bad(NO_AMOUNT)),
        WishForm::Pay { to, .. } if !is_name(&to) => return Err(bad(NO_NAME)),
        WishForm::Pay { to, amount } => Wish::Pay { to, amount },
        WishForm::Coins { key, .. } if key.len() > KEY_BYTES_MAX => return Err(bad("nobody has such a key")),
        WishForm::Coins { key, amount } => Wish::SendCoins { key, amount },
    };
    match web.client_of(&form.session).ask(browser.app, browser.user, wish).await {
        Ok(ticket) => Ok(Json(json!({ "ticket": ticket }))),
        Err(CallError::Failed(AskError::NotAccepted { why })) => {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, format!("not accepted: {why}")))
        }
        Err(error) => Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())),
    }
}

pub(super) async fn cancel(
    State(web): State<Web>,
    headers: HeaderMap,
    Json(form): Json<CancelForm>,
) -> Result<Json<serde_json::Value>, Problem> {
    let browser = browser(&web, &headers).await?.shown_as(form.account.as_deref())?;
    let gone = || Problem::new(StatusCode::NOT_FOUND, "that does not wait any more");
    let waiting = web.node.waiting(browser.app, &browser.user).await?;
    let is_theirs = |login: &str| browser.sign_in.is_confirmed || login == browser.sign_in.waits_for;
    if !waiting.iter().any(|waiting| waiting.ticket == form.ticket && is_theirs(&waiting.login)) {
        return Err(gone());
    }
    let client = web.client_of(&form.session);
    let Ok(cancelled) = tokio::time::timeout(CANCEL_WITHIN, client.cancel(browser.app, form.ticket)).await else {
        let text = "asked; what becomes of it is not known before the bank is back";
        return Ok(Json(json!({ "outcome": "asked", "text": text })));
    };
    let (outcome, text) = match cancelled.map_err(|_| gone())? {
        Cancelled::Cancelled => ("cancelled", "Cancelled: it did not run, and never will"),
        Cancelled::Executing => ("executing", "Too late: it runs, and its answer will come"),
        Cancelled::Answered => ("answered", "Too late: it was answered"),
        Cancelled::MaybeExecuted => ("maybe_executed", "Whether it ran is not known"),
    };
    Ok(Json(json!({ "outcome": outcome, "text": text })))
}

pub(super) async fn purge(
    State(web): State<Web>,
    headers: HeaderMap,
    Json(form): Json<PurgeForm>,
) -> Result<Json<serde_json::Value>, Problem> {
    let browser = browser(&web, &headers).await?.shown_as(form.account.as_deref())?.confirmed()?;
    if form.password.len() <= PASSWORD_BYTES_MAX && web.node.purge(browser.app, &browser.user, form.password).await? {
        return Ok(Json(json!({})));
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "that is not the password of this account; nothing was purged"))
}
