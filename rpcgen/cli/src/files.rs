//! The `.rpc` files that a command line names.
//!
//! Knows: a folder stands for all of them in it. Does not know: what is done with them.

use std::io;
use std::path::PathBuf;

use rpcgen::Error;
use rpcgen::load::in_folder;

/// In the order of the command line, those of a folder by name.
///
/// # Errors
/// A folder cannot be read, or has no such file.
pub(crate) fn named(paths: &[PathBuf]) -> rpcgen::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let inside = in_folder(path)?;
        if inside.is_empty() {
            let source = io::Error::other("there is no .rpc file in this folder");
            return Err(Error::Io { path: path.clone(), source });
        }
        files.extend(inside);
    }
    Ok(files)
}
