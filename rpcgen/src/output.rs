//! Generated texts on their way to the disk.
//!
//! Knows: file names, writing only what differs, what cargo wants to be told. Does not know: what is in the texts.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::codegen::{self, CodegenError, Settings};
use crate::model::{Model, PackageId};

/// As the standard one, with [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why nothing, or not all, was written.
#[non_exhaustive]
pub enum Error {
    /// The files have errors, which have been shown.
    Rejected {
        /// How many.
        errors: usize,
    },
    /// The generator refused the model.
    Codegen(CodegenError),
    /// A file cannot be read or written.
    Io {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not called from a build script, and without [`crate::Config::out_dir`].
    NoOutDir,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected { errors: 1 } => write!(f, "1 error in .rpc files"),
            Self::Rejected { errors } => write!(f, "{errors} errors in .rpc files"),
            Self::Codegen(error) => write!(f, "{error}"),
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::NoOutDir => write!(f, "OUT_DIR is not set: call this from a build script, or set Config::out_dir"),
        }
    }
}

/// As [`fmt::Display`]: `main` of a build script prints its error this way.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Codegen(error) => Some(error),
            Self::Io { source, .. } => Some(source),
            Self::Rejected { .. } | Self::NoOutDir => None,
        }
    }
}

/// The Rust text of one package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// `bank.rs`; the dots of a package stay.
    pub file_name: String,
    /// The text.
    pub text: String,
}

impl Generated {
    /// Whether the file in `folder` is exactly this text. Only a file of this very length is read: a device or a pipe may have no end.
    pub fn is_fresh(&self, folder: &Path) -> bool {
        let path = folder.join(&self.file_name);
        let is_as_long =
            fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() == self.text.len() as u64);
        is_as_long && fs::read(path).is_ok_and(|bytes| bytes == self.text.as_bytes())
    }

    /// Writes the file, unless it is there with these very bytes: its time stamp then tells cargo the truth. Whether it was written.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write(&self, folder: &Path) -> Result<bool> {
        if self.is_fresh(folder) {
            return Ok(false);
        }
        if let Err(source) = fs::create_dir_all(folder) {
            // "it exists" would be no reason.
            let source = if folder.exists() { io::ErrorKind::NotADirectory.into() } else { source };
            return Err(Error::Io { path: folder.to_path_buf(), source });
        }
        let path = folder.join(&self.file_name);
        fs::write(&path, &self.text).map(|()| true).map_err(|source| Error::Io { path, source })
    }
}

pub(crate) fn generate(model: &Model, settings: &Settings) -> Result<Vec<Generated>> {
    let roots = (0..).map(PackageId).zip(&model.packages).filter(|(_, package)| package.root);
    roots
        .map(|(id, package)| {
            let text = codegen::generate(model, id, settings).map_err(Error::Codegen)?;
            Ok(Generated { file_name: format!("{}.rs", package.name), text })
        })
        .collect()
}

/// The build script runs again when one of these changes, and only then.
#[expect(clippy::print_stdout, reason = "cargo reads a build script's stdout")]
pub(crate) fn tell_cargo(files: &[PathBuf]) {
    for file in files {
        println!("cargo::rerun-if-changed={}", file.display());
    }
}
