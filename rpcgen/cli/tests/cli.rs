//! The command from outside: what it prints, where, how it ends, what it leaves on the disk.
//!
//! `INSTA_UPDATE=always` rewrites the snapshots.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its files fails")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
fn findings_as_sarif_go_to_stdout() {
    let folder = folder("sarif", &[("bad.rpc", BAD)]);
    let (code, text) = rpcgen(&folder, &["check", "--format", "sarif", "bad.rpc"]);
    assert_eq!(code, Some(1));
    // The pages of the codes are long, and tested elsewhere.
    let short: String = text
        .lines()
        .filter(|line| !line.contains("\"text\": \"# ") && !line.contains("\"markdown\""))
        .fold(String::new(), |mut short, line| {
            short.push_str(line);
            short.push('\n');
            short
        });
    snapshot("check_sarif", &short);
}

#[test]
fn fmt_writes_what_differs_and_checks_without_writing() {
    let ugly = "package ugly;struct A{a:u8}";
    let folder = folder(
        "fmt",
        &[("good.rpc", GOOD), ("ugly.rpc", ugly), ("broken.rpc", "package broken;\nstruct A { a u8 }\n")],
    );
    assert_eq!(rpcgen(&folder, &["fmt", "--check", "good.rpc"]).0, Some(0));
    let (code, text) = rpcgen(&folder, &["fmt", "--check", "good.rpc", "ugly.rpc"]);
    assert!(code == Some(1) && text.contains("ugly.rpc is not formatted"), "{text}");
    assert_eq!(fs::read_to_string(folder.join("ugly.rpc")).unwrap(), ugly);
    assert_eq!(rpcgen(&folder, &["fmt", "good.rpc", "ugly.rpc"]).0, Some(0));
    assert_eq!(fs::read_to_string(folder.join("ugly.rpc")).unwrap(), "package ugly;\n\nstruct A {\n    a: u8,\n}\n");
    let (code, text) = rpcgen(&folder, &["fmt", "broken.rpc"]);
    assert!(code == Some(1) && text.contains("E001"), "{text}");
    assert_eq!(fs::read_to_string(folder.join("broken.rpc")).unwrap(), "package broken;\nstruct A { a u8 }\n");
}

/// What a command says of a text on its stdin: how it ends, stdout, stderr.
fn with_stdin(args: &[&str], text: &[u8]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rpcgen"));
    let pipes = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), said(&output.stdout), said(&output.stderr))
}

#[test]
fn fmt_reads_stdin_where_a_dash_stands_for_the_file() {
    for stdin in ["-", "--stdin"] {
        let (code, stdout, stderr) = with_stdin(&["fmt", stdin], b"package a;struct A{}");
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "package a;\n\nstruct A {}\n", ""));
        let (code, stdout, stderr) = with_stdin(&["fmt", "--check", stdin], b"package a;struct A{}");
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(1), "", "<stdin> is not formatted\n"));
        let (code, stdout, stderr) = with_stdin(&["fmt", "--check", stdin], GOOD.as_bytes());
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(0), "", ""));
        let (code, stdout, stderr) = with_stdin(&["fmt", stdin], b"package a;\n// \xff\n");
        assert!(code == Some(1) && stdout.is_empty() && stderr.contains("<stdin>:2:4"), "{stderr}");
    }
    let (code, text) = rpcgen(&folder("dash", &[]), &["fmt", "-", "a.rpc"]);
    assert!(code == Some(2) && text.contains("`-` stands alone"), "{text}");
}

