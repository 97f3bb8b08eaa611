//! `fmt/<case>.in.rpc` is formatted to `fmt/<case>.out.rpc`; formatting changes neither what a file says nor what is formatted already.

use std::path::Path;

use rpcgen::diagnostic::Sink;
use rpcgen::fmt::format;
use rpcgen::load::Memory;
use rpcgen::model::Model;
use rpcgen::source::SourceId;

use super::{compare, files_in, root};

fn formatted(text: &str) -> String {
    format(Path::new("case.rpc"), text).unwrap_or_else(|found| panic!("{}\n{text}", found.to_human(false)))
}

/// A tree without its places.
pub(super) fn shape(text: &str) -> String {
    let mut sink = Sink::default();
    let tree = rpcgen::syntax::parse(SourceId(0), text, &mut sink);
    let mut shape = String::new();
    for line in format!("{tree:#?}").lines() {
        let name = line.trim_start();
        if !["start:", "end:", "span:"].iter().any(|place| name.starts_with(place)) {
            shape.push_str(name);
            shape.push('\n');
        }
    }
    shape
}

/// The words of all comments, in any order: none is lost, none is made.
fn comments(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for line in text.lines() {
        if let Some(comment) = comment_of(line) {
            words.extend(comment.split_whitespace().map(|word| word.trim_matches(['/', '!']).to_owned()));
        }
    }
    words.retain(|word| !word.is_empty());
    words.sort();
    words
}

/// What stands behind the `//` of a line, strings apart.
fn comment_of(line: &str) -> Option<&str> {
    let (mut is_string, mut is_escaped) = (false, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = is_string,
            '"' => is_string = !is_string,
            '/' if !is_string && line[at..].starts_with("//") => return Some(&line[at..]),
            _ => {}
        }
    }
    None
}

/// Formats, and checks all that is promised of it.
pub(super) fn check(text: &str) -> String {
    let out = formatted(text);
    assert_eq!(formatted(&out), out, "formatting it again changes it");
    assert_eq!(shape(&out), shape(text), "it says something else:\n{out}");
    assert_eq!(comments(&out), comments(text), "a comment is lost:\n{out}");
    let crlf = |text: &str| text.replace("\r\n", "\n").replace('\n', "\r\n");
    assert_eq!(formatted(&crlf(text)), crlf(&out), "ends of lines are not kept");
    out
}

#[test]
fn every_case_is_formatted_as_expected() {
    let mut complaints = Vec::new();
    for input in files_in(&root().join("tests/fmt"), "rpc") {
        let name = input.to_string_lossy().into_owned();
        if let Some(case) = name.strip_suffix(".in.rpc") {
            let text = std::fs::read_to_string(&input).unwrap();
            complaints.extend(compare(Path::new(&format!("{case}.out.rpc")), &check(&text)));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

#[test]
fn every_file_that_can_be_read_keeps_its_meaning_and_its_comments() {
    let mut count = 0;
    for folder in ["tests/codegen", "tests/compiler/ui", "idl"] {
        for input in files_in(&root().join(folder), "rpc") {
            let Ok(text) = std::fs::read_to_string(&input) else { continue };
            if format(&input, &text).is_ok() {
                check(&text);
                count += 1;
            }
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn shared_files_are_formatted() {
    for input in files_in(&root().join("idl"), "rpc") {
        let text = std::fs::read_to_string(&input).unwrap();
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            std::fs::write(&input, formatted(&text)).unwrap();
        } else {
            assert_eq!(formatted(&text), text, "{}: run `rpcgen fmt` on it", input.display());
        }
    }
}

/// What a file means, whatever it looks like.
pub(super) fn model(text: &str) -> Option<Model> {
    let files = Memory::default().with("case.rpc", text);
    rpcgen::Config::new().check_in(&files, &["case.rpc"]).model
}
