//! `rpcgen import`
//!
//! Knows: nothing is written over that differs, unless asked for; how losses are told. Does not know: protobuf.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rpcgen::Generated;
use rpcgen_import::{Importer, Kind, Loss};

use crate::args::ImportArgs;
use crate::exit::{End, complain, say};

pub(crate) fn run(args: &ImportArgs) -> rpcgen::Result<End> {
    let importer = args.search_paths.iter().fold(Importer::new(), Importer::search_path);
    let imported = match importer.import(&args.files) {
        Ok(imported) => imported,
        Err(refused) => {
            complain(&format!("error: {}\n", refused.message.trim_end()));
            return Ok(End::Findings);
        }
    };
    let files: Vec<Generated> =
        imported.files.into_iter().map(|file| Generated { file_name: file.name, text: file.text }).collect();
    if !args.force && is_in_the_way(args, &files) {
        return Ok(End::Findings);
    }
    for file in &files {
        let what = if file.write(&args.out)? { "wrote" } else { "unchanged" };
        say(&format!("{what} {}\n", args.out.join(&file.file_name).display()));
    }
    complain(&told(&imported.losses));
    Ok(End::Fine)
}

/// Whether a file of another content has one of the names; who has edited it does not want to lose that.
fn is_in_the_way(args: &ImportArgs, files: &[Generated]) -> bool {
    let mut found = false;
    for file in files {
        let path = args.out.join(&file.file_name);
        if path.exists() && !file.is_fresh(&args.out) {
            complain(&format!("error: {} is there and differs; --force writes over it\n", path.display()));
            found = true;
        }
    }
    found
}

/// Losses by kind; those with the same words once, with their count.
fn told(losses: &[Loss]) -> String {
    let mut kinds: BTreeMap<Kind, BTreeMap<&str, (usize, &Loss)>> = BTreeMap::new();
    for loss in losses {
        kinds.entry(loss.kind).or_default().entry(&loss.what).or_insert((0, loss)).0 += 1;
    }
    let mut out = String::new();
    for (kind, texts) in kinds {
        let _ = writeln!(out, "{}:", title(kind));
        let mut rows: Vec<(usize, &Loss)> = texts.into_values().collect();
        rows.sort_by_key(|(_, loss)| (&loss.file, loss.line));
        for (count, loss) in rows {
            let times = if count > 1 { format!(" ({count} times, here first)") } else { String::new() };
            let _ = writeln!(out, "  {loss}{times}");
        }
    }
    if out.is_empty() { out } else { format!("\nnot carried over\n{out}") }
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Stream => "methods with streams",
        Kind::Service => "services",
        Kind::Extension => "extensions",
        Kind::Option => "options",
        Kind::Default => "defaults",
        Kind::Alias => "second names of values",
        Kind::Reserved => "reservations",
        Kind::Meaning => "meanings",
        Kind::Renamed => "names that met others",
        Kind::MissingImport => "imports",
    }
}
