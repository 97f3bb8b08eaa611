//! The command from outside: what it prints, where, how it ends, what it leaves on the disk.
//!
//! `INSTA_UPDATE=always` rewrites the snapshots.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its files fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder of its own for one test, with a few files in it.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for (file, text) in files {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn rpcgen(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rpcgen")).args(args).current_dir(folder).output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let code = output.status.code();
    let end = code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
    (code, format!("$ rpcgen {}\nends with {end}\n--- stdout\n{stdout}--- stderr\n{stderr}", args.join(" ")))
}

fn snapshot(name: &str, actual: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!(name, actual);
    });
}

const GOOD: &str = "package good;\n\nservice Good {\n    action ping(app_id: AppId);\n}\n";
const BAD: &str = "package bad;\n\nservice Bad {\n    action ping(user: strng);\n}\n";

#[test]
fn a_good_file_is_passed_over_in_silence() {
    let folder = folder("good", &[("good.rpc", GOOD)]);
    let (code, text) = rpcgen(&folder, &["check", "good.rpc"]);
    assert_eq!(code, Some(0));
    snapshot("check_good", &text);
}

#[test]
fn a_bad_file_is_shown_without_colours_where_there_is_no_terminal() {
    let folder = folder("bad", &[("bad.rpc", BAD)]);
    let (code, text) = rpcgen(&folder, &["check", "bad.rpc"]);
    assert_eq!(code, Some(1));
    snapshot("check_bad", &text);
}

#[test]
fn findings_as_json_go_to_stdout() {
    let folder = folder("json", &[("bad.rpc", BAD)]);
    let (code, text) = rpcgen(&folder, &["check", "--format", "json", "bad.rpc"]);
    assert_eq!(code, Some(1));
    snapshot("check_json", &text);
}

#[test]
fn a_file_that_is_not_there_is_a_finding() {
    let folder = folder("missing", &[]);
    let (code, text) = rpcgen(&folder, &["check", "nowhere.rpc"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("E004") && text.contains("nowhere.rpc"), "{text}");
}

#[test]
fn imports_are_found_in_search_paths() {
    let main = "package main;\nimport \"money.rpc\";\nstruct A { amount: money.Amount }\n";
    let folder = folder("search", &[("main.rpc", main), ("shared/money.rpc", "package money;\nalias Amount = u64;\n")]);
    assert_eq!(rpcgen(&folder, &["check", "main.rpc"]).0, Some(1));
    assert_eq!(rpcgen(&folder, &["check", "main.rpc", "-I", "shared"]).0, Some(0));
}

#[test]
fn build_writes_a_file_for_each_package_and_knows_when_it_is_stale() {
    let folder = folder("build", &[("good.rpc", GOOD)]);
    let mut text = String::new();
    let mut step = |args: &[&str], expected: i32| {
        let (code, said) = rpcgen(&folder, args);
        assert_eq!(code, Some(expected), "{said}");
        text.push_str(&said);
    };
    step(&["build", "good.rpc", "--out", "out", "--check"], 1);
    step(&["build", "good.rpc", "--out", "out"], 0);
    step(&["build", "good.rpc", "--out", "out"], 0);
    step(&["build", "good.rpc", "--out", "out", "--check"], 0);
    fs::write(folder.join("out/good.rs"), "// mine").unwrap();
    step(&["build", "good.rpc", "--out", "out", "--check"], 1);
    assert_eq!(fs::read_to_string(folder.join("out/good.rs")).unwrap(), "// mine");
    snapshot("build", &text);
}

#[test]
fn nothing_is_written_when_one_of_the_files_has_an_error() {
    let folder = folder("nothing", &[("good.rpc", GOOD), ("bad.rpc", BAD)]);
    assert_eq!(rpcgen(&folder, &["build", "good.rpc", "bad.rpc", "--out", "out"]).0, Some(1));
    assert!(!folder.join("out").exists());
}

#[test]
fn explain_prints_the_page_of_a_code_in_any_casing() {
    let folder = folder("explain", &[]);
    let (code, text) = rpcgen(&folder, &["explain", "e020"]);
    assert_eq!(code, Some(0));
    snapshot("explain", &text);
}

#[test]
fn a_wrong_command_line_ends_with_two() {
    let folder = folder("usage", &[]);
    let wrong: [&[&str]; 5] = [&[], &["chekc"], &["check"], &["build", "a.rpc"], &["explain", "E999"]];
    let texts = wrong.map(|args| {
        let (code, text) = rpcgen(&folder, args);
        assert_eq!(code, Some(2), "{text}");
        text
    });
    snapshot("usage", &texts.concat());
}