#[test]
fn what_is_wrong_with_one_file_leaves_no_other_unformatted_and_is_not_written() {
    let (ugly, long) = ("package ugly;struct A{}", " ".repeat(1024 * 1024 + 1));
    let folder = folder("fmt_wrong", &[("long.rpc", &long), ("ugly.rpc", ugly)]);
    fs::write(folder.join("latin.rpc"), b"package latin;\n// \xe9\n").unwrap();
    let (code, text) = rpcgen(&folder, &["fmt", "latin.rpc", "long.rpc", "nowhere.rpc", "ugly.rpc"]);
    assert_eq!(code, Some(1), "{text}");
    for told in ["latin.rpc:2:4", "byte 0xe9", "--> long.rpc", "1 MiB", "cannot read nowhere.rpc", "formatted ugly.rpc"]
    {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert_eq!(fs::read(folder.join("latin.rpc")).unwrap(), b"package latin;\n// \xe9\n");
    assert_eq!(fs::read_to_string(folder.join("long.rpc")).unwrap(), long);
}

#[cfg(target_os = "linux")]
#[test]
fn fmt_keeps_the_old_text_where_there_is_no_room_for_the_new_one() {
    let fields: String = (0..50).map(|number| format!("f{number}:u8,")).collect();
    let ugly = format!("package ugly;struct A{{{fields}}}");
    let folder = folder("fmt_full", &[("ugly.rpc", &ugly)]);
    // Files of more than 512 or 1024 bytes, as the shell counts, are refused.
    let script = format!("trap '' XFSZ; ulimit -f 1; exec {} fmt ugly.rpc", env!("CARGO_BIN_EXE_rpcgen"));
    let output = Command::new("sh").args(["-c", &script]).current_dir(&folder).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && stderr.contains("error: ugly.rpc: File too large"), "{stderr}");
    assert_eq!(fs::read_to_string(folder.join("ugly.rpc")).unwrap(), ugly);
}

