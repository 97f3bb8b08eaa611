//! Real processes with logs on disk, killed with SIGKILL.
//!
//! A child is this test binary again, told by its environment what to be; it says on its standard output what happens, so that nobody
//! waits by the clock.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rpcgen_runtime::{AppId, Call, ConnectError, ListenError, OpenLogError, Server};
use tokio::sync::Semaphore;

use crate::desk::{self, DivideError, RecoveredCall};
use crate::support::{APP, Directory, SEGMENT_BYTES, config, durable_client};

const ROLE: &str = "RPCGEN_TEST_ROLE";

/// A child process. It is killed when it is dropped.
struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(role: &str, directory: &Path, address: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "processes::child", "--nocapture", "--quiet"]);
        command.env(ROLE, role).env("RPCGEN_TEST_DIRECTORY", directory).env("RPCGEN_TEST_ADDRESS", address);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        Self { child, input, lines: BufReader::new(output).lines() }
    }

    /// The rest of the next line that begins so.
    fn expect(&mut self, beginning: &str) -> String {
        for line in &mut self.lines {
            let line = line.unwrap();
            if let Some(rest) = line.strip_prefix(beginning) {
                return rest.trim().to_owned();
            }
            assert!(!line.starts_with("FAILED"), "{line}");
        }
        panic!("the child ended without `{beginning}`");
    }

    fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// As power for this process alone: nothing of it runs any more.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// All lines that it says until it ends by itself.
    fn rest(mut self) -> Vec<String> {
        drop(self.input.take());
        let lines = (&mut self.lines).map_while(Result::ok).collect();
        self.child.wait().unwrap();
        lines
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a child says, at once.
fn tell(line: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{line}");
    let _ = output.flush();
}

/// Says which handlers run; `wait` waits for the word to go on.
struct Telling {
    gate: Arc<Semaphore>,
}

impl desk::Desk for Telling {
    async fn echo(&self, call: &Call, _: AppId, text: String) -> String {
        tell(&format!("ran echo {} {}", call.key(), call.redelivered()));
        text
    }

    async fn divide(&self, _: &Call, _: AppId, _: i64, _: i64) -> Result<i64, DivideError> {
        Err(DivideError::ByZero)
    }

    async fn wait(&self, call: &Call, _: AppId) -> bool {
        tell(&format!("ran wait {} {}", call.key(), call.redelivered()));
        self.gate.acquire().await.unwrap().forget();
        call.redelivered()
    }

    async fn wait_for_cancel(&self, _: &Call, _: AppId) {}
    async fn panic(&self, _: &Call, _: AppId, _: bool) {
        // Whatever the server is in the middle of, it is over.
        std::process::abort();
    }
    async fn open_topic(&self, _: &Call, _: AppId, _: String) {}
}

async fn be_server(directory: &Path, address: &str) {
    let gate = Arc::new(Semaphore::new(0));
    let builder = || {
        let business = Telling { gate: Arc::clone(&gate) };
        Server::builder().config(config()).log(directory).log_segment_bytes(SEGMENT_BYTES).serve(desk::server(business))
    };
    let server = loop {
        match builder().listen(address).await {
            Ok(server) => break server,
            Err(ListenError::Io { .. }) => tokio::task::yield_now().await,
            Err(error) => return tell(&format!("FAILED {error}")),
        }
    };
    tell(&format!("listening {}", server.local_address()));
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if line == "open" {
                gate.add_permits(1_000);
            }
        }
        drop(ended);
    });
    let _ = end.await;
    drop(server);
}

async fn be_client(directory: &Path, address: &str) {
    let client = match durable_client(directory).connect(address).await {
        Ok(client) => client,
        Err(error) => return tell(&format!("FAILED {error}")),
    };
    let echo = client.echo(APP, "before the kill").send().await.unwrap();
    tell(&format!("accepted {}", echo.number().0));
    let waits = client.wait(APP).send().await.unwrap();
    tell(&format!("accepted {}", waits.number().0));
    waits.guaranteed().await.unwrap();
    tell("guaranteed");
    // Nobody takes the answers.
    std::future::pending::<()>().await;
}

async fn be_next_client(directory: &Path, address: &str) {
    let client = match durable_client(directory).connect(address).await {
        Ok(client) => client,
        Err(error) => return tell(&format!("FAILED {error}")),
    };
    for call in client.recovered() {
        match call {
            RecoveredCall::Echo(call) => {
                let number = call.number().0;
                tell(&format!("answer {number} {:?}", call.await));
            }
            RecoveredCall::Wait(call) => {
                let number = call.number().0;
                tell(&format!("answer {number} {:?}", call.await));
            }
            other => tell(&format!("FAILED {other:?}")),
        }
    }
    let report = client.disconnect(Duration::from_secs(30)).await;
    tell(&format!("left {}", report.dropped.len()));
}

