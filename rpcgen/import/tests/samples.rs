//! Every construct of protobuf that large collections use: what it becomes, and what is said to be lost.
//!
//! What is expected stands beside the samples, as one text for each. `UPDATE=1` rewrites it; what is missing is written, and the test
//! still fails.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its files fails")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use rpcgen::Config;
use rpcgen::codegen::Form;
use rpcgen::load::Memory;
use rpcgen_import::{Imported, Importer, Reason};

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples")
}

/// Names of files without what stands before the samples' folder.
fn short(text: &str) -> String {
    text.replace(&format!("{}/", samples().display()), "")
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|ext| ext == "proto")).collect();
    files.sort();
    files
}

/// All files, then the losses.
fn text(imported: &Imported) -> String {
    let mut out = String::new();
    for file in &imported.files {
        let needed = if file.asked { "" } else { " (needed)" };
        let _ = writeln!(out, "======== {}{needed}\n{}", file.name, file.text);
    }
    out.push_str("======== not carried over\n");
    for loss in &imported.losses {
        let _ = writeln!(out, "{loss}");
    }
    short(&out)
}

#[test]
fn samples_become_what_is_committed() {
    let mut wrong = Vec::new();
    let shop = samples().join("shop/v1/shop.proto");
    for path in files_in(&samples()).into_iter().chain([shop]) {
        let imported =
            Importer::new().import(&[&path]).unwrap_or_else(|refused| panic!("{}: {refused}", path.display()));
        let actual = text(&imported);
        let expectation = path.with_extension("txt");
        let expected = fs::read_to_string(&expectation).ok();
        if expected.as_ref() == Some(&actual) {
            continue;
        }
        let update = std::env::var_os("UPDATE").is_some();
        if update || expected.is_none() {
            fs::write(&expectation, &actual).unwrap();
        }
        if !update {
            wrong.push(format!("{} differs (UPDATE=1 rewrites it)\n{actual}", expectation.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rust_is_generated_from_what_was_imported() {
    for path in files_in(&samples()) {
        let imported = Importer::new().import(&[&path]).unwrap();
        let files = &imported.files;
        let memory = files.iter().fold(Memory::default(), |memory, file| memory.with(&file.name, file.text.as_str()));
        let asked: Vec<&str> = files.iter().filter(|file| file.asked).map(|file| file.name.as_str()).collect();
        let model = Config::new().check_in(&memory, &asked).model.unwrap();
        Config::new().generate(&model, Form::File).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

#[test]
fn what_cannot_be_imported_is_refused_with_its_reason() {
    let reason = |name: &str| {
        let importer = Importer::new().search_path(samples());
        let refused = importer.import(&[samples().join("refused").join(name)]).expect_err(name);
        (refused.reason, short(&refused.message))
    };
    let cases = [
        ("edition.proto", Reason::Edition, "refused/edition.proto has edition \"2023\": only `syntax = \"proto2\"`"),
        ("syntax.proto", Reason::Syntax, "syntax.proto"),
        ("cut.proto", Reason::Syntax, "refused/cut.proto:3: expected"),
        ("unknown.proto", Reason::UnknownType, "`nowhere/to/be/found.proto`, which was not found"),
        ("circle_a.proto", Reason::PackageCycle, "samples.circle.a -> samples.circle.b -> samples.circle.a"),
        (
            "twice.proto",
            Reason::DeclaredTwice,
            "refused/twice.proto:4: `samples.refused.A` is declared in refused/twice.proto:3",
        ),
        ("rejected.proto", Reason::Rejected, "the compiler refuses"),
        ("nowhere.proto", Reason::Unreadable, "cannot read"),
    ];
    for (name, expected, words) in cases {
        let (found, message) = reason(name);
        assert_eq!(found, expected, "{message}");
        assert!(message.contains(words), "{name}: {message}");
    }
}

#[test]
fn files_of_one_package_become_one_file() {
    let folder = samples().join("shop/v1");
    let imported = Importer::new().import(&files_in(&folder)).unwrap();
    let [file] = imported.files.as_slice() else { panic!("{:?}", imported.files) };
    assert_eq!(file.name, "shop.v1.rpc");
    assert!(file.text.contains("struct Money") && file.text.contains("service Shop"), "{}", file.text);
}

#[test]
fn what_is_appended_to_a_proto_file_is_appended_to_the_import() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("appended");
    fs::create_dir_all(&folder).unwrap();
    let import = |fields: &str| {
        let text = format!(
            "syntax = \"proto3\"; package p; message M {{ {fields} }} service S {{ rpc Get(M) returns (M); rpc Put(M) returns (M); }}"
        );
        let path = folder.join("p.proto");
        fs::write(&path, text).unwrap();
        let imported = Importer::new().import(&[path]).unwrap();
        let memory = Memory::default().with("p.rpc", imported.files[0].text.as_str());
        Config::new().check_in(&memory, &["p.rpc"]).model.unwrap()
    };
    let old = import("string a = 1; string b = 2;");
    // New fields stand anywhere in a .proto file.
    let new = import("optional string d = 4; string a = 1; repeated string c = 3; string b = 2;");
    let findings = rpcgen::breaking::compare(&old, &new);
    let rules: Vec<&str> = findings.iter().map(|finding| finding.rule.id).collect();
    // A list of proto3 is not optional here: that is what the tool says, and nothing else.
    assert!(rules.iter().all(|rule| *rule == "field_required"), "{rules:?}");
}

#[test]
fn what_a_newer_protobuf_brings_along_and_cannot_be_read_is_what_is_built_in() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("newer");
    fs::create_dir_all(folder.join("google/protobuf")).unwrap();
    let newer =
        "syntax = \"proto2\"; package google.protobuf; message Set { extensions 5 [verification = DECLARATION]; }";
    let descriptor = folder.join("google/protobuf/descriptor.proto");
    fs::write(&descriptor, newer).unwrap();
    let path = folder.join("p.proto");
    fs::write(&path, "syntax = \"proto3\"; import \"google/protobuf/descriptor.proto\"; message A { string b = 1; }")
        .unwrap();
    assert_eq!(Importer::new().import(&[path]).map(|imported| imported.files.len()), Ok(1));
    assert_eq!(Importer::new().import(&[descriptor]).map_err(|refused| refused.reason), Err(Reason::Syntax));
}

#[test]
fn nothing_panics_on_hostile_texts() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hostile");
    fs::create_dir_all(&folder).unwrap();
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(50_000), close.repeat(50_000));
    let texts = [
        String::new(),
        "\u{feff}syntax = \"proto3\";".to_owned(),
        format!("syntax = \"proto3\"; {}", deep("message A { ", "}")),
        format!("syntax = \"proto3\"; option (a) = {};", deep("{ a: ", "}")),
        format!("syntax = \"proto3\"; option (a) = {{ a: {} }};", deep("[", "]")),
        format!("syntax = \"proto3\"; option (a) = {{ a {} }};", deep("<a ", ">")),
        format!("syntax = \"proto3\"; message A {{ {} b = 1; }}", "a.".repeat(50_000) + "b"),
        format!("syntax = \"proto3\"; package {}a; message A {{ A a = 1; }}", "a.".repeat(20_000)),
        "syntax = \"proto3\"; message A { map<string, A> a = 1; map<string, map<string, A>> b = 2; }".to_owned(),
        "syntax = \"proto3\"; message A { oneof b {} } enum E {} service S {}".to_owned(),
        "syntax = \"proto3\"; message A { oneof b { A a = 1; } int32 c = 536870912; int32 d = 0; int32 e = -1; }".to_owned(),
        "syntax = \"proto3\"; message A { message B {} .A.B.C d = 1; }".to_owned(),
        "syntax = \"proto3\"; service S { rpc A(.B) returns (.C); }".to_owned(),
        "syntax = \"proto3\"; enum E { A = 0; } service S { rpc A(E) returns (E); }".to_owned(),
        "syntax = \"proto3\"; import \"h8.proto\"; import \"\"; import \"/\"; import \"..\"; message A {}".to_owned(),
        "syntax = \"proto3\"; message \u{e9} {}".to_owned(),
        // As many comments as there is room for, with code far before them and behind them.
        format!("syntax = \"proto3\"; {} message A {{}}", "/*a*/".repeat(50_000)),
        format!("syntax = \"proto3\"; {} message A {{}}", "//a\n\n".repeat(50_000)),
        format!("syntax = \"proto3\"; message A {{ string a = 1 [{} deprecated = true]; }}", "/*a*/".repeat(50_000)),
        format!("syntax = \"proto3\"; message A {{ {} }}", "string a = 1; // a\n".repeat(5_000)),
        "message A { optional string a = 1 [default = \"\\xff\"]; optional E e = 2 [default = NO]; } enum E { YES = 0; }".to_owned(),
    ];
    for (index, text) in texts.iter().enumerate() {
        let path = folder.join(format!("h{index}.proto"));
        fs::write(&path, text).unwrap();
        // Imported or refused: it comes back.
        let _ = Importer::new().import(&[path]);
    }
}
