//! `rpcgen schema` and `rpcgen doc`
//!
//! Knows: what is made of a model goes to stdout, or to a file that is written only if it changes. Does not know: how it is made.

use std::io;
use std::path::Path;

use rpcgen::backend::{Backend, Html, Schema};
use rpcgen::{Config, Error, Generated};

use crate::args::{DocArgs, DocumentArgs};
use crate::exit::{End, say, show};
use crate::files;

pub(crate) fn schema(args: &DocumentArgs) -> rpcgen::Result<End> {
    run(args, &Schema)
}

pub(crate) fn doc(args: &DocArgs) -> rpcgen::Result<End> {
    run(&args.document, &Html { title: args.title.clone() })
}

fn run(args: &DocumentArgs, backend: &dyn Backend) -> rpcgen::Result<End> {
    let config = args.search_paths.iter().fold(Config::new(), Config::search_path);
    let checked = config.check(&files::named(&args.files)?);
    show(&checked.diagnostics);
    let Some(model) = &checked.model else { return Ok(End::Findings) };
    for generated in backend.generate(model)? {
        match &args.out {
            None => say(&generated.text),
            Some(path) => write(path, generated)?,
        }
    }
    Ok(End::Fine)
}

fn write(path: &Path, generated: Generated) -> rpcgen::Result<()> {
    let (Some(folder), Some(name), false) = (path.parent(), path.file_name(), path.is_dir()) else {
        let source = io::Error::other("this is a folder; --out names the file to write");
        return Err(Error::Io { path: path.to_path_buf(), source });
    };
    let file_name = name.to_string_lossy().into_owned();
    let what = if (Generated { file_name, ..generated }).write(folder)? { "wrote" } else { "unchanged" };
    say(&format!("{what} {}\n", path.display()));
    Ok(())
}
