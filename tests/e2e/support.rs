//! The business of the tests, and how its ends come up.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpcgen_runtime::{AppId, Call, CallKey, Config, ListenError, Server};
use tokio::sync::{Semaphore, mpsc, watch};

use crate::desk::{self, DivideError};

pub(crate) const APP: AppId = AppId(7);

/// Short flushes: a test waits for guarantees, not for traffic that they might ride on.
pub(crate) fn config() -> Config {
    Config { flush_after: Duration::from_millis(5), ..Config::default() }
}

/// What handlers did, and the gate that `wait` waits at.
#[derive(Clone)]
pub(crate) struct Business {
    gate: Arc<Semaphore>,
    started: watch::Sender<u64>,
    runs: Arc<Mutex<BTreeMap<CallKey, u32>>>,
}

impl Default for Business {
    fn default() -> Self {
        Self { gate: Arc::new(Semaphore::new(0)), started: watch::Sender::new(0), runs: Arc::default() }
    }
}

impl Business {
    /// Lets one `wait` go on.
    pub(crate) fn open_gate(&self) {
        self.gate.add_permits(1);
    }

    /// Returns once so many handlers have begun.
    pub(crate) async fn started(&self, count: u64) {
        self.started.subscribe().wait_for(|started| *started >= count).await.unwrap();
    }

    /// How often handlers ran.
    pub(crate) fn runs(&self) -> u64 {
        *self.started.borrow()
    }

    /// Calls that ran more than once.
    pub(crate) fn repeated(&self) -> usize {
        self.runs.lock().unwrap().values().filter(|count| **count > 1).count()
    }

    fn note(&self, call: &Call) {
        *self.runs.lock().unwrap().entry(call.key()).or_default() += 1;
        self.started.send_modify(|started| *started += 1);
    }
}

impl desk::Desk for Business {
    async fn echo(&self, call: &Call, _app_id: AppId, text: String) -> String {
        self.note(call);
        text
    }

    async fn divide(&self, call: &Call, _app_id: AppId, dividend: i64, divisor: i64) -> Result<i64, DivideError> {
        self.note(call);
        dividend.checked_div(divisor).ok_or(DivideError::ByZero)
    }

    async fn wait(&self, call: &Call, _app_id: AppId) -> bool {
        self.note(call);
        self.gate.acquire().await.unwrap().forget();
        call.redelivered()
    }

    async fn wait_for_cancel(&self, call: &Call, _app_id: AppId) {
        self.note(call);
        while !call.is_cancel_requested() {
            tokio::task::yield_now().await;
        }
    }

    async fn panic(&self, call: &Call, _app_id: AppId, late: bool) {
        self.note(call);
        if late {
            tokio::task::yield_now().await;
        }
        panic!("on purpose");
    }

    async fn open_topic(&self, call: &Call, _app_id: AppId, _topic: String) {
        self.note(call);
    }
}

/// A server of a business of its own.
pub(crate) async fn serve(address: &str) -> (Server, Business) {
    serve_at(address, config()).await
}

/// The same, also where a server was dropped a moment ago: its listener takes a moment to go.
pub(crate) async fn serve_at(address: &str, config: Config) -> (Server, Business) {
    loop {
        let business = Business::default();
        let builder = Server::builder().config(config.clone()).serve(desk::server(business.clone()));
        match builder.listen(address).await {
            Ok(server) => return (server, business),
            Err(ListenError::Io { source, .. }) if source.kind() == io::ErrorKind::AddrInUse => {
                tokio::task::yield_now().await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

pub(crate) async fn connect(address: &str) -> desk::Client {
    desk::Client::builder().config(config()).connect(address).await.unwrap()
}

/// Broadcasts as a node heard them.
pub(crate) struct Heard {
    pub(crate) client: desk::Client,
    pub(crate) news: mpsc::UnboundedReceiver<u64>,
    pub(crate) notices: mpsc::UnboundedReceiver<u64>,
}

/// A node that handles all broadcasts.
pub(crate) async fn listen_in(address: &str) -> Heard {
    let ((news, hears_news), (notices, hears_notices)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let handlers = desk::Handlers::new()
        .news(move |event| {
            news.send(event.number).unwrap();
            std::future::ready(())
        })
        .notice(move |event| {
            let notices = notices.clone();
            async move {
                tokio::task::yield_now().await;
                notices.send(event.number).unwrap();
            }
        });
    let client = desk::Client::builder().config(config()).broadcasts(handlers).connect(address).await.unwrap();
    Heard { client, news: hears_news, notices: hears_notices }
}

pub(crate) async fn is_alive(client: &desk::Client) -> bool {
    client.echo(APP, "alive").await.is_ok_and(|text| text == "alive")
}