/// What a child is. No test by itself: without a role it has nothing to do.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let directory = PathBuf::from(std::env::var_os("RPCGEN_TEST_DIRECTORY").unwrap());
    let address = std::env::var("RPCGEN_TEST_ADDRESS").unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        match role.as_str() {
            "server" => be_server(&directory, &address).await,
            "client" => be_client(&directory, &address).await,
            "next client" => be_next_client(&directory, &address).await,
            role => panic!("{role}"),
        }
    });
    runtime.shutdown_background();
}

/// The handlers that a server said to have run: name, call, whether it was redelivered.
fn ran(lines: &[String]) -> Vec<(String, String, bool)> {
    let ran = lines.iter().filter_map(|line| line.strip_prefix("ran "));
    ran.map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        (words[0].to_owned(), words[1].to_owned(), words[2] == "true")
    })
    .collect()
}

#[test]
fn call_survives_the_kill_of_its_server_and_what_was_answered_is_not_run_again() {
    let directory = Directory::new();
    let mut server = Process::start("server", &directory.of_server(), "tcp://127.0.0.1:0");
    let address = server.expect("listening");
    let mut client = Process::start("client", &directory.of_client(), &address);
    client.expect("guaranteed");
    let echo = server.expect("ran echo");
    assert!(echo.ends_with("false"), "{echo}");
    server.expect("ran wait");
    server.kill();

    let mut server = Process::start("server", &directory.of_server(), &address);
    server.expect("listening");
    let again = server.expect("ran ");
    assert!(again.starts_with("wait") && again.ends_with("true"), "only what was open: {again}");
    client.kill();

    let mut next = Process::start("next client", &directory.of_client(), &address);
    assert_eq!(next.expect("answer"), format!("{} Ok(\"before the kill\")", (1_u64 << 40)));
    server.say("open");
    assert_eq!(next.expect("answer"), format!("{} Ok(true)", (1_u64 << 40) + 1));
    assert_eq!(next.expect("left"), "0");
    assert_eq!(ran(&server.rest()), [], "nothing else ran");
}

#[test]
fn client_that_is_killed_between_accepted_and_answered_finds_its_answer() {
    let directory = Directory::new();
    let mut server = Process::start("server", &directory.of_server(), "tcp://127.0.0.1:0");
    let address = server.expect("listening");
    let mut client = Process::start("client", &directory.of_client(), &address);
    let numbers = [client.expect("accepted"), client.expect("accepted")];
    client.kill();
    server.say("open");
    let mut next = Process::start("next client", &directory.of_client(), &address);
    for number in numbers {
        let answer = next.expect("answer");
        assert!(answer.starts_with(&number) && answer.contains("Ok("), "{answer}");
    }
    assert_eq!(next.expect("left"), "0");
    let ran = ran(&server.rest());
    assert!(ran.len() <= 2, "each at most once, as the server lived on: {ran:?}");
}

#[test]
fn both_ends_are_killed_and_the_server_goes_on_before_the_client_is_back() {
    let directory = Directory::new();
    let mut server = Process::start("server", &directory.of_server(), "tcp://127.0.0.1:0");
    let address = server.expect("listening");
    let mut client = Process::start("client", &directory.of_client(), &address);
    client.expect("guaranteed");
    server.kill();
    client.kill();

    let mut server = Process::start("server", &directory.of_server(), &address);
    server.expect("listening");
    // It was guaranteed: nobody has to ask.
    server.expect("ran wait");
    server.say("open");
    let mut next = Process::start("next client", &directory.of_client(), &address);
    assert_eq!(next.expect("answer"), format!("{} Ok(\"before the kill\")", (1_u64 << 40)));
    assert_eq!(next.expect("answer"), format!("{} Ok(true)", (1_u64 << 40) + 1));
    assert_eq!(next.expect("left"), "0");
    let again: Vec<_> = ran(&server.rest()).into_iter().filter(|(name, ..)| name == "wait").collect();
    assert_eq!(again, [], "it ran once in this life");
}

#[test]
fn two_processes_do_not_share_a_directory() {
    let directory = Directory::new();
    let mut server = Process::start("server", &directory.of_server(), "tcp://127.0.0.1:0");
    let address = server.expect("listening");
    let mut client = Process::start("client", &directory.of_client(), &address);
    client.expect("guaranteed");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(durable_client(&directory.of_client()).connect(&address)).unwrap_err();
    assert!(matches!(error, ConnectError::Log(OpenLogError::InUse { .. })), "{error}");
    client.kill();
    let client = runtime.block_on(durable_client(&directory.of_client()).connect(&address)).unwrap();
    assert_eq!(client.recovered().len(), 2, "the lock went with its process");
}