#[test]
fn a_folder_stands_for_all_files_in_it() {
    let other = "package other;\nimport \"../good.rpc\";\n";
    let folder = folder(
        "folders",
        &[
            ("idl/good.rpc", GOOD),
            ("idl/more/bad.rpc", BAD),
            ("idl/more/ugly.rpc", "package ugly;struct A{}"),
            ("idl/.git/hidden.rpc", "nonsense"),
            ("idl/target/CACHEDIR.TAG", ""),
            ("idl/target/copy.rpc", "nonsense"),
            ("good/good.rpc", GOOD),
            ("good/more/other.rpc", other),
            ("empty/note.txt", ""),
        ],
    );
    for (args, expected) in [
        (&["check", "idl"][..], 1),
        (&["check", "good"], 0),
        (&["fmt", "--check", "idl"], 1),
        (&["fmt", "idl"], 0),
        (&["fmt", "--check", "idl"], 0),
        (&["build", "good", "--out", "out"], 0),
        (&["schema", "good", "--out", "good.json"], 0),
        (&["doc", "good", "--out", "good.html"], 0),
    ] {
        let (code, text) = rpcgen(&folder, args);
        assert_eq!(code, Some(expected), "{text}");
        assert!(!text.contains("hidden") && !text.contains("copy"), "{text}");
    }
    let (_, text) = rpcgen(&folder.join("idl"), &["check", "."]);
    assert!(text.contains("--> more/bad.rpc:4:"), "{text}");
    for made in ["out/good.rs", "out/other.rs", "good.json", "good.html"] {
        assert!(folder.join(made).exists(), "{made}");
    }
    for args in [&["check", "empty"][..], &["fmt", "empty"], &["build", "empty", "--out", "out"], &["doc", "empty"]] {
        let (code, text) = rpcgen(&folder, args);
        assert!(code == Some(1) && text.contains("error: empty: there is no .rpc file in this folder"), "{text}");
    }
    let (code, text) = rpcgen(&folder, &["doc", "good", "--out", "empty"]);
    assert!(code == Some(1) && text.contains("--out names the file to write"), "{text}");
    for args in [&["doc", "good", "--out", "empty/note.txt/a"][..], &["build", "good", "--out", "empty/note.txt"]] {
        let (code, text) = rpcgen(&folder, args);
        assert!(code == Some(1) && text.contains("error: empty/note.txt: not a directory"), "{text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_has_no_end_is_never_read() {
    let folder = saying("endless");
    for (args, code, said) in [
        (
            &["doc", "good.rpc", "--out", "/dev/full"][..],
            1,
            "error: /dev/full: No space left on device (os error 28)\n",
        ),
        (&["doc", "good.rpc", "--out", "/dev/zero"], 0, "wrote /dev/zero\n"),
        (&["schema", "good.rpc", "--out", "/dev/null"], 0, "wrote /dev/null\n"),
        (&["check", "/dev/zero"], 1, "cannot read /dev/zero: it is not a file"),
        (&["fmt", "/dev/zero"], 1, "cannot read /dev/zero: it is not a file"),
        (&["import", "/dev/zero"], 1, "cannot read /dev/zero: it is not a file"),
        (&["breaking", "/dev/zero", "good.rpc"], 2, "cannot read /dev/zero: it is not a file"),
    ] {
        let (ended, text) = rpcgen(&folder, args);
        assert!(ended == Some(code) && text.contains(said), "{text}");
    }
    // In the place of what would be written.
    std::os::unix::fs::symlink("/dev/zero", folder.join("good.rs")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.join("endless.rpc")).unwrap();
    let (code, text) = rpcgen(&folder, &["build", "good.rpc", "--out", ".", "--check"]);
    assert!(code == Some(1) && text.contains("good.rs is not what the .rpc files give now"), "{text}");
    fs::write(folder.join("endless.proto"), "syntax = \"proto3\";\npackage endless;\nmessage A {}\n").unwrap();
    let (code, text) = rpcgen(&folder, &["import", "endless.proto"]);
    assert!(code == Some(1) && text.contains("endless.rpc is there and differs"), "{text}");
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
fn a_change_that_breaks_is_shown_with_both_versions_and_whom_it_breaks() {
    let changed = GOOD.replace("(app_id: AppId)", "(app_id: AppId, user: string)");
    let folder = folder("breaking", &[("old/good.rpc", GOOD), ("new/good.rpc", &changed)]);
    let (code, text) = rpcgen(&folder, &["breaking", "old", "new"]);
    assert_eq!(code, Some(1));
    snapshot("breaking", &text);
    assert_eq!(rpcgen(&folder, &["breaking", "--against", "old/good.rpc", "old"]).0, Some(0));
    let (code, text) = rpcgen(&folder, &["breaking", "new", "old", "--format", "json"]);
    assert_eq!(code, Some(1));
    assert!(text.contains("\"rule\": \"field_removed\"") && text.contains("\"breaking\": 1"), "{text}");
}

#[test]
fn a_caution_is_a_finding_only_if_asked_for() {
    let changed = GOOD.replace("}", "    action pong(app_id: AppId);\n}");
    let folder = folder("caution", &[("old.rpc", GOOD), ("new.rpc", &changed)]);
    assert_eq!(rpcgen(&folder, &["breaking", "old.rpc", "new.rpc"]).0, Some(0));
    assert_eq!(rpcgen(&folder, &["breaking", "old.rpc", "new.rpc", "--strict"]).0, Some(1));
}

#[test]
fn the_old_version_may_be_a_git_revision() {
    let money = "package money;\nalias Amount = u64;\n";
    let main =
        "package main;\nimport \"../money.rpc\";\nservice Main { action pay(app_id: AppId, amount: money.Amount); }\n";
    let folder = folder("git", &[("idl/main/main.rpc", main), ("idl/money.rpc", money)]);
    let git = |args: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").args(identity).args(args).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "first"]);
    fs::write(folder.join("idl/money.rpc"), money.replace("u64", "string")).unwrap();
    let (code, text) = rpcgen(&folder, &["breaking", "--against", "git:HEAD", "idl"]);
    assert_eq!(code, Some(1));
    snapshot("breaking_git", &text);
    let inside = folder.join("idl/main");
    assert_eq!(rpcgen(&inside, &["breaking", "git:HEAD:main.rpc", "main.rpc"]).0, Some(1));
    assert_eq!(rpcgen(&inside, &["breaking", "git:HEAD:..", "git:HEAD:main.rpc"]).0, Some(0));
    let whole = inside.canonicalize().unwrap().join("main.rpc").display().to_string();
    assert_eq!(rpcgen(&inside, &["breaking", "git:HEAD", &whole]).0, Some(1));
    let (_, text) = rpcgen(&inside, &["breaking", "git:v9", "main.rpc"]);
    assert!(text.ends_with("error: there is no git revision `v9` here\n"), "{text}");
    let link = format!("file://{}", folder.canonicalize().unwrap().display());
    git(&["clone", "--quiet", "--depth", "1", &link, "shallow"]);
    let (_, text) = rpcgen(&folder.join("shallow"), &["breaking", "git:v9", "idl"]);
    assert!(text.contains("here: this clone is shallow, `git fetch`"), "{text}");
    git(&["clone", "--quiet", "--bare", &link, "bare"]);
    let (code, text) = rpcgen(&folder.join("bare"), &["breaking", "git:HEAD:idl", "git:HEAD:idl/main/main.rpc"]);
    assert_eq!(code, Some(0), "{text}");
    let wrong = ["git:HEAD:nowhere", "git:v9:.", "git:--all:.", "git:HEAD:../../..", "nowhere.rpc"];
    for old in wrong {
        let (code, text) = rpcgen(&inside, &["breaking", old, "main.rpc"]);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains("error"), "{text}");
    }
}

#[test]
fn explain_knows_the_rules_of_evolution() {
    let (code, text) = rpcgen(&folder("explain_rule", &[]), &["explain", "field_required"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("make it optional"), "{text}");
}

#[test]
fn schema_and_doc_go_to_stdout_or_to_a_file() {
    let folder = folder("document", &[("good.rpc", GOOD)]);
    let (code, text) = rpcgen(&folder, &["schema", "good.rpc"]);
    assert_eq!(code, Some(0));
    snapshot("schema", &text);
    let (_, text) = rpcgen(&folder, &["doc", "good.rpc", "--out", "site/good.html", "--title", "Good & <better>"]);
    assert!(text.contains("wrote site/good.html"), "{text}");
    let page = fs::read_to_string(folder.join("site/good.html")).unwrap();
    assert!(page.contains("<title>Good &amp; &lt;better&gt;</title>") && page.contains("id=\"good.Good.ping\""));
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("src="));
    assert!(
        rpcgen(&folder, &["doc", "good.rpc", "--out", "site/good.html", "--title", "Good & <better>"])
            .1
            .contains("unchanged")
    );
}

#[test]
fn a_wrong_command_line_ends_with_two() {
    let folder = folder("usage", &[]);
    let wrong: [&[&str]; 7] = [
        &[],
        &["chekc"],
        &["check"],
        &["build", "a.rpc"],
        &["explain", "E999"],
        &["breaking", "a.rpc"],
        &["breaking", "--against", "a.rpc", "b.rpc", "c.rpc"],
    ];
    let texts = wrong.map(|args| {
        let (code, text) = rpcgen(&folder, args);
        assert_eq!(code, Some(2), "{text}");
        text
    });
    snapshot("usage", &texts.concat());
}

#[test]
fn a_protobuf_service_is_imported_once_and_not_over_what_was_edited() {
    let proto = "syntax = \"proto3\";\npackage shop.v1;\nimport \"google/protobuf/any.proto\";\n\
                 service Shop {\n  rpc Get(GetRequest) returns (Item) { option (google.api.http) = { get: \"/v1\" }; }\n  \
                 rpc Watch(GetRequest) returns (stream Item);\n}\nmessage GetRequest { string name = 1; }\n\
                 message Item { string name = 1; google.protobuf.Any more = 2; }\n";
    let folder = folder("import", &[("shop.proto", proto), ("bad.proto", "message A { B b = 1; }")]);
    let mut text = String::new();
    let mut step = |args: &[&str], expected: i32| {
        let (code, said) = rpcgen(&folder, args);
        assert_eq!(code, Some(expected), "{said}");
        text.push_str(&said);
    };
    step(&["import", "bad.proto", "--out", "idl"], 1);
    step(&["import", "shop.proto", "--out", "idl"], 0);
    step(&["import", "shop.proto", "--out", "idl"], 0);
    step(&["check", "idl/shop.v1.rpc"], 0);
    let edited = fs::read_to_string(folder.join("idl/shop.v1.rpc")).unwrap() + "// mine\n";
    fs::write(folder.join("idl/shop.v1.rpc"), &edited).unwrap();
    step(&["import", "shop.proto", "--out", "idl"], 1);
    assert_eq!(fs::read_to_string(folder.join("idl/shop.v1.rpc")).unwrap(), edited);
    step(&["import", "shop.proto", "--out", "idl", "--force"], 0);
    assert_ne!(fs::read_to_string(folder.join("idl/shop.v1.rpc")).unwrap(), edited);
    snapshot("import", &text);
}

#[test]
fn the_grammar_for_colours_has_every_word_of_the_language() {
    let editors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../editors/vscode");
    let read = |file: &str| -> serde_json::Value {
        let text = fs::read_to_string(editors.join(file)).unwrap();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
    };
    let (package, _) = (read("package.json"), read("language-configuration.json"));
    let path = package["contributes"]["grammars"][0]["path"].as_str().unwrap();
    let grammar = read(path).to_string();
    let pest = include_str!("../../src/syntax/grammar.pest");
    let keywords = pest.lines().filter_map(|line| line.strip_prefix("kw_")?.split('"').nth(1));
    let reference = include_str!("../../../docs/language.md");
    let (_, types) = reference.split_once("| type | values | in Rust |\n| --- | --- | --- |\n").unwrap();
    let rows = types.lines().take_while(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1)).flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let types = cells.filter(|name| name.chars().all(|c| c.is_ascii_alphanumeric()));
    let mut count = 0;
    for word in keywords.chain(types).chain(["true", "false", "none"]) {
        count += 1;
        assert!(
            grammar.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == word || part == format!("b{word}")),
            "{word}"
        );
    }
    assert!(count > 30, "{count} words");
}

