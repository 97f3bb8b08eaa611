//! Every `.rpc` text that users are shown passes as it stands.

use std::path::Path;

use rpcgen::Checked;
use rpcgen::load::{Disk, Files as _, Memory};

use super::{files_in, root};

/// The fenced blocks of a Markdown text in this language.
pub(super) fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect()
}

/// Checks a text that may import the shared files.
pub(super) fn check(text: &str) -> Checked {
    let mut files = Memory::default().with("example.rpc", text);
    for shared in files_in(&root().join("idl"), "rpc") {
        let name = shared.file_name().unwrap().to_owned();
        files = files.with(Path::new(&name), Disk.read(&shared, 1 << 20).unwrap());
    }
    rpcgen::Config::new().check_in(&files, &["example.rpc"])
}

#[test]
fn shared_files_have_nothing_to_complain_of() {
    let files = files_in(&root().join("idl"), "rpc");
    assert!(!files.is_empty());
    for file in files {
        let checked = rpcgen::check(&[&file]);
        assert!(checked.diagnostics.is_empty(), "{}", checked.diagnostics.to_human(false));
        rpcgen::Config::new().generate(&checked.model.unwrap(), rpcgen::codegen::Form::File).unwrap();
    }
}

#[test]
fn every_example_of_the_reference_passes_and_generates() {
    let text = std::fs::read_to_string(root().join("docs/language.md")).unwrap();
    let examples = blocks(&text, "rpc");
    assert!(examples.len() > 10);
    for example in examples {
        let text = if example.contains("package ") { example } else { format!("package example;\n{example}") };
        let checked = check(&text);
        assert!(checked.diagnostics.is_empty(), "{text}\n{}", checked.diagnostics.to_human(false));
        rpcgen::Config::new().generate(&checked.model.unwrap(), rpcgen::codegen::Form::File).unwrap();
    }
}
