//! The rules of the house that a compiler does not check, as a test of the tree.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file, without its tests.
const FILE_LINES_MAX: usize = 500;
/// Columns of a line of code or comment.
const LINE_CHARS_MAX: usize = 140;

/// Who may not know of whom: a folder, and words that may not stand in its sources (tests apart).
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("rpcgen-runtime/proto/src", &["std::net", "std::time", "std::thread", "tokio", "rpcgen_runtime", "SystemTime"]),
    ("rpcgen-runtime/log/src", &["tokio", "rpcgen_proto", "rpcgen_runtime", "SystemTime", "Instant"]),
    ("rpcgen-runtime/store/src", &["tokio", "rpcgen_runtime", "SystemTime", "Instant", "std::fs", "std::net"]),
    ("rpcgen/src/editor", &["lsp_", "crate::codegen", "crate::fmt"]),
    ("rpcgen/src", &["tokio", "rpcgen_proto::", "use rpcgen_runtime", "clap"]),
    ("rpcgen/src/codegen", &["crate::syntax", "crate::check"]),
    ("rpcgen/src/model", &["crate::syntax", "pest"]),
    ("rpcgen/src/syntax", &["crate::check", "crate::codegen"]),
    ("rpcgen-runtime/src/client", &["crate::server"]),
    ("rpcgen-runtime/src/server", &["crate::client::"]),
];

struct Source {
    path: PathBuf,
    text: String,
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The project's own Rust sources, generated ones apart.
fn sources(folder: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a readable folder").path();
            let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
            if path.is_dir() && !["target", ".git", "generated", "node_modules", "ui"].contains(&name.as_str()) {
                open.push(path);
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).expect("a readable source");
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

impl Source {
    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap_or(&self.path).display().to_string()
    }

    fn is_test(&self) -> bool {
        let name = self.name();
        name.contains("/tests/") || name.starts_with("tests/") || name.ends_with("tests.rs")
    }

    /// The text before the test module at its end.
    fn without_tests(&self) -> &str {
        self.text.find("#[cfg(test)]\nmod tests {").map_or(&self.text, |at| &self.text[..at])
    }
}

fn complain(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn every_module_begins_with_what_it_knows() {
    let lacking = |source: &Source| !source.text.starts_with("//!") && !source.text.starts_with("// @generated");
    complain(
        sources(root())
            .iter()
            .filter(|s| lacking(s))
            .map(|s| format!("{}: no module documentation", s.name()))
            .collect(),
    );
}

#[test]
fn no_file_is_too_long_to_read() {
    let lines = |source: &Source| source.without_tests().lines().count();
    let long = sources(root()).into_iter().filter(|source| !source.is_test() && lines(source) > FILE_LINES_MAX);
    complain(long.map(|source| format!("{}: {} lines", source.name(), lines(&source))).collect());
}

#[test]
fn no_line_is_too_long_to_read() {
    let mut complaints = Vec::new();
    for source in sources(root()) {
        for (number, line) in source.text.lines().enumerate() {
            if line.chars().count() > LINE_CHARS_MAX {
                complaints.push(format!("{}:{}: {} columns", source.name(), number + 1, line.chars().count()));
            }
        }
    }
    complain(complaints);
}

#[test]
fn packages_know_only_whom_they_may() {
    let mut complaints = Vec::new();
    for (folder, words) in DIRECTIONS {
        for source in sources(&root().join(folder)).iter().filter(|source| !source.is_test()) {
            for (number, line) in source.without_tests().lines().enumerate() {
                let code = line.split("//").next().unwrap_or("");
                for word in words.iter().filter(|word| code.contains(**word)) {
                    complaints.push(format!("{}:{}: knows of `{word}`", source.name(), number + 1));
                }
            }
        }
    }
    complain(complaints);
}

#[test]
fn nothing_is_left_for_later_and_no_test_sleeps() {
    let words = [concat!("FIX", "ME"), concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("#[ign", "ore")];
    let sleeps = [concat!("thread::", "sleep"), concat!("time::", "sleep(")];
    let mut complaints = Vec::new();
    for source in sources(root()) {
        let tested = if source.is_test() { sleeps.as_slice() } else { &[] };
        for word in words.iter().chain(tested).filter(|word| source.text.contains(**word)) {
            complaints.push(format!("{}: `{word}`", source.name()));
        }
    }
    complain(complaints);
}

#[test]
fn every_test_that_the_protocol_names_exists() {
    let protocol = fs::read_to_string(root().join("docs/protocol.md")).expect("docs/protocol.md");
    let rows = protocol.lines().filter(|line| line.starts_with("| T") || line.starts_with("| ("));
    let shown_by = rows.filter_map(|row| row.rsplit('|').nth(1));
    let named = shown_by.flat_map(|cell| cell.split('`').skip(1).step_by(2)).filter(|name| name.len() > 20);
    let folders = ["rpcgen-runtime/proto/src", "rpcgen-runtime/log/src", "tests/e2e", "tests/effects"].into_iter();
    let sources: String = folders.flat_map(|folder| sources(&root().join(folder))).map(|source| source.text).collect();
    let (mut count, mut complaints) = (0, Vec::new());
    for name in named.filter(|name| !name.contains('/')) {
        count += 1;
        if !sources.contains(&format!("fn {name}()")) {
            complaints.push(format!("docs/protocol.md names a test `{name}`, which is not there"));
        }
    }
    assert!(count > 30, "only {count} names were found");
    complain(complaints);
}

#[test]
fn every_rule_that_the_code_cites_has_its_section() {
    let protocol = fs::read_to_string(root().join("docs/protocol.md")).expect("docs/protocol.md");
    let mut complaints = Vec::new();
    for source in sources(root()) {
        for line in source.text.lines() {
            let Some((_, section)) = line.split_once(concat!("// spec: ", "protocol.md ")) else { continue };
            if !protocol.contains(&format!("\n## {}. ", section.trim())) {
                complaints.push(format!("{}: no section {section} in docs/protocol.md", source.name()));
            }
        }
    }
    complain(complaints);
}
