//! `rpcgen fmt`
//!
//! Knows: files, stdin, what `--check` means, a file that keeps its text where the new one finds no room. Does not know: the style.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use rpcgen::diagnostic::Diagnostics;
use rpcgen::load::{self, FILE_BYTES_MAX};

use crate::exit::{End, complain, say, show};
use crate::files;

/// `rpcgen fmt`
#[derive(Debug, clap::Args)]
pub(crate) struct FmtArgs {
    /// The .rpc files; a folder stands for all in it, `-` for stdin, whose text goes to stdout
    #[arg(required_unless_present = "stdin", conflicts_with = "stdin", value_name = "FILES")]
    pub(crate) files: Vec<PathBuf>,
    /// Write nothing; name the files that are not in the style, and fail if there are any
    #[arg(long)]
    pub(crate) check: bool,
    /// The same as `-`
    #[arg(long)]
    pub(crate) stdin: bool,
}

pub(crate) fn run(args: &FmtArgs) -> rpcgen::Result<End> {
    let is_stdin = |path: &PathBuf| path.as_os_str() == "-";
    let is_fine = if args.stdin || args.files.iter().all(is_stdin) {
        stdin(args.check)
    } else if args.files.iter().any(is_stdin) {
        complain("error: `-` stands alone: what comes from stdin goes to stdout, and files stay where they are\n");
        return Ok(End::Usage);
    } else {
        let files = files::named(&args.files)?;
        // What is wrong with one file leaves no other as it was.
        files.iter().map(|path| file(path, args.check)).filter(|is_fine| !is_fine).count() == 0
    };
    Ok(if is_fine { End::Fine } else { End::Findings })
}

/// As [`file()`].
fn stdin(check: bool) -> bool {
    let (path, mut bytes) = (Path::new("<stdin>"), Vec::new());
    // One byte more than a file may have tells that there are too many.
    let read = io::stdin().lock().take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    let Some((text, formatted)) = formatted(path, load::text_of(path, read.map(|_| bytes))) else { return false };
    if check {
        return is_formatted(path, &text, &formatted);
    }
    say(&formatted);
    true
}

/// Whether all is well: it could be read, and is in the style now, or was with `check`.
fn file(path: &Path, check: bool) -> bool {
    let Some((text, formatted)) = formatted(path, load::text(path)) else { return false };
    if check {
        return is_formatted(path, &text, &formatted);
    }
    if formatted != text {
        if let Err(error) = rewrite(path, &text, &formatted) {
            complain(&format!("error: {}: {error}\n", path.display()));
            return false;
        }
        say(&format!("formatted {}\n", path.display()));
    }
    true
}

fn is_formatted(path: &Path, text: &str, formatted: &str) -> bool {
    if formatted != text {
        complain(&format!("{} is not formatted\n", path.display()));
    }
    formatted == text
}

/// A text, and what it is in the style. `None`: it cannot be read as a whole, which has been shown.
fn formatted(path: &Path, text: Result<String, Box<Diagnostics>>) -> Option<(String, String)> {
    let both = text.and_then(|text| rpcgen::fmt::format(path, &text).map(|formatted| (text, formatted)));
    both.map_err(|found| show(&found)).ok()
}

/// The file is not emptied first: where the new text finds no room, the old one goes back into the room that it had.
fn rewrite(path: &Path, old: &str, new: &str) -> io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    let written = fill(&mut file, new);
    if written.is_err() {
        fill(&mut file, old)?;
    }
    written
}

fn fill(file: &mut File, text: &str) -> io::Result<()> {
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}