#[test]
fn a_shell_completes_every_command() {
    let folder = folder("completions", &[]);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, text) = rpcgen(&folder, &["completions", shell]);
        assert_eq!(code, Some(0), "{text}");
        for command in ["new", "check", "build", "breaking", "lsp"] {
            assert!(text.contains(command), "{shell} does not know {command}");
        }
    }
    // What bash makes of it, if it is there.
    let (_, script) = rpcgen(&folder, &["completions", "bash"]);
    let script = script.split("--- stdout\n").nth(1).unwrap().split("--- stderr").next().unwrap();
    fs::write(folder.join("rpcgen.bash"), script).unwrap();
    let ask =
        "source ./rpcgen.bash; COMP_WORDS=(rpcgen bre); COMP_CWORD=1; _rpcgen rpcgen bre rpcgen; echo ${COMPREPLY[0]}";
    if let Ok(output) = Command::new("bash").args(["-c", ask]).current_dir(&folder).output() {
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "breaking\n",
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// Every command that prints to stdout, with what it is run on.
const SAYING: &[&[&str]] = &[
    &["check", "--format", "json", "good.rpc"],
    &["check", "--format", "sarif", "good.rpc"],
    &["build", "good.rpc", "--out", "out"],
    &["fmt", "loose.rpc"],
    &["schema", "good.rpc"],
    &["schema", "good.rpc", "--out", "schema.json"],
    &["doc", "good.rpc"],
    &["breaking", "--format", "json", "good.rpc", "good.rpc"],
    &["import", "good.proto", "--out", "imported"],
    &["explain", "E020"],
    &["explain", "field_moved"],
    &["completions", "bash"],
    &["new", "fresh"],
    &["--help"],
    &["check", "--help"],
    &["--version"],
];

fn saying(name: &str) -> PathBuf {
    let proto = "syntax = \"proto3\";\npackage good;\nmessage Item { string name = 1; }\n";
    let loose = "package loose;\n\n\n\nstruct   A {}\n";
    folder(name, &[("good.rpc", GOOD), ("good.proto", proto), ("loose.rpc", loose)])
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_is_told_and_ends_with_1() {
    let folder = saying("full");
    for args in SAYING {
        let full = fs::File::create("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_rpcgen"));
        let output = command.args(*args).current_dir(&folder).stdout(full).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
        assert!(stderr.ends_with("error: cannot write to stdout: No space left on device (os error 28)\n"), "{stderr}");
        assert_eq!(stderr.matches("cannot write").count(), 1, "{args:?}: {stderr}");
    }
    // What a command does is done all the same.
    for made in ["out/good.rs", "schema.json", "imported/good.rpc", "fresh/src/lib.rs"] {
        assert!(folder.join(made).exists(), "{made}");
    }
}

#[test]
fn a_pipe_that_nobody_reads_is_no_failure() {
    let folder = saying("closed");
    for args in SAYING {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(env!("CARGO_BIN_EXE_rpcgen"));
        let output = command.args(*args).current_dir(&folder).stdout(writer).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.as_ref()), (Some(0), ""), "{args:?}");
    }
}
