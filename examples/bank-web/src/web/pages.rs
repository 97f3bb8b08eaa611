//! The pages, as HTML.
//!
//! Knows: what stands where. Does not know: what happens in them; that is the scripts'.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::Html;

use super::{Browser, Problem, Web, faults, guard};
use crate::bank::APPS;

/// The account's page, or the way there.
pub(super) async fn home(
    State(web): State<Web>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<Html<String>, Problem> {
    let node = web.node.name();
    let has_faults = faults::only_here(peer, &headers).is_ok();
    Ok(Html(match guard::browser(&web, &headers).await {
        Ok(browser) if browser.sign_in.is_refused => sign_in(
            node,
            "That account was not opened by this window: the name is somebody else's, or you opened it in another window, or \
                 cancelled. Sign in once more, or take another name.",
        ),
        Ok(browser) if browser.sign_in.is_confirmed => account(node, &browser, has_faults),
        Ok(browser) => opening(node, &browser.user),
        Err(_) => sign_in(node, ""),
    }))
}

fn app_name(id: u64) -> &'static str {
    APPS.iter().find(|app| app.id.0 == id).map_or("", |app| app.name)
}

/// Text as HTML: names may have been anything once.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
    html
}

/// What every page has around it.
fn page(title: &str, node: &str, script: &str, body: &str) -> String {
    let (title, node) = (escaped(title), escaped(node));
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/style.css">
<script src="/{script}" defer></script>
</head>
<body>
<header class="bar">
<a class="brand" href="/">bank<span>web</span></a>
<span class="badge" id="node">{node}</span>
<span class="link" id="link" data-state="unknown"><i></i><b>connecting</b></span>
</header>
{body}
</body>
</html>
"#
    )
}

fn sign_in(node: &str, problem: &str) -> String {
    let apps: String =
        APPS.iter().map(|app| format!(r#"<option value="{}">{}</option>"#, app.id.0, escaped(app.name))).collect();
    let body = format!(
        r#"<main class="narrow">
<section class="card">
<h1>Sign in</h1>
<p class="quiet">A name that nobody has yet opens an account. The bank need not be there for that: what you ask is kept until it is.</p>
<form id="sign-in">
<label>App <select name="app">{apps}</select></label>
<label>Name <input name="user" autocomplete="username" maxlength="32" required autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" minlength="8" required></label>
<button class="primary" type="submit">Continue</button>
<p class="problem" id="problem" role="alert">{}</p>
</form>
</section>
</main>"#,
        escaped(problem)
    );
    page("Sign in · bank web", node, "sign-in.js", &body)
}

/// The bank has not said yet whether the name is free.
fn opening(node: &str, user: &str) -> String {
    let body = format!(
        r#"<main class="narrow">
<section class="card">
<h1>Hello {}</h1>
<p class="quiet" id="opening">Your account is being opened. You may close this page: it goes on without you.</p>
<button class="plain" id="sign-out">Use another name</button>
</section>
</main>
{NOTIFIER}"#,
        escaped(user)
    );
    page("Opening the account · bank web", node, "app.js", &body)
}

/// The bottom of the page: what waits for the bank.
const NOTIFIER: &str = r#"<footer class="notifier" id="notifier" data-count="0" aria-live="polite">
<div class="inner">
<div class="head">
<h2>Guarantees <span class="count" id="count">0</span></h2>
<p class="quiet" id="nothing">Nothing waits: all is answered.</p>
</div>
<ul id="waiting"></ul>
</div>
</footer>"#;

/// `has_faults`: whether this browser may see the fault page.
fn account(node: &str, browser: &Browser, has_faults: bool) -> String {
    let (account, user, app) = (escaped(&browser.account()), escaped(&browser.user), escaped(app_name(browser.app.0)));
    let to_faults = if has_faults { r#"<a class="quiet" id="to-faults" href="/faults">Pull cables</a>"# } else { "" };
    let body = format!(
        r#"<main data-account="{account}">
<section class="card owned">
<div>
<p class="quiet"><span id="user">{user}</span> · {app}</p>
<p class="balance"><span id="balance">0</span> <small>{app}</small></p>
<p class="way" id="way" hidden></p>
</div>
<div class="ways">
<button class="plain" id="sign-out">Sign out</button>
{to_faults}
</div>
</section>
<section class="card half">
<h2>Receive</h2>
<div class="row"><button class="primary" id="get-key">Get a key</button><code id="key" hidden></code></div>
<form id="send-coins" class="row" hidden>
<label class="grow">Play the network <input name="amount" type="number" min="1" max="1000000" value="25" required></label>
<button class="plain" type="submit">Send coins to it</button>
</form>
</section>
<section class="card half">
<h2>Pay</h2>
<form id="pay" class="row">
<label class="grow">To <input name="to" maxlength="32" required placeholder="name"></label>
<label class="short">Amount <input name="amount" type="number" min="1" max="1000000" value="5" required></label>
<button class="plain" type="submit">Pay</button>
</form>
</section>
<p class="problem" id="problem" role="alert"></p>
<section class="card">
<h2>Timeline</h2>
<ol class="timeline" id="timeline"></ol>
<p class="quiet" id="empty">Nothing has happened yet. Get a key, and send coins to it.</p>
<details id="purge-box">
<summary>Purge the timeline</summary>
<form id="purge" class="row">
<label class="grow">The account's password <input name="password" type="password" autocomplete="off" required></label>
<button class="danger" type="submit">Purge</button>
</form>
<p class="problem" id="purge-problem" role="alert"></p>
</details>
</section>
</main>
{NOTIFIER}"#
    );
    page(&format!("{user} · bank web"), node, "app.js", &body)
}

/// The page where a visitor pulls cables.
pub(super) fn faults(node: &str) -> String {
    let slider = |id: &str, label: &str| {
        format!(
            r#"<label class="slider"><span>{label}</span>
<input id="{id}" type="range" min="0" max="0.9" step="0.05" value="0"><output for="{id}" id="{id}-out">0 %</output></label>"#
        )
    };
    let sliders = slider("calls", "Calls of this front node")
        + &slider("answers", "Answers of the bank")
        + &slider("broadcasts", "Broadcasts of the bank");
    let body = format!(
        r#"<main>
<section class="card">
<div class="titled">
<h1>Pull some cables</h1>
<a class="quiet" id="to-account" href="/">Back to the account</a>
</div>
<p class="quiet">Break what you like, and use the account's page meanwhile: whatever was accepted is answered, once.</p>
<h2>Drop frames</h2>
{sliders}
<h2>Break at once</h2>
<div class="row wrap">
<button class="plain" id="cut">Cut this node's link</button>
<button class="plain" id="pause" data-paused="false">Pause the business</button>
<button class="danger" id="crash">Kill the bank</button>
</div>
<p class="problem" id="problem" role="alert"></p>
</section>
<section class="card">
<h2>Counters</h2>
<div class="counters">
<table><caption>{node}</caption><tbody id="front"></tbody></table>
<table><caption>bank</caption><tbody id="bank"></tbody></table>
</div>
</section>
</main>"#
    );
    page("Faults · bank web", node, "faults.js", &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::tests::browser_of;

    #[test]
    fn text_of_a_visitor_is_never_markup() {
        let html = account("front-1", &browser_of("<script>alert('x')</script>"), true);
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
        assert!(!html.contains("<script>alert"));
    }

    #[test]
    fn way_to_the_fault_page_is_shown_to_whom_it_is_open() {
        let has_way = |has_faults| account("front-1", &browser_of("alice"), has_faults).contains(r#"href="/faults""#);
        assert_eq!((has_way(true), has_way(false)), (true, false));
    }
}
