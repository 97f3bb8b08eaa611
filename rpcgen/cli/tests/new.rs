//! A crate that `rpcgen new` makes: built without a network, its tests run, its two ends speaking to each other.
#![expect(clippy::unwrap_used, reason = "a test that cannot build the crate fails")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A folder below `CARGO_TARGET_TMPDIR`; what was built there before is used again.
fn rpcgen(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rpcgen")).args(args).current_dir(folder).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn cargo(krate: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(args)
        .arg("--offline")
        .current_dir(krate)
        .env("CARGO_TARGET_DIR", target())
        .env("CARGO_TERM_COLOR", "never");
    if std::env::var_os("CARGO_PROFILE_DEV_DEBUG").is_none() {
        command.env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    }
    command
}

/// Where this test itself was built: what both need is built once.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned()
}

#[test]
fn a_new_crate_builds_runs_and_passes_its_tests_at_once() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let made = rpcgen(&folder, &["new", "first-steps", "--local", &checkout().display().to_string()]);
    assert!(made.status.success(), "{}", stderr(&made));
    let krate = folder.join("first-steps");
    // The versions that are on this machine already.
    fs::copy(checkout().join("Cargo.lock"), krate.join("Cargo.lock")).unwrap();

    let formatted = rpcgen(&krate, &["fmt", "--check", "idl/first_steps.rpc"]);
    assert!(formatted.status.success(), "{}", stderr(&formatted));
    let tested = cargo(&krate, &["test"]).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&tested.stdout), stderr(&tested));
    assert!(tested.status.success() && said.contains("2 passed") && !said.contains("warning"), "{said}");

    let build = cargo(&krate, &["build", "--bins"]).output().unwrap();
    assert!(build.status.success() && !stderr(&build).contains("warning"), "{}", stderr(&build));
    let binaries = target().join("debug");
    let server = Command::new(binaries.join("server")).arg("tcp://127.0.0.1:0").stdout(Stdio::piped()).spawn();
    let mut server = server.unwrap();
    let mut greeting = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut greeting).unwrap();
    let address = greeting.split_whitespace().nth(2).unwrap().trim_end_matches(';').to_owned();
    let client = Command::new(binaries.join("client")).args(["Ada", &address]).output().unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&client.stdout),
        "accepted: it is in this client's log\nguaranteed: the server has taken responsibility\n\
         answered: Hello, Ada! (1 times)\n"
    );
}

#[test]
fn what_is_there_is_not_overwritten_and_what_is_no_name_is_refused() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new_refused");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("taken")).unwrap();
    fs::write(folder.join("taken/mine"), "mine").unwrap();
    fs::write(folder.join("Cargo.toml"), "[workspace]\n").unwrap(); // A crate below another workspace is one of its own.
    let refused = rpcgen(&folder, &["new", "taken"]);
    assert!(refused.status.code() == Some(1) && stderr(&refused).contains("is there already"), "{}", stderr(&refused));
    for (name, why) in [
        ("1st", "begins with"),
        ("Upper", "begins with"),
        ("a b", "begins with"),
        ("async", "is taken"),
        ("api", "is taken"),
        ("proc-macro", "is taken"),
        ("rpcgen-proto", "is taken"),
    ] {
        let refused = rpcgen(&folder, &["new", name]);
        assert!(refused.status.code() == Some(2) && stderr(&refused).contains(why), "{name}: {}", stderr(&refused));
    }
    let refused = rpcgen(&folder, &["new", "fine", "--local", "."]);
    assert!(refused.status.code() == Some(2) && stderr(&refused).contains("no checkout"), "{}", stderr(&refused));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    // Without a checkout, what is published is used.
    assert!(rpcgen(&folder, &["new", "fine"]).status.success());
    let manifest = fs::read_to_string(folder.join("fine/Cargo.toml")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(
        manifest.contains(&format!("rpcgen-runtime = \"{version}\"")) && manifest.contains("[workspace]"),
        "{manifest}"
    );
}
