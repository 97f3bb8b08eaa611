//! What each rule says: `ui/<rule>.rpc` and, beside it, the text that a person sees.

use std::collections::BTreeSet;

use rpcgen::diagnostic::Code;

use super::{compare, files_in, root};

#[test]
fn every_diagnostic_reads_as_expected() {
    let folder = root().join("tests/compiler/ui");
    let mut complaints = Vec::new();
    for input in files_in(&folder, "rpc") {
        let name = input.file_name().unwrap();
        // Read from the folder itself, so that no path of this machine is in the text.
        let files = InFolder(folder.clone());
        let checked = rpcgen::Config::new().check_in(&files, &[name]);
        assert_eq!(checked.model.is_none(), checked.diagnostics.has_errors(), "{}", input.display());
        complaints.extend(compare(&input.with_extension("txt"), &checked.diagnostics.to_human(false)));
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

/// A text that is too long to stand among the others.
fn too_large() -> rpcgen::Checked {
    let text = format!("package too_large;\n{}", "// as long as this\n".repeat(60_000));
    super::examples::check(&text)
}

#[test]
fn a_file_that_is_too_large_is_told_so() {
    let expectation = root().join("tests/compiler/ui/too_large.txt");
    let complaint = compare(&expectation, &too_large().diagnostics.to_human(false));
    assert!(complaint.is_none(), "{}", complaint.unwrap_or_default());
}

#[test]
fn every_code_has_a_test_that_shows_it() {
    let mut shown: BTreeSet<Code> = too_large().diagnostics.list().iter().map(|finding| finding.code).collect();
    for input in files_in(&root().join("tests/compiler/ui"), "rpc") {
        let checked = rpcgen::check(&[input]);
        shown.extend(checked.diagnostics.list().iter().map(|diagnostic| diagnostic.code));
    }
    let missing: Vec<&str> = Code::ALL.iter().filter(|code| !shown.contains(code)).map(|code| code.id()).collect();
    assert!(missing.is_empty(), "no ui test shows {missing:?}");
}

#[test]
fn every_page_starts_with_its_title_and_has_both_examples() {
    for code in Code::ALL {
        let page = code.page();
        assert!(page.starts_with(&format!("# {}: {}\n", code.id(), code.title())), "{}", code.id());
        assert!(page.contains("\n## Wrong\n") && page.contains("\n## Right\n"), "{}", code.id());
    }
}

#[test]
fn every_page_is_of_a_code() {
    for page in files_in(&root().join("rpcgen/errors"), "md") {
        let id = page.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(Code::from_id(&id).is_some(), "{} is the page of no code", page.display());
    }
}

/// The examples on a page: every right one checks, every wrong one shows the code of its page.
#[test]
fn every_page_shows_what_it_says() {
    for code in Code::ALL {
        let (wrong, right) = code.page().split_once("## Right").unwrap_or_default();
        for (examples, expected) in [(wrong, true), (right, false)] {
            for text in super::examples::blocks(examples, "rpc") {
                let text = if text.contains("package ") || *code == Code::Package {
                    text
                } else {
                    format!("package page;\n{text}")
                };
                let checked = super::examples::check(&text);
                let has = checked.diagnostics.list().iter().any(|diagnostic| diagnostic.code == *code);
                assert_eq!(has, expected, "{}:\n{text}\n{}", code.id(), checked.diagnostics.to_human(false));
                assert!(
                    expected || checked.diagnostics.is_empty(),
                    "{}:\n{}",
                    code.id(),
                    checked.diagnostics.to_human(false)
                );
            }
        }
    }
}

struct InFolder(std::path::PathBuf);

impl rpcgen::load::Files for InFolder {
    fn read(&self, path: &std::path::Path, limit: usize) -> std::io::Result<Vec<u8>> {
        rpcgen::load::Disk.read(&self.0.join(path), limit)
    }

    fn identity(&self, path: &std::path::Path) -> std::path::PathBuf {
        rpcgen::load::Disk.identity(&self.0.join(path))
    }
}
