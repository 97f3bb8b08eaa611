//! How a command ends, and how it speaks.
//!
//! Knows: exit codes (0 fine, 1 findings, 2 usage), colours, broken pipes. Does not know: what is said.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

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

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        match end {
            End::Fine => Self::SUCCESS,
            End::Findings => Self::from(1),
            End::Usage => Self::from(2),
            End::Failed(error) => {
                complain(&format!("error: {error}\n"));
                Self::from(1)
            }
        }
    }
}

/// To stderr. Nobody reads it any more: nobody to tell.
pub(crate) fn complain(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// To stdout; the same.
pub(crate) fn say(text: &str) {
    let _ = io::stdout().lock().write_all(text.as_bytes());
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
