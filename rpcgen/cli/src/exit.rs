//! How a command ends, and how it speaks.
//!
//! Knows: exit codes (0 fine, 1 findings, 2 usage), colours, broken pipes, full disks. Does not know: what is said.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::OnceLock;

use rpcgen::diagnostic::Diagnostics;

/// How a command ends.
#[derive(Debug)]
pub(crate) enum End {
    /// Nothing to complain of.
    Fine,
    /// There are findings; they have been shown.
    Findings,
    /// What was asked for makes no sense; it has been said why.
    Usage,
    /// It could not be done.
    Failed(rpcgen::Error),
}

/// Why something that was said has not reached stdout. The command goes on with what it does, and ends with 1.
static UNSAID: OnceLock<io::Error> = OnceLock::new();

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        if let End::Failed(error) = &end {
            complain(&format!("error: {error}\n"));
        }
        if let Some(error) = UNSAID.get() {
            complain(&format!("error: cannot write to stdout: {error}\n"));
        }
        match end {
            End::Usage => Self::from(2),
            End::Fine if UNSAID.get().is_none() => Self::SUCCESS,
            End::Fine | End::Findings | End::Failed(_) => Self::from(1),
        }
    }
}

/// To stderr. Nobody reads it any more: nobody to tell.
pub(crate) fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// To stdout. A pipe that nobody reads any more is no failure: `rpcgen .. | head -1` has what it wanted.
pub(crate) fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    said(stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
}

/// A command line that cannot be read, or that asks for help: on stderr, or on stdout.
pub(crate) fn say_usage(error: &clap::Error) -> End {
    let printed = error.print();
    if error.use_stderr() {
        return End::Usage;
    }
    said(printed.and_then(|()| io::stdout().flush()));
    End::Fine
}

/// Keeps the first failure for the end.
fn said(result: io::Result<()>) {
    if let Err(error) = result
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = UNSAID.set(error);
    }
}

/// Whether stderr is a terminal that may have colours.
pub(crate) fn colours() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Findings for people, and how many errors there are.
pub(crate) fn show(diagnostics: &Diagnostics) {
    complain(&diagnostics.to_human(colours()));
    match diagnostics.errors_count() {
        0 => {}
        1 => complain("1 error; `rpcgen explain CODE` tells more\n"),
        count => complain(&format!("{count} errors; `rpcgen explain CODE` tells more\n")),
    }
}
