//! The fault page: a visitor pulls cables. For browsers on this machine only.
//!
//! Knows: what can be broken. Does not know: how it mends itself.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Html;
use rpcgen_runtime::AppId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Problem, Web, pages};

/// The bank's control port has one app.
const CONTROL: AppId = AppId(1);
/// A bank that does not tell its counters within this is shown as away.
const COUNTERS_WITHIN: Duration = Duration::from_millis(800);

/// Which shares of the frames are dropped: 0 to 0.9.
#[derive(Deserialize)]
pub(super) struct Faults {
    calls: f64,
    answers: f64,
    broadcasts: f64,
}

/// Whether the business rests.
#[derive(Deserialize)]
pub(super) struct Pause {
    paused: bool,
}

/// Only a browser on this machine, and only one that means this machine: a name of elsewhere may have been made to lead here.
pub(super) fn only_here(peer: SocketAddr, headers: &HeaderMap) -> Result<(), Problem> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if peer.ip().to_canonical().is_loopback() && ["127.0.0.1", "localhost", "[::1]"].contains(&name) {
        Ok(())
    } else {
        Err(Problem::new(StatusCode::NOT_FOUND, "the fault page is for browsers on this machine"))
    }
}

pub(super) async fn page(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Html<String>, Problem> {
    only_here(peer, &headers)?;
    Ok(Html(pages::faults(web.node.name())))
}

pub(super) async fn counters(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    only_here(peer, &headers)?;
    let stats = web.node.bank_stats();
    let front = json!({
        "linked": stats.is_linked,
        "links": stats.session.links,
        "open_calls": stats.open_calls,
        "frames_sent": stats.session.frames_sent,
        "frames_dropped": stats.faults.dropped,
        "resent": stats.session.resent,
        "duplicates": stats.session.duplicates,
        "drop_calls": web.node.faults(),
    });
    let control = web.node.control();
    // A bank that is away is not asked: the question would wait for it, and others behind it.
    let told = if control.runtime().stats().is_linked {
        tokio::time::timeout(COUNTERS_WITHIN, control.counters(CONTROL)).await.ok().and_then(Result::ok)
    } else {
        None
    };
    let bank = told.map(|told| {
        json!({
            "epoch": format!("{:016x}", told.epoch),
            "linked_nodes": told.linked,
            "actions": told.actions,
            "frames_sent": told.frames_sent,
            "frames_dropped": told.frames_dropped,
            "resent": told.resent,
            "waiting_broadcasts": told.waiting_broadcasts,
            "paused": told.paused,
            "drop_answers": told.drop_answers,
            "drop_broadcasts": told.drop_broadcasts,
        })
    });
    Ok(Json(json!({ "front": front, "bank": bank })))
}

/// Orders to a bank that is away wait until it is back, like any call.
fn ordered<E: std::fmt::Display>(sent: Result<(), E>) -> Result<Json<Value>, Problem> {
    sent.map_err(|error| Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    Ok(Json(json!({})))
}

pub(super) async fn set(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Json(faults): Json<Faults>,
) -> Result<Json<Value>, Problem> {
    only_here(peer, &headers)?;
    web.node.set_faults(faults.calls);
    ordered(web.node.control().set_faults(CONTROL, faults.answers, faults.broadcasts).send().await.map(drop))
}

pub(super) async fn cut(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    only_here(peer, &headers)?;
    web.node.cut_link();
    Ok(Json(json!({})))
}

pub(super) async fn pause(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    Json(pause): Json<Pause>,
) -> Result<Json<Value>, Problem> {
    only_here(peer, &headers)?;
    ordered(web.node.control().pause_business(CONTROL, pause.paused).send().await.map(drop))
}

pub(super) async fn crash(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    only_here(peer, &headers)?;
    // It would wait, and kill the next one.
    if !web.node.control().runtime().stats().is_linked {
        return Err(Problem::new(StatusCode::CONFLICT, "the bank is away already"));
    }
    ordered(web.node.control().crash(CONTROL).send().await.map(drop))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn fault_page_is_for_browsers_on_this_machine_that_mean_this_machine() {
        let is_let_in = |peer: &str, host: Option<&'static str>| {
            let host = host.map(|host| (header::HOST, HeaderValue::from_static(host)));
            only_here(peer.parse().unwrap(), &HeaderMap::from_iter(host)).is_ok()
        };
        for host in ["127.0.0.1:8081", "127.0.0.1", "localhost:8081", "[::1]:8081"] {
            assert!(is_let_in("127.0.0.1:50000", Some(host)), "{host}");
            assert!(is_let_in("[::1]:50000", Some(host)), "{host}");
            assert!(is_let_in("[::ffff:127.0.0.1]:50000", Some(host)), "{host}");
            for peer in ["192.168.1.7:50000", "10.0.0.1:50000", "[fe80::1]:50000", "[::ffff:10.0.0.1]:50000"] {
                assert!(!is_let_in(peer, Some(host)), "{peer} {host}");
            }
        }
        // A name of elsewhere that was made to lead here.
        for host in ["bank.example:8081", "localhost.bank.example", "127.0.0.1.bank.example:8081", ""] {
            assert!(!is_let_in("127.0.0.1:50000", Some(host)), "{host}");
        }
        assert!(!is_let_in("127.0.0.1:50000", None));
    }
}
