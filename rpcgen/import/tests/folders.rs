//! Whole collections of `.proto` files: each is imported, and what comes out passes `rpcgen check`, or refused with a reason.
//!
//! The samples of this package, and any folder that `RPCGEN_IMPORT_PROTOS` names; behind it, with `:` between, more search paths:
//!
//! ```sh
//! RPCGEN_IMPORT_PROTOS=~/googleapis cargo test --release -p rpcgen-import --test folders -- --nocapture
//! ```
#![expect(clippy::unwrap_used, reason = "a test that cannot read its files fails")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use rpcgen::Config;
use rpcgen::diagnostic::Code;
use rpcgen::load::Memory;
use rpcgen_import::{Imported, Importer, Kind, Reason};

/// What became of all files of a folder.
#[derive(Debug, Default)]
struct Figures {
    files_count: usize,
    imported: usize,
    /// By reason, with the first message.
    refused: BTreeMap<Reason, (usize, String)>,
    losses: BTreeMap<Kind, usize>,
    actions_count: usize,
    panicked: Vec<PathBuf>,
    /// Imported, and not what it should be.
    wrong: Vec<String>,
}

/// Not through links: they may go round in a circle, and what they lead to is found where it is.
fn protos(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(folder).unwrap().map(Result::unwrap).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            protos(&path, found);
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
}

fn run(folder: &Path, search_paths: &[PathBuf]) -> Figures {
    let mut files = Vec::new();
    protos(folder, &mut files);
    let importer = search_paths.iter().fold(Importer::new().search_path(folder), Importer::search_path);
    let mut figures = Figures { files_count: files.len(), ..Figures::default() };
    for file in files {
        match catch_unwind(|| importer.import(&[&file])) {
            Err(_) => figures.panicked.push(file),
            Ok(Err(refused)) => {
                let (count, _) = figures.refused.entry(refused.reason).or_insert((0, refused.message));
                *count += 1;
            }
            Ok(Ok(imported)) => {
                figures.imported += 1;
                imported.losses.iter().for_each(|loss| *figures.losses.entry(loss.kind).or_default() += 1);
                match checked(&imported) {
                    Ok(actions_count) => figures.actions_count += actions_count,
                    Err(wrong) => figures.wrong.push(format!("{}: {wrong}", file.display())),
                }
            }
        }
    }
    figures
}

/// How many actions there are in what was imported, which is accepted without a warning but those of deprecation, and formatted.
fn checked(imported: &Imported) -> Result<usize, String> {
    let memory =
        imported.files.iter().fold(Memory::default(), |memory, file| memory.with(&file.name, file.text.as_str()));
    let asked: Vec<&str> = imported.files.iter().map(|file| file.name.as_str()).collect();
    let checked = Config::new().check_in(&memory, &asked);
    let other = checked.diagnostics.list().iter().any(|found| found.code != Code::DeprecatedUse);
    let Some(model) = checked.model.filter(|_| !other) else { return Err(checked.diagnostics.to_human(false)) };
    for file in &imported.files {
        let again = rpcgen::fmt::format(Path::new(&file.name), &file.text).map_err(|found| found.to_human(false))?;
        if again != file.text {
            return Err(format!("{} is not formatted", file.name));
        }
    }
    Ok(model.services.iter().map(|service| service.actions.len()).sum())
}

fn report(folder: &Path, figures: &Figures) -> String {
    let mut out = format!("{}: {} files, {} imported", folder.display(), figures.files_count, figures.imported);
    let _ = writeln!(out, " ({} actions), {} panics", figures.actions_count, figures.panicked.len());
    for (reason, (count, message)) in &figures.refused {
        let _ = writeln!(out, "  refused: {reason:?} {count}, the first: {message}");
    }
    for (kind, count) in &figures.losses {
        let _ = writeln!(out, "  lost: {kind:?} {count}");
    }
    out
}

#[test]
#[cfg(unix)]
fn a_link_that_leads_back_is_not_followed() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("circle");
    fs::create_dir_all(folder.join("inside")).unwrap();
    fs::write(folder.join("inside/one.proto"), "syntax = \"proto3\";").unwrap();
    let link = folder.join("inside/back");
    if fs::symlink_metadata(&link).is_err() {
        std::os::unix::fs::symlink(&folder, &link).unwrap();
    }
    let mut found = Vec::new();
    protos(&folder, &mut found);
    assert_eq!(found, [folder.join("inside/one.proto")]);
}

#[test]
fn every_file_of_a_folder_is_imported_or_refused_with_a_reason() {
    let given = std::env::var("RPCGEN_IMPORT_PROTOS").unwrap_or_default();
    let mut given = given.split(':').filter(|path| !path.is_empty()).map(PathBuf::from);
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let folder = given.next().unwrap_or(samples);
    let figures = run(&folder, &given.collect::<Vec<PathBuf>>());
    println!("{}", report(&folder, &figures));
    let refused: usize = figures.refused.values().map(|(count, _)| count).sum();
    assert!(figures.files_count > 0, "{} holds no .proto file", folder.display());
    assert_eq!(figures.imported + refused + figures.panicked.len(), figures.files_count);
    assert_eq!(figures.panicked, [] as [PathBuf; 0]);
    assert!(
        figures.wrong.is_empty(),
        "{} wrong, the first ten: {}",
        figures.wrong.len(),
        figures.wrong[..figures.wrong.len().min(10)].join("\n")
    );
}
