//! `rpcgen fmt`
//!
//! Knows: files, stdin, what `--check` means. Does not know: the style.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rpcgen::Error;
use rpcgen::load::FILE_BYTES_MAX;

use crate::exit::{End, complain, say, show};

/// `rpcgen fmt`
#[derive(Debug, clap::Args)]
pub(crate) struct FmtArgs {
    /// The .rpc files
    #[arg(required_unless_present = "stdin", conflicts_with = "stdin", value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// Write nothing; name the files that are not in the style, and fail if there are any
    #[arg(long)]
    pub(crate) check: bool,
    /// Read one file from stdin and write it to stdout
    #[arg(long)]
    pub(crate) stdin: bool,
}

pub(crate) fn run(args: &FmtArgs) -> rpcgen::Result<End> {
    if args.stdin {
        return stdin(args.check);
    }
    let mut end = End::Fine;
    for path in &args.files {
        if !file(path, args.check)? {
            end = End::Findings;
        }
    }
    Ok(end)
}

fn stdin(check: bool) -> rpcgen::Result<End> {
    let path = Path::new("<stdin>");
    let mut text = String::new();
    // One byte more than a file may have tells that there are too many.
    let limit = FILE_BYTES_MAX as u64 + 1;
    let read = io::stdin().lock().take(limit).read_to_string(&mut text);
    read.map_err(|source| Error::Io { path: path.to_path_buf(), source })?;
    let Some(formatted) = formatted(path, &text)? else { return Ok(End::Findings) };
    if !check {
        say(&formatted);
    }
    Ok(if check && formatted != text { End::Findings } else { End::Fine })
}

/// Whether all is well with a file: it could be read, and is in the style now, or was with `check`.
fn file(path: &Path, check: bool) -> rpcgen::Result<bool> {
    let failed = |source| Error::Io { path: path.to_path_buf(), source };
    let text = fs::read_to_string(path).map_err(failed)?;
    let Some(formatted) = formatted(path, &text)? else { return Ok(false) };
    if formatted == text {
        return Ok(true);
    }
    if check {
        complain(&format!("{} is not formatted\n", path.display()));
        return Ok(false);
    }
    fs::write(path, formatted).map_err(failed)?;
    say(&format!("formatted {}\n", path.display()));
    Ok(true)
}

/// `None`: the text cannot be read as a whole, which has been shown.
fn formatted(path: &Path, text: &str) -> rpcgen::Result<Option<String>> {
    if text.len() > FILE_BYTES_MAX {
        let source = io::Error::other(format!("it is longer than {} MiB", FILE_BYTES_MAX >> 20));
        return Err(Error::Io { path: path.to_path_buf(), source });
    }
    match rpcgen::fmt::format(path, text) {
        Ok(formatted) => Ok(Some(formatted)),
        Err(found) => {
            show(&found);
            Ok(None)
        }
    }
}
