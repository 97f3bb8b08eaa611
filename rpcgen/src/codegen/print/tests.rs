//! Every construct as prettyplease would print it.

use std::path::{Path, PathBuf};

use super::*;
use crate::codegen::{Settings, generate_items};
use crate::model::PackageId;

/// Every `.rpc` file whose generated code is committed.
fn inputs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folders = [root.join("idl"), root.join("tests/codegen")];
    let entries = folders.iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rpc"));
    files.sort();
    assert!(files.len() > 20, "they have been moved");
    files
}

/// What the printer that it is measured by makes of the same tokens.
fn as_prettyplease(code: &Code) -> String {
    prettyplease::unparse(&syn::parse_file(code.text()).unwrap())
}

/// The first line that differs, in both texts.
fn difference(ours: &str, theirs: &str) -> Option<String> {
    let mut lines = ours.lines().zip(theirs.lines()).zip(1..);
    let found = lines.find(|((ours, theirs), _)| ours != theirs);
    let found = found.map(|((ours, theirs), line)| format!("line {line}:\n{ours}\nand theirs:\n{theirs}"));
    found.or_else(|| (ours != theirs).then(|| "one is longer".to_owned()))
}

#[test]
fn lines_are_those_of_prettyplease() {
    let mut wrong = Vec::new();
    for path in inputs() {
        let model = crate::check(&[&path]).model.unwrap();
        for form in [Form::File, Form::InPlace] {
            let settings = Settings { form, ..Settings::default() };
            let items = generate_items(&model, PackageId(0), &settings).unwrap();
            let code = with_head(&items, form, &model.package(PackageId(0)).docs);
            let ours = formatted(&code).unwrap();
            let found = difference(&ours, &as_prettyplease(&code));
            wrong.extend(found.map(|text| format!("{} {form:?} {text}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n\n"));
}
