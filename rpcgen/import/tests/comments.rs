//! No comment of a `.proto` file is lost, wherever it stands.
//!
//! What becomes of each is `samples/comments.txt`; here they are counted, also where the lines end otherwise.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its files fails")]

use std::fs;
use std::path::{Path, PathBuf};

use rpcgen_import::Importer;

fn imported(path: &Path) -> String {
    Importer::new().import(&[path]).unwrap().files.into_iter().map(|file| file.text).collect()
}

/// `c1`, `c2`, .. of a text, sorted.
fn marks(text: &str) -> Vec<usize> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let mut marks: Vec<usize> = words.filter_map(|word| word.strip_prefix('c')?.parse().ok()).collect();
    marks.sort_unstable();
    marks
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/comments.proto")
}

#[test]
fn each_comment_is_there_once() {
    let expected = marks(&fs::read_to_string(sample()).unwrap());
    assert_eq!(expected, (1..=84).collect::<Vec<usize>>());
    assert_eq!(marks(&imported(&sample())), expected);
}

#[test]
fn lines_may_end_as_on_windows_and_behind_a_byte_order_mark() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("comments");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("comments.proto");
    let text = format!("\u{feff}{}", fs::read_to_string(sample()).unwrap());
    fs::write(&path, text.replace('\n', "\r\n")).unwrap();
    let own_name = |text: String, path: &Path| text.replace(&path.display().to_string(), "comments.proto");
    assert_eq!(own_name(imported(&path), &path), own_name(imported(&sample()), &sample()));
}

#[test]
fn three_comments_around_one_field_are_three() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("three_comments");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("three.proto");
    let message = "message M {\n  string a = 1; /* first */\n  // second\n\n  // third\n  string b = 2; // fourth\n}\n";
    fs::write(&path, format!("syntax = \"proto3\";\npackage p;\n{message}")).unwrap();
    let docs = ["/// first\n    a: string,", "// second\n\n    /// third\n    ///\n    /// fourth\n    b: string,"];
    let expected = format!("struct M {{\n    {}\n}}\n", docs.join("\n    "));
    let text = imported(&path);
    assert!(text.ends_with(&expected), "{text}");
}
