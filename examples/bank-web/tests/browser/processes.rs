//! How the processes end: the one that starts all, and a bank whose books are another's.
//!
//! Knows: signals, exit codes, what is printed. A pipe that all of them have inherited ends when the last of them has gone.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use bank_web::http::{Events, ask};
use hyper::Method;
use rpcgen_sqlite::Sqlite;

use crate::driver::PATIENCE;
use crate::house::{PASSWORD, free_ports};

/// The last line of what the launcher prints when all serve.
const ALL_SERVE: &str = "Ctrl-C ends it all.";

/// A program that was started as by a shell: in a process group of its own, as a terminal's Ctrl-C finds it.
struct Started {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: ChildStderr,
    data: PathBuf,
}

/// Signs somebody in at the front node whose page is at `at`, and waits until the bank has opened the account.
async fn sign_in(at: &str, user: &str) {
    let form = serde_json::json!({ "app": 7, "user": user, "password": PASSWORD });
    let answer = ask(at, Method::POST, "/sign-in", "", Some(&form), PATIENCE).await.expect("the node answers");
    let cookie = answer.cookie.expect("a name that nobody has is let in");
    // A stream of a browser that was let in begins once more when the account is there.
    loop {
        let mut events = Events::open(at, "/events", &cookie).await.expect("the node tells");
        while let Ok((event, data)) = events.next().await {
            match event.as_str() {
                "state" if !data["summary"].is_null() => return,
                "begin" => break,
                _ => {}
            }
        }
    }
}

impl Started {
    fn new(name: &str, ports: u16, arguments: &[&str]) -> Self {
        let data = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        // What an earlier run left.
        let _ = std::fs::remove_dir_all(&data);
        let mut command = Command::new(env!("CARGO_BIN_EXE_bank-web"));
        command.args(arguments).arg("--data").arg(&data).arg("--ports").arg(ports.to_string());
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("its output was asked for"));
        let stderr = child.stderr.take().expect("its errors were asked for");
        Self { child, stdout, stderr, data }
    }

    fn until_it_prints(&mut self, wanted: &str) {
        let mut line = String::new();
        while line.trim_end() != wanted {
            line.clear();
            assert_ne!(self.stdout.read_line(&mut line).expect("it prints text"), 0, "it ended without `{wanted}`");
        }
    }

    /// To the whole group with `is_to_group`, as a terminal does.
    fn signal(&self, signal: &str, is_to_group: bool) {
        let group = if is_to_group { "-" } else { "" };
        let sent = Command::new("kill").args(["-s", signal, "--"]).arg(format!("{group}{}", self.child.id())).status();
        assert!(sent.expect("kill is there").success());
    }

    /// Waits until it and all that it started have gone: its exit code or the signal that ended it, and what it printed meanwhile.
    fn gone(mut self) -> (Result<i32, Option<i32>>, String, String) {
        let (mut printed, mut complained) = (String::new(), String::new());
        self.stdout.read_to_string(&mut printed).expect("it prints text");
        self.stderr.read_to_string(&mut complained).expect("it prints text");
        let status = self.child.wait().expect("it was started here");
        (status.code().ok_or_else(|| status.signal()), printed, complained)
    }
}

#[test]
fn interrupted_launcher_ends_all_that_it_started_and_says_so() {
    for (name, signal, is_to_group) in [("ctrl-c", "INT", true), ("terminated", "TERM", false)] {
        let mut launcher = Started::new(name, free_ports(24), &[]);
        launcher.until_it_prints(ALL_SERVE);
        launcher.signal(signal, is_to_group);
        let (code, printed, complained) = launcher.gone();
        assert_eq!((code, complained.as_str()), (Ok(0), ""), "{printed}");
        assert!(printed.contains("the bank and its front nodes are ended"), "{printed}");
        assert!(printed.contains("All have ended") && !printed.contains("died"), "{printed}");
    }
}

#[test]
fn parts_of_a_launcher_that_is_killed_end_by_themselves() {
    let mut launcher = Started::new("launcher-killed", free_ports(24), &[]);
    launcher.until_it_prints(ALL_SERVE);
    launcher.signal("KILL", false);
    let (code, _, complained) = launcher.gone();
    assert_eq!((code, complained.as_str()), (Err(Some(9)), ""));
}

#[test]
fn launcher_whose_ports_are_taken_says_so_and_leaves_nothing() {
    let first = free_ports(24);
    // Of the second front node's page: a bank and a front node run by then.
    let _taken = std::net::TcpListener::bind(("127.0.0.1", first + 2)).expect("it was free");
    let (code, printed, complained) = Started::new("taken", first, &[]).gone();
    assert_eq!(code, Ok(1), "{printed}");
    assert!(complained.contains("front-2 did not start; if a port is taken"), "{complained}");
}

#[tokio::test]
async fn one_process_is_bank_and_front_node() {
    let ports = free_ports(24);
    let mut both = Started::new("both", ports, &["--mode", "bank", "--mode", "front", "--fronts", "1"]);
    both.until_it_prints("ready");
    sign_in(&format!("127.0.0.1:{}", ports + 1), "alice").await;
    both.signal("TERM", false);
    let (code, _, complained) = both.gone();
    assert_eq!((code, complained.as_str()), (Err(Some(15)), ""));
}

#[test]
fn bank_whose_books_cannot_be_written_any_more_says_so_and_ends() {
    let mut bank = Started::new("books-taken", free_ports(24), &["--mode", "bank"]);
    bank.until_it_prints("ready");
    // It writes nothing more: the books know their owner.
    let _another = Sqlite::open(bank.data.join("bank/bank.sqlite")).expect("the books are there");
    let (code, _, complained) = bank.gone();
    assert_eq!(code, Ok(1), "{complained}");
    assert!(
        complained.contains("bank: it cannot go on, and ends") && complained.contains("taken over"),
        "{complained}"
    );
}
