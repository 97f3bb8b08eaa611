//! A bank and its front nodes, for one scenario: each a process of its own, in a folder of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

use bank_web::http::ask;
use bank_web::launch::Part;
use bank_web::settings::{CommandLine, Mode, Serve};
use clap::Parser;
use hyper::Method;
use rusqlite::Connection;

use crate::driver::{Browser, PATIENCE};

pub(crate) const PASSWORD: &str = "correct horse";

/// What a bank did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) keys: i64,
    pub(crate) coins: i64,
    pub(crate) payments: i64,
}

/// The parts of one scenario.
pub(crate) struct House {
    serve: Serve,
    bank: Option<Part>,
    fronts: Vec<Option<Part>>,
}

/// Ports in a row that are free. Scenarios of this process never get the same.
pub(crate) fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let of_process = 21_000 + u16::try_from(std::process::id() % 400).unwrap_or(0) * 50;
    loop {
        let first = of_process + NEXT.fetch_add(count, Ordering::Relaxed) % 20_000;
        if (first..first + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return first;
        }
    }
}

impl House {
    /// Starts all of them. `give_up_after`: for how many seconds the bank waits for a front node that is away.
    pub(crate) async fn open(name: &str, give_up_after: &str) -> Self {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // What an earlier run left.
        let _ = std::fs::remove_dir_all(&data);
        let ports = free_ports(24).to_string();
        let line = ["bank-web", "--data", &data.to_string_lossy(), "--ports", &ports, "--give-up-after", give_up_after];
        let serve = CommandLine::parse_from(line).serve;
        let mut house = Self { fronts: (0..serve.fronts).map(|_| None).collect(), serve, bank: None };
        house.start_bank().await;
        for node in 1..=house.serve.fronts {
            house.start_front(node).await;
        }
        house
    }

    fn program() -> PathBuf {
        PathBuf::from(env!("CARGO_BIN_EXE_bank-web"))
    }

    pub(crate) async fn start_bank(&mut self) {
        self.bank = Some(Part::start(&Self::program(), &self.serve, Mode::Bank, 0).await.expect("the bank starts"));
    }

    pub(crate) async fn kill_bank(&mut self) {
        self.bank.take().expect("it runs").kill().await.expect("it can be killed");
    }

    pub(crate) async fn start_front(&mut self, node: u16) {
        let part = Part::start(&Self::program(), &self.serve, Mode::Front, node).await.expect("the front node starts");
        self.fronts[usize::from(node) - 1] = Some(part);
    }

    pub(crate) async fn kill_front(&mut self, node: u16) {
        self.fronts[usize::from(node) - 1].take().expect("it runs").kill().await.expect("it can be killed");
    }

    pub(crate) fn url(&self, node: u16, path: &str) -> String {
        format!("http://{}/{path}", self.serve.page(node))
    }

    fn books(&self) -> Connection {
        Connection::open(self.serve.data.join("bank/bank.sqlite")).expect("the bank has books")
    }

    /// When the bank booked its one confirmed coin, in milliseconds since 1970.
    pub(crate) fn confirmed_at_ms(&self) -> i64 {
        // A coin that was moved on is due again that much later.
        let look = "SELECT due_ms - confirmed_after_ms FROM coins WHERE stage = 2";
        self.books().query_row(look, [], |row| row.get(0)).expect("a coin is confirmed")
    }

    /// That this, and nothing more, is in the bank's books, however often it was asked or told; and that no wish has two ends.
    pub(crate) fn assert_done(&self, done: Done) {
        let books = self.books();
        let count = |question| books.query_row(question, [], |row| row.get(0)).expect("the books can be read");
        let found = Done {
            keys: count("SELECT count(*) FROM keys"),
            coins: count("SELECT count(*) FROM coins"),
            payments: count("SELECT count(*) FROM bookings WHERE why LIKE 'paid to %'"),
        };
        assert_eq!(found, done);
        let store = Connection::open(self.serve.data.join("shared.sqlite")).expect("the nodes have a store");
        let look = "SELECT count(*) FROM contradictions";
        let twice: i64 = store.query_row(look, [], |row| row.get(0)).expect("the store can be read");
        assert_eq!(twice, 0, "wishes with two ends");
    }

    /// Waits until the bank has made a key and its books say so.
    pub(crate) fn until_key_is_made(&self) {
        let books = self.books();
        let began = std::time::Instant::now();
        while began.elapsed() < PATIENCE {
            let keys = books.query_row("SELECT count(*) FROM keys", [], |row| row.get::<_, i64>(0));
            if keys.expect("the books can be read") > 0 {
                return;
            }
        }
        panic!("no key was made");
    }

    /// Keeps the bank from writing into its books: as long as what is returned lives, what it begins goes no further.
    pub(crate) fn hold_books(&self) -> Connection {
        let books = self.books();
        books.busy_timeout(PATIENCE).expect("it can wait");
        books.execute_batch("BEGIN IMMEDIATE").expect("nobody writes for long");
        books
    }

    /// How many actions the bank has begun with, as a front node's fault page tells. The bank is there.
    pub(crate) async fn begun(&self) -> u64 {
        loop {
            let told = ask(&self.serve.page(1), Method::GET, "/faults/counters", "", None, PATIENCE).await;
            let told = told.expect("the front node is there").body;
            // A node that was linked a moment ago may not be yet on its other line.
            if let Some(actions) = told["bank"]["actions"].as_u64() {
                return actions;
            }
        }
    }

    /// Signs a browser in at a front node, and waits for the account's page.
    pub(crate) async fn sign_in(&self, browser: &Browser, node: u16, user: &str) {
        browser.open(&self.url(node, "")).await;
        browser.fill("#sign-in input[name=user]", user).await;
        browser.fill("#sign-in input[name=password]", PASSWORD).await;
        browser.click("#sign-in button").await;
        browser
            .until("return document.getElementById('balance') !== null && document.body.dataset.ready === 'true';")
            .await;
    }
}
