//! Turns protobuf services into `.rpc` files: what `rpcgen import` does.
//!
//! The pipeline: `load` reads `.proto` files and their imports, `symbols` knows what they declare, `select` takes what was asked
//! for and what it needs, `convert` writes one `.rpc` text for each package, and the compiler itself checks the result: what comes out
//! of here passes `rpcgen check`. What protobuf says and `.rpc` cannot is listed as a [`Loss`], never dropped in silence.
//!
//! ```no_run
//! let imported = rpcgen_import::Importer::new().search_path("protos").import(&["protos/shop/v1/shop.proto"])?;
//! for file in &imported.files {
//!     println!("{}:\n{}", file.name, file.text);
//! }
//! # Ok::<(), rpcgen_import::Refused>(())
//! ```
#![forbid(unsafe_code)]

mod comments;
mod convert;
mod load;
mod loss;
mod names;
mod options;
mod select;
mod symbols;
mod wellknown;

use std::path::{Path, PathBuf};

use rpcgen::Config;
use rpcgen::load::Memory;

pub use loss::{Kind, Loss};

/// How `.proto` files are found.
#[derive(Clone, Debug, Default)]
pub struct Importer {
    search_paths: Vec<PathBuf>,
}

/// What was made of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// One for each package: those that were asked for, then those that they need, each group by name.
    pub files: Vec<RpcFile>,
    /// What protobuf says and these files do not, in the order of the `.proto` files.
    pub losses: Vec<Loss>,
}

/// One `.rpc` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcFile {
    /// The package and `.rpc`: files of one import stand in one folder.
    pub name: String,
    /// In the one style.
    pub text: String,
    /// Whether a file of this package was asked for; else it is here because another needs it.
    pub asked: bool,
}

/// Why nothing was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// A file cannot be read, or is larger than the compiler's limit for a run.
    Unreadable,
    /// It is not protobuf.
    Syntax,
    /// It says `edition = ".."`: only `proto2` and `proto3` are read.
    Edition,
    /// A type is named and no file that was found declares it.
    UnknownType,
    /// Two files declare the same name.
    DeclaredTwice,
    /// Packages need each other. A `.rpc` package is one file, and files do not import each other.
    PackageCycle,
    /// The compiler refuses what was made: a limit of the language.
    Rejected,
}

/// Nothing was made, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The kind of obstacle.
    pub reason: Reason,
    /// For people: what stands where, and what to do.
    pub message: String,
}

impl Refused {
    fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refused {}

impl Importer {
    /// Imports are looked for in the folder of the importing file and those above it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Imports are looked for in this folder first, after those given before.
    #[must_use]
    pub fn search_path(mut self, folder: impl Into<PathBuf>) -> Self {
        self.search_paths.push(folder.into());
        self
    }

    /// Everything that these files declare, and what it needs of the files that they import.
    ///
    /// # Errors
    /// See [`Reason`].
    pub fn import(&self, files: &[impl AsRef<Path>]) -> Result<Imported, Refused> {
        let asked: Vec<PathBuf> = files.iter().map(|file| file.as_ref().to_path_buf()).collect();
        let protos = load::load(&asked, &self.search_paths)?;
        let symbols = symbols::Symbols::of(&protos)?;
        let packages = select::select(&protos, &symbols)?;
        let (texts, losses) = convert::convert(&symbols, &packages)?;
        let mut files = Vec::new();
        for (package, text) in packages.list.iter().zip(texts) {
            files.push(RpcFile {
                name: format!("{}.rpc", package.name),
                text: formatted(&text)?,
                asked: package.asked,
            });
        }
        accepted(&files)?;
        Ok(Imported { files, losses })
    }
}

/// In the one style.
fn formatted(text: &str) -> Result<String, Refused> {
    rpcgen::fmt::format(Path::new("imported.rpc"), text).map_err(|found| rejected(&found))
}

fn rejected(found: &rpcgen::diagnostic::Diagnostics) -> Refused {
    Refused::new(Reason::Rejected, format!("the compiler refuses what would be written:\n{}", found.to_human(false)))
}

/// What is written passes `rpcgen check`.
fn accepted(files: &[RpcFile]) -> Result<(), Refused> {
    let memory = files.iter().fold(Memory::default(), |memory, file| memory.with(&file.name, file.text.as_str()));
    let asked: Vec<&str> = files.iter().filter(|file| file.asked).map(|file| file.name.as_str()).collect();
    let checked = Config::new().check_in(&memory, &asked);
    if checked.model.is_some() { Ok(()) } else { Err(rejected(&checked.diagnostics)) }
}
