//! The two versions as two processes, each compiled without the other.
//!
//! Knows: how a process is started, told and heard. Does not know: cases.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A process of one version. It ends with this value, however the test ends: it is killed here, and reads the end of its stdin else.
pub(super) struct Process {
    child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    pub(super) fn start(version: &str) -> Self {
        let program = match version {
            "old" => env!("CARGO_BIN_EXE_evolution_old"),
            _ => env!("CARGO_BIN_EXE_evolution_new"),
        };
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, lines: BufReader::new(output).lines() }
    }

    fn say(&mut self, words: &[&str], messages: &[Vec<u8>]) {
        let hex = |bytes: &Vec<u8>| bytes.iter().fold("0x".to_owned(), |text, byte| text + &format!("{byte:02x}"));
        let words = words.iter().map(|word| (*word).to_owned()).chain(messages.iter().map(hex));
        writeln!(self.input, "{}", words.collect::<Vec<_>>().join(" ")).unwrap();
    }

    fn next(&mut self) -> String {
        self.lines.next().expect("the process has ended").unwrap()
    }

    /// Lines up to one that is `last`.
    fn until(&mut self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.next() {
                line if line == last => return lines,
                line => lines.push(line),
            }
        }
    }

    /// Serves a service with one response for each action; where it listens.
    pub(super) fn serve(&mut self, case: &str, service: &str, responses: &[Vec<u8>]) -> String {
        self.say(&["serve", case, service], responses);
        let line = self.next();
        line.strip_prefix("listening ").unwrap_or_else(|| panic!("{line}")).to_owned()
    }

    /// Stops serving; what ran: `ran 0 0x..`.
    pub(super) fn stop(&mut self) -> Vec<String> {
        self.say(&["stop"], &[]);
        self.until("stopped")
    }

    /// Calls every action of a service: `answer 0 0x..`, `failed 0 ..`.
    ///
    /// # Errors
    /// The server's refusal: the reason, and all that is said.
    pub(super) fn call(
        &mut self,
        case: &str,
        service: &str,
        address: &str,
        requests: &[Vec<u8>],
    ) -> Result<Vec<String>, (String, String)> {
        self.say(&["call", case, service, address], requests);
        let line = self.next();
        match line.strip_prefix("refused ").and_then(|refusal| refusal.split_once(' ')) {
            Some((reason, text)) => Err((reason.to_owned(), text.to_owned())),
            None if line == "connected" => Ok(self.until("called")),
            None => panic!("{line}"),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A message as processes say it.
pub(super) fn said(what: &str, number: usize, message: &[u8]) -> String {
    message.iter().fold(format!("{what} {number} 0x"), |text, byte| text + &format!("{byte:02x}"))
}
