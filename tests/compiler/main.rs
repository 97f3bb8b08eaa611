//! The compiler from outside: diagnostics, models, the language's reference.
//!
//! Expectations stand beside their inputs. `UPDATE=1` rewrites them; one that is missing is written, and the test still fails.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its files fails")]

mod build_scripts;
mod examples;
mod fingerprints;
mod fixes;
mod formatted;
mod hostile;
mod large;
mod random;
mod reservations;
mod ui;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files of a folder with this ending, in order.
fn files_in(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == ending));
    files.sort();
    files
}

/// Compares a text with the file that expects it. What is wrong, if anything.
fn compare(expectation: &Path, actual: &str) -> Option<String> {
    let expected = std::fs::read_to_string(expectation).ok();
    if expected.as_deref() == Some(actual) {
        return None;
    }
    let update = std::env::var_os("UPDATE").is_some_and(|value| value == "1");
    if update || expected.is_none() {
        std::fs::write(expectation, actual).unwrap();
    }
    let name = expectation.display();
    match expected {
        _ if update => None,
        None => Some(format!("{name} was missing and has been written: read it")),
        Some(expected) => {
            Some(format!("{name} differs (UPDATE=1 rewrites it)\n--- expected\n{expected}\n--- actual\n{actual}"))
        }
    }
}
