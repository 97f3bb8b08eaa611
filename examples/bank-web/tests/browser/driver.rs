//! Drives Chromium by the WebDriver protocol (W3C), through chromedriver.
//!
//! Knows: the few commands that the scenarios need. Does not know: the pages.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bank_web::http::{Answer, ask};
use hyper::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The key of an element in the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// No command takes longer.
const COMMAND_WITHIN: Duration = Duration::from_secs(60);
/// What a scenario waits for comes within this, on however slow a machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks of a page at itself, in milliseconds.
const LOOK_EVERY_MS: u32 = 20;

/// chromedriver, with a port of its own.
pub(crate) struct Driver {
    address: String,
    _process: Child,
}

/// Chromium and its driver; `None`: they are not installed.
fn programs() -> Option<(PathBuf, PathBuf)> {
    let path = std::env::var_os("PATH")?;
    let find = |names: &[&str]| {
        std::env::split_paths(&path)
            .flat_map(|folder| names.iter().map(move |name| folder.join(name)).collect::<Vec<_>>())
            .find(|file| file.is_file())
    };
    Some((find(&["chromium", "chromium-browser", "google-chrome"])?, find(&["chromedriver"])?))
}

impl Driver {
    /// `None`: there is no browser on this machine, and the scenario is skipped.
    pub(crate) async fn start() -> Option<Self> {
        let (_, driver) = programs()?;
        let mut command = Command::new(driver);
        command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut process = command.spawn().expect("chromedriver starts");
        let mut lines = BufReader::new(process.stdout.take().expect("its output was asked for")).lines();
        // "ChromeDriver was started successfully on port 38291."
        let port = loop {
            let line = lines.next_line().await.expect("chromedriver talks").expect("chromedriver says its port");
            let found = line.split("on port ").nth(1).and_then(|rest| rest.trim_end_matches('.').parse::<u16>().ok());
            // Before that it says that it starts, on port 0.
            if let Some(port) = found.filter(|port| *port != 0) {
                break port;
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self { address: format!("127.0.0.1:{port}"), _process: process })
    }

    /// A browser with a window of this size and nothing in it: no cookies of others.
    pub(crate) async fn browser(&self, width: u32, height: u32) -> Browser {
        let (chromium, _) = programs().expect("it was there a moment ago");
        let window = format!("--window-size={width},{height}");
        let flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--hide-scrollbars",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            &window,
        ];
        let options = json!({ "binary": chromium, "args": flags });
        let wanted =
            json!({ "capabilities": { "alwaysMatch": { "browserName": "chrome", "goog:chromeOptions": options } } });
        let answer = command(&self.address, Method::POST, "/session", Some(&wanted)).await;
        let session = answer["sessionId"].as_str().unwrap_or_else(|| panic!("no browser: {answer}")).to_owned();
        let browser = Browser { address: self.address.clone(), session };
        // The screen of a phone is narrower than a window may be.
        let screen = json!({ "cmd": "Emulation.setDeviceMetricsOverride", "params":
            { "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 } });
        browser.command(Method::POST, "/goog/cdp/execute", Some(&screen)).await;
        browser
    }
}

async fn command(address: &str, method: Method, path: &str, body: Option<&Value>) -> Value {
    let answer: Answer = ask(address, method, path, "", body, COMMAND_WITHIN).await.expect("chromedriver answers");
    answer.body.get("value").cloned().unwrap_or_default()
}

/// One browser with one window.
pub(crate) struct Browser {
    address: String,
    session: String,
}

impl Browser {
    async fn command(&self, method: Method, path: &str, body: Option<&Value>) -> Value {
        command(&self.address, method, &format!("/session/{}{path}", self.session), body).await
    }

    pub(crate) async fn open(&self, url: &str) {
        self.command(Method::POST, "/url", Some(&json!({ "url": url }))).await;
    }

    /// The tab that commands go to.
    pub(crate) async fn tab(&self) -> String {
        self.command(Method::GET, "/window", None).await.as_str().expect("a tab").to_owned()
    }

    /// Opens another tab in front of the others.
    pub(crate) async fn open_tab(&self) -> String {
        let made = self.command(Method::POST, "/window/new", Some(&json!({ "type": "tab" }))).await;
        let tab = made["handle"].as_str().unwrap_or_else(|| panic!("no tab: {made}")).to_owned();
        self.switch_to(&tab).await;
        tab
    }

    /// Brings a tab to the front.
    pub(crate) async fn switch_to(&self, tab: &str) {
        self.command(Method::POST, "/window", Some(&json!({ "handle": tab }))).await;
    }

    /// What a script in the page returns.
    pub(crate) async fn script(&self, script: &str) -> Value {
        self.command(Method::POST, "/execute/sync", Some(&json!({ "script": script, "args": [] }))).await
    }

    /// The element, once it is there and shown.
    async fn element(&self, css: &str) -> String {
        self.until(&format!(
            "const found = document.querySelector({css:?}); return found !== null && found.offsetParent !== null;"
        ))
        .await;
        let found = json!({ "using": "css selector", "value": css });
        let found = self.command(Method::POST, "/element", Some(&found)).await;
        found[ELEMENT].as_str().unwrap_or_else(|| panic!("{css}: {found}")).to_owned()
    }

    /// Clicks as a person does: it must be there, shown, and under nothing else.
    pub(crate) async fn click(&self, css: &str) {
        let element = self.element(css).await;
        let answer = self.command(Method::POST, &format!("/element/{element}/click"), Some(&json!({}))).await;
        assert!(answer.is_null(), "{css} cannot be clicked: {answer}");
    }

    /// Empties a field and types into it.
    pub(crate) async fn fill(&self, css: &str, text: &str) {
        let element = self.element(css).await;
        self.command(Method::POST, &format!("/element/{element}/clear"), Some(&json!({}))).await;
        let answer =
            self.command(Method::POST, &format!("/element/{element}/value"), Some(&json!({ "text": text }))).await;
        assert!(answer.is_null(), "{css} cannot be typed into: {answer}");
    }

    pub(crate) async fn text(&self, css: &str) -> String {
        let text = self.script(&format!("return document.querySelector({css:?})?.textContent ?? '';")).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a script returns `true`. The page itself looks again and again; where it is left for another, the next one does.
    pub(crate) async fn until(&self, script: &str) {
        let look = format!(
            "const done = arguments[0]; const look = () => {{ {script} }};
             const again = () => look() === true ? done(true) : setTimeout(again, {LOOK_EVERY_MS}); again();"
        );
        let body = json!({ "script": look, "args": [] });
        let seen = tokio::time::timeout(PATIENCE, async {
            while self.command(Method::POST, "/execute/async", Some(&body)).await != json!(true) {}
        });
        if seen.await.is_err() {
            let page = self.script("return document.body.innerText;").await;
            panic!("it never came to be so: {script}\n{}", page.as_str().unwrap_or_default());
        }
    }

    /// Waits until some element that `css` finds has this text in it.
    pub(crate) async fn until_text(&self, css: &str, text: &str) {
        let script = format!(
            "return [...document.querySelectorAll({css:?})].some((one) => one.textContent.includes({text:?}));"
        );
        self.until(&script).await;
    }

    /// How many elements that `css` finds have this text in them.
    pub(crate) async fn count(&self, css: &str, text: &str) -> u64 {
        let script = format!(
            "return [...document.querySelectorAll({css:?})].filter((one) => one.textContent.includes({text:?})).length;"
        );
        self.script(&script).await.as_u64().unwrap_or_default()
    }

    /// Sends JSON to the page's own server.
    pub(crate) async fn post(&self, path: &str, body: &str) {
        let script = format!(
            "const done = arguments[0]; fetch({path:?}, {{ method: 'POST', headers: {{ 'content-type': 'application/json' }},
             body: JSON.stringify({body}) }}).then((answer) => done(answer.ok));"
        );
        let body = json!({ "script": script, "args": [] });
        assert_eq!(self.command(Method::POST, "/execute/async", Some(&body)).await, json!(true), "{path}");
    }

    /// Writes what the window shows into a PNG file.
    pub(crate) async fn screenshot(&self, path: &Path) {
        let picture = self.command(Method::GET, "/screenshot", None).await;
        std::fs::write(path, decoded(picture.as_str().expect("a picture"))).expect("the picture can be written");
    }

    pub(crate) async fn close(self) {
        self.command(Method::DELETE, "", None).await;
    }
}

/// Base64 (RFC 4648), as pictures travel.
fn decoded(text: &str) -> Vec<u8> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for four in text.trim_end_matches('=').as_bytes().chunks(4) {
        let bits = four.iter().fold(0_u32, |bits, c| bits << 6 | u32::from(value(*c))) << (6 * (4 - four.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..four.len()]);
    }
    bytes
}
