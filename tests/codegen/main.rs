//! The text that is generated for every construct stands in `tests/generated/src`, where it is compiled with warnings denied.
//!
//! Knows: which file gives which text. Does not know: what a right text is; a person reads the difference.
//! `UPDATE=1 cargo test -p rpcgen-tests --no-default-features --test codegen` rewrites them, also when they do not compile; a missing
//! or different one fails and says so.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rpcgen::codegen::{self, Form, Settings};
use rpcgen::model::PackageId;

fn tests_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every `.rpc` file that has a text: those beside this file, and the shared ones.
fn inputs() -> BTreeMap<String, PathBuf> {
    let folders = [tests_folder().join("codegen"), tests_folder().join("../idl")];
    let mut inputs = BTreeMap::new();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(folder).expect("the folder can be listed") {
            let path = entry.expect("the folder can be listed").path();
            if path.extension().is_some_and(|extension| extension == "rpc") {
                let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
                assert!(inputs.insert(name, path.clone()).is_none(), "two files are called {}", path.display());
            }
        }
    }
    inputs
}

fn generated(path: &Path) -> String {
    let checked = rpcgen::check(&[path]);
    let model = checked.model.unwrap_or_else(|| panic!("{}", checked.diagnostics.to_human(false)));
    let settings = Settings { form: Form::File, ..Settings::default() };
    codegen::generate(&model, PackageId(0), &settings).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The crate root that compiles all of them.
fn crate_root(names: impl Iterator<Item = String>) -> String {
    let modules: String = names.map(|name| format!("#[rustfmt::skip]\npub mod {name};\n")).collect();
    let head = "//! Generated code of every construct, compiled with warnings denied.\n\
                //!\n\
                //! Knows: the list of constructs. Does not know: how they come here: `rpcgen-tests`, target `codegen`, writes\n\
                //! this file and all beside it.\n\
                #![deny(warnings)]\n";
    format!("{head}\n{modules}")
}

/// Compares, or rewrites. `Some`: what is wrong.
fn compare(path: &Path, expected: &str) -> Option<String> {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, expected).expect("the text can be written");
        return None;
    }
    let Ok(found) = fs::read_to_string(path) else {
        return Some(format!("{} is missing", path.display()));
    };
    let mut lines = found.lines().zip(expected.lines()).zip(1..);
    let difference = lines.find(|((found, expected), _)| found != expected);
    match difference {
        Some(((found, expected), line)) => {
            Some(format!("{}:{line} has\n    {found}\nand should have\n    {expected}", path.display()))
        }
        None if found != expected => Some(format!("{} ends too early or too late", path.display())),
        None => None,
    }
}

#[test]
fn generated_code_is_what_is_committed() {
    let inputs = inputs();
    let folder = tests_folder().join("generated/src");
    let mut wrong: Vec<String> = inputs
        .iter()
        .filter_map(|(name, path)| compare(&folder.join(format!("{name}.rs")), &generated(path)))
        .collect();
    wrong.extend(compare(&folder.join("lib.rs"), &crate_root(inputs.keys().cloned())));
    let listed = fs::read_dir(&folder).expect("the folder can be listed");
    for path in listed.map(|entry| entry.expect("the folder can be listed").path()) {
        let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        if name != "lib" && !inputs.contains_key(&name) {
            wrong.push(format!("{} belongs to no .rpc file any more: remove it", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\n\nUPDATE=1 rewrites what differs; read the difference.", wrong.join("\n\n"));
}

#[test]
fn generation_is_deterministic() {
    for path in inputs().values() {
        assert_eq!(generated(path), generated(path), "{}", path.display());
    }
}
