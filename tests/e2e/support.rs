//! The business of the tests, and how its ends come up.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rpcgen_runtime::client::ClientBuilder;
use rpcgen_runtime::{AppId, Call, CallKey, ClientId, Config, ListenError, Server};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

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

    /// Whether a call of this client ran.
    pub(crate) fn ran(&self, client: ClientId) -> bool {
        self.runs.lock().unwrap().keys().any(|key| key.client == client)
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

/// A directory that is gone when the test is.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("rpcgen-e2e-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&directory);
        Self(directory)
    }

    pub(crate) fn of_client(&self) -> PathBuf {
        self.0.join("client")
    }

    pub(crate) fn of_server(&self) -> PathBuf {
        self.0.join("server")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Small files: a test makes many.
pub(crate) const SEGMENT_BYTES: u64 = 64 << 10;

/// A client with its log in this directory.
pub(crate) fn durable_client(directory: &Path) -> ClientBuilder<desk::Client> {
    desk::Client::builder().config(config()).log(directory).log_segment_bytes(SEGMENT_BYTES)
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
    /// The number, and whether it may have been handled before.
    pub(crate) news: mpsc::UnboundedReceiver<(u64, bool)>,
    pub(crate) notices: mpsc::UnboundedReceiver<u64>,
}

/// A node that handles all broadcasts.
pub(crate) async fn listen_in(address: &str) -> Heard {
    listen_in_with(address, config()).await
}

/// Handlers of notices that are counted while they run, and wait at a gate.
#[derive(Clone)]
pub(crate) struct SlowNode {
    gate: Arc<Semaphore>,
    running: watch::Sender<usize>,
    pub(crate) most: Arc<AtomicUsize>,
    pub(crate) done: watch::Sender<u64>,
}

impl SlowNode {
    pub(crate) fn new() -> Self {
        Self {
            gate: Arc::new(Semaphore::new(0)),
            running: watch::Sender::new(0),
            most: Arc::default(),
            done: watch::Sender::new(0),
        }
    }

    pub(crate) fn open_gate(&self) {
        self.gate.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    pub(crate) async fn has_begun(&self, count: usize) {
        self.running.subscribe().wait_for(|running| *running >= count).await.unwrap();
    }

    pub(crate) async fn has_done(&self, count: u64) {
        self.done.subscribe().wait_for(|done| *done >= count).await.unwrap();
    }

    pub(crate) fn handlers(&self) -> desk::Handlers {
        let node = self.clone();
        desk::Handlers::new().notice(move |_, _| {
            let node = node.clone();
            async move {
                node.running.send_modify(|running| {
                    *running += 1;
                    node.most.fetch_max(*running, Ordering::Relaxed);
                });
                node.gate.acquire().await.unwrap().forget();
                node.running.send_modify(|running| *running -= 1);
                node.done.send_modify(|done| *done += 1);
            }
        })
    }
}

pub(crate) async fn listen_in_with(address: &str, config: Config) -> Heard {
    let ((news, hears_news), (notices, hears_notices)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let handlers = desk::Handlers::new()
        .news(move |delivery, event| {
            news.send((event.number, delivery.redelivered())).unwrap();
            std::future::ready(())
        })
        .notice(move |_, event| {
            let notices = notices.clone();
            async move {
                tokio::task::yield_now().await;
                notices.send(event.number).unwrap();
            }
        });
    let client = desk::Client::builder().config(config).broadcasts(handlers).connect(address).await.unwrap();
    Heard { client, news: hears_news, notices: hears_notices }
}

/// Runs a node in a runtime of its own, which ends with it as a process would: without a word to anybody.
pub(crate) async fn in_a_life_of_its_own<R: Send + 'static>(life: impl AsyncFnOnce() -> R + Send + 'static) -> R {
    let (end, is_over) = oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let result = runtime.block_on(life());
        drop(runtime);
        let _ = end.send(result);
    });
    is_over.await.unwrap()
}

pub(crate) async fn is_alive(client: &desk::Client) -> bool {
    client.echo(APP, "alive").await.is_ok_and(|text| text == "alive")
}
